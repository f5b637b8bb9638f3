import { z } from 'zod';
import type { Value } from '../../graph/builder.js';
import { logDensity, standardLogDensity } from '../gaussian.js';
import { flattenRows, sumOf, sumPerExample } from '../reduce.js';
import { withRest } from './elbo.js';
import { defineObjective } from './objective.js';

/**
 * The divergence taken apart into mutual information, total correlation and the divergences of the
 * single dimensions, each with its weight (equation 2 of the paper). q(z) is estimated from the
 * batch by minibatch-weighted sampling (equation 5). All weights 1 give the ELBO.
 */
export const totalCorrelation = defineObjective({
  source: 'Chen et al., Isolating Sources of Disentanglement in Variational Autoencoders, NeurIPS 2018',
  schema: z.strictObject({
    type: z.literal('beta-tc'),
    /** Weight of the mutual information of data and latents. */
    alpha: z.number().min(0).max(1e6).default(1),
    /** Weight of the total correlation. */
    beta: z.number().min(0).max(1e6).default(6),
    /** Weight of the dimensions' own divergences from the prior. */
    gamma: z.number().min(0).max(1e6).default(1),
  }),
  requires: ['gaussian-posterior', 'standard-prior'],
  make: ({ alpha, beta, gamma }) => ({
    samples: 1,
    loss: (context) => {
      const { g, terms, klWeight } = context;
      const [term] = terms;
      const z = flattenRows(g, term!.z);
      const mean = flattenRows(g, term!.gaussian!.mean);
      const logVariance = flattenRows(g, term!.gaussian!.logVariance);

      // log q(z_i | x_j) by dimension, [N, N, D]: rows are draws, columns the examples they are held against.
      const difference = g.op('Sub', [g.op('Unsqueeze', [z, g.int64s([1])]), g.op('Unsqueeze', [mean, g.int64s([0])])]);
      const spread = g.op('Unsqueeze', [logVariance, g.int64s([0])]);
      const scaled = g.op('Mul', [g.op('Mul', [difference, difference]), g.op('Exp', [g.op('Neg', [spread])])]);
      const pairs = g.op('Sub', [
        g.op('Mul', [g.op('Add', [scaled, spread]), g.scalar(-0.5)]),
        g.scalar(0.5 * Math.log(2 * Math.PI)),
      ]);

      const batch = g.op('Cast', [g.op('Size', [g.op('ReduceSum', [z, g.int64s([1])], { keepdims: 0 })])], {
        to: 'float32',
      });
      const logCount = g.op('Log', [g.op('Mul', [batch, context.datasetSize()])]);
      const over = (values: Value): Value =>
        g.op('Sub', [g.op('ReduceLogSumExp', [values, g.int64s([1])], { keepdims: 0 }), logCount]);
      const logAggregate = over(g.op('ReduceSum', [pairs, g.int64s([2])], { keepdims: 0 }));
      const logMarginals = sumPerExample(g, over(pairs));
      const logPosterior = sumPerExample(g, logDensity(g, z, { mean, logVariance }));
      const logPrior = sumPerExample(g, standardLogDensity(g, z));

      const weighted = (weight: number, from: Value, to: Value): Value =>
        g.op('Mul', [g.op('Sub', [from, to]), g.scalar(weight)]);
      const parts = [
        weighted(alpha, logPosterior, logAggregate),
        weighted(beta, logAggregate, logMarginals),
        weighted(gamma, logMarginals, logPrior),
      ];
      return withRest(context, klWeight, sumOf(g, parts));
    },
  }),
});
