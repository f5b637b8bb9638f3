import { z } from 'zod';
import type { GraphBuilder, Value } from '../../graph/builder.js';
import { BYTE_LEVELS, levelNumbers } from './levels.js';
import { defineLikelihood } from './likelihood.js';

const TRIALS = BYTE_LEVELS - 1;
/** Limits of log α and log β: beyond, the distribution hardly changes. */
const LOG_RANGE = 7;
/** Stirling's series is taken this far to the right, where three terms of it are exact in float32's precision. */
const SHIFT = 8;

/**
 * 8-bit values as the number of successes in 255 trials whose probability is Beta(α, β): as spread out
 * as need be, even to both ends (Townsend, Bird and Barber, Practical Lossless Compression with Latent
 * Variables using Bits Back Coding, ICLR 2019, section 3.2). Data is in 0 to 1, in steps of 1/255.
 */
export const betaBinomial = defineLikelihood({
  schema: z.strictObject({ type: z.literal('beta-binomial') }),
  make: () => ({
    heads: [{ name: 'output', perValue: 2 }],
    domain: 'levels',
    levels: BYTE_LEVELS,
    // log B(α, β) − log C(n, k) − log B(k + α, n − k + β)
    negativeLog: ({ g }, x, [head]) => {
      const [alpha, beta] = shapes(g, head!).map((value) => g.op('Cast', [value], { to: 'float64' }));
      const values = levelNumbers(g, x, BYTE_LEVELS);
      const wide = g.op('Cast', [values], { to: 'float64' });
      const successes = g.op('Add', [wide, alpha]);
      const failures = g.op('Add', [g.op('Sub', [g.scalar(TRIALS, 'float64'), wide]), beta]);
      const ways = g.op('Gather', [
        g.constant(logChoices(), 'float64', [BYTE_LEVELS]),
        g.op('Cast', [values], { to: 'int64' }),
      ]);
      const ratio = g.op('Sub', [logBeta(g, alpha!, beta!), logBeta(g, successes, failures)]);
      return g.op('Cast', [g.op('Sub', [ratio, ways])], { to: 'float32' });
    },
    // α / (α + β)
    mean: ({ g }, [head]) => {
      const [alpha, beta] = shapes(g, head!);
      return g.op('Div', [alpha, g.op('Add', [alpha, beta])]);
    },
  }),
});

/** α and β, [N, ...data]. */
function shapes(g: GraphBuilder, head: Value): Value[] {
  const parts = g.ops('Split', [head, g.int64s([1, 1])], { axis: 1 }, { outputs: 2 });
  return parts.map((part) => {
    const bounded = g.op('Clip', [part, g.scalar(-LOG_RANGE), g.scalar(LOG_RANGE)]);
    return g.op('Exp', [g.op('Squeeze', [bounded, g.int64s([1])])]);
  });
}

/** log C(255, k) for every k. */
function logChoices(): Float64Array {
  const logs = new Float64Array(BYTE_LEVELS);
  for (let k = 1; k <= TRIALS; k += 1) logs[k] = logs[k - 1]! + Math.log((TRIALS - k + 1) / k);
  return logs;
}

/**
 * log B(a, b) for a, b > 0, of Γ(x) = Γ(x + 8) / (x (x + 1) … (x + 7)) and Stirling's series. Large terms nearly
 * cancel: all is float64.
 */
function logBeta(g: GraphBuilder, a: Value, b: Value): Value {
  const far = g.scalar(SHIFT, 'float64');
  const raisedA = g.op('Add', [a, far]);
  const raisedB = g.op('Add', [b, far]);
  const sum = g.op('Add', [raisedA, raisedB]);
  const total = g.op('Add', [a, b]);
  const gammas = g.op('Sub', [g.op('Add', [stirling(g, raisedA), stirling(g, raisedB)]), stirling(g, sum)]);
  const rising = g.op('Add', [risingLog(g, total), risingLog(g, g.op('Add', [total, far]))]);
  const falling = g.op('Add', [risingLog(g, a), risingLog(g, b)]);
  return g.op('Add', [gammas, g.op('Sub', [rising, falling])]);
}

/** log Γ(x) = (x − ½) log x − x + ½ log 2π + 1/(12x) − 1/(360x³) + 1/(1260x⁵) */
function stirling(g: GraphBuilder, x: Value): Value {
  const wide = (value: number): Value => g.scalar(value, 'float64');
  const inverse = g.op('Reciprocal', [x]);
  const square = g.op('Mul', [inverse, inverse]);
  const inner = g.op('Sub', [g.op('Mul', [square, wide(1 / 1260)]), wide(1 / 360)]);
  const series = g.op('Mul', [inverse, g.op('Add', [g.op('Mul', [square, inner]), wide(1 / 12)])]);
  const main = g.op('Sub', [g.op('Mul', [g.op('Sub', [x, wide(0.5)]), g.op('Log', [x])]), x]);
  return g.op('Add', [g.op('Add', [main, series]), wide(0.5 * Math.log(2 * Math.PI))]);
}

/** log(x (x + 1) … (x + 7)) */
function risingLog(g: GraphBuilder, x: Value): Value {
  let product = x;
  for (let step = 1; step < SHIFT; step += 1) {
    product = g.op('Mul', [product, g.op('Add', [x, g.scalar(step, 'float64')])]);
  }
  return g.op('Log', [product]);
}
