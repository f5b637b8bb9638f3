/** One array in a file, by where its elements begin: rows are read where they lie. */
import { type DataType, elementCount, type TypedArray } from '../../../core/dtype.js';
import { VaeError } from '../../../core/errors.js';
import type { TensorLike } from '../../../core/tensor.js';
import { elementsOf } from '../../../data/byte-order.js';
import type { Lend, OpenInput } from '../../places/place.js';

export interface StoredArray {
  readonly dtype: Exclude<DataType, 'string'>;
  readonly shape: readonly number[];
  /** Byte of the file at which elements begin. */
  readonly start: number;
  readonly bigEndian: boolean;
  /** The first axis varies fastest. */
  readonly fortran: boolean;
  readonly Type: (new (
    buffer: ArrayBufferLike,
    offset: number,
    length: number,
  ) => TypedArray) & { readonly BYTES_PER_ELEMENT: number };
}

/** Columns of an array in Fortran order that are gathered one by one. */
const MOST_COLUMNS = 1 << 20;

/** @throws VaeError ERR_VAE_SHAPE for an array without an axis of rows. */
export function rowsIn({ shape }: StoredArray, where: string): number {
  if (shape.length > 0) return shape[0]!;
  throw new VaeError('ERR_VAE_SHAPE', `${where}: a single number, without an axis of rows.`);
}

/** Rows [from, to) as a tensor; in memory of `lend`, where they are stored as they are wanted. */
export async function readRows(
  input: Pick<OpenInput, 'read'>,
  array: StoredArray,
  from: number,
  to: number,
  where: string,
  signal?: AbortSignal,
  lend?: Lend,
): Promise<ReadRows> {
  const { dtype, shape, start, bigEndian, fortran, Type } = array;
  const size = Type.BYTES_PER_ELEMENT;
  const width = elementCount(shape.slice(1));
  const dims = [to - from, ...(shape.length === 1 ? [1] : shape.slice(1))];
  const count = (to - from) * width;
  if (!fortran || shape.length === 1) {
    const bytes = await input.read(start + from * width * size, count * size, signal, lend);
    return rowsOf(dtype, elementsOf(bytes, count, Type, bigEndian), dims);
  }
  if (width > MOST_COLUMNS) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `${where}: is in Fortran order with ${width} values a row, which are far apart. Save it in C order: numpy.save(path, numpy.ascontiguousarray(a)).`,
    );
  }
  const rows = shape[0]!;
  const values = new Type(new ArrayBuffer(count * size), 0, count);
  // Column (j, k, …) begins at rows × its number, the first axis fastest.
  const strides = fortranStrides(shape);
  for (let column = 0; column < width; column += 1) {
    const at = start + (strides(column) * rows + from) * size;
    const part = elementsOf(await input.read(at, (to - from) * size, signal), to - from, Type, bigEndian);
    for (let row = 0; row < part.length; row += 1) values[row * width + column] = part[row] as never;
  }
  return rowsOf(dtype, values, dims);
}

/** A tensor without its class, which knows fewer types. */
export type ReadRows = TensorLike & { readonly data: TypedArray };

function rowsOf(type: StoredArray['dtype'], data: TypedArray, dims: readonly number[]): ReadRows {
  return { type, data, dims, shape: dims } as unknown as ReadRows;
}

/** From the number of a column in C order to that in Fortran order. */
function fortranStrides(shape: readonly number[]): (column: number) => number {
  const inner = shape.slice(1);
  return (column) => {
    let rest = column;
    const index = new Array<number>(inner.length);
    for (let axis = inner.length - 1; axis >= 0; axis -= 1) {
      index[axis] = rest % inner[axis]!;
      rest = Math.floor(rest / inner[axis]!);
    }
    let at = 0;
    for (let axis = inner.length - 1; axis >= 0; axis -= 1) at = at * inner[axis]! + index[axis]!;
    return at;
  };
}
