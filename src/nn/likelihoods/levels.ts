/** Data that takes a fixed number of levels, evenly spaced from 0 to 1: 8-bit data has 256. */
import type { GraphBuilder, Value } from '../../graph/builder.js';

export const BYTE_LEVELS = 256;

/** Values from 0 to 1 as level numbers 0 to levels − 1, float32. */
export function levelNumbers(g: GraphBuilder, x: Value, levels: number): Value {
  return g.op('Round', [g.op('Mul', [x, g.scalar(levels - 1)])]);
}
