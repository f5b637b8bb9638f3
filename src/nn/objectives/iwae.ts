import { z } from 'zod';
import type { GraphBuilder, Value } from '../../graph/builder.js';
import { sumOf } from '../reduce.js';
import { defineObjective, type ObjectiveContext } from './objective.js';

/** log p(x|z) + β (log p(z) − log q(z|x)) of each draw, [N, samples]. */
export function logWeights(context: ObjectiveContext): Value {
  const { g, terms, reconstruction, klWeight, samples } = context;
  const ratio = sumOf(
    g,
    terms.map((term) => term.logRatio()),
  );
  const weights = g.op('Neg', [g.op('Add', [reconstruction, g.op('Mul', [ratio, klWeight])])]);
  return g.op('Reshape', [weights, g.int64s([-1, samples])]);
}

/** log of the mean weight, [N]. */
export function logMeanWeight(g: GraphBuilder, weights: Value, samples: number): Value {
  const sum = g.op('ReduceLogSumExp', [weights, g.int64s([1])], { keepdims: 0 });
  return g.op('Sub', [sum, g.scalar(Math.log(samples))]);
}

/** The importance-weighted bound of k draws (equation 8 of the paper); k = 1 is the ELBO. */
export const iwae = defineObjective({
  source: 'Burda, Grosse and Salakhutdinov, Importance Weighted Autoencoders, ICLR 2016',
  schema: z.strictObject({ type: z.literal('iwae'), samples: z.int().positive().max(4096).default(5) }),
  requires: ['posterior-density'],
  make: ({ samples }) => ({
    samples,
    loss: (context) => context.g.op('Neg', [logMeanWeight(context.g, logWeights(context), samples)]),
  }),
});
