/**
 * Picture files to pixels: the one place that decodes pictures, for training, inference, archives and reports. Values are
 * those of the file: by no colour profile, in no other colours, whatever their type. Only bytes go to the decoders.
 */
import { VaeError } from '../../core/errors.js';
import { refusePointer } from '../../core/lfs.js';
import { refuseOutOfMemory } from '../../core/memory.js';
import { type FoundFile, readFoundFile, startOfFile } from '../find-files.js';
import { MAGIC_BYTES, type PictureFormat, pictureFormat, refusedFormat } from './formats.js';
import { checkLimits, type DecodeCost, type PictureLimits, withRoom } from './limits.js';
import { resizeStored } from './readers/by-sharp.js';
import type { DecodeStored, StoredHeader, StoredPixels } from './readers/stored.js';
import type { ImageRecipe } from './recipe.js';
import { resampleStored } from './resample.js';
import { turned } from './turn.js';

export type { StoredPixels } from './readers/stored.js';

/** A picture in memory: its file's bytes, and what to call it in messages. */
export interface PictureBytes {
  readonly bytes: Uint8Array;
  readonly name: string;
}

export type PictureSource = FoundFile | PictureBytes;

export interface DecodeOptions extends PictureLimits {
  /** Page or frame, from 0. Default 0. */
  readonly page?: number | undefined;
  /** Refuses a picture with several pages where none is named. Default false: the first is taken. */
  readonly single?: boolean | undefined;
  /** Sides to bring it to; left out: its own. */
  readonly size?:
    | { readonly height: number; readonly width: number; readonly fit: 'cover' | 'contain' | 'fill' }
    | undefined;
  /** Longest side; a picture with a longer one is made smaller. */
  readonly longestSide?: number | undefined;
  /** Refuses files that can be read but are not quite as they should be. Default false. */
  readonly strict?: boolean | undefined;
  /** Called with what is odd about such a file. */
  readonly onWarning?: ((name: string, why: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How stored pixels become a row. */
export type PictureForm = Pick<ImageRecipe, 'colour' | 'depth' | 'range' | 'clip' | 'values'> &
  Omit<DecodeOptions, 'signal'>;

/** What the header of a picture file says, upright. */
export interface PictureHeader extends StoredHeader {
  readonly format: string;
}

/** @throws VaeError ERR_VAE_FORMAT naming a file that is no picture, ERR_VAE_IO for one that cannot be read. */
export async function readPictureHeader(source: PictureSource, signal?: AbortSignal): Promise<PictureHeader> {
  return (await openPicture(source, signal)).header;
}

/** Of most pictures, header and all: small files need not be read twice. */
const FIRST_BYTES = 1 << 16;

/**
 * As readPictureHeader().
 *
 * @returns also the bytes of the file, where it was small enough to be read whole.
 */
export async function openPicture(
  source: PictureSource,
  signal?: AbortSignal,
): Promise<{ header: PictureHeader; bytes: Uint8Array | undefined }> {
  signal?.throwIfAborted();
  const { name } = source;
  const first = 'bytes' in source ? checkedBytes(source) : await startOfFile(source, FIRST_BYTES);
  const format = formatOf(first, name);
  const whole = 'bytes' in source || first.length < FIRST_BYTES;
  try {
    const found = await format.reader.header(first, whole);
    if (found) return { header: upright(found, format), bytes: whole ? first : undefined };
    const all = await readFoundFile(source as FoundFile, signal);
    return { header: upright((await format.reader.header(all, true))!, format), bytes: undefined };
  } catch (cause) {
    throw signal?.aborted ? signal.reason : notAPicture(name, cause);
  }
}

/**
 * Decodes one page of a picture, upright, values as they are stored.
 *
 * @throws VaeError ERR_VAE_FORMAT naming a file that is truncated, damaged or no picture, ERR_VAE_DATA for one that
 *   would take more memory than is allowed or has no such page.
 */
export async function decodePixels(
  source: PictureSource,
  options: DecodeOptions = {},
): Promise<StoredPixels & { readonly pages: number; readonly bits?: number | undefined }> {
  const { signal, page = 0, strict, onWarning } = options;
  const { name } = source;
  const bytes = 'bytes' in source ? checkedBytes(source) : await readFoundFile(source, signal);
  const format = formatOf(bytes, name);
  const warn = (why: string): void => {
    if (strict)
      throw new VaeError('ERR_VAE_FORMAT', `${name}: ${why}. Without strict (--strict) it is read all the same.`);
    onWarning?.(name, why);
  };
  try {
    const stored = (await format.reader.header(bytes, true))!;
    if (page >= stored.pages) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${name}: has ${stored.pages} pages, numbered from 0; there is no page ${page}.`,
      );
    }
    if (options.single && options.page === undefined && stored.pages > 1) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${name}: has ${stored.pages} pages or frames, and one is wanted. Say which with page (--page N), from 0.`,
      );
    }
    const wanted = sidesOf(stored, options);
    // Steps of a pipeline that change nothing cost all the same: more than decoding a small picture.
    const size = wanted?.width === stored.width && wanted.height === stored.height ? undefined : wanted;
    const cost = costOf(stored, size);
    checkLimits(cost, options, name);
    return await withRoom(cost.bytes, options, async () => {
      signal?.throwIfAborted();
      const whileDecoding = resizesWell(stored) ? size : undefined;
      const decoded = await format.reader.decode(bytes, { page, warn, header: stored, size: whileDecoding });
      signal?.throwIfAborted();
      const fits = !size || (decoded.width === size.width && decoded.height === size.height);
      const sized = fits
        ? decoded
        : resizesWell(stored)
          ? await resizeStored(decoded, size)
          : resampleStored(decoded, size);
      const { pages, bits } = stored;
      return { ...turned(sized, stored.orientation), pages, bits };
    });
  } catch (cause) {
    throw signal?.aborted ? signal.reason : notAPicture(name, cause);
  }
}

/** Decoders that know a size need not hold the whole picture; values that they would cut are resized afterwards. */
function resizesWell({ sample }: StoredHeader): boolean {
  return sample === 'uint8' || sample === 'uint16';
}

/** The sides to decode to, as they lie in the file. */
function sidesOf(
  { width, height, orientation }: StoredHeader,
  { size, longestSide }: DecodeOptions,
): DecodeStored['size'] {
  if (size) {
    const [across, down] = orientation >= 5 ? [size.height, size.width] : [size.width, size.height];
    return { width: across, height: down, fit: size.fit };
  }
  const longest = Math.max(width, height);
  if (longestSide === undefined || longest <= longestSide) return undefined;
  const scaled = (side: number): number => Math.max(1, Math.round((side * longestSide) / longest));
  return { width: scaled(width), height: scaled(height), fit: 'fill' };
}

const BYTES = { uint8: 1, uint16: 2, int16: 2, uint32: 4, int32: 4, float32: 4, float64: 8 } as const;

/** Bytes that decoding holds: what comes out, twice while it is put in order, and the file's pixels where all are needed. */
function costOf(header: StoredHeader, size: DecodeStored['size']): DecodeCost {
  const { width, height, channels, sample, sequential } = header;
  const stored = width * height * channels * BYTES[sample];
  const out = size ? size.width * size.height * channels * BYTES[sample] : stored;
  return { width, height, bytes: (sequential && (!size || resizesWell(header)) ? 0 : stored) + 2 * out };
}

/** Pictures from cameras lie on their side and say so. */
function upright(header: StoredHeader, format: PictureFormat): PictureHeader {
  const { width, height } = header;
  const sides = header.orientation >= 5 ? { width: height, height: width } : { width, height };
  return { ...header, ...sides, format: format.name };
}

function checkedBytes({ bytes, name }: PictureBytes): Uint8Array {
  if (bytes instanceof Uint8Array) return bytes;
  throw new VaeError('ERR_VAE_OPTION', `${name}: expected the bytes of a picture file as Uint8Array.`);
}

/** @throws VaeError ERR_VAE_FORMAT for what does not begin like a picture of a format that is read. */
function formatOf(start: Uint8Array, name: string): PictureFormat {
  if (start.length === 0) {
    throw new VaeError('ERR_VAE_FORMAT', `${name}: the file is empty (0 bytes); expected a picture.`);
  }
  const format = pictureFormat(start, name);
  if (format) return format;
  refusePicture(start, name);
  const text = Buffer.from(start.subarray(0, MAGIC_BYTES)).toString('latin1');
  const web = /^\s*<(!doctype html|html)/i.test(text);
  throw notAPicture(name, new Error(web ? 'it is a web page' : 'it begins like no picture format that is read'));
}

/** @throws VaeError ERR_VAE_FORMAT for a pointer of Git LFS, and for a picture of a format that is not read. */
export function refusePicture(start: Uint8Array, name: string): void {
  refusePointer(start, name);
  const refused = refusedFormat(start, name);
  if (!refused) return;
  throw new VaeError(
    'ERR_VAE_FORMAT',
    `${name}: a file of the format ${refused.name}, which is not read. Convert it: ${refused.convert}.`,
  );
}

function notAPicture(name: string, cause: unknown): unknown {
  if (cause instanceof VaeError) {
    // Of a package that is not installed: told without the name of the file.
    if (cause.message.startsWith(name)) return cause;
    return new VaeError(cause.code, `${name}: ${cause.message}`, { cause });
  }
  refuseOutOfMemory(cause, name);
  const why = String((cause as Error).message ?? cause)
    .split('\n')[0]!
    .replace(/[.\s]*$/, '');
  return new VaeError(
    'ERR_VAE_FORMAT',
    `${name}: damaged, truncated or no picture (${why}). Remove or repair it, or have such files skipped (skipBad, --skip-bad).`,
    { cause },
  );
}
