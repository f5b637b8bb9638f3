import { readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import type { ArrayWithShape } from '../../core/tensor.js';
import type { Dataset } from '../dataset.js';
import { kindOfPath, readDataFile } from '../files.js';
import { datasetFromTensor } from '../to-dataset.js';
import { parseIdx } from './format.js';

export const idxShape = {
  /** Which part of a folder with the standard MNIST names. Default `train`. */
  part: z.enum(['train', 'test']).optional(),
  /** The file of labels. Default: the one that is named like the images, where there is one; `false` for none. */
  labels: z.union([z.string(), z.literal(false)]).optional(),
  /** Names of the classes. Default: their numbers. */
  classes: z.array(z.string()).optional(),
  ...signalShape,
};
const optionsSchema = z.strictObject(idxShape);

export interface ReadIdxOptions extends InputOf<typeof optionsSchema> {}

const PREFIXES = { train: 'train', test: 't10k' } as const;

/**
 * Reads an IDX file of images or other rows, plain or gzip-compressed, or a folder with the standard
 * MNIST names (`train-images-idx3-ubyte`, `t10k-labels-idx1-ubyte.gz`, …). Pictures of [height, width]
 * become rows of [1, height, width]. uint8 stays uint8 (0 to 255), every other type becomes float32.
 *
 * @throws VaeError ERR_VAE_IO for files that are missing or cannot be read, ERR_VAE_FORMAT for damaged
 *   ones, ERR_VAE_DATA where images and labels differ in number.
 */
export async function readIdx(path: string, options: ReadIdxOptions = {}): Promise<Dataset> {
  parseOptions(optionsSchema, options, 'readIdx()');
  const images = (await kindOfPath(path)) === 'folder' ? await findInFolder(path, options.part ?? 'train') : path;
  const { data, shape } = await readIdxArray(images, options.signal);
  const labels = options.labels ?? (await findLabels(images));
  const labelArray = labels ? await readIdxArray(labels, options.signal) : undefined;
  if (labelArray && labelArray.shape.length !== 1) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `${labels}: labels have one axis, received shape [${labelArray.shape.join(', ')}].`,
    );
  }
  return datasetFromTensor(
    { data, shape: shape.length === 3 ? [shape[0]!, 1, shape[1]!, shape[2]!] : shape },
    {
      where: images,
      ...(labelArray && { labels: labelArray.data as ArrayLike<number> }),
      ...(options.classes && { classes: options.classes }),
    },
  );
}

/** Reads one IDX file, plain or gzip-compressed, as it is. */
export async function readIdxArray(path: string, signal?: AbortSignal): Promise<ArrayWithShape> {
  return parseIdx(await readDataFile(path, signal), path);
}

/** Whether a path is an IDX file by its name, or a folder with the standard names. */
export async function looksLikeIdx(path: string): Promise<boolean> {
  if ((await kindOfPath(path)) !== 'folder') return IDX_NAME.test(basename(path));
  return (await list(path)).some((name) => IDX_NAME.test(name));
}

const IDX_NAME = /[-.]idx\d?([-.]ubyte)?(\.gz)?$/;

async function findInFolder(folder: string, part: 'train' | 'test'): Promise<string> {
  const wanted = new RegExp(`^${PREFIXES[part]}-images[-.]idx3-ubyte(\\.gz)?$`);
  const found = (await list(folder)).sort().find((name) => wanted.test(name));
  if (found) return join(folder, found);
  throw new VaeError(
    'ERR_VAE_IO',
    `${folder}: expected a file ${PREFIXES[part]}-images-idx3-ubyte (or .gz) in this folder, found none. Give the file's own path if it has another name.`,
  );
}

async function findLabels(images: string): Promise<string | false> {
  const name = basename(images).replace(/\.gz$/, '');
  const wanted = name.replace('images', 'labels').replace('idx3', 'idx1');
  if (wanted === name) return false;
  const names = await list(dirname(images));
  const found = [wanted, `${wanted}.gz`].find((candidate) => names.includes(candidate));
  return found ? join(dirname(images), found) : false;
}

async function list(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    throw ioError(error, `listing ${folder}`);
  }
}
