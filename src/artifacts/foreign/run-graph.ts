/** Trying a graph out: what imports know of a graph is checked on numbers. */
import type { TypedArray } from '../../core/dtype.js';

/** An array that a graph takes or gives. */
export interface TrialArray {
  readonly dims: readonly number[];
  readonly data: TypedArray;
}

/** Runs a graph, given by its path or bytes, on one input; every float output by name, as float32. */
export type RunGraph = (
  model: string | Uint8Array,
  input: string,
  value: TrialArray,
) => Promise<ReadonlyMap<string, { readonly dims: readonly number[]; readonly data: Float32Array }>>;

/** Standard normal numbers, the same every time (Box and Muller 1958, over mulberry32). */
export function normalNumbers(count: number, scale = 1): Float32Array {
  let state = 0x9e3779b9;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return Float32Array.from(
    { length: count },
    () => scale * Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}
