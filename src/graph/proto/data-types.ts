/** The numbers that the ONNX format gives to element types. */
import type { DataType } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';

const CODES: Readonly<Record<DataType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
};

/** Types of the format that this package does not hold, named for the error. */
const OTHERS: Readonly<Record<number, string>> = {
  0: 'undefined',
  14: 'complex64',
  15: 'complex128',
  17: 'float8e4m3fn',
  18: 'float8e4m3fnuz',
  19: 'float8e5m2',
  20: 'float8e5m2fnuz',
  21: 'uint4',
  22: 'int4',
  23: 'float4e2m1',
  24: 'float8e8m0',
};

const TYPES = new Map<number, DataType>(Object.entries(CODES).map(([name, code]) => [code, name as DataType] as const));

/** The format's number for an element type. */
export function dataTypeCode(dtype: DataType): number {
  const code = Object.hasOwn(CODES, dtype) ? CODES[dtype] : undefined;
  if (code === undefined) {
    throw new VaeError(
      'ERR_VAE_GRAPH',
      `"${dtype}" is not a data type; the types are ${Object.keys(CODES).join(', ')}.`,
    );
  }
  return code;
}

/** The element type of a number, or undefined where it is unknown or not supported. */
export function dataTypeOf(code: number): DataType | undefined {
  return TYPES.get(code);
}

/** A name for the number in an error message. */
export function describeDataType(code: number): string {
  return TYPES.get(code) ?? OTHERS[code] ?? `number ${code}`;
}
