/** Rows given one by one, as arrays of numbers. */
import { elementCount } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import { describeValue } from '../core/options.js';
import type { DenseTensor } from '../core/tensor.js';

/** A row is a typed array, an array of numbers, or arrays of arrays for more axes. */
export type NestedRows = readonly (ArrayLike<number> | NestedRow)[];
export interface NestedRow extends ReadonlyArray<number | ArrayLike<number> | NestedRow> {}

/**
 * Copies rows into one array: uint8 where every row is a Uint8Array, else float32.
 *
 * @throws VaeError ERR_VAE_DATA for no rows, ERR_VAE_SHAPE where rows differ in shape or hold no numbers.
 */
export function stackRows(rows: NestedRows, where: string): DenseTensor {
  if (rows.length === 0) throw new VaeError('ERR_VAE_DATA', `${where}: the data is empty; at least one row is needed.`);
  const rowShape = shapeOf(rows[0], where);
  const rowSize = elementCount(rowShape);
  const bytes = rows.every((row) => row instanceof Uint8Array);
  const data = bytes ? new Uint8Array(rows.length * rowSize) : new Float32Array(rows.length * rowSize);
  for (const [index, row] of rows.entries()) fill(data, index * rowSize, row, rowShape, `${where}: row ${index}`);
  return { dtype: bytes ? 'uint8' : 'float32', dims: [rows.length, ...rowShape], data };
}

function shapeOf(value: unknown, where: string): number[] {
  if (typeof value === 'number') return [];
  if (!isArrayLike(value)) {
    throw new VaeError('ERR_VAE_SHAPE', `${where}: expected rows of numbers, received ${describeValue(value)}.`);
  }
  return ArrayBuffer.isView(value)
    ? [value.length]
    : [value.length, ...(value.length > 0 ? shapeOf(value[0], where) : [])];
}

function fill(
  out: Uint8Array | Float32Array,
  offset: number,
  value: unknown,
  shape: readonly number[],
  where: string,
): void {
  const [length, ...rest] = shape;
  if (length === undefined) {
    if (typeof value !== 'number') {
      throw new VaeError('ERR_VAE_SHAPE', `${where}: expected a number, received ${describeValue(value)}.`);
    }
    out[offset] = value;
    return;
  }
  if (!isArrayLike(value) || value.length !== length) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${where}: expected ${length} values as in the first row, received ${describeValue(value)}.`,
    );
  }
  const step = elementCount(rest);
  if (ArrayBuffer.isView(value) && step === 1 && !(value instanceof BigInt64Array || value instanceof BigUint64Array)) {
    out.set(value as unknown as ArrayLike<number>, offset);
    return;
  }
  for (let index = 0; index < length; index += 1) fill(out, offset + index * step, value[index], rest, where);
}

function isArrayLike(value: unknown): value is ArrayLike<unknown> {
  return typeof value === 'object' && value !== null && 'length' in value && typeof value.length === 'number';
}
