import type { TypedArray } from './dtype.js';

/**
 * Index of the first NaN or infinity, or -1. Sums in eight lanes first: a sum of float32 values in
 * double overflows never, so it is finite exactly when all of them are, and adds are cheap.
 */
export function firstNonFinite(values: TypedArray): number {
  if (!(values instanceof Float32Array || values instanceof Float64Array)) return -1;
  if (values instanceof Float32Array && isSumFinite(values)) return -1;
  return values.findIndex((value) => !Number.isFinite(value));
}

function isSumFinite(values: Float32Array): boolean {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  const whole = values.length & ~7;
  let i = 0;
  for (; i < whole; i += 8) {
    a += values[i]! + values[i + 4]!;
    b += values[i + 1]! + values[i + 5]!;
    c += values[i + 2]! + values[i + 6]!;
    d += values[i + 3]! + values[i + 7]!;
  }
  for (; i < values.length; i += 1) a += values[i]!;
  return Number.isFinite(a + b + c + d);
}
