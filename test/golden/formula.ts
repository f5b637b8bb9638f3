/** The exact formulas of formula.py in TypeScript: inputs of golden files that are too large to store. */

function mix(value: number): number {
  let x = value >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** The 32-bit hash that every formula below is made from. */
export function hash(stream: number, index: number): number {
  return mix(mix(stream) + index);
}

/** Uniform in [-scale, scale); scale is a power of two. */
export function hashedUniform(stream: number, count: number, scale: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => ((hash(stream, i) >>> 8) * 2 ** -23 - 1) * scale);
}

/** Nearly normal numbers of standard deviation 1.01: the sum of four uniform ones. */
export function hashedNormal(stream: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    const a = hash(stream, 2 * i);
    const b = hash(stream, 2 * i + 1);
    return (((a >>> 16) + (a & 0xffff) + (b >>> 16) + (b & 0xffff) - 131070) * 7) / 2 ** 18;
  });
}

/** Grey values from 0 to 255, three quarters of them 0. The golden batches hold these over 256. */
export function hashedPixels(stream: number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => {
    const h = hash(stream, i);
    return (h >>> 8) % 4 === 0 ? h & 0xff : 0;
  });
}

/** +1 or -1. */
export function hashedSign(stream: number, index: number): number {
  return hash(stream, index) >>> 31 === 1 ? -1 : 1;
}
