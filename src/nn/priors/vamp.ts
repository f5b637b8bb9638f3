import { z } from 'zod';
import { elementCount } from '../../core/dtype.js';
import type { Value } from '../../graph/builder.js';
import { type Gaussian, reparameterise } from '../gaussian.js';
import { flattenRows } from '../reduce.js';
import type { Scope } from '../scope.js';
import { definePrior, type PriorContext } from './prior.js';

/**
 * The mixture of the posteriors of K made-up inputs, learned with the rest of the model (equation 9
 * of the paper). Where data lies between 0 and 1 so do they, as in the authors' code.
 */
export const vamp = definePrior({
  source: 'Tomczak and Welling, VAE with a VampPrior, AISTATS 2018',
  schema: z.strictObject({
    type: z.literal('vamp'),
    /** Number of made-up inputs. */
    components: z.int().positive().max(65536).default(500),
  }),
  make: ({ components }, latentShape) => {
    const size = elementCount(latentShape);

    const mixture = (scope: Scope, context: PriorContext): Gaussian => {
      const { g } = scope;
      const start = { kind: 'normal', mean: context.bounded ? 0.05 : 0, std: context.bounded ? 0.01 : 1 } as const;
      const inputs = scope.parameter('inputs', [components, ...context.dataShape], start, { decay: false });
      const q = context.posteriorOf(context.bounded ? g.op('Clip', [inputs, g.scalar(0), g.scalar(1)]) : inputs);
      return { mean: flattenRows(g, q.mean), logVariance: flattenRows(g, q.logVariance) };
    };

    return {
      logDensity: (scope, z, context) => {
        const { g } = scope;
        const { mean, logVariance } = mixture(scope, context);
        const flat = flattenRows(g, z);
        // Σ (z − μ)²/σ² of every pair in two products: z² · 1/σ² − 2 z · μ/σ² + μ²/σ².
        const precision = g.op('Exp', [g.op('Neg', [logVariance])]);
        const weighted = g.op('Mul', [mean, precision]);
        const squares = g.op('Gemm', [g.op('Mul', [flat, flat]), precision], { transB: 1 });
        const crossed = g.op('Gemm', [flat, weighted], { transB: 1, alpha: 2 });
        const rest = g.op('ReduceSum', [g.op('Add', [g.op('Mul', [mean, weighted]), logVariance]), g.int64s([1])], {
          keepdims: 0,
        });
        const distances = g.op('Add', [g.op('Sub', [squares, crossed]), rest]);
        const terms = g.op('Mul', [distances, g.scalar(-0.5)]);
        const constant = Math.log(components) + 0.5 * size * Math.log(2 * Math.PI);
        return g.op('Sub', [g.op('ReduceLogSumExp', [terms, g.int64s([1])], { keepdims: 1 }), g.scalar(constant)]);
      },
      noise: [
        { name: 'uniform', kind: 'uniform', dims: [] },
        { name: 'epsilon', kind: 'normal', dims: latentShape },
      ],
      draw: (scope, [uniform, epsilon], context) => {
        const { g } = scope;
        const { mean, logVariance } = mixture(scope, context);
        const scaled = g.op('Floor', [g.op('Mul', [uniform!, g.scalar(components)])]);
        const chosen = g.op('Cast', [g.op('Min', [scaled, g.scalar(components - 1)])], { to: 'int64' });
        const pick = (value: Value): Value => {
          const rows = g.op('Gather', [value, chosen]);
          return latentShape.length === 1 ? rows : g.op('Reshape', [rows, g.int64s([-1, ...latentShape])]);
        };
        return reparameterise(g, { mean: pick(mean), logVariance: pick(logVariance) }, epsilon!);
      },
    };
  },
});
