/** Constant tensors: made from plain values, seen as typed arrays or numbers. */
import { BYTES_PER_ELEMENT, type DataType, elementCount, type TypedArray } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import { fromBfloat16Bits, fromFloat16Bits, toBfloat16Bits, toFloat16Bits } from '../core/half.js';
import { readExternalData } from './external-data.js';
import type { Constant } from './ir.js';

/**
 * What a constant can be made of. Numbers are converted to the asked type (rounded for the float
 * types, refused where an integer type cannot hold them); a typed array of exactly that type is
 * borrowed, not copied. A Uint16Array given for float16 or bfloat16 holds their bits.
 */
export type ConstantData = number | bigint | readonly (number | bigint)[] | TypedArray | readonly string[];

type NumericType = Exclude<DataType, 'string'>;
type ArrayConstructor = { new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArray; name: string };

const ARRAY_OF: Readonly<Record<NumericType, ArrayConstructor>> = {
  float32: Float32Array,
  float16: Uint16Array,
  float64: Float64Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
};

const INTEGER_RANGE: Partial<Record<DataType, readonly [number, number]>> = {
  int8: [-0x80, 0x7f],
  int16: [-0x8000, 0x7fff],
  int32: [-0x80000000, 0x7fffffff],
  uint8: [0, 0xff],
  uint16: [0, 0xffff],
  uint32: [0, 0xffffffff],
};

/** A constant tensor of this data. `dims` defaults to one dimension, or to a scalar for one number. */
export function constantOf(data: ConstantData, dtype: DataType = 'float32', dims?: readonly number[]): Constant {
  const scalar = typeof data === 'number' || typeof data === 'bigint';
  const elements = scalar ? [data] : data;
  const shape = dims ?? (scalar ? [] : [elements.length]);
  if (!shape.every((dim) => Number.isSafeInteger(dim) && dim >= 0) || elementCount(shape) !== elements.length) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `A constant of shape [${shape.join(', ')}] was given ${elements.length} elements; their number must be the shape's product.`,
    );
  }
  if (dtype === 'string') {
    const strings = Array.from(elements as ArrayLike<unknown>, (text) => {
      if (typeof text === 'string') return text;
      throw new VaeError('ERR_VAE_SHAPE', `A constant of type string was given ${String(text)}.`);
    });
    return { dtype, dims: [...shape], data: new Uint8Array(0), strings };
  }
  const array = ArrayBuffer.isView(elements)
    ? borrowOrConvert(elements as TypedArray, dtype)
    : encode(elements as readonly (number | bigint)[], dtype);
  return { dtype, dims: [...shape], data: new Uint8Array(array.buffer, array.byteOffset, array.byteLength) };
}

/** The tensor's little-endian bytes; external ones are read from their file on every call. */
export function constantBytes(constant: Constant): Uint8Array {
  return constant.data instanceof Uint8Array ? constant.data : readExternalData(constant.data);
}

/**
 * The elements as a typed array; float16 and bfloat16 as their bits, bool as bytes. Shares memory
 * with the constant where alignment permits.
 */
export function readConstant(constant: Constant): TypedArray {
  if (constant.dtype === 'string') {
    throw new VaeError('ERR_VAE_SHAPE', 'A string tensor has no numeric elements.');
  }
  const width = BYTES_PER_ELEMENT[constant.dtype];
  let bytes = constantBytes(constant);
  // A copy in memory of its own; slice() of a Buffer would be one more view.
  if (bytes.byteOffset % width !== 0) bytes = new Uint8Array(bytes);
  return new ARRAY_OF[constant.dtype](bytes.buffer, bytes.byteOffset, bytes.byteLength / width);
}

/** The elements as numbers. 64-bit integers beyond ±2^53 are rounded to the nearest number. */
export function numbersOf(constant: Constant): Float64Array {
  const view = readConstant(constant);
  if (constant.dtype === 'float16') return Float64Array.from(view as Uint16Array, fromFloat16Bits);
  if (constant.dtype === 'bfloat16') return Float64Array.from(view as Uint16Array, fromBfloat16Bits);
  const numbers = new Float64Array(view.length);
  for (let index = 0; index < view.length; index += 1) numbers[index] = Number(view[index]);
  return numbers;
}

/** The elements of a float tensor of any width, rounded to float32. */
export function float32Of(constant: Constant): Float32Array {
  if (constant.dtype === 'float32') return readConstant(constant) as Float32Array;
  return Float32Array.from(numbersOf(constant));
}

/**
 * An attribute's number as a 64-bit integer. Attributes are held as numbers; what lies beyond 2^53 is
 * only ever the largest or the smallest integer, which stand for "to the end".
 */
export function int64Of(value: number): bigint {
  if (value >= 2 ** 63) return 2n ** 63n - 1n;
  if (value <= -(2 ** 63)) return -(2n ** 63n);
  return BigInt(value);
}

/** Whether both hold the same type, shape and bytes. Reads external data. */
export function constantsEqual(left: Constant, right: Constant): boolean {
  if (left === right) return true;
  if (left.dtype !== right.dtype || left.dims.length !== right.dims.length) return false;
  if (left.dims.some((dim, index) => dim !== right.dims[index])) return false;
  if (left.dtype === 'string') return left.strings!.every((text, index) => text === right.strings![index]);
  return Buffer.compare(constantBytes(left), constantBytes(right)) === 0;
}

function borrowOrConvert(array: TypedArray, dtype: NumericType): TypedArray {
  const wanted = ARRAY_OF[dtype];
  if (array instanceof wanted && dtype !== 'bool') return array;
  if (dtype === 'uint8' && array instanceof Uint8ClampedArray) return array;
  return encode(array as unknown as ArrayLike<number | bigint>, dtype);
}

function encode(elements: ArrayLike<number | bigint>, dtype: NumericType): TypedArray {
  const { length } = elements;
  switch (dtype) {
    case 'float32':
      return Float32Array.from(elements as ArrayLike<number>, Number);
    case 'float64':
      return Float64Array.from(elements as ArrayLike<number>, Number);
    case 'float16':
      return Uint16Array.from(elements as ArrayLike<number>, (value) => toFloat16Bits(Number(value)));
    case 'bfloat16':
      return Uint16Array.from(elements as ArrayLike<number>, (value) => toBfloat16Bits(Number(value)));
    case 'bool':
      return Uint8Array.from(elements as ArrayLike<number>, (value) => (value ? 1 : 0));
    case 'int64':
    case 'uint64': {
      const target = dtype === 'int64' ? new BigInt64Array(length) : new BigUint64Array(length);
      for (let index = 0; index < length; index += 1) {
        const value = elements[index]!;
        if (typeof value === 'number' && !Number.isInteger(value)) refuseElement(value, dtype);
        const integer = BigInt(value);
        target[index] = integer;
        if (target[index] !== integer) refuseElement(value, dtype);
      }
      return target;
    }
    default: {
      const [low, high] = INTEGER_RANGE[dtype]!;
      const target = new ARRAY_OF[dtype](new ArrayBuffer(length * BYTES_PER_ELEMENT[dtype]), 0, length);
      for (let index = 0; index < length; index += 1) {
        const value = Number(elements[index]);
        if (!Number.isInteger(value) || value < low || value > high) refuseElement(elements[index]!, dtype);
        target[index] = value;
      }
      return target;
    }
  }
}

function refuseElement(value: number | bigint, dtype: DataType): never {
  throw new VaeError('ERR_VAE_SHAPE', `A constant of type ${dtype} was given ${value}, which that type cannot hold.`);
}
