/** Tensors as they come from users and go back to them. */
import { Tensor } from 'onnxruntime-common';
import { type DataType, elementCount, type TypedArray } from './dtype.js';
import { VaeError } from './errors.js';
import { describeValue } from './options.js';

/** Order of axes: channels before places, as models have them, or after them. */
export type Layout = 'nchw' | 'nhwc';

/** A typed array with a shape; the array is borrowed, not copied, where it is contiguous and channels come first. */
export interface ArrayWithShape {
  readonly data: TypedArray;
  readonly shape: readonly number[];
  /** Elements from one index of each axis to the next, as ndarray and scijs say it; `strides` is the same. */
  readonly stride?: readonly number[];
  /** Where the first element lies, for arrays with strides. Default 0. */
  readonly offset?: number;
  /** `nhwc`: rows have their channels last ([N, height, width, channels]) and are put into order. Default `nchw`. */
  readonly layout?: Layout;
}

/** What is accepted wherever a tensor is: onnxruntime-common's Tensor, or a typed array with a shape. */
export type TensorLike = Tensor | ArrayWithShape;

/** The inside view of a TensorLike: nothing copied. */
export interface DenseTensor {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  readonly data: TypedArray;
}

const DTYPE_OF_ARRAY: Readonly<Record<string, DataType>> = {
  Float16Array: 'float16',
  Float32Array: 'float32',
  Float64Array: 'float64',
  Int8Array: 'int8',
  Int16Array: 'int16',
  Int32Array: 'int32',
  BigInt64Array: 'int64',
  Uint8Array: 'uint8',
  Uint8ClampedArray: 'uint8',
  Buffer: 'uint8',
  Uint16Array: 'uint16',
  Uint32Array: 'uint32',
  BigUint64Array: 'uint64',
};

export function isTensorLike(value: unknown): value is TensorLike {
  if (value instanceof Tensor) return true;
  if (typeof value !== 'object' || value === null) return false;
  const { data, shape, dims } = value as { data?: unknown; shape?: unknown; dims?: unknown };
  const isData = ArrayBuffer.isView(data) || (Array.isArray(data) && typeof (data[0] ?? 0) === 'number');
  return isData && (isShape(shape) || isShape(dims));
}

function isShape(value: unknown): value is ArrayLike<number> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

/**
 * Views a tensor-like value as dtype, shape and elements, borrowing its memory.
 *
 * @throws VaeError ERR_VAE_SHAPE where the elements do not fill the shape or are not numbers.
 */
export function asDense(value: unknown, where: string): DenseTensor {
  if (!isTensorLike(value)) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${where}: expected a Tensor or { data: typed array, shape: number[] }, received ${describeValue(value)}.`,
    );
  }
  // Tensors of another copy of onnxruntime-common have dims and data too, but fail instanceof.
  const given = (('dims' in value ? value.dims : undefined) ?? (value as ArrayWithShape).shape) as ArrayLike<number>;
  const dims = Array.isArray(given) ? (given as readonly number[]) : Array.from(given);
  // Plain arrays of numbers are what JSON gives.
  const type = 'type' in value ? (value.type as DataType) : undefined;
  const plain = Array.isArray(value.data) && type !== 'string';
  const data = plain ? plainNumbers(value.data as unknown as unknown[], where) : (value.data as TypedArray);
  const dtype = plain ? 'float32' : (type ?? DTYPE_OF_ARRAY[data.constructor.name]);
  if (dtype === undefined || dtype === 'string') {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${where}: tensors of ${dtype ?? data.constructor.name} are not supported here.`,
    );
  }
  if (!dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
    throw new VaeError('ERR_VAE_SHAPE', `${where}: a shape holds whole numbers from 0, received [${dims.join(', ')}].`);
  }
  const { stride, strides, offset, layout } = value as Strided;
  if (stride !== undefined || strides !== undefined || offset !== undefined || layout !== undefined) {
    return followStrides({ dtype, dims, data }, { stride: stride ?? strides, offset, layout }, where);
  }
  if (elementCount(dims) !== data.length) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${where}: shape [${dims.join(', ')}] needs ${elementCount(dims)} elements, received ${data.length}.`,
    );
  }
  return { dtype, dims, data };
}

/** What libraries of arrays say of where elements lie. */
interface Strided {
  readonly stride?: unknown;
  readonly strides?: unknown;
  readonly offset?: unknown;
  readonly layout?: unknown;
}

/** The elements in row-major order with channels first: borrowed where they lie so. */
function followStrides({ dtype, dims, data }: DenseTensor, given: Strided, where: string): DenseTensor {
  const refuse = (problem: string): never => {
    throw new VaeError('ERR_VAE_SHAPE', `${where}: ${problem}`);
  };
  const { layout = 'nchw' } = given;
  if (layout !== 'nchw' && layout !== 'nhwc') {
    refuse(`layout: expected "nchw" or "nhwc", received ${describeValue(layout)}.`);
  }
  const strides = given.stride === undefined ? rowMajor(dims) : Array.from(given.stride as ArrayLike<number>);
  const start = (given.offset ?? 0) as number;
  if (strides.length !== dims.length || !strides.every(Number.isSafeInteger) || !Number.isSafeInteger(start)) {
    refuse(
      `expected one stride, a whole number, for each axis of [${dims.join(', ')}], and a whole offset, received strides ` +
        `[${strides.join(', ')}] and offset ${describeValue(given.offset)}.`,
    );
  }
  const count = elementCount(dims);
  const reach = (ends: (step: number) => boolean): number =>
    dims.reduce((sum, dim, axis) => sum + (ends(strides[axis]!) ? strides[axis]! * (dim - 1) : 0), start);
  const first = reach((step) => step < 0);
  const last = reach((step) => step > 0);
  if (count > 0 && (first < 0 || last >= data.length)) {
    refuse(
      `shape [${dims.join(', ')}] with strides [${strides.join(', ')}] and offset ${start} reaches elements ${first} to ${last}, ` +
        `and there are ${data.length}.`,
    );
  }
  if (given.stride === undefined && given.offset === undefined && count !== data.length) {
    refuse(`shape [${dims.join(', ')}] needs ${count} elements, received ${data.length}.`);
  }
  if (layout === 'nhwc' && dims.length < 3) {
    refuse(`layout "nhwc" is for rows with channels, [N, height, width, channels]; received [${dims.join(', ')}].`);
  }
  // Channels go from the end to behind the axis of rows.
  const order = dims.map((_, axis) => axis);
  if (layout === 'nhwc') order.splice(1, 0, order.pop()!);
  const outDims = order.map((axis) => dims[axis]!);
  const outStrides = order.map((axis) => strides[axis]!);
  const straight = rowMajor(outDims);
  if (outStrides.every((step, axis) => step === straight[axis] || outDims[axis] === 1)) {
    return { dtype, dims: outDims, data: data.subarray(start, start + count) as TypedArray };
  }
  return { dtype, dims: outDims, data: gatherStrided(data, outDims, outStrides, start) };
}

function rowMajor(dims: readonly number[]): number[] {
  const strides = dims.map(() => 1);
  for (let axis = dims.length - 2; axis >= 0; axis -= 1) strides[axis] = strides[axis + 1]! * dims[axis + 1]!;
  return strides;
}

/** Copies elements that lie by these strides into row-major order. */
export function gatherStrided(
  data: TypedArray,
  dims: readonly number[],
  strides: readonly number[],
  start = 0,
): TypedArray {
  const out = new (data.constructor as new (length: number) => TypedArray)(elementCount(dims));
  if (out.length === 0) return out;
  const rank = dims.length;
  if (rank === 0) {
    out[0] = data[start]!;
    return out;
  }
  // Two axes at a time, in squares: far strides then read each line of the cache once, not once for each element.
  const inner = rank - 1;
  let near = inner;
  for (let axis = 0; axis < rank; axis += 1) {
    if (dims[axis]! > 1 && Math.abs(strides[axis]!) < Math.abs(strides[near]!)) near = axis;
  }
  const steps = rowMajor(dims);
  const others = dims.map((_, axis) => axis).filter((axis) => axis !== inner && axis !== near);
  const position = others.map(() => 0);
  const [rows, columns] = near === inner ? [1, dims[inner]!] : [dims[near]!, dims[inner]!];
  const [rowStep, rowStride] = near === inner ? [0, 0] : [steps[near]!, strides[near]!];
  const stride = strides[inner]!;
  let from = start;
  let to = 0;
  for (;;) {
    copySquares(data, from, out, to, rows, columns, rowStep, rowStride, stride);
    let axis = others.length - 1;
    for (; axis >= 0; axis -= 1) {
      const at = others[axis]!;
      position[axis]! += 1;
      from += strides[at]!;
      to += steps[at]!;
      if (position[axis]! < dims[at]!) break;
      from -= strides[at]! * dims[at]!;
      to -= steps[at]! * dims[at]!;
      position[axis] = 0;
    }
    if (axis < 0) return out;
  }
}

/** Side of the squares in which two axes are exchanged: two of them fit the first cache. */
const SQUARE = 32;

function copySquares(
  data: TypedArray,
  from: number,
  out: TypedArray,
  to: number,
  rows: number,
  columns: number,
  rowStep: number,
  rowStride: number,
  stride: number,
): void {
  for (let top = 0; top < rows; top += SQUARE) {
    const bottom = Math.min(rows, top + SQUARE);
    for (let left = 0; left < columns; left += SQUARE) {
      const right = Math.min(columns, left + SQUARE);
      for (let row = top; row < bottom; row += 1) {
        let read = from + row * rowStride + left * stride;
        const base = to + row * rowStep;
        for (let column = left; column < right; column += 1) {
          out[base + column] = data[read]!;
          read += stride;
        }
      }
    }
  }
}

function plainNumbers(values: readonly unknown[], where: string): Float32Array {
  const out = new Float32Array(values.length);
  for (let index = 0; index < out.length; index += 1) {
    const value = values[index];
    if (typeof value !== 'number') {
      throw new VaeError('ERR_VAE_SHAPE', `${where}: expected a number at ${index}, received ${describeValue(value)}.`);
    }
    out[index] = value;
  }
  return out;
}

/** Wraps float32 results as the public tensor, without copying. */
export function floatTensor(data: Float32Array, dims: readonly number[]): Tensor {
  return new Tensor('float32', data, dims);
}
