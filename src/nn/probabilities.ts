/** Logarithms of probabilities that may be 0. */
import type { GraphBuilder, Value } from '../graph/builder.js';

/** About the smallest normal float32: below it a logarithm is that of 0. */
const LEAST = 1.2e-38;
/** The logarithm of 0, as PyTorch's binary_cross_entropy has it, so that no loss is infinite. */
const LOG_OF_ZERO = -100;

/** log p, -100 where p is 0; no gradient flows there. */
export function logProbability(g: GraphBuilder, p: Value): Value {
  const log = g.op('Log', [g.op('Max', [p, g.scalar(LEAST)])]);
  return g.op('Where', [g.op('Greater', [p, g.scalar(LEAST)]), log, g.scalar(LOG_OF_ZERO)]);
}

/** log p and log(1 - p). */
export function logProbabilities(g: GraphBuilder, p: Value): readonly [yes: Value, no: Value] {
  return [logProbability(g, p), logProbability(g, g.op('Sub', [g.scalar(1), p]))];
}
