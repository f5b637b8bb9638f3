/** Picture files to arrays, by sharp. */
import { VaeError } from '../../core/errors.js';
import { type FoundFile, readFoundFile } from '../find-files.js';
import type { RowArray } from '../values.js';
import { CHANNELS, type ImageRecipe } from './recipe.js';

export interface Picture {
  readonly data: RowArray;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export type PictureForm = Pick<ImageRecipe, 'colour' | 'depth'> & {
  /** Sides to bring it to; left out: its own. */
  readonly size?: Pick<ImageRecipe, 'height' | 'width' | 'fit'>;
  /** Longest side; a picture with a longer one is made smaller. */
  readonly longestSide?: number | undefined;
};

/** What the header of a picture file says. */
export interface PictureHeader {
  readonly width: number;
  readonly height: number;
  readonly grey: boolean;
  readonly alpha: boolean;
  /** Bits of one channel, 8 or 16. */
  readonly depth: 8 | 16;
}

/** @throws VaeError ERR_VAE_FORMAT naming a file that is no picture, ERR_VAE_IO for one that cannot be read. */
export async function readPictureHeader(file: FoundFile, signal?: AbortSignal): Promise<PictureHeader> {
  const { default: sharp } = await import('sharp');
  signal?.throwIfAborted();
  // By its path only the beginning of the file is read.
  const found = await sharp(typeof file.path === 'string' ? file.path : await checkedBytes(file, signal))
    .metadata()
    .catch(async (cause: unknown) => {
      await checkedBytes(file, signal);
      throw notAPicture(file, cause);
    });
  // Pictures from cameras lie on their side and say so.
  const turned = (found.orientation ?? 1) >= 5;
  const { width, height } = found;
  return {
    width: turned ? height : width,
    height: turned ? width : height,
    grey: found.space === 'b-w' || found.space === 'grey16',
    alpha: found.hasAlpha,
    depth: found.depth === 'ushort' ? 16 : 8,
  };
}

/**
 * Decodes one picture, upright, channels first: bytes with `depth` 8, float32 fractions of 65535 with 16.
 * Of an animation, the first frame. Transparency is laid on white unless `colour` is `rgba`.
 *
 * @throws VaeError ERR_VAE_FORMAT naming a file that is truncated, damaged or no picture.
 */
export async function decodePicture(file: FoundFile, form: PictureForm, signal?: AbortSignal): Promise<Picture> {
  const { default: sharp } = await import('sharp');
  const bytes = await checkedBytes(file, signal);
  const { colour, depth, size, longestSide } = form;
  const wide = depth === 16;
  let image = sharp(bytes, { failOn: 'warning', limitInputPixels: mostPixels(bytes.length) }).autoOrient();
  image = colour === 'rgba' ? image.ensureAlpha() : image.flatten({ background: '#ffffff' });
  if (wide) image = image.toColourspace(colour === 'grey' ? 'grey16' : 'rgb16');
  else if (colour === 'grey') image = image.greyscale();
  else image = image.toColourspace('srgb');
  if (size) image = image.resize(size.width, size.height, { fit: size.fit, background: '#000000' });
  else if (longestSide) image = image.resize(longestSide, longestSide, { fit: 'inside', withoutEnlargement: true });
  const { data, info } = await image
    .raw({ depth: wide ? 'ushort' : 'uchar' })
    .toBuffer({ resolveWithObject: true })
    .catch((cause: unknown) => {
      throw notAPicture(file, cause);
    });
  signal?.throwIfAborted();
  const { width, height, channels } = info;
  const values = wide ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) : data;
  return {
    data: planes(values, width * height, channels, CHANNELS[colour]),
    channels: CHANNELS[colour],
    height,
    width,
  };
}

/** Channels last to channels first; 16-bit values become fractions. */
function planes(values: Uint8Array | Uint16Array, plane: number, stored: number, wanted: number): RowArray {
  const wide = values instanceof Uint16Array;
  const out = wide ? new Float32Array(plane * wanted) : new Uint8Array(plane * wanted);
  const scale = wide ? 1 / 65535 : 1;
  for (let channel = 0; channel < wanted; channel += 1) {
    // A grey picture brought to colour may still come with one channel.
    const from = Math.min(channel, stored - 1);
    const to = channel * plane;
    for (let pixel = 0; pixel < plane; pixel += 1) out[to + pixel] = values[pixel * stored + from]! * scale;
  }
  return out;
}

/**
 * Pixels that so many bytes may decode to. A file of some hundred bytes that claims 16,000 pixels a side would take
 * gigabytes to find out that there is nothing behind it; the best compressed pictures have a thousand for a byte.
 */
function mostPixels(byteLength: number): number {
  return Math.min(MOST_PIXELS, Math.max(ALWAYS_PIXELS, 1000 * byteLength));
}

/** The limit of sharp, by itself. */
const MOST_PIXELS = 0x3fff ** 2;
const ALWAYS_PIXELS = 2 ** 24;

async function checkedBytes(file: FoundFile, signal?: AbortSignal): Promise<Buffer> {
  const bytes = await readFoundFile(file, signal);
  if (bytes.length > 0) return bytes;
  throw new VaeError('ERR_VAE_FORMAT', `${file.name}: the file is empty (0 bytes); expected a picture.`);
}

function notAPicture(file: FoundFile, cause: unknown): VaeError {
  const why = String((cause as Error).message)
    .split('\n')[0]!
    .replace(/[.\s]*$/, '');
  return new VaeError(
    'ERR_VAE_FORMAT',
    `${file.name}: damaged, truncated or no picture (${why}). Remove or repair it, or have such files skipped.`,
    { cause },
  );
}
