/**
 * The two 16-bit float formats, held as bits in a Uint16Array: IEEE 754 binary16 ("float16") and
 * the upper half of binary32 ("bfloat16"). Conversions round to nearest, ties to even.
 */
const float32 = new Float32Array(1);
const bits32 = new Uint32Array(float32.buffer);

const LARGEST_FLOAT16 = 65504;
const SMALLEST_NORMAL_FLOAT16 = 2 ** -14;
/** Distance between neighbouring subnormal numbers. */
const SUBNORMAL_STEP_FLOAT16 = 2 ** -24;

/** The bits of the float16 number nearest to `value`; what is too large becomes infinity. */
export function toFloat16Bits(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  // Half a step above the largest number rounds up, as ties go to the even neighbour: infinity.
  if (size >= LARGEST_FLOAT16 + 16) return sign | 0x7c00;
  if (size < SMALLEST_NORMAL_FLOAT16) return sign | roundHalfToEven(size / SUBNORMAL_STEP_FLOAT16);
  let exponent = Math.floor(Math.log2(size));
  // log2 is rounded, so it may be one off next to a power of two.
  if (2 ** exponent > size) exponent -= 1;
  else if (2 ** (exponent + 1) <= size) exponent += 1;
  // A mantissa that rounds up to 1024 carries into the exponent by itself.
  const mantissa = roundHalfToEven((size / 2 ** exponent - 1) * 1024);
  return sign | (((exponent + 15) << 10) + mantissa);
}

/** The value of a float16 number. */
export function fromFloat16Bits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * SUBNORMAL_STEP_FLOAT16;
  if (exponent === 0x1f) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * 2 ** (exponent - 15) * (1 + mantissa / 1024);
}

/** The bits of the bfloat16 number nearest to `value` (which is first rounded to float32). */
export function toBfloat16Bits(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  float32[0] = value;
  const bits = bits32[0]!;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The value of a bfloat16 number. */
export function fromBfloat16Bits(bits: number): number {
  bits32[0] = (bits << 16) >>> 0;
  return float32[0]!;
}

let table: Float32Array | undefined;

/** Writes the nearest float16 of each value, ties to even; what is too large becomes infinity. */
export function float32ToFloat16(from: Float32Array, into: Uint16Array): void {
  for (let index = 0; index < from.length; index += 1) {
    float32[0] = from[index]!;
    const value = bits32[0]!;
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
      bits32[0] = size;
      float32[0] = float32[0]! + 0.5;
      into[index] = sign | (bits32[0]! - 0x3f00_0000);
    }
  }
}

export function float16ToFloat32(from: Uint16Array, into: Float32Array): void {
  table ??= Float32Array.from({ length: 65_536 }, (_, half) => fromFloat16Bits(half));
  for (let index = 0; index < from.length; index += 1) into[index] = table[from[index]!]!;
}

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest > 0.5 || (rest === 0.5 && floor % 2 === 1)) return floor + 1;
  return floor;
}
