/** Elements of small constants, on which shape arithmetic rests. */
import { numbersOf } from '../constants.js';
import type { Constant } from '../ir.js';
import type { KnownElements } from '../operators/definition.js';

/** Longer tensors are not shapes, and following them would cost time and memory. */
export const MAX_KNOWN_ELEMENTS = 64;

const FOLLOWED = new Set(['int64', 'int32', 'float32', 'float64', 'bool']);

/** The elements of a small scalar or one-dimensional constant; undefined for any other. */
export function knownElementsOf(constant: Constant): KnownElements | undefined {
  const { dtype, dims, data } = constant;
  if (!FOLLOWED.has(dtype) || dims.length > 1 || (dims[0] ?? 1) > MAX_KNOWN_ELEMENTS) return undefined;
  // Files beside the model hold weights, and are not opened for this.
  if (!(data instanceof Uint8Array)) return undefined;
  return Array.from(numbersOf(constant));
}
