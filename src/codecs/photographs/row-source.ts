/** Picture files as rows: what is read of each, and what is said of those that are kept as files. */
import { extname } from 'node:path';
import { VaeError } from '../../core/errors.js';
import { refuseOutOfMemory } from '../../core/memory.js';
import type { TreeFile } from '../../data/file-tree.js';
import { MAGIC_BYTES, pictureFormat } from '../../data/image/formats.js';
import { readStart, START_BYTES } from '../../data/image/png/chunks.js';
import { isLayout, type PngLayout, rowBytesOf } from '../../data/image/png/layout.js';
import { PngRows, type RangeSource, rangesOf } from '../../data/image/png/read-rows.js';
import { changingError } from '../inputs/changing.js';
import { type FileState, openState, readPart, readWhole } from '../inputs/read-file.js';
import { converted, isConverted } from './convert/converted.js';
import type { RowSource } from './convert/rows.js';
import type { OneAtATime } from './one-at-a-time.js';

/** What is known of a file before it is read. */
export interface Recognised {
  /** By its first bytes. */
  readonly format: string;
  /** Undefined for a file that is kept as it is. */
  readonly layout?: PngLayout | undefined;
  /** Bytes that are held while its rows are read, where they are not read in bands. */
  readonly held?: number | undefined;
  /** Why, where that is worth a word of its own; the common formats are told together. */
  readonly why?: string | undefined;
}

/** Files of other formats are read as a whole. */
const MOST_CONVERTED_BYTES = 3 * 2 ** 27;

/** Looks at the beginning of a file. Undefined for what is no picture by its first bytes. */
export async function recognise(file: TreeFile, large: OneAtATime): Promise<Recognised | undefined> {
  const state = await openState(file);
  const start = await readPart(file, state, 0, Math.min(state.size, MAGIC_BYTES));
  if (start === undefined) throw changingError(file.shown);
  const format = pictureFormat(start, file.name)?.name;
  if (format === undefined) return undefined;
  if (isConverted(format)) {
    if (state.size > MOST_CONVERTED_BYTES) {
      const what = `it has ${state.size} bytes, and ${format} files of at most ${MOST_CONVERTED_BYTES} are read`;
      return { format, why: `${what}; PNG files of any size are` };
    }
    const leave = await large.enter(state.size);
    try {
      const found = await converted(await readWhole(file), file.name);
      const layout = found?.layout;
      return { format, layout, held: layout && state.size + rowBytesOf(layout) * layout.height };
    } catch (cause) {
      return { format, why: damagedPicture(file, cause).message };
    } finally {
      leave();
    }
  }
  if (format !== 'PNG') return { format };
  if (extname(file.name).toLowerCase() !== '.png') return { format, why: 'it is a PNG file that is called otherwise' };
  try {
    const { interlaced, ...layout } = readStart(start.subarray(0, START_BYTES));
    if (!isLayout(layout)) throw new Error(`its header tells of colour type ${layout.type} with ${layout.depth} bits`);
    return { format, layout, ...(interlaced && { held: 2 * rowBytesOf(layout) * layout.height }) };
  } catch (cause) {
    return { format, why: damagedPicture(file, cause).message };
  }
}

/**
 * @param bytes the file, where it was read.
 * @param whole whether all rows will be read at once, and their stream is wanted.
 */
export async function openRows(
  file: TreeFile,
  format: string,
  bytes: Buffer | undefined,
  whole: boolean,
): Promise<RowSource> {
  if (isConverted(format)) {
    const found = await converted(bytes ?? (await readWhole(file)), file.name);
    if (found === undefined) throw changingError(file.shown);
    return found.open();
  }
  return PngRows.open(bytes === undefined ? rangesIn(file, await openState(file)) : rangesOf(bytes), whole);
}

/** Parts of a file that must stay what it was. */
function rangesIn(file: TreeFile, state: FileState): RangeSource {
  return {
    size: state.size,
    async read(offset, length) {
      const bytes = await readPart(file, state, offset, length);
      if (bytes === undefined) throw changingError(file.shown);
      return bytes;
    },
  };
}

/** The error of a file whose rows cannot be had. */
export function damagedPicture({ shown }: TreeFile, cause: unknown): VaeError {
  if (cause instanceof VaeError) return cause;
  refuseOutOfMemory(cause, shown);
  const why = String((cause as Error).message ?? cause).replace(/[.\s]*$/, '');
  const text = why.startsWith(shown) ? why : `${shown} cannot be kept as pixels: ${why}`;
  return new VaeError('ERR_VAE_FORMAT', `${text.replace(/[. ]*It is stored as it is$/, '')}. It is stored as it is.`, {
    cause,
  });
}
