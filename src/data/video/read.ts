import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { Dataset } from '../dataset.js';
import { findFiles } from '../find-files.js';
import { withFolders } from '../folder-labels.js';
import { readingMemory } from '../memory.js';
import { piecesOf } from '../overlap.js';
import { inParallel } from '../parallel.js';
import { customRows } from '../rows/custom.js';
import { memoryRows } from '../rows/memory.js';
import { orSkip, type Skip } from '../skip.js';
import { openVideo, VIDEOS, type VideoFile, videoRow } from './open.js';
import { type VideoRecipe, videoRecipeSchema, videoRowShape } from './recipe.js';

const whole = z.int().positive();
const side = whole.max(8192);
const optionsSchema = z.strictObject({
  /** Sides of a frame, [height, width] or one number for both. Default: the first video's shape, the longer side at most 64. */
  size: z.union([side, z.tuple([side, side])]).optional(),
  /** Default: `grey` where all videos are, else `rgb`. */
  colour: z.enum(['grey', 'rgb']).optional(),
  /** Frames of a row, for conv3d. Default 8. With 1, rows are pictures, for conv and others. */
  frames: whole.optional(),
  /** Frames that a row shares with the next; at most half of `frames`. Default: a quarter. */
  overlap: z.int().min(0).optional(),
  /** Frames a second to resample to, through ffmpeg. Default: every frame is taken once, whatever its time. */
  fps: z.number().positive().max(1000).optional(),
  /** Leaves out files that cannot be read, rather than refusing. Default false. */
  skipBad: z.boolean().optional(),
  /** Rows are kept in memory when they need no more than this, else read whenever they are wanted. Default: a quarter of the memory that this process may have, at most 512 MiB. */
  memoryBytes: z.number().min(0).optional(),
  /** How rows were made before, in place of size, colour, frames, overlap and fps. */
  recipe: videoRecipeSchema.optional(),
  /** Called for every file that is left out. */
  onSkip: z.custom<NonNullable<Skip>>((value) => typeof value === 'function').optional(),
  ...signalShape,
});

export interface VideoOptions extends Omit<InputOf<typeof optionsSchema>, 'recipe' | 'onSkip' | 'signal'> {}

export interface ReadVideoOptions extends InputOf<typeof optionsSchema> {}

const LONGEST_DEFAULT = 64;
const LONGEST_CONVERTED = 640;
const MOST_NOTES = 4;

/**
 * Reads video: .y4m files by itself, others through ffmpeg where it is installed; files, folders (first folder names
 * are labels) and globs. Each file is cut into clips that overlap: rows [channels, frames, height, width] of bytes.
 *
 * @throws VaeError ERR_VAE_IO, ERR_VAE_FORMAT naming a file that cannot be read, ERR_VAE_DATA, ERR_VAE_OPTION.
 */
export async function readVideo(path: string | readonly string[], options: ReadVideoOptions = {}): Promise<Dataset> {
  const { onSkip, signal, ...rest } = parseOptions(optionsSchema, options, 'readVideo()');
  const skip: Skip = rest.skipBad ? (onSkip ?? (() => {})) : undefined;
  const found = await findFiles(typeof path === 'string' ? [path] : path, VIDEOS, signal);
  const where = typeof path === 'string' ? path : `${path.length} files`;
  const [height, width] = sidesOf(rest.size) ?? [rest.recipe?.height ?? 0, rest.recipe?.width ?? 0];
  const longest = Math.max(LONGEST_CONVERTED, height, width);
  const opening = { longestSide: longest, fps: rest.recipe ? rest.recipe.fps : rest.fps, signal };
  const opened = await inParallel(found, (file) => orSkip(() => openVideo(file, opening), file.name, skip), 2);
  const files = opened.filter((file) => file !== undefined);
  if (files.length === 0) {
    throw new VaeError('ERR_VAE_DATA', `${where}: none of ${found.length} files can be used; all were skipped.`);
  }
  const recipe = rest.recipe ?? chooseRecipe(files, rest);
  const counts = files.map(({ info }) => piecesOf(info.frames, { frame: recipe.frames, hop: recipe.hop }));
  const starts = counts.map((_, index) => counts.slice(0, index).reduce((sum, count) => sum + count, 0));
  const total = counts.reduce((sum, count) => sum + count, 0);
  const rowShape = videoRowShape(recipe);
  const rowSize = rowShape.reduce((size, dim) => size * dim, 1);
  const names = files.flatMap(({ file }, index) =>
    Array.from({ length: counts[index]! }, (_, row) => `${file.name} frame ${row * recipe.hop}`),
  );
  const read = async (rows: ArrayLike<number>): Promise<Uint8Array> => {
    const out = new Uint8Array(rows.length * rowSize);
    const byFile = new Map<number, number[]>();
    for (let index = 0; index < rows.length; index += 1) {
      const file = starts.findLastIndex((start) => start <= rows[index]!);
      byFile.set(file, [...(byFile.get(file) ?? []), index]);
    }
    await inParallel([...byFile], ([file, wanted]) =>
      files[file]!.use(async (video) => {
        for (const index of wanted) {
          signal?.throwIfAborted();
          out.set(await videoRow(video, rows[index]! - starts[file]!, recipe), index * rowSize);
        }
      }),
    );
    return out;
  };
  const rows =
    total * rowSize <= (rest.memoryBytes ?? readingMemory())
      ? memoryRows(await read(Array.from({ length: total }, (_, row) => row)), { rowShape, names, recipe })
      : { ...customRows({ length: total, rowShape, names, dtype: 'uint8', read }, where), recipe };
  const notes = gathered(files.flatMap((file) => file.notes));
  return new Dataset(
    withFolders(
      { ...rows, notes },
      files.map(({ file }) => file),
      counts,
      where,
    ),
  );
}

/** Notes about many files are shortened. */
function gathered(notes: readonly string[]): string[] {
  const rest = notes.length - MOST_NOTES;
  return rest > 0 ? [...notes.slice(0, MOST_NOTES), `and ${rest} more of this kind`] : [...notes];
}

function sidesOf(size: number | readonly [number, number] | undefined): readonly [number, number] | undefined {
  return typeof size === 'number' ? [size, size] : size;
}

function chooseRecipe(
  files: readonly VideoFile[],
  options: { [K in keyof VideoOptions]: VideoOptions[K] | undefined },
): VideoRecipe {
  const [first] = files;
  const { info } = first!;
  const scale = Math.min(1, LONGEST_DEFAULT / Math.max(info.width, info.height));
  // Sides that two halvings divide suit convolutions best.
  const even = (length: number): number => Math.max(4, Math.round((length * scale) / 4) * 4);
  const [height, width] = sidesOf(options.size) ?? [even(info.height), even(info.width)];
  const frames = options.frames ?? 8;
  const overlap = options.overlap ?? Math.floor(frames / 4);
  const recipe = videoRecipeSchema.safeParse({
    kind: 'video',
    height,
    width,
    colour: options.colour ?? (files.every((file) => file.info.grey) ? 'grey' : 'rgb'),
    frames,
    hop: frames - overlap,
    rate: info.rate,
    ...(options.fps !== undefined && { fps: options.fps }),
  });
  if (recipe.success) return recipe.data;
  const why = recipe.error.issues.map(({ message }) => message).join('; ');
  throw new VaeError(
    'ERR_VAE_OPTION',
    `readVideo(): frames ${frames} and overlap ${overlap} do not fit together: ${why}.`,
  );
}
