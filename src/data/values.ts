/** The values inside datasets: which element types rows have, and what may not be among them. */
import type { DataType, TypedArray } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import { firstNonFinite } from '../core/finite.js';
import { fromBfloat16Bits, fromFloat16Bits } from '../core/half.js';

/** Element types of rows. Everything else becomes float32 on the way in. */
export type RowType = 'uint8' | 'float32';
export type RowArray = Uint8Array | Float32Array;

export function allocateRows(dtype: RowType, length: number): RowArray {
  return dtype === 'uint8' ? new Uint8Array(length) : new Float32Array(length);
}

/** uint8 and float32 are borrowed as they are; every other number type is copied to float32. */
export function toRowArray(data: TypedArray, dtype: DataType): RowArray {
  switch (dtype) {
    case 'uint8':
      // Buffer and Uint8ClampedArray become the plain view that the addon knows.
      return data.constructor === Uint8Array
        ? (data as Uint8Array)
        : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    case 'float32':
      return data as Float32Array;
    // Not bytes, which stand for fractions of 255: true is 1.
    case 'bool':
      return Float32Array.from(data as Uint8Array);
    case 'float16':
      return data instanceof Uint16Array ? Float32Array.from(data, fromFloat16Bits) : convert(data);
    case 'bfloat16':
      return Float32Array.from(data as Uint16Array, fromBfloat16Bits);
    default:
      return convert(data);
  }
}

/**
 * @param rowSize values in one row, so that the message can name the row.
 * @throws VaeError ERR_VAE_DATA naming the first value that is NaN or infinite.
 */
export function checkFinite(data: RowArray, rowSize: number, where: string, rows?: ArrayLike<number>): void {
  const at = firstNonFinite(data);
  if (at < 0) return;
  const position = Math.floor(at / rowSize);
  throw new VaeError(
    'ERR_VAE_DATA',
    `${where}: every value must be a finite number, but value ${at % rowSize} of row ${rows?.[position] ?? position} is ${data[at]}. ` +
      'Remove or replace such rows first.',
  );
}

function convert(data: TypedArray): Float32Array {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    const out = new Float32Array(data.length);
    for (let index = 0; index < out.length; index += 1) out[index] = Number(data[index]);
    return out;
  }
  return new Float32Array(data);
}
