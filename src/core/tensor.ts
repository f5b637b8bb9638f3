/** Tensors as they come from users and go back to them. */
import { Tensor } from 'onnxruntime-common';
import { type DataType, elementCount, type TypedArray } from './dtype.js';
import { VaeError } from './errors.js';
import { describeValue } from './options.js';

/** A typed array with a shape; the array is borrowed, not copied. */
export interface ArrayWithShape {
  readonly data: TypedArray;
  readonly shape: readonly number[];
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
  return ArrayBuffer.isView(data) && (Array.isArray(shape) || Array.isArray(dims));
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
  const dims = 'dims' in value ? value.dims : (value as ArrayWithShape).shape;
  const data = value.data as TypedArray;
  const type = 'type' in value ? (value.type as DataType) : undefined;
  const dtype = type ?? DTYPE_OF_ARRAY[data.constructor.name];
  if (dtype === undefined || dtype === 'string') {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${where}: tensors of ${dtype ?? data.constructor.name} are not supported here.`,
    );
  }
  if (!dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
    throw new VaeError('ERR_VAE_SHAPE', `${where}: a shape holds whole numbers from 0, received [${dims.join(', ')}].`);
  }
  if (elementCount(dims) !== data.length) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${where}: shape [${dims.join(', ')}] needs ${elementCount(dims)} elements, received ${data.length}.`,
    );
  }
  return { dtype, dims, data };
}

/** Wraps float32 results as the public tensor, without copying. */
export function floatTensor(data: Float32Array, dims: readonly number[]): Tensor {
  return new Tensor('float32', data, dims);
}
