// Picture files as rows for a model, and rows as PNG files.
import sharp from 'sharp';

/** Decodes a picture (bytes or a path) to the model's size and channels: 8-bit, [1, channels, height, width]. */
export async function readPicture(source, [channels, height, width]) {
  const picture = sharp(source, { limitInputPixels: 100_000_000 }).resize(width, height, { fit: 'fill' }).removeAlpha();
  const { data, info } = await (channels === 1 ? picture.greyscale() : picture.toColourspace('srgb'))
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data: channelsFirst(data, info.channels, channels), shape: [1, channels, height, width] };
}

/** Encodes one picture of a model's output, float32 [channels, height, width] in 0..1, as PNG. */
export function writePicture(values, [channels, height, width]) {
  const size = height * width;
  const bytes = new Uint8Array(channels * size);
  for (let channel = 0; channel < channels; channel += 1) {
    for (let at = 0; at < size; at += 1) {
      bytes[at * channels + channel] = Math.round(255 * Math.min(1, Math.max(0, values[channel * size + at])));
    }
  }
  return sharp(bytes, { raw: { width, height, channels } }).png().toBuffer();
}

/** sharp gives the channels of a pixel side by side; models take them one after the other. */
function channelsFirst(pixels, stride, channels) {
  const size = pixels.length / stride;
  const bytes = new Uint8Array(channels * size);
  for (let channel = 0; channel < channels; channel += 1) {
    for (let at = 0; at < size; at += 1) bytes[channel * size + at] = pixels[at * stride + channel];
  }
  return bytes;
}
