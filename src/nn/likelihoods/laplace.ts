import { z } from 'zod';
import { ZEROS } from '../initializers.js';
import { defineLikelihood } from './likelihood.js';

/**
 * Laplace density around the decoder's output, whose logarithm is an absolute error. `scale` is in
 * units of the scaled data: a number (fixed), `learned` (one for all values) or `perValue` (a second
 * head of the decoder).
 */
export const laplace = defineLikelihood({
  schema: z.strictObject({
    type: z.literal('laplace'),
    scale: z.union([z.number().positive(), z.enum(['learned', 'perValue'])]).default('learned'),
  }),
  make: ({ scale }) => ({
    heads: [
      { name: 'output', perValue: 1 },
      ...(scale === 'perValue' ? [{ name: 'output_log_scale', perValue: 1 }] : []),
    ],
    domain: 'real',
    // |x − μ| / b + log(2b)
    negativeLog: (scope, x, [mean, head]) => {
      const { g } = scope;
      const distance = g.op('Abs', [g.op('Sub', [x, mean])]);
      if (typeof scale === 'number') {
        const scaled = g.op('Mul', [distance, g.scalar(1 / scale)]);
        return g.op('Add', [scaled, g.scalar(Math.log(2 * scale))]);
      }
      const logScale = head ?? scope.parameter('log_scale', [1], ZEROS, { decay: false });
      const scaled = g.op('Mul', [distance, g.op('Exp', [g.op('Neg', [logScale])])]);
      return g.op('Add', [g.op('Add', [scaled, logScale]), g.scalar(Math.LN2)]);
    },
    mean: (_, [mean]) => mean!,
  }),
});
