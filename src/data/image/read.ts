import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import { VaeError } from '../../core/errors.js';
import { parseOptions } from '../../core/options.js';
import { Dataset } from '../dataset.js';
import { type FoundFile, findFiles } from '../find-files.js';
import { withFolders } from '../folder-labels.js';
import { inParallel } from '../parallel.js';
import { customRows } from '../rows/custom.js';
import { memoryRows } from '../rows/memory.js';
import type { Rows } from '../rows/rows.js';
import { orSkip, type Skip } from '../skip.js';
import { allocateRows, type RowArray } from '../values.js';
import { CropSource } from './crops.js';
import { decodePicture } from './decode.js';
import { PICTURES } from './formats.js';
import { type PictureLimits, pictureLimitsShape } from './limits.js';
import { type PictureHeader, readPictureHeader } from './pixels.js';
import { CHANNELS, COLOURS, FITS, type ImageRecipe, imageRecipeSchema } from './recipe.js';

const side = z.int().positive().max(16384);

const imageOptionsShape = {
  /** Sides of a row; one number for a square. Default: the pictures' own where all are alike and at most 128, else 64. */
  size: z.union([side, z.tuple([side, side])]).optional(),
  colour: z.enum(COLOURS).optional(),
  depth: z.union([z.literal(8), z.literal(16)]).optional(),
  fit: z.enum(FITS).optional(),
  crops: z.int().positive().max(1_000_000).optional(),
  longestSide: side.optional(),
  seed: z.int().min(0).optional(),
  skipBad: z.boolean().optional(),
  memoryBytes: z.number().min(0).optional(),
  ...pictureLimitsShape,
};

const optionsSchema = z.strictObject({
  ...imageOptionsShape,
  recipe: imageRecipeSchema.optional(),
  onSkip: z.custom<(name: string, error: VaeError) => void>((value) => typeof value === 'function').optional(),
  ...signalShape,
});

export interface ImageOptions extends PictureLimits {
  /**
   * Sides of a row in pixels, [height, width] or one number for both. Default: the pictures' own where all are
   * alike and at most 128, else 64.
   */
  readonly size?: number | readonly [height: number, width: number];
  /** Default: `grey` where all pictures are, else `rgb`. Transparency is laid on white unless it is `rgba`. */
  readonly colour?: 'grey' | 'rgb' | 'rgba';
  /** Bits of a value: 8 gives bytes 0 to 255 (default), 16 gives float32 fractions of 65535. */
  readonly depth?: 8 | 16;
  /** How a picture of other sides is brought to `size`: cut (`cover`, default), with bars (`contain`), stretched (`fill`). */
  readonly fit?: 'cover' | 'contain' | 'fill';
  /**
   * For textures: so many random crops of `size` from each picture, at its own size, other ones every time they
   * are read. Default: the whole picture, once.
   */
  readonly crops?: number;
  /** With `crops`: pictures whose longer side is longer are made smaller first. */
  readonly longestSide?: number;
  /** Of the crops. Default 0. */
  readonly seed?: number;
  /** Leaves out files that are damaged or no pictures, rather than refusing. Default false. */
  readonly skipBad?: boolean;
  /** Rows are kept in memory when they need no more than this, else decoded whenever they are read. Default 512 MiB. */
  readonly memoryBytes?: number;
}

export interface ReadImagesOptions extends ImageOptions {
  /** How rows were made before, in place of size, colour, depth and fit. */
  readonly recipe?: ImageRecipe;
  /** Called for every file that is left out. */
  readonly onSkip?: (name: string, error: VaeError) => void;
  readonly signal?: AbortSignal;
}

const MEMORY_BYTES = 512 * 2 ** 20;
const LARGEST_OWN_SIDE = 128;
const DEFAULT_SIDE = 64;

/**
 * Reads pictures: files, folders with everything below them (the first folder's names are labels), globs.
 * JPEG, PNG, WebP, AVIF, TIFF, GIF. Rows are [channels, height, width]. What fits is decoded at once into
 * memory; more than that is decoded in parallel whenever rows are wanted, ahead of training.
 *
 * @throws VaeError ERR_VAE_IO for what is missing, ERR_VAE_FORMAT naming a file that is damaged or no picture,
 *   ERR_VAE_DATA where nothing is left, ERR_VAE_OPTION.
 */
export async function readImages(path: string | readonly string[], options: ReadImagesOptions = {}): Promise<Dataset> {
  const { onSkip, signal, ...rest } = parseOptions(optionsSchema, options, 'readImages()');
  const skip = rest.skipBad ? (onSkip ?? (() => {})) : undefined;
  const found = await findFiles(typeof path === 'string' ? [path] : path, PICTURES, signal);
  const where = typeof path === 'string' ? path : `${path.length} files`;
  const opened = await openAll(found, skip, signal);
  const recipe = rest.recipe ?? chooseRecipe(opened, rest);
  let files = opened.map(({ file }) => file);
  const memoryBytes = rest.memoryBytes ?? MEMORY_BYTES;
  const description = (kept: readonly FoundFile[], repeat: number): Pick<Rows, 'rowShape' | 'names' | 'recipe'> => ({
    rowShape: [CHANNELS[recipe.colour], recipe.height, recipe.width],
    names: kept.flatMap(({ name }) => Array<string>(repeat).fill(name)),
    recipe,
  });
  const labelled = (rows: Rows, kept: readonly FoundFile[], repeat: number): Dataset =>
    new Dataset(withFolders(rows, kept, Array<number>(kept.length).fill(repeat), where));

  if (recipe.anySize) {
    const large = await inParallel(opened, async (entry) =>
      orSkip(async () => checkLargeEnough(entry, recipe, rest.longestSide) ?? true, entry.file.name, skip),
    );
    files = files.filter((_, index) => large[index]);
    if (files.length === 0) throw nothingLeft(where, found.length);
    const crops = rest.crops ?? 1;
    const source = new CropSource(files, recipe, {
      crops,
      random: rest.crops !== undefined,
      longestSide: rest.longestSide,
      seed: rest.seed ?? 0,
      memoryBytes,
      limits: { maxDecodeBytes: rest.maxDecodeBytes, maxPixels: rest.maxPixels },
    });
    const { rowShape, names } = description(files, crops);
    const rows = customRows(
      { length: files.length * crops, rowShape, names: names!, dtype: dtypeOf(recipe), read: source.read },
      where,
    );
    return labelled({ ...rows, recipe }, files, crops);
  }

  const limits = { maxDecodeBytes: rest.maxDecodeBytes, maxPixels: rest.maxPixels };
  const form = { colour: recipe.colour, depth: recipe.depth, size: recipe, ...limits };
  const rowSize = CHANNELS[recipe.colour] * recipe.height * recipe.width;
  if (files.length * rowSize * (recipe.depth === 16 ? 4 : 1) <= memoryBytes) {
    const all = allocateRows(dtypeOf(recipe), files.length * rowSize);
    const good = await inParallel(files, async (file, index) => {
      const picture = await orSkip(() => decodePicture(file, form, signal), file.name, skip);
      if (picture) all.set(picture.data, index * rowSize);
      return picture !== undefined;
    });
    files = files.filter((_, index) => good[index]);
    if (files.length === 0) throw nothingLeft(where, found.length);
    let end = 0;
    good.forEach((kept, index) => {
      if (!kept) return;
      if (end !== index) all.copyWithin(end * rowSize, index * rowSize, (index + 1) * rowSize);
      end += 1;
    });
    return labelled(memoryRows(all.subarray(0, end * rowSize), description(files, 1)), files, 1);
  }
  const { rowShape, names } = description(files, 1);
  const rows = customRows(
    {
      length: files.length,
      rowShape,
      names: names!,
      dtype: dtypeOf(recipe),
      read: streamed(files, form, rowSize, skip),
    },
    where,
  );
  return labelled({ ...rows, recipe }, files, 1);
}

interface Opened {
  readonly file: FoundFile;
  readonly header: PictureHeader;
}

/** Looks at the beginning of every file, so that what is no picture shows now and not after an hour of training. */
async function openAll(files: readonly FoundFile[], skip: Skip, signal?: AbortSignal): Promise<Opened[]> {
  const opened = await inParallel(files, async (file) => {
    const header = await orSkip(() => readPictureHeader(file, signal), file.name, skip);
    return header && { file, header };
  });
  const good = opened.filter((entry) => entry !== undefined);
  if (good.length === 0) throw nothingLeft(files[0]!.name, files.length);
  return good;
}

/** Decodes rows when they are wanted. A file that has gone bad since is replaced by the next good one, if asked. */
function streamed(
  files: readonly FoundFile[],
  form: Parameters<typeof decodePicture>[1],
  rowSize: number,
  skip: Skip,
): (rows: ArrayLike<number>, signal?: AbortSignal) => Promise<RowArray> {
  const bad = new Set<number>();
  return async (rows, signal) => {
    const out = allocateRows(form.depth === 16 ? 'float32' : 'uint8', rows.length * rowSize);
    await inParallel(Array.from(rows), async (row, index) => {
      for (let tried = 0; tried < files.length; tried += 1) {
        const at = (row + tried) % files.length;
        if (bad.has(at)) continue;
        const picture = await orSkip(() => decodePicture(files[at]!, form, signal), files[at]!.name, skip);
        if (picture) {
          out.set(picture.data, index * rowSize);
          return;
        }
        bad.add(at);
      }
      throw nothingLeft(files[0]!.name, files.length);
    });
    return out;
  };
}

function chooseRecipe(
  opened: readonly Opened[],
  options: { [K in keyof ImageOptions]: ImageOptions[K] | undefined },
): ImageRecipe {
  const { size, crops } = options;
  const [first] = opened;
  const own = first!.header;
  const alike = opened.every(({ header }) => header.width === own.width && header.height === own.height);
  const usable = alike && crops === undefined && Math.max(own.width, own.height) <= LARGEST_OWN_SIDE;
  const [height, width] =
    typeof size === 'number'
      ? [size, size]
      : (size ?? (usable ? [own.height, own.width] : [DEFAULT_SIDE, DEFAULT_SIDE]));
  return {
    kind: 'image',
    height,
    width,
    colour: options.colour ?? (opened.every(({ header }) => header.grey) ? 'grey' : 'rgb'),
    depth: options.depth ?? 8,
    fit: options.fit ?? 'cover',
    anySize: crops !== undefined,
  };
}

/** @throws VaeError ERR_VAE_DATA for a picture that crops of the size wanted cannot be taken from. */
function checkLargeEnough({ file, header }: Opened, recipe: ImageRecipe, longestSide: number | undefined): void {
  const longest = Math.max(header.width, header.height);
  const scale = longestSide !== undefined && longest > longestSide ? longestSide / longest : 1;
  const [width, height] = [Math.round(header.width * scale), Math.round(header.height * scale)];
  if (width >= recipe.width && height >= recipe.height) return;
  throw new VaeError(
    'ERR_VAE_DATA',
    `${file.name}: ${width}×${height} pixels are too few for crops of ${recipe.width}×${recipe.height}. ` +
      'Ask for smaller crops, or have such files skipped.',
  );
}

function dtypeOf({ depth }: ImageRecipe): 'uint8' | 'float32' {
  return depth === 16 ? 'float32' : 'uint8';
}

function nothingLeft(where: string, count: number): VaeError {
  return new VaeError('ERR_VAE_DATA', `${where}: none of ${count} files can be used; all were skipped.`);
}
