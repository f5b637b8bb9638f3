/** Batches as users give them, seen as float32 rows for a graph. */
import { BYTE_SCALE } from '../architectures/input.js';
import type { NativeTensor } from '../binding/addon.js';
import { elementCount, type TypedArray } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import { firstNonFinite } from '../core/finite.js';
import { describeValue } from '../core/options.js';
import { asDense, isTensorLike, type TensorLike } from '../core/tensor.js';
import { Dataset } from '../data/dataset.js';

/** What encode, reconstruct and score take: a batch of examples, or a whole dataset. */
export type BatchInput = TensorLike | Dataset;

export interface RowReader {
  readonly rows: number;
  /** Rows `from` to `to` as float32 [to − from, ...shape]: borrowed where they lie in memory as float32. */
  read(from: number, to: number): NativeTensor | Promise<NativeTensor>;
}

/** 8-bit values as fractions of 255. */
const BYTE_VALUES = Float32Array.from({ length: 256 }, (_, byte) => Math.fround(byte * BYTE_SCALE));

/**
 * Checks the shape of a batch and gives its rows piece by piece.
 *
 * @throws VaeError ERR_VAE_SHAPE where rows have another shape, ERR_VAE_DATA for NaN, infinity or no rows.
 */
export function readRows(input: BatchInput, shape: readonly number[], where: string, signal?: AbortSignal): RowReader {
  if (input instanceof Dataset) return readDataset(input, shape, where, signal);
  if (!isTensorLike(input)) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${where}: expected a Tensor, { data, shape } or a Dataset, received ${describeValue(input)}.`,
    );
  }
  const { data, dims } = asDense(input, where);
  const rows = dims[0] ?? 0;
  checkRowShape(dims.slice(1), shape, where);
  if (rows === 0) throw new VaeError('ERR_VAE_DATA', `${where}: the batch is empty.`);
  const width = elementCount(shape);
  return {
    rows,
    read: (from, to) => toFloat32(data.subarray(from * width, to * width), from, to, shape, where),
  };
}

function readDataset(data: Dataset, shape: readonly number[], where: string, signal?: AbortSignal): RowReader {
  checkRowShape(data.rowShape, shape, where);
  return {
    rows: data.length,
    async read(from, to) {
      const wanted = Uint32Array.from({ length: to - from }, (_, index) => from + index);
      return toFloat32(await data.read(wanted, signal), from, to, shape, where);
    },
  };
}

/** Rows may come flattened; any other shape is refused. */
export function checkRowShape(received: readonly number[], expected: readonly number[], where: string): void {
  const same = received.length === expected.length && received.every((dim, axis) => dim === expected[axis]);
  const flat = received.length === 1 && received[0] === elementCount(expected);
  if (same || flat) return;
  throw new VaeError(
    'ERR_VAE_SHAPE',
    `${where}: expected shape [N, ${expected.join(', ')}], received [N${received.map((dim) => `, ${dim}`).join('')}].`,
  );
}

function toFloat32(data: TypedArray, from: number, to: number, shape: readonly number[], where: string): NativeTensor {
  const values = floatValues(data, where);
  const bad = firstNonFinite(values);
  if (bad >= 0) {
    const row = from + Math.floor(bad / elementCount(shape));
    throw new VaeError(
      'ERR_VAE_DATA',
      `${where}: row ${row} holds ${values[bad]}; every value must be a finite number.`,
    );
  }
  return { dtype: 'float32', dims: [to - from, ...shape], data: values };
}

function floatValues(data: TypedArray, where: string): Float32Array {
  if (data instanceof Float32Array) return data;
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) {
    const out = new Float32Array(data.length);
    for (let index = 0; index < out.length; index += 1) out[index] = BYTE_VALUES[data[index]!]!;
    return out;
  }
  if (data instanceof Float64Array) return Float32Array.from(data);
  throw new VaeError(
    'ERR_VAE_SHAPE',
    `${where}: expected float32, float64 or uint8 values, received ${data.constructor.name}; convert it first.`,
  );
}
