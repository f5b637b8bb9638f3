/** Pictures from files to rows. */
import { VaeError } from '../../core/errors.js';
import { parseOptions } from '../../core/options.js';
import { Dataset } from '../dataset.js';
import { type FoundFile, findFiles, namedLike } from '../find-files.js';
import { withFolders } from '../folder-labels.js';
import { readingMemory } from '../memory.js';
import { inParallel } from '../parallel.js';
import { customRows } from '../rows/custom.js';
import { memoryRows } from '../rows/memory.js';
import type { Rows } from '../rows/rows.js';
import { orSkip, type Skip } from '../skip.js';
import { allocateRows, type RowArray } from '../values.js';
import { chooseRecipe } from './choose.js';
import { CropSource } from './crops.js';
import { PICTURES, REFUSED_FORMATS } from './formats.js';
import { decodeItem, type ImageItem, itemsOf, type OpenedPicture, openPictures } from './items.js';
import { Oddities, some } from './oddities.js';
import { imageOptionsSchema, type ParsedImageOptions, type ReadImagesOptions } from './options.js';
import type { PictureForm } from './pixels.js';
import { type ImageRecipe, imageRowShape } from './recipe.js';

/**
 * Reads pictures: files, folders with everything below them (the first folder's names are labels), globs. JPEG, PNG,
 * WebP, AVIF, TIFF, GIF, BMP and PNM; HEIC, JPEG 2000, JPEG XL, DICOM and NIfTI where the package for them is
 * installed. Rows are [channels, height, width], or [channels, volume, height, width] with `volume`. What fits is
 * decoded at once into memory; more than that is decoded in parallel whenever rows are wanted, ahead of training.
 *
 * @returns a dataset whose `notes` say what was chosen, left out or odd; of files that are decoded when their rows are wanted, once
 *   they were.
 * @throws VaeError ERR_VAE_IO for what is missing, ERR_VAE_FORMAT naming a file that is damaged or no picture,
 *   ERR_VAE_DATA where nothing is left or a picture is too large, ERR_VAE_OPTION.
 */
export async function readImages(path: string | readonly string[], options: ReadImagesOptions = {}): Promise<Dataset> {
  const parsed = parseOptions(imageOptionsSchema, options, 'readImages()');
  const { onSkip, signal } = parsed;
  const skip: Skip = parsed.skipBad ? (onSkip ?? (() => {})) : undefined;
  const others: FoundFile[] = [];
  const found = await findFiles(typeof path === 'string' ? [path] : path, PICTURES, signal, (file) =>
    others.push(file),
  );
  const where = typeof path === 'string' ? path : `${path.length} files`;
  const opened = await openPictures(found, skip, signal);
  if (opened.length === 0) throw nothingLeft(where, found.length);
  const notes: string[] = [];
  const recipe = parsed.recipe ?? (await chooseRecipe(opened, parsed, notes));
  const job: Job = { opened, recipe, parsed, skip, where, found: found.length, oddities: new Oddities() };
  const { rows, kept, counts } = recipe.anySize ? await cropRows(job) : await wholeRows(job);
  notes.push(...describe(job, kept, counts, rows), ...leftOut(others));
  job.oddities.tellIn(notes);
  return new Dataset(withFolders({ ...rows, recipe, notes }, kept, counts, where));
}

interface Job {
  readonly opened: readonly OpenedPicture[];
  readonly recipe: ImageRecipe;
  readonly parsed: ParsedImageOptions;
  readonly skip: Skip;
  readonly where: string;
  readonly found: number;
  /** What was odd about files that could be read all the same. */
  readonly oddities: Oddities;
}

interface Made {
  readonly rows: Rows;
  readonly kept: readonly FoundFile[];
  /** Rows of each file. */
  readonly counts: readonly number[];
}

function formOf({ recipe, parsed, oddities }: Job): PictureForm {
  const { colour, depth, range, clip, values } = recipe;
  const { maxDecodeBytes, maxPixels, strict } = parsed;
  return {
    ...{ colour, depth, range, clip, values, maxDecodeBytes, maxPixels, strict },
    onWarning: oddities.take,
  };
}

async function cropRows(job: Job): Promise<Made> {
  const { recipe, parsed, skip, where, found } = job;
  const large = await inParallel(job.opened, async (entry) =>
    orSkip(async () => checkLargeEnough(entry, recipe, parsed.longestSide) ?? true, entry.file.name, skip),
  );
  const kept = job.opened.filter((_, index) => large[index]).map(({ file }) => file);
  if (kept.length === 0) throw nothingLeft(where, found);
  const crops = parsed.crops ?? 1;
  const source = new CropSource(kept, recipe, {
    crops,
    random: parsed.crops !== undefined,
    longestSide: parsed.longestSide,
    seed: parsed.seed ?? 0,
    memoryBytes: parsed.memoryBytes ?? readingMemory(),
    form: { ...formOf(job), page: parsed.page },
  });
  const names = kept.flatMap(({ name }) => Array<string>(crops).fill(name));
  const rows = customRows(
    { length: names.length, rowShape: imageRowShape(recipe), names, dtype: dtypeOf(recipe), read: source.read },
    where,
  );
  return { rows, kept, counts: kept.map(() => crops) };
}

async function wholeRows(job: Job): Promise<Made> {
  const { opened, recipe, parsed, skip, where, found } = job;
  const { signal } = parsed;
  const form = { ...formOf(job), size: recipe };
  const perFile = await itemsOf(opened, recipe, parsed.page, skip);
  const items = perFile.flat();
  if (items.length === 0) throw nothingLeft(where, found);
  const rowShape = imageRowShape(recipe);
  const rowSize = rowShape.reduce((size, dim) => size * dim, 1);
  if (items.length * rowSize * (recipe.depth === 8 ? 1 : 4) > (parsed.memoryBytes ?? readingMemory())) {
    // Files that were kept so far are let go.
    const light = items.map((item) => ({ ...item, source: item.file }));
    const read = streamed(light, recipe, form, rowSize, skip);
    const names = light.map(({ name }) => name);
    const rows = customRows({ length: light.length, rowShape, names, dtype: dtypeOf(recipe), read }, where);
    return { rows, ...grouped(light) };
  }
  const all = allocateRows(dtypeOf(recipe), items.length * rowSize);
  const good = await inParallel(items, async (item, index) => {
    const row = await orSkip(() => decodeItem(item, recipe, form, signal), item.name, skip);
    if (row) all.set(row, index * rowSize);
    return row !== undefined;
  });
  let end = 0;
  good.forEach((kept, index) => {
    if (!kept) return;
    if (end !== index) all.copyWithin(end * rowSize, index * rowSize, (index + 1) * rowSize);
    end += 1;
  });
  if (end === 0) throw nothingLeft(where, found);
  const left = items.filter((_, index) => good[index]);
  const names = left.map(({ name }) => name);
  return { rows: memoryRows(all.subarray(0, end * rowSize), { rowShape, names }), ...grouped(left) };
}

/** Files of rows, and how many each has. */
function grouped(items: readonly ImageItem[]): { kept: FoundFile[]; counts: number[] } {
  const counts = new Map<FoundFile, number>();
  for (const { file } of items) counts.set(file, (counts.get(file) ?? 0) + 1);
  return { kept: [...counts.keys()], counts: [...counts.values()] };
}

/** Decodes rows when they are wanted. A file that has gone bad since is replaced by the next good one, if asked. */
function streamed(
  items: readonly ImageItem[],
  recipe: ImageRecipe,
  form: PictureForm,
  rowSize: number,
  skip: Skip,
): (rows: ArrayLike<number>, signal?: AbortSignal) => Promise<RowArray> {
  const bad = new Set<number>();
  return async (rows, signal) => {
    const out = allocateRows(dtypeOf(recipe), rows.length * rowSize);
    await inParallel(Array.from(rows), async (row, index) => {
      for (let tried = 0; tried < items.length; tried += 1) {
        const at = (row + tried) % items.length;
        if (bad.has(at)) continue;
        const values = await orSkip(() => decodeItem(items[at]!, recipe, form, signal), items[at]!.name, skip);
        if (values) {
          out.set(values, index * rowSize);
          return;
        }
        bad.add(at);
      }
      throw nothingLeft(items[0]!.file.name, items.length);
    });
    return out;
  };
}

/** @throws VaeError ERR_VAE_DATA for a picture that crops of the size wanted cannot be taken from. */
function checkLargeEnough({ file, header }: OpenedPicture, recipe: ImageRecipe, longestSide: number | undefined): void {
  const longest = Math.max(header.width, header.height);
  const scale = longestSide !== undefined && longest > longestSide ? longestSide / longest : 1;
  const [width, height] = [Math.round(header.width * scale), Math.round(header.height * scale)];
  if (width >= recipe.width && height >= recipe.height) return;
  throw new VaeError(
    'ERR_VAE_DATA',
    `${file.name}: ${width}×${height} pixels are too few for crops of ${recipe.width}×${recipe.height}. ` +
      'Ask for smaller crops, or have such files skipped (skipBad, --skip-bad).',
  );
}

/** What was chosen or odd, a sentence each. */
function describe(
  { opened, recipe, parsed }: Job,
  kept: readonly FoundFile[],
  counts: readonly number[],
  rows: Rows,
): string[] {
  const notes: string[] = [];
  const several = opened.filter(({ header }) => header.pages > 1);
  if (several.length > 0 && parsed.page === undefined) {
    const example = `${several[0]!.file.name} has ${several[0]!.header.pages}`;
    if (recipe.volume === undefined) {
      const first = recipe.pages !== 'all';
      notes.push(
        first
          ? `of pictures with several pages or frames the first is taken (${example}; --page N for another)`
          : `every page or frame is a row (${example}): ${rows.length} rows of ${kept.length} ${kept.length === 1 ? 'file' : 'files'} (--page N takes one)`,
      );
    } else if (counts.some((count, index) => opened[index] && count * recipe.volume! !== opened[index]!.header.pages)) {
      notes.push(`the last row of a file ends with its last page, and shares pages with the one before (${example})`);
    }
  }
  const profiles = opened.filter(({ header }) => header.profile);
  if (profiles.length > 0 && recipe.values === 'stored') {
    notes.push(
      `values are taken as stored, without the colour profile: ${some(profiles.map(({ file }) => file.name))}`,
    );
  }
  if (recipe.depth === 32 && rows.memory) {
    const [low, high] = rangeOf(rows.memory);
    notes.push(
      `values are kept as they are (float32), from ${short(low)} to ${short(high)} (--range LOW,HIGH brings them to 0 to 1)`,
    );
  }
  return notes;
}

/** Pictures beside those that were read, of formats that are not. */
function leftOut(others: readonly FoundFile[]): string[] {
  return REFUSED_FORMATS.flatMap(({ name, endings, convert }) => {
    const files = others.filter((file) => namedLike(file.name, { plural: name, endings }));
    if (files.length === 0) return [];
    return [
      `left out, of the format ${name}, which is not read: ${some(files.map((file) => file.name))}; convert them: ${convert}`,
    ];
  });
}

function rangeOf(values: RowArray): [number, number] {
  let [low, high] = [values[0]!, values[0]!];
  for (let at = 1; at < values.length; at += 1) {
    const value = values[at]!;
    if (value < low) low = value;
    else if (value > high) high = value;
  }
  return [low, high];
}

function short(value: number): string {
  return String(Number(value.toPrecision(6)));
}

function dtypeOf({ depth }: ImageRecipe): 'uint8' | 'float32' {
  return depth === 8 ? 'uint8' : 'float32';
}

function nothingLeft(where: string, count: number): VaeError {
  return new VaeError('ERR_VAE_DATA', `${where}: none of ${count} files can be used; all were skipped.`);
}
