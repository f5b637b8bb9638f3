/** The ways in which encoders give the width of a Gaussian. */
import type { GraphBuilder, Value } from '../graph/builder.js';

/** What an output says: log σ², σ², σ or log σ. */
export const SPREADS = ['logVariance', 'variance', 'std', 'logStd'] as const;
export type Spread = (typeof SPREADS)[number];

/** Widths below this are taken for this: their logarithm stays finite. About the smallest normal float32. */
const LEAST = 1.2e-38;

/** log σ² of a width that is given in any of those ways, in the type that it has. */
export function logVarianceOf(g: GraphBuilder, value: Value, spread: Spread): Value {
  switch (spread) {
    case 'logVariance':
      return value;
    case 'logStd':
      return g.op('Mul', [value, g.scalar(2, value.dtype)]);
    case 'variance':
      return logOf(g, value);
    case 'std':
      return g.op('Mul', [logOf(g, value), g.scalar(2, value.dtype)]);
  }
}

function logOf(g: GraphBuilder, value: Value): Value {
  // The logarithm of what half precision holds is taken in float32, where the smallest width has one.
  const wide = value.dtype === 'float16' ? g.op('Cast', [value], { to: 1 }) : value;
  const log = g.op('Log', [g.op('Max', [wide, g.scalar(LEAST, wide.dtype)])]);
  return wide === value ? log : g.op('Cast', [log], { to: 10 });
}
