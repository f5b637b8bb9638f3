import { z } from 'zod';
import { VaeError } from '../core/errors.js';
import { ioError } from '../core/files.js';
import { type InputOf, nearest, parseOptions } from '../core/options.js';
import { readHead } from '../core/ranges.js';
import { standardised } from './array/standardise.js';
import { holdsNamedArrays, readNamedArrays } from './arrays/named.js';
import { SOUNDS } from './audio/open.js';
import { type AudioOptions, readAudio } from './audio/read.js';
import type { Dataset } from './dataset.js';
import { kindOfPath } from './files.js';
import { type FileKind, fileAt, isGlob, kindOfFolder, namedLike, startOfFile } from './find-files.js';
import { idxShape, looksLikeIdx, readIdx, readIdxArray } from './idx/read.js';
import { MAGIC_BYTES, PICTURE_FORMATS, PICTURES } from './image/formats.js';
import type { ImageOptions, ReadImagesOptions } from './image/options.js';
import { refusePicture } from './image/pixels.js';
import { readImages } from './image/read.js';
import { isLabelTable, withLabelTable } from './label-table.js';
import type { LabelsInput } from './labels.js';
import { readNpy } from './npy/read.js';
import { type DataRecipe, dataRecipeSchema } from './recipe.js';
import { type ReadTableOptions, readTable, TABLES, type TableOptions } from './table/read.js';
import { datasetFromTensor } from './to-dataset.js';
import { VIDEOS } from './video/open.js';
import { readVideo, type VideoOptions } from './video/read.js';

/** What kind of data a path holds. */
export type DataKind = 'idx' | 'npy' | 'image' | 'table' | 'audio' | 'video';

const NPY_NAME = /\.npy(\.gz)?$/i;
/** Labels that are read after the data, not with an IDX file of images. */
const readAfterwards = (labels: string): boolean => NPY_NAME.test(labels) || isLabelTable(labels);

/** Endings of tables that other files have too. */
const WEAK_ENDINGS = ['.txt', '.json', '.dat', '.data'];

/** Kinds told by the endings of their files. */
const FILE_KINDS: readonly (FileKind & { readonly kind: DataKind })[] = [
  { kind: 'image', ...PICTURES },
  { kind: 'table', ...TABLES },
  { kind: 'audio', ...SOUNDS },
  { kind: 'video', ...VIDEOS },
];

/** In folders, notes and settings beside the data are no tables. */
const FOLDER_KINDS = FILE_KINDS.map((kind) => ({
  ...kind,
  endings:
    kind.kind === 'table'
      ? kind.endings.filter((ending) => !WEAK_ENDINGS.includes(ending.replace(/\.gz$/, '')))
      : kind.endings,
}));

/** Checked by the reader of their kind. */
const optionsOf = <Options>() => z.custom<Options>((value) => typeof value === 'object' && value !== null).optional();

const optionsSchema = z.strictObject({
  ...idxShape,
  /** `nhwc`: arrays (.npy and the like) have their channels last and are put into order. Default `nchw`. */
  layout: z.enum(['nchw', 'nhwc']).optional(),
  /** Files of several arrays (.npz, .mat): name of the one that is the data. Default: the only one, or one called as data usually is. */
  array: z.string().optional(),
  /** Arrays: see DatasetOptions. Default false. */
  standardise: z.boolean().optional(),
  images: optionsOf<ImageOptions>(),
  table: optionsOf<TableOptions>(),
  audio: optionsOf<AudioOptions>(),
  video: optionsOf<VideoOptions>(),
  /** How a model's training data became rows, as its `recipe` says: then files are read in the same way. */
  recipe: dataRecipeSchema.optional(),
  /** Called for every file that is left out as bad, where that was asked for. */
  onSkip: z.custom<NonNullable<ReadImagesOptions['onSkip']>>((value) => typeof value === 'function').optional(),
});

/** Options of every kind; those of other kinds than the data's are not looked at. */
export interface ReadDatasetOptions extends InputOf<typeof optionsSchema> {}

/**
 * Reads data of any kind that this package knows, told by what lies at the path: a `.npy` file of
 * [rows, ...], or an array in a .npz or .mat file (pictures are [N, channels, height, width]), an IDX file or a folder with the MNIST names,
 * pictures (files, folders, globs), a table (.csv, .tsv, .jsonl), sound (.wav) or video (.y4m); other
 * formats of both through ffmpeg.
 *
 * @param options `labels` may be a .npy or an IDX file, or a table: with a column of labels (`table: { label }` names it) and, for files,
 *   one of their paths. Defaults of a kind's options: see its own reader.
 * @throws VaeError ERR_VAE_IO for what is missing, ERR_VAE_DATA for what is of no known kind, and what
 *   the reader of its kind throws.
 */
export async function readDataset(
  path: string | readonly string[],
  options: ReadDatasetOptions = {},
): Promise<Dataset> {
  const parsed = parseOptions(optionsSchema, options, 'readDataset()');
  const { labels, classes, signal, recipe, standardise } = parsed;
  const kind = await kindOfData(path);
  const where = typeof path === 'string' ? path : path.join(', ');
  checkRecipe(kind, recipe, where);
  const read = await READERS[kind](path, parsed);
  const isArray = read.recipe === undefined;
  const like = recipe?.kind === 'array' ? recipe : undefined;
  const dataset = isArray && (like || standardise) ? await standardised(read, like, signal) : read;
  if (!labels || (kind === 'idx' && !readAfterwards(labels))) return dataset;
  if (isLabelTable(labels)) return withLabelTable(dataset, labels, { column: parsed.table?.label, classes, signal });
  return dataset.withLabels(await readLabels(labels, signal), classes);
}

type Read = (path: string | readonly string[], options: z.output<typeof optionsSchema>) => Promise<Dataset>;

const READERS: Readonly<Record<DataKind, Read>> = {
  idx: (path, { labels, part, classes, signal }) =>
    readIdx(path as string, {
      ...(part && { part }),
      ...(classes && { classes }),
      ...(signal && { signal }),
      // A file of labels of another kind is read afterwards.
      ...(labels !== undefined && { labels: labels && readAfterwards(labels) ? false : labels }),
    }),
  npy: async (path, { signal, layout, array, part }) =>
    holdsNamedArrays(path as string)
      ? readNamedArrays(path as string, { array, part, layout, signal })
      : datasetFromTensor(await readNpy(path as string, signal), { where: path as string, ...(layout && { layout }) }),
  image: (path, { images, recipe, onSkip, signal }) =>
    readImages(path, {
      ...images,
      ...(recipe?.kind === 'image' && { recipe }),
      ...(onSkip && { onSkip }),
      ...(signal && { signal }),
    }),
  audio: (path, { audio, recipe, onSkip, signal }) =>
    readAudio(path, {
      ...audio,
      ...(recipe?.kind === 'audio' && { recipe }),
      ...(onSkip && { onSkip }),
      ...(signal && { signal }),
    }),
  video: (path, { video, recipe, onSkip, signal }) =>
    readVideo(path, {
      ...video,
      ...(recipe?.kind === 'video' && { recipe }),
      ...(onSkip && { onSkip }),
      ...(signal && { signal }),
    }),
  table: (path, { table, recipe, signal }) => {
    const given: ReadTableOptions = {
      ...table,
      ...(recipe?.kind === 'table' && { recipe }),
      ...(signal && { signal }),
    };
    return readTable(single(path, 'table'), given);
  },
};

function single(path: string | readonly string[], what: string): string {
  if (typeof path === 'string') return path;
  if (path.length === 1) return path[0]!;
  throw new VaeError('ERR_VAE_DATA', `Expected one ${what}, received ${path.length} files; join them first.`);
}

/** Arrays go to every model that takes their shape; files of a kind only to models of that kind. */
function checkRecipe(kind: DataKind, recipe: DataRecipe | undefined, where: string): void {
  if (recipe === undefined || kind === 'idx' || kind === 'npy' || kind === recipe.kind) return;
  throw new VaeError(
    'ERR_VAE_DATA',
    `${where} holds data of the kind "${kind}", and this model was trained on the kind "${recipe.kind}". ` +
      `Give it such data, or an array as .npy.`,
  );
}

/**
 * What kind of data lies at a path, or at all of these paths.
 *
 * @throws VaeError ERR_VAE_IO where there is nothing, ERR_VAE_DATA where it is of no known kind, or of several.
 */
export async function kindOfData(path: string | readonly string[]): Promise<DataKind> {
  if (typeof path === 'string') return kindOfOne(path);
  if (path.length === 0) throw new VaeError('ERR_VAE_DATA', 'Expected at least one path to data, received none.');
  const kinds = await Promise.all(path.map(kindOfOne));
  const other = kinds.findIndex((kind) => kind !== kinds[0]);
  if (other > 0) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `"${path[0]}" is data of the kind "${kinds[0]}", "${path[other]}" of the kind "${kinds[other]}"; give files of one kind.`,
    );
  }
  if (path.length > 1 && (kinds[0] === 'idx' || kinds[0] === 'npy')) {
    throw new VaeError('ERR_VAE_DATA', `Expected one ${kinds[0]} file, received ${path.length}; join them first.`);
  }
  return kinds[0]!;
}

async function kindOfOne(path: string): Promise<DataKind> {
  const found = await kindOfPath(path);
  const known = FILE_KINDS.map(({ plural, endings }) => `${plural} (${endings.join(' ')})`).join(', ');
  if (found === 'missing') {
    const kind = isGlob(path) ? FILE_KINDS.find((candidate) => namedLike(path, candidate)) : undefined;
    if (kind) return kind.kind;
    if (isGlob(path)) {
      throw new VaeError(
        'ERR_VAE_IO',
        `"${path}" is no file or folder, and as a glob it must end in the ending of its files, such as "**/*.png". Known are ${known}.`,
      );
    }
    throw new VaeError('ERR_VAE_IO', `There is no file or folder "${path}". Check the path to the data.`);
  }
  if (found === 'folder') {
    if (await looksLikeIdx(path)) return 'idx';
    const kind = await kindOfFolder(path, FOLDER_KINDS);
    if (kind) return kind.kind;
    throw new VaeError(
      'ERR_VAE_DATA',
      `The folder "${path}" holds no data of a known kind. Known are the MNIST files, ${known}.`,
    );
  }
  if (NPY_NAME.test(path) || holdsNamedArrays(path)) return 'npy';
  if (await looksLikeIdx(path)) return 'idx';
  const named = FILE_KINDS.find((candidate) => namedLike(path, candidate));
  if (named) return named.kind;
  const told = await kindOfBytes(path);
  if (told) return told;
  await refuseKnown(path);
  const endings = FILE_KINDS.flatMap(({ endings: list }) => list);
  const near = nearest(path.slice(path.lastIndexOf('.')), endings);
  throw new VaeError(
    'ERR_VAE_DATA',
    `"${path}" is data of no known kind${near && path.includes('.') ? `; did you mean ${near}?` : '.'} ` +
      `Known are .npy files, IDX files (named …idx3-ubyte, also .gz) and folders with the MNIST names, ${known}.`,
  );
}

/** First bytes of kinds whose files may have any name. */
const MAGIC: readonly (readonly [DataKind, RegExp])[] = [
  ['npy', /^\x93NUMPY/],
  ['audio', /^RIFF....WAVE/s],
  ['video', /^YUV4MPEG2 /],
  ...PICTURE_FORMATS.map(({ magic }) => ['image', magic] as const),
];

/** @throws VaeError ERR_VAE_FORMAT for a pointer of Git LFS, and for pictures of a format that is not read. */
async function refuseKnown(path: string): Promise<void> {
  const start = await startOfFile(fileAt(path), MAGIC_BYTES);
  if (start.length > 0) refusePicture(start, path);
}

async function kindOfBytes(path: string): Promise<DataKind | undefined> {
  try {
    const text = (await readHead(path, MAGIC_BYTES)).toString('latin1');
    return MAGIC.find(([, magic]) => magic.test(text))?.[0];
  } catch (error) {
    throw ioError(error, `reading ${path}`);
  }
}

async function readLabels(path: string, signal?: AbortSignal): Promise<LabelsInput> {
  const { data, shape } = NPY_NAME.test(path)
    ? await readNpy(path, signal).then((tensor) => ({ data: tensor.data, shape: tensor.dims }))
    : await readIdxArray(path, signal);
  if (shape.length === 1) return data as ArrayLike<number>;
  throw new VaeError('ERR_VAE_FORMAT', `${path}: labels have one axis, received shape [${shape.join(', ')}].`);
}
