import { z } from 'zod';
import type { Value } from '../../graph/builder.js';
import { ZEROS } from '../initializers.js';
import type { Scope } from '../scope.js';
import { defineLikelihood } from './likelihood.js';

const LOG_2PI = Math.log(2 * Math.PI);

/** How much of its moving average the optimal variance keeps at each step. */
const KEPT = 0.9;

/** Data that are constant would otherwise have a density that grows without end; about that of rounding to bytes. */
const LEAST_VARIANCE = 1e-6;

/**
 * Normal density around the decoder's output. `variance` is in squared units of the scaled data:
 * a number (fixed), `learned` (one for all values, by gradient; Rybkin et al., Simple and Effective VAE Training with
 * Calibrated Decoders, 2021, section 4.1), `optimal` (one for all values, in closed form: the mean squared error, which
 * is the most likely variance, their equation 5, here its moving average over batches), `perDimension` (one
 * for each place in the data, the same for all examples) or `perValue` (a second head of the decoder; Kingma and
 * Welling 2014, appendix C.2). By gradient the logarithm of a variance moves by one learning rate a step, so a short
 * run ends before it is small enough for the reconstruction to matter; in closed form it is right from the start.
 */
export const gaussian = defineLikelihood({
  schema: z.strictObject({
    type: z.literal('gaussian'),
    variance: z
      .union([z.number().positive(), z.enum(['learned', 'optimal', 'perDimension', 'perValue'])])
      .default('learned'),
  }),
  make: ({ variance }) => ({
    heads: [
      { name: 'output', perValue: 1 },
      ...(variance === 'perValue' ? [{ name: 'output_log_variance', perValue: 1 }] : []),
    ],
    domain: 'real',
    negativeLog: (scope, x, [mean, head]) => {
      const { g } = scope;
      const difference = g.op('Sub', [x, mean]);
      const squared = g.op('Mul', [difference, difference]);
      if (typeof variance === 'number') {
        const scaled = g.op('Mul', [squared, g.scalar(0.5 / variance)]);
        return g.op('Add', [scaled, g.scalar(0.5 * (LOG_2PI + Math.log(variance)))]);
      }
      if (variance === 'optimal') updateVariance(scope, squared);
      const dims = variance === 'perDimension' ? (x.shape!.slice(1) as number[]) : [1];
      const logVariance =
        head ??
        (variance === 'optimal'
          ? scope.state('log_variance', dims, ZEROS)
          : scope.parameter('log_variance', dims, ZEROS, { decay: false }));
      const precision = g.op('Exp', [g.op('Neg', [logVariance])]);
      const terms = g.op('Add', [g.op('Mul', [squared, precision]), logVariance]);
      return g.op('Mul', [g.op('Add', [terms, g.scalar(LOG_2PI)]), g.scalar(0.5)]);
    },
    mean: (_, [mean]) => mean!,
  }),
});

/** σ² ← γ σ² + (1 − γ) MSE; what is computed with σ² in this step is of the value before. */
function updateVariance(scope: Scope, squared: Value): void {
  const { g } = scope;
  const before = g.op('Exp', [scope.state('log_variance', [1], ZEROS)]);
  const error = g.op('Reshape', [g.op('ReduceMean', [scope.stopGradient(squared)], { keepdims: 0 }), g.int64s([1])]);
  const kept = g.op('Mul', [before, g.scalar(KEPT)]);
  const next = g.op('Add', [kept, g.op('Mul', [error, g.scalar(1 - KEPT)])]);
  scope.update('log_variance', g.op('Log', [g.op('Max', [next, g.scalar(LEAST_VARIANCE)])]));
}
