/** Rows of float16 to and from float32: models in half precision take and give Uint16Array. */
import { fromFloat16Bits } from '../../core/half.js';

const scratch = new Float32Array(1);
const bits = new Uint32Array(scratch.buffer);
let table: Float32Array | undefined;

/** Writes the nearest float16 of each value, ties to even; what is too large becomes infinity. */
export function float32ToFloat16(from: Float32Array, into: Uint16Array): void {
  for (let index = 0; index < from.length; index += 1) {
    scratch[0] = from[index]!;
    const value = bits[0]!;
    const sign = (value >>> 16) & 0x8000;
    const size = value & 0x7fff_ffff;
    if (size >= 0x4780_0000) {
      // 65536 and more, infinity, NaN.
      into[index] = sign | (size > 0x7f80_0000 ? 0x7e00 : 0x7c00);
    } else if (size >= 0x3880_0000) {
      // Normal: the exponent moves from bias 127 to 15; a mantissa that rounds up carries into it.
      into[index] = sign | ((size - 0x3800_0000 + 0x0fff + ((size >>> 13) & 1)) >>> 13);
    } else {
      // Subnormal: adding 0.5 lets the hardware round to a multiple of 2^-24.
      bits[0] = size;
      scratch[0] = scratch[0]! + 0.5;
      into[index] = sign | (bits[0]! - 0x3f00_0000);
    }
  }
}

export function float16ToFloat32(from: Uint16Array, into: Float32Array): void {
  table ??= Float32Array.from({ length: 65_536 }, (_, half) => fromFloat16Bits(half));
  for (let index = 0; index < from.length; index += 1) into[index] = table[from[index]!]!;
}
