/** Decoded rows as files of the kind that the model was trained on. */
import { VaeError } from '../core/errors.js';
import { asDense, type TensorLike } from '../core/tensor.js';
import { writeSound } from '../data/audio/rebuild.js';
import { writeNpy } from '../data/npy/write.js';
import type { DataRecipe } from '../data/recipe.js';
import { type DecodeTableOptions, decodeRows } from '../data/table/rows.js';
import { WRITTEN_TABLES, writeTable } from '../data/table/write.js';
import { writeArray } from '../data/table/write-array.js';
import { writeVideo } from '../data/video/rebuild.js';
import { writeImages } from './images/write.js';

export interface WriteRowsOptions extends Pick<DecodeTableOptions, 'draw' | 'keep'> {
  /** Pictures in a row of a grid. Default: about square. */
  readonly columns?: number;
  /**
   * Sound and video: whether rows are examples of their own, one after another, rather than pieces of one that
   * overlap. Default false.
   */
  readonly apart?: boolean;
}

/**
 * Writes rows as decode() and sample() give them. By the ending: `.npy` for the array, `.csv` or `.jsonl` for
 * rows of a table, `.wav` for sound, `.y4m` (or .mp4 and others through ffmpeg) for video, `.png` for a grid of
 * pictures. A path without an ending becomes a folder of PNG files for pictures, of WAV or .y4m files, one for each
 * row, for sound and video.
 *
 * @returns the paths written.
 * @throws VaeError ERR_VAE_OPTION where the ending does not suit the data, ERR_VAE_SHAPE, ERR_VAE_IO.
 */
export async function writeRows(
  path: string,
  rows: TensorLike,
  recipe: DataRecipe | undefined,
  options: WriteRowsOptions = {},
): Promise<string[]> {
  if (/\.npy$/i.test(path)) {
    await writeNpy(path, rows);
    return [path];
  }
  const isArray = recipe === undefined || recipe.kind === 'array';
  if (isArray && WRITTEN_TABLES.some((ending) => path.toLowerCase().endsWith(ending))) {
    await writeArray(path, rows);
    return [path];
  }
  const { data, dims } = asDense(rows, 'writeRows()');
  const values = data as Float32Array;
  const { columns, apart = false } = options;
  const ending = /\.[a-z0-9]{1,6}$/i.exec(path)?.[0].toLowerCase();
  const folder = ending === undefined || path.endsWith('/');
  const size = values.length / dims[0]!;
  const each = async (
    suffix: string,
    write: (file: string, row: Float32Array) => Promise<unknown>,
  ): Promise<string[]> => {
    const files = Array.from(
      { length: dims[0]! },
      (_, row) => `${path.replace(/\/$/, '')}/${String(row).padStart(4, '0')}${suffix}`,
    );
    for (const [row, file] of files.entries()) await write(file, values.subarray(row * size, (row + 1) * size));
    return files;
  };
  switch (recipe?.kind) {
    case 'table':
      checkEnding(path, ending, WRITTEN_TABLES, 'Rows of a table');
      await writeTable(path, decodeRows(values, recipe, options), { recipe });
      return [path];
    case 'audio':
      if (folder) return each('.wav', (file, row) => writeSound(file, row, recipe));
      if (ending === '.png' && recipe.mel) break;
      checkEnding(path, ending, ['.wav'], 'Sound');
      await writeSound(path, values, recipe, { apart });
      return [path];
    case 'video':
      if (recipe.frames === 1 && (folder || ending === '.png')) break;
      if (folder) return each('.y4m', (file, row) => writeVideo(file, row, recipe));
      checkEnding(path, ending, ['.y4m', '.mp4', '.mkv', '.webm', '.mov', '.avi', '.gif'], 'Video');
      await writeVideo(path, values, recipe, { apart });
      return [path];
  }
  return writeImages(path, { data: values, shape: dims }, columns === undefined ? {} : { columns });
}

function checkEnding(path: string, ending: string | undefined, known: readonly string[], what: string): void {
  if (ending !== undefined && known.includes(ending)) return;
  throw new VaeError(
    'ERR_VAE_OPTION',
    `${what} can be written to a path that ends in .npy, ${known.join(', ')}; received "${path}".`,
  );
}
