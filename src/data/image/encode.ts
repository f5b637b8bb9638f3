/** Pixels to picture files, and to other sides. */
import type { Sharp } from 'sharp';

/** Pixels as they come from elsewhere: of any memory, of 1, 3 or 4 channels. */
export interface EncodablePixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 2 | 3 | 4;
  /** [height, width, channels] */
  readonly data: Uint8Array;
}

export interface EncodePngOptions {
  /** 0 to 9. Default 6. */
  readonly compressionLevel?: number;
  /** At most so many colours, as a palette; 2 to 256. */
  readonly colours?: number;
}

/** 8-bit pixels as a PNG file. */
export async function encodePng(pixels: EncodablePixels, options: EncodePngOptions = {}): Promise<Buffer> {
  const { compressionLevel = 6, colours } = options;
  return (await fromPixels(pixels))
    .png({ compressionLevel, ...(colours !== undefined && { palette: true, colours }) })
    .toBuffer();
}

/** 8-bit colours, with alpha or without. */
export interface WebpPixels extends EncodablePixels {
  readonly channels: 3 | 4;
}

/**
 * 8-bit pixels as a WebP file without loss, those that cannot be seen among them.
 *
 * @param effort 0, the quickest, to 6, the slowest.
 */
export async function encodeLosslessWebp(pixels: EncodablePixels, effort = 6): Promise<Buffer> {
  return (await fromPixels(pixels)).webp({ lossless: true, effort, exact: true }).toBuffer();
}

/** @throws Error for anything but a picture in WebP of these sides. */
export async function decodeLosslessWebp(
  bytes: Uint8Array,
  sides: { readonly width: number; readonly height: number },
): Promise<EncodablePixels> {
  const start = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(16, bytes.byteLength));
  if (start.toString('latin1', 0, 4) !== 'RIFF' || start.toString('latin1', 8, 12) !== 'WEBP')
    throw new Error('it does not begin as WebP');
  const { default: sharp } = await import('sharp');
  const image = sharp(bytes, { limitInputPixels: sides.width * sides.height, failOn: 'warning' });
  const found = await image.metadata();
  if (
    found.format !== 'webp' ||
    found.width !== sides.width ||
    found.height !== sides.height ||
    found.pages !== undefined
  )
    throw new Error('it is of another size');
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, channels: info.channels as EncodablePixels['channels'], data };
}

/** Pixels at other sides. */
export async function resizePixels(
  pixels: EncodablePixels,
  size: { readonly width: number; readonly height: number; readonly fit: 'cover' | 'contain' | 'fill' },
): Promise<EncodablePixels> {
  if (pixels.width === size.width && pixels.height === size.height) return pixels;
  const image = (await fromPixels(pixels)).resize(size.width, size.height, { fit: size.fit });
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, channels: info.channels as EncodablePixels['channels'], data };
}

async function fromPixels({ data, width, height, channels }: EncodablePixels): Promise<Sharp> {
  const { default: sharp } = await import('sharp');
  const image = sharp(data, { raw: { width, height, channels }, limitInputPixels: false });
  return channels <= 2 ? image.toColourspace('b-w') : image;
}

/** Channels last to channels first, in `channels` of them: one channel stands for all colours, others are left out. */
export function toPlanes<T extends Uint8Array | Uint16Array>(
  values: T,
  stored: number,
  channels: number,
  out: Uint8Array | Float32Array = new Uint8Array((values.length / stored) * channels),
  scale = 1,
): Uint8Array | Float32Array {
  const plane = values.length / stored;
  for (let channel = 0; channel < channels; channel += 1) {
    // A grey picture brought to colour may still come with one channel.
    const from = Math.min(channel, stored - 1);
    const to = channel * plane;
    for (let pixel = 0; pixel < plane; pixel += 1) out[to + pixel] = values[pixel * stored + from]! * scale;
  }
  return out;
}

/** Channels first to channels last. */
export function fromPlanes(planes: Uint8Array, channels: number): Uint8Array {
  if (channels === 1) return planes;
  const out = new Uint8Array(planes.length);
  const plane = planes.length / channels;
  for (let channel = 0; channel < channels; channel += 1) {
    for (let at = 0; at < plane; at += 1) out[at * channels + channel] = planes[channel * plane + at]!;
  }
  return out;
}
