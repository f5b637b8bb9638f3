/** Whatever a program has its data in, as a dataset. */

import { Tensor } from 'onnxruntime-common';
import { z } from 'zod';
import { signalShape } from '../core/common-options.js';
import { elementCount, type TypedArray } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import { describeValue, type InputOf, parseOptions } from '../core/options.js';
import { type ArrayWithShape, asDense, type DenseTensor, isTensorLike, type TensorLike } from '../core/tensor.js';
import { isScaled } from './array/recipe.js';
import { standardised } from './array/standardise.js';
import { Dataset } from './dataset.js';
import { denseRows } from './dense-rows.js';
import { type Labels, type LabelsInput, toLabels } from './labels.js';
import { fitRowShape } from './row-shape.js';
import { checkDescription, customRows, type DatasetSource } from './rows/custom.js';
import { memoryRows } from './rows/memory.js';
import { type NestedRows, stackRows } from './stack.js';
import { checkFinite, toRowArray } from './values.js';

/** One batch of an iterable: rows alone, or rows with the labels and names that belong to them. */
export type BatchInput =
  | TensorLike
  | { readonly data: TensorLike; readonly labels?: ArrayLike<number> | Labels; readonly names?: readonly string[] };

/** An array with the labels and names of its rows, as `Dataset.batch()` gives them. */
export interface LabelledRows extends ArrayWithShape {
  /** One class number for all rows, one for each, or class names. */
  readonly labels?: number | LabelsInput;
  readonly names?: readonly string[];
}

/** Everything that a dataset is made from. */
export type DatasetInput =
  | Dataset
  | DatasetSource
  | TensorLike
  | LabelledRows
  | TypedArray
  | NestedRows
  | Iterable<BatchInput>
  | AsyncIterable<BatchInput>;

const optionsSchema = z.strictObject({
  /**
   * Shape that every row must have. Needed for a bare typed array; elsewhere rows of as many values
   * under a flat shape, or with axes of length 1 more or fewer, are taken as this shape.
   */
  rowShape: z.array(z.int().positive()).optional(),
  /** Class numbers or class names, one for each row. */
  labels: z.custom<LabelsInput>().optional(),
  /** Names of the classes, where labels are numbers. */
  classes: z.array(z.string()).optional(),
  names: z.array(z.string()).optional(),
  /** `nhwc`: arrays have their channels last and are put into order. Default: what an array itself says, else `nchw`. */
  layout: z.enum(['nchw', 'nhwc']).optional(),
  /**
   * Brings each value of vectors, or each channel of other rows, to mean 0 and deviation 1; the model that learns them keeps
   * how, takes data as it is and gives it back so. Default false.
   */
  standardise: z.boolean().default(false),
  ...signalShape,
  /** The call the data was given to, for messages. */
  where: z.string().optional(),
});

export interface DatasetOptions extends InputOf<typeof optionsSchema> {}

/**
 * Makes a dataset. Typed arrays and tensors of uint8 and float32 are borrowed and must not change
 * while the dataset is in use; other number types are copied to float32. Iterables are read to the
 * end into memory; what does not fit there is given as a `DatasetSource`.
 *
 * @throws VaeError ERR_VAE_DATA for no rows, NaN or infinity, or labels or names of another length;
 *   ERR_VAE_SHAPE for rows of another shape, or of a type that holds no numbers.
 */
export async function toDataset(input: DatasetInput, options: DatasetOptions = {}): Promise<Dataset> {
  parseOptions(optionsSchema, options, options.where ?? 'toDataset()');
  const data = await datasetOf(input, options);
  return options.standardise ? standardised(data, undefined, options.signal) : data;
}

async function datasetOf(input: DatasetInput, options: DatasetOptions): Promise<Dataset> {
  const where = options.where ?? 'toDataset()';
  options.signal?.throwIfAborted();
  if (input instanceof Dataset) return fitDataset(input, options, where);
  const dense = denseRows(input, options, where);
  if (dense !== undefined) {
    const rows = fromDense(dense, withOwn(input, dense, options), where);
    return isScaled(input) ? rows.withRecipe(input.recipe) : rows;
  }
  if (isSource(input)) {
    const { labels = input.labels, names = input.names } = options;
    const rows = customRows({ ...describeSource(input), ...(labels && { labels }), ...(names && { names }) }, where);
    return fitDataset(new Dataset(rows), options, where);
  }
  if (isAsyncIterable(input)) return fromBatches(input, options, where);
  if (Array.isArray(input) && !isBatch(input[0]))
    return fromDense(stackRows(input as NestedRows, where), options, where);
  if (isIterable(input)) return fromBatches(input as Iterable<BatchInput>, options, where);
  throw new VaeError(
    'ERR_VAE_DATA',
    `${where}: expected a dataset, a tensor, a typed array, an array of rows or an iterable of batches, received ${describeValue(input)}.`,
  );
}

/** Rows in memory, borrowed where their type allows. */
export function datasetFromTensor(tensor: TensorLike, options: DatasetOptions = {}): Dataset {
  const where = options.where ?? 'datasetFromTensor()';
  parseOptions(optionsSchema, options, where);
  return fromDense(denseRows(tensor, options, where)!, options, where);
}

function fromDense({ dtype, dims, data }: DenseTensor, options: DatasetOptions, where: string): Dataset {
  const length = dims[0];
  if (length === undefined) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${where}: expected an axis of rows first, received a single number without axes.`,
    );
  }
  const shape = dims.length === 1 ? [1] : dims.slice(1);
  checkDescription({ length, rowShape: length === 0 ? [1] : shape, names: options.names }, where);
  const rowShape = fitRowShape(shape, options.rowShape, where);
  const memory = toRowArray(data, dtype);
  checkFinite(memory, elementCount(rowShape), where);
  const { names, labels, classes } = options;
  return new Dataset(
    memoryRows(memory, {
      rowShape,
      ...(labels && { labels: toLabels(labels, length, where, classes) }),
      ...(names && { names }),
    }),
  );
}

/** Labels and names that an array brings along; those of the options come first. */
function withOwn(input: unknown, { dims }: DenseTensor, options: DatasetOptions): DatasetOptions {
  const own = input as { readonly labels?: unknown; readonly names?: unknown };
  if (isTensorClass(input) || (own.labels === undefined && own.names === undefined)) return options;
  const labels = typeof own.labels === 'number' ? new Array(dims[0]).fill(own.labels) : own.labels;
  return {
    ...(labels !== undefined && { labels: labels as LabelsInput }),
    ...(Array.isArray(own.names) && { names: own.names as string[] }),
    ...options,
  };
}

/** Neither tensors nor arrays have labels; their own members of that name, if any, mean something else. */
function isTensorClass(input: unknown): boolean {
  return input instanceof Tensor || ArrayBuffer.isView(input) || Array.isArray(input);
}

async function fromBatches(
  batches: Iterable<BatchInput> | AsyncIterable<BatchInput>,
  options: DatasetOptions,
  where: string,
): Promise<Dataset> {
  const parts: DenseTensor[] = [];
  const labels: number[] = [];
  const names: string[] = [];
  for await (const batch of batches) {
    options.signal?.throwIfAborted();
    const at = `${where}: batch ${parts.length}`;
    const bare = isTensorLike(batch);
    const part = asDense(bare ? batch : (batch as { data?: unknown } | undefined)?.data, at);
    // Producers are free to fill one buffer again and again, so what came is copied now.
    parts.push({ ...part, data: copyOf(part.data) });
    const extra = batch as { labels?: ArrayLike<number> | Labels; names?: readonly string[] };
    const given = extra.labels && 'classes' in extra.labels ? extra.labels.values : (extra.labels ?? []);
    for (let row = 0; row < given.length; row += 1) labels.push(given[row]!);
    for (const name of extra.names ?? []) names.push(name);
  }
  if (parts.length === 0) throw new VaeError('ERR_VAE_DATA', `${where}: the iterable gave no batch.`);
  return fromDense(
    joinBatches(parts, where),
    {
      ...(labels.length > 0 && { labels }),
      ...(names.length > 0 && { names }),
      ...options,
    },
    where,
  );
}

function joinBatches(parts: readonly DenseTensor[], where: string): DenseTensor {
  const [first] = parts as [DenseTensor];
  const rowShape = first.dims.slice(1);
  const length = parts.reduce((sum, { dims }) => sum + (dims[0] ?? 0), 0);
  const Type = first.data.constructor as new (size: number) => TypedArray;
  const data = new Type(parts.reduce((sum, part) => sum + part.data.length, 0));
  let offset = 0;
  for (const [index, part] of parts.entries()) {
    if (part.dtype !== first.dtype || part.dims.slice(1).join() !== rowShape.join()) {
      throw new VaeError(
        'ERR_VAE_SHAPE',
        `${where}: batch ${index} holds ${part.dtype} rows of shape [${part.dims.slice(1).join(', ')}], ` +
          `the ones before it ${first.dtype} rows of [${rowShape.join(', ')}].`,
      );
    }
    (data as Float32Array).set(part.data as Float32Array, offset);
    offset += part.data.length;
  }
  return { dtype: first.dtype, dims: [length, ...rowShape], data };
}

/** Not slice() for bytes: on a Buffer that would share the memory. */
function copyOf(data: TypedArray): TypedArray {
  return data instanceof Uint8Array ? new Uint8Array(data) : data.slice();
}

function fitDataset(dataset: Dataset, { rowShape }: DatasetOptions, where: string): Dataset {
  const fitted = fitRowShape(dataset.rowShape, rowShape, where);
  return fitted === dataset.rowShape ? dataset : dataset.reshape(fitted);
}

/** Spreading would lose getters and methods of a class instance. */
function describeSource(source: DatasetSource): DatasetSource {
  return {
    length: source.length,
    rowShape: source.rowShape,
    ...(source.dtype && { dtype: source.dtype }),
    read: (rows, signal, pass) => source.read(rows, signal, pass),
  };
}

function isSource(value: unknown): value is DatasetSource {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as DatasetSource).read === 'function' &&
    'length' in value
  );
}

function isBatch(value: unknown): boolean {
  return isTensorLike(value) || isTensorLike((value as { data?: unknown } | undefined)?.data);
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}

function isAsyncIterable(value: unknown): value is AsyncIterable<BatchInput> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}
