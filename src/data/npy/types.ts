import type { DataType, TypedArray } from '../../core/dtype.js';

export interface NpyElementType {
  readonly dtype: Exclude<DataType, 'string' | 'bfloat16'>;
  readonly Type: (new (
    buffer: ArrayBufferLike,
    byteOffset: number,
    length: number,
  ) => TypedArray) & {
    readonly BYTES_PER_ELEMENT: number;
  };
}

/** NumPy's kind and size of an element, and what it is here. float16 travels as its bits. */
const TYPES: Readonly<Record<string, NpyElementType>> = {
  f2: { dtype: 'float16', Type: Uint16Array },
  f4: { dtype: 'float32', Type: Float32Array },
  f8: { dtype: 'float64', Type: Float64Array },
  i1: { dtype: 'int8', Type: Int8Array },
  i2: { dtype: 'int16', Type: Int16Array },
  i4: { dtype: 'int32', Type: Int32Array },
  i8: { dtype: 'int64', Type: BigInt64Array },
  u1: { dtype: 'uint8', Type: Uint8Array },
  u2: { dtype: 'uint16', Type: Uint16Array },
  u4: { dtype: 'uint32', Type: Uint32Array },
  u8: { dtype: 'uint64', Type: BigUint64Array },
  b1: { dtype: 'bool', Type: Uint8Array },
};

/** Understands `<f4`, `>i8`, `|u1`; undefined for types that hold no numbers. */
export function parseDescr(descr: string): (NpyElementType & { readonly bigEndian: boolean }) | undefined {
  const match = /^([<>|=]?)([a-z]\d{1,2})$/.exec(descr);
  const type = match && Object.hasOwn(TYPES, match[2]!) ? TYPES[match[2]!] : undefined;
  return type && { ...type, bigEndian: match![1] === '>' };
}

/** How NumPy names an element type, in little-endian order; undefined where it has none. */
export function descrOf(dtype: DataType): string | undefined {
  const entry = Object.entries(TYPES).find(([, type]) => type.dtype === dtype);
  return entry && `${entry[1].Type.BYTES_PER_ELEMENT === 1 ? '|' : '<'}${entry[0]}`;
}
