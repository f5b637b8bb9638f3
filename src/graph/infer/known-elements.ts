/** Elements of small constants, on which shape arithmetic rests. */
import { elementCount } from '../../core/dtype.js';
import { numbersOf } from '../constants.js';
import type { Constant } from '../ir.js';
import type { KnownElements } from '../operators/definition.js';

/** Longer tensors are not shapes, and following them would cost time and memory. */
export const MAX_KNOWN_ELEMENTS = 64;

const FOLLOWED = new Set(['int64', 'int32', 'float32', 'float64', 'bool']);

/** The elements of a small constant, row by row; undefined for any other. */
export function knownElementsOf(constant: Constant): KnownElements | undefined {
  const { dtype, dims, data } = constant;
  if (!FOLLOWED.has(dtype) || elementCount(dims) > MAX_KNOWN_ELEMENTS) return undefined;
  // Files beside the model hold weights, and are not opened for this.
  if (!(data instanceof Uint8Array)) return undefined;
  return Array.from(numbersOf(constant));
}
