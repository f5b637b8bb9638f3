import { z } from 'zod';
import { ZEROS } from '../initializers.js';
import { defineLikelihood } from './likelihood.js';

const LOG_2PI = Math.log(2 * Math.PI);

/**
 * Normal density around the decoder's output. `variance` is in squared units of the scaled data:
 * a number (fixed), `learned` (one for all values; Rybkin et al. 2021, σ-VAE), `perDimension` (one for each
 * place in the data, the same for all examples) or `perValue` (a second head of the decoder; Kingma and
 * Welling 2014, appendix C.2).
 */
export const gaussian = defineLikelihood({
  schema: z.strictObject({
    type: z.literal('gaussian'),
    variance: z.union([z.number().positive(), z.enum(['learned', 'perDimension', 'perValue'])]).default('learned'),
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
      const dims = variance === 'perDimension' ? (x.shape!.slice(1) as number[]) : [1];
      const logVariance = head ?? scope.parameter('log_variance', dims, ZEROS, { decay: false });
      const precision = g.op('Exp', [g.op('Neg', [logVariance])]);
      const terms = g.op('Add', [g.op('Mul', [squared, precision]), logVariance]);
      return g.op('Mul', [g.op('Add', [terms, g.scalar(LOG_2PI)]), g.scalar(0.5)]);
    },
    mean: (_, [mean]) => mean!,
  }),
});
