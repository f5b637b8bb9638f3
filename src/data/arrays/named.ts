/** Files that hold several arrays by name: which of them is the data, which the labels. */
import { VaeError } from '../../core/errors.js';
import { nearest } from '../../core/options.js';
import type { Layout } from '../../core/tensor.js';
import type { Dataset } from '../dataset.js';
import { datasetFromTensor } from '../to-dataset.js';
import { openMat } from './mat.js';
import type { NamedArrays } from './named-arrays.js';
import { openNpz } from './npz.js';

export interface ReadArraysOptions {
  /** Name of the array that is the data. Default: the only one, or one that is called as data usually is. */
  readonly array?: string | undefined;
  readonly part?: 'train' | 'test' | undefined;
  readonly layout?: Layout | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What people call data, and what labels, in the order in which names are tried. */
const DATA = ['data', 'x', 'images', 'features', 'samples', 'embeddings', 'arr_0', 'train', 'test'];
const LABELS = ['labels', 'label', 'y', 'targets', 'target', 'classes'];

const OPENERS: readonly (readonly [RegExp, (path: string) => Promise<NamedArrays>])[] = [
  [/\.npz$/i, openNpz],
  [/\.mat$/i, openMat],
];

/** Whether a path is such a file by its name. */
export function holdsNamedArrays(path: string): boolean {
  return OPENERS.some(([name]) => name.test(path));
}

/**
 * Reads the data of a .npz or .mat file, with its labels where there is one whole number for each row.
 *
 * @throws VaeError ERR_VAE_IO, ERR_VAE_FORMAT; ERR_VAE_DATA where it is not clear which array is meant.
 */
export async function readNamedArrays(
  path: string,
  { array, part = 'train', layout, signal }: ReadArraysOptions,
): Promise<Dataset> {
  const arrays = await OPENERS.find(([name]) => name.test(path))![1](path);
  try {
    signal?.throwIfAborted();
    const name = choose(arrays.names, array, part, path);
    const data = datasetFromTensor(await arrays.read(name), { where: `${path}, ${name}`, ...(layout && { layout }) });
    signal?.throwIfAborted();
    const note =
      arrays.names.length > 1 ? [`The array "${name}" of ${arrays.names.join(', ')} is the data (--array).`] : [];
    const labelled = await withOwnLabels(data, arrays, name, part);
    return labelled.withNotes(note);
  } finally {
    await arrays.close();
  }
}

function choose(names: readonly string[], wanted: string | undefined, part: string, path: string): string {
  if (wanted !== undefined) {
    if (names.includes(wanted)) return wanted;
    const near = nearest(wanted, names);
    throw new VaeError(
      'ERR_VAE_DATA',
      `${path}: there is no array "${wanted}"${near ? `; did you mean "${near}"?` : '.'} It holds ${names.join(', ') || 'none'}.`,
    );
  }
  if (names.length === 1) return names[0]!;
  const found = findName(names, DATA, part);
  if (found !== undefined) return found;
  throw new VaeError(
    'ERR_VAE_DATA',
    names.length === 0
      ? `${path}: it holds no array of numbers.`
      : `${path}: it holds the arrays ${names.join(', ')}; say which is the data: array: "${names[0]}" (--array ${names[0]}).`,
  );
}

/** A name such as x, X_train or train_images. */
function findName(names: readonly string[], usual: readonly string[], part: string): string | undefined {
  for (const candidate of usual) {
    const forms = [
      candidate,
      `${candidate}_${part}`,
      `${part}_${candidate}`,
      `${candidate}${part}`,
      `${part}${candidate}`,
    ];
    const found = names.find((name) => forms.includes(name.toLowerCase()));
    if (found !== undefined) return found;
  }
  return undefined;
}

async function withOwnLabels(data: Dataset, arrays: NamedArrays, used: string, part: string): Promise<Dataset> {
  const others = arrays.names.filter((name) => name !== used);
  const name = findName(others, LABELS, part);
  if (name === undefined) return data;
  const { data: values, dims } = await arrays.read(name);
  const count = dims.reduce((product, dim) => product * dim, 1);
  const numbers = Array.from(values as Float32Array, Number);
  const fits = count === data.length && numbers.every((value) => Number.isInteger(value) && value >= -1 && value < 1e6);
  return fits ? data.withLabels(numbers).withNotes([`Labels are the array "${name}".`]) : data;
}
