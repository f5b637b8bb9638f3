import { z } from 'zod';
import type { GraphBuilder, Value } from '../../graph/builder.js';
import { logProbabilities } from '../probabilities.js';
import { defineLikelihood } from './likelihood.js';

/** Below this logit series take over from quotients of two small numbers. */
const SMALL = 0.3;

/**
 * The Bernoulli's cross-entropy made a density on [0, 1]: p(x) = C(l) exp(x l) / (1 + eˡ) with
 * C(l) = l / tanh(l / 2). Loaiza-Ganem and Cunningham, The continuous Bernoulli: fixing a pervasive
 * error in variational autoencoders, NeurIPS 2019, equation 1 with λ = σ(l).
 */
export const continuousBernoulli = defineLikelihood({
  schema: z.strictObject({ type: z.literal('continuous-bernoulli') }),
  make: () => ({
    heads: [{ name: 'output', perValue: 1 }],
    domain: 'unit',
    negativeLog: ({ g }, x, [logits]) => negativeLog(g, x, logits!),
    mean: ({ g }, [logits]) => mean(g, logits!),
    ofProbabilities: {
      negativeLog: ({ g }, x, [lambda]) => negativeLog(g, x, logit(g, lambda!)),
      mean: ({ g }, [lambda]) => mean(g, logit(g, lambda!)),
    },
  }),
});

function logit(g: GraphBuilder, lambda: Value): Value {
  const [yes, no] = logProbabilities(g, lambda);
  return g.op('Sub', [yes, no]);
}

function negativeLog(g: GraphBuilder, x: Value, logits: Value): Value {
  const crossEntropy = g.op('Sub', [g.op('Softplus', [logits]), g.op('Mul', [x, logits])]);
  return g.op('Sub', [crossEntropy, logNormaliser(g, logits)]);
}

/** 1 / (1 − e⁻ˡ) − 1 / l; about 0: 1/2 + l/12 − l³/720. */
function mean(g: GraphBuilder, logits: Value): Value {
  const { small, size, square } = apart(g, logits);
  const positive = g.op('Sub', [
    g.op('Reciprocal', [g.op('Sub', [g.scalar(1), g.op('Exp', [g.op('Neg', [size])])])]),
    g.op('Reciprocal', [size]),
  ]);
  // The mean at −l is one minus the mean at l.
  const isNegative = g.op('Less', [logits, g.scalar(0)]);
  const large = g.op('Where', [isNegative, g.op('Sub', [g.scalar(1), positive]), positive]);
  const slope = g.op('Add', [g.op('Mul', [square, g.scalar(-1 / 720)]), g.scalar(1 / 12)]);
  const series = g.op('Add', [g.op('Mul', [logits, slope]), g.scalar(0.5)]);
  return g.op('Where', [small, series, large]);
}

/** log(l / tanh(l / 2)); about 0: log 2 + l²/12 − 7 l⁴/1440. */
function logNormaliser(g: GraphBuilder, logits: Value): Value {
  const { small, size, square } = apart(g, logits);
  const decayed = g.op('Exp', [g.op('Neg', [size])]);
  const one = g.scalar(1);
  // 1 / tanh(a / 2) = (1 + e⁻ᵃ) / (1 − e⁻ᵃ)
  const quotient = g.op('Div', [g.op('Mul', [size, g.op('Add', [one, decayed])]), g.op('Sub', [one, decayed])]);
  const bend = g.op('Add', [g.op('Mul', [square, g.scalar(-7 / 1440)]), g.scalar(1 / 12)]);
  const series = g.op('Add', [g.op('Mul', [square, bend]), g.scalar(Math.LN2)]);
  return g.op('Where', [small, series, g.op('Log', [quotient])]);
}

/** Which logits are small; their sizes, kept away from 0; and their squares. */
function apart(g: GraphBuilder, logits: Value): { small: Value; size: Value; square: Value } {
  const size = g.op('Abs', [logits]);
  const small = g.op('Less', [size, g.scalar(SMALL)]);
  // Neither branch of Where may be infinite: its gradient would be 0 times infinity.
  const bounded = g.op('Clip', [logits, g.scalar(-SMALL), g.scalar(SMALL)]);
  return { small, size: g.op('Max', [size, g.scalar(SMALL)]), square: g.op('Mul', [bounded, bounded]) };
}
