// Picture files as rows for a model, and rows as PNG files.
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';

/** The first bytes of the formats that are read. SVG is not among them: a drawing is a program, and takes what it wants. */
const FORMATS = [
  ['PNG', (bytes) => startsWith(bytes, 0, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])],
  ['JPEG', (bytes) => startsWith(bytes, 0, [0xff, 0xd8, 0xff])],
  ['WebP', (bytes) => startsWith(bytes, 0, ascii('RIFF')) && startsWith(bytes, 8, ascii('WEBP'))],
  ['TIFF', (bytes) => startsWith(bytes, 0, [0x49, 0x49, 0x2a, 0]) || startsWith(bytes, 0, [0x4d, 0x4d, 0, 0x2a])],
  ['GIF', (bytes) => startsWith(bytes, 0, ascii('GIF8'))],
  ['AVIF', (bytes) => startsWith(bytes, 4, ascii('ftypavi'))],
];

/** Reads a picture file to the model's size and channels. The path is the program's own, never one that a client sent. */
export async function readPicture(path, shape) {
  return decodePictureBytes(await readFile(path), shape);
}

/** Decodes the bytes of a picture to the model's size and channels: 8-bit, [1, channels, height, width]. */
export async function decodePictureBytes(bytes, [channels, height, width]) {
  // sharp takes a string as a path and an array as instructions: neither may come from a client.
  if (!(bytes instanceof Uint8Array)) throw new TypeError('expected the bytes of a picture, a Uint8Array');
  if (!FORMATS.some(([, fits]) => fits(bytes)))
    throw new TypeError(`expected a picture as ${FORMATS.map(([name]) => name).join(', ')}`);
  const picture = sharp(bytes, { limitInputPixels: 100_000_000 }).resize(width, height, { fit: 'fill' }).removeAlpha();
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

function startsWith(bytes, at, wanted) {
  return wanted.every((byte, index) => bytes[at + index] === byte);
}

function ascii(text) {
  return [...text].map((letter) => letter.charCodeAt(0));
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
