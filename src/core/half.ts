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

function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest > 0.5 || (rest === 0.5 && floor % 2 === 1)) return floor + 1;
  return floor;
}
