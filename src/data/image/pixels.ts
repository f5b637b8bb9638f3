/**
 * Picture files to pixels and back: the one place that decodes and encodes pictures, for training, inference, archives
 * and reports. Only bytes and plain numbers go to the decoder, never names from outside.
 */
import type { Sharp } from 'sharp';
import { VaeError } from '../../core/errors.js';
import { type FoundFile, readFoundFile, startOfFile } from '../find-files.js';
import { MAGIC_BYTES, PICTURES, pictureFormat } from './formats.js';
import { checkLimits, type DecodeCost, type PictureLimits, withRoom } from './limits.js';

/** A picture in memory: its file's bytes, and what to call it in messages. */
export interface PictureBytes {
  readonly bytes: Uint8Array;
  readonly name: string;
}

export type PictureSource = FoundFile | PictureBytes;

/** Pixels side by side: [height, width, channels]. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 2 | 3 | 4;
  readonly data: Uint8Array | Uint16Array;
}

export interface DecodeOptions extends PictureLimits {
  /**
   * `stored` gives the channels of the file without any change of colour; the others bring it to those, with
   * transparency laid on white unless it is `rgba`.
   */
  readonly colour: 'stored' | 'grey' | 'rgb' | 'rgba';
  /** Bits of a value. Default: 8, and those of the file where the colour is `stored`. */
  readonly depth?: 8 | 16 | undefined;
  /** Sides to bring it to; left out: its own. */
  readonly size?:
    | { readonly height: number; readonly width: number; readonly fit: 'cover' | 'contain' | 'fill' }
    | undefined;
  /** Longest side; a picture with a longer one is made smaller. */
  readonly longestSide?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What the header of a picture file says, upright. */
export interface PictureHeader {
  readonly format: string;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly grey: boolean;
  readonly alpha: boolean;
  /** Bits of one value, 8 or 16. */
  readonly depth: 8 | 16;
  /** Type of a stored value in the words of libvips: uchar, ushort, float … */
  readonly sample: string;
  /** Whether it can be decoded from top to bottom, without holding all of it. */
  readonly sequential: boolean;
  /** EXIF, 1 to 8; from 5 on sides are swapped. */
  readonly orientation: number;
}

/** @throws VaeError ERR_VAE_FORMAT naming a file that is no picture, ERR_VAE_IO for one that cannot be read. */
export async function readPictureHeader(source: PictureSource, signal?: AbortSignal): Promise<PictureHeader> {
  signal?.throwIfAborted();
  // By its path only the beginning of the file is read.
  if ('bytes' in source || typeof source.path !== 'string') {
    const { bytes, name } = await pictureBytes(source, signal);
    return headerOf({ input: bytes, name });
  }
  checkedStart(await startOfFile(source, MAGIC_BYTES), source.name);
  return headerOf({ input: source.path, name: source.name });
}

/**
 * Decodes one picture, upright. Of an animation, the first frame.
 *
 * @throws VaeError ERR_VAE_FORMAT naming a file that is truncated, damaged or no picture, ERR_VAE_DATA for one that
 *   would take more memory than is allowed.
 */
export async function decodePixels(source: PictureSource, options: DecodeOptions): Promise<Pixels> {
  const { signal, colour } = options;
  const picture = await pictureBytes(source, signal);
  const header = await headerOf({ input: picture.bytes, name: picture.name });
  if (colour === 'stored' && header.sample !== 'uchar' && header.sample !== 'ushort') {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${picture.name}: its values are of type ${header.sample}, not whole numbers from 0.`,
    );
  }
  const cost = costOf(header, options);
  checkLimits(cost, options, picture.name);
  const { default: sharp } = await import('sharp');
  return withRoom(cost.bytes, options, async () => {
    signal?.throwIfAborted();
    const { depth = colour === 'stored' ? header.depth : 8 } = options;
    const image = sharp(picture.bytes, {
      failOn: 'warning',
      limitInputPixels: false,
      ignoreIcc: colour === 'stored',
    }).autoOrient();
    const { data, info } = await coloured(sized(image, options), header, colour, depth)
      .raw({ depth: depth === 16 ? 'ushort' : 'uchar' })
      .toBuffer({ resolveWithObject: true })
      .catch((cause: unknown) => {
        throw notAPicture(picture.name, cause);
      });
    signal?.throwIfAborted();
    return {
      width: info.width,
      height: info.height,
      channels: info.channels as Pixels['channels'],
      data: depth === 16 ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) : data,
    };
  });
}

function sized(image: Sharp, { size, longestSide }: DecodeOptions): Sharp {
  if (size) return image.resize(size.width, size.height, { fit: size.fit, background: '#000000' });
  if (longestSide) return image.resize(longestSide, longestSide, { fit: 'inside', withoutEnlargement: true });
  return image;
}

function coloured(image: Sharp, header: PictureHeader, colour: DecodeOptions['colour'], depth: 8 | 16): Sharp {
  if (colour === 'stored') {
    const space = header.grey ? (depth === 16 ? 'grey16' : 'b-w') : depth === 16 ? 'rgb16' : 'srgb';
    return image.toColourspace(space);
  }
  const flat = colour === 'rgba' ? image.ensureAlpha() : image.flatten({ background: '#ffffff' });
  if (depth === 16) return flat.toColourspace(colour === 'grey' ? 'grey16' : 'rgb16');
  return colour === 'grey' ? flat.greyscale() : flat.toColourspace('srgb');
}

/** Bytes that decoding holds: what comes out, twice while it is put in order, and the file's pixels where all are needed. */
function costOf(header: PictureHeader, { colour, size, longestSide, depth = 8 }: DecodeOptions): DecodeCost {
  const { width, height } = header;
  const stored =
    width * height * header.channels * (header.sample === 'uchar' ? 1 : header.sample === 'ushort' ? 2 : 4);
  const channels = colour === 'stored' ? header.channels : CHANNELS_OF[colour];
  const scale = longestSide === undefined ? 1 : Math.min(1, longestSide / Math.max(width, height));
  const out = (size ? size.width * size.height : width * height * scale * scale) * channels * (depth / 8);
  // A picture that lies on its side is turned as a whole.
  const whole = header.sequential && header.orientation < 5 ? 0 : stored;
  return { width, height, bytes: Math.round(whole + 2 * out) };
}

const CHANNELS_OF = { grey: 1, rgb: 3, rgba: 4 } as const;

/** @param input bytes, or the path of a file that was found. */
async function headerOf({ input, name }: { input: Uint8Array | string; name: string }): Promise<PictureHeader> {
  const { default: sharp } = await import('sharp');
  const found = await sharp(input, { limitInputPixels: false })
    .metadata()
    .catch((cause: unknown) => {
      throw notAPicture(name, cause);
    });
  // Pictures from cameras lie on their side and say so.
  const orientation = found.orientation ?? 1;
  const [width, height] = orientation >= 5 ? [found.height, found.width] : [found.width, found.height];
  return {
    format: found.format,
    width,
    height,
    channels: found.channels,
    grey: found.space === 'b-w' || found.space === 'grey16',
    alpha: found.hasAlpha,
    depth: found.depth === 'ushort' ? 16 : 8,
    sample: found.depth,
    sequential: (found.format === 'jpeg' || found.format === 'png') && !found.isProgressive,
    orientation,
  };
}

async function pictureBytes(source: PictureSource, signal: AbortSignal | undefined): Promise<PictureBytes> {
  const { name } = source;
  const bytes = 'bytes' in source ? source.bytes : await readFoundFile(source, signal);
  if (!(bytes instanceof Uint8Array)) {
    throw new VaeError('ERR_VAE_OPTION', `${name}: expected the bytes of a picture file as Uint8Array.`);
  }
  checkedStart(bytes, name);
  return { bytes, name };
}

/** @throws VaeError ERR_VAE_FORMAT for what does not begin like a picture of a known format. */
function checkedStart(start: Uint8Array, name: string): void {
  if (start.length === 0) {
    throw new VaeError('ERR_VAE_FORMAT', `${name}: the file is empty (0 bytes); expected a picture.`);
  }
  if (pictureFormat(start) === undefined) throw notAPicture(name, new Error(`begins like none of ${KNOWN}`));
}

const KNOWN = PICTURES.endings.join(' ');

function notAPicture(name: string, cause: unknown): VaeError {
  const why = String((cause as Error).message)
    .split('\n')[0]!
    .replace(/[.\s]*$/, '');
  return new VaeError(
    'ERR_VAE_FORMAT',
    `${name}: damaged, truncated or no picture (${why}). Remove or repair it, or have such files skipped.`,
    { cause },
  );
}

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

/** 8-bit pixels as a WebP file without loss. */
export async function encodeLosslessWebp(pixels: EncodablePixels): Promise<Buffer> {
  return (await fromPixels(pixels)).webp({ lossless: true, effort: 6 }).toBuffer();
}

/** Pixels at other sides, cut where they are of another shape, and in grey where asked. */
export async function resizePixels(
  pixels: EncodablePixels,
  size: { readonly width: number; readonly height: number; readonly fit: 'cover' | 'contain' | 'fill' },
  colour: 'grey' | 'rgb',
): Promise<Pixels> {
  let image = await fromPixels(pixels);
  if (pixels.width !== size.width || pixels.height !== size.height) {
    image = image.resize(size.width, size.height, { fit: size.fit });
  }
  image = colour === 'grey' ? image.greyscale() : image.toColourspace('srgb');
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, channels: info.channels as Pixels['channels'], data };
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
