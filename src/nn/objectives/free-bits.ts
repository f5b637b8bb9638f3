import { z } from 'zod';
import { meanOverBatch, sumOf } from '../reduce.js';
import { withRest } from './elbo.js';
import { defineObjective } from './objective.js';

/**
 * The divergence of each dimension, averaged over the batch, costs nothing below λ nats: there is
 * no reward for a dimension that says nothing (equation 16 of the paper's appendix C.8, with one group
 * for each dimension). λ = 0 is the bound itself. The training loop gives λ: this one, or that of its schedule.
 */
export const freeBits = defineObjective({
  source: 'Kingma et al., Improved Variational Inference with Inverse Autoregressive Flow, NeurIPS 2016',
  schema: z.strictObject({ type: z.literal('free-bits'), lambda: z.number().min(0).max(1000).default(0.25) }),
  requires: [],
  make: () => ({
    samples: 1,
    loss: (context) => {
      const { g, terms, klWeight } = context;
      const lambda = context.freeBits();
      const bounds = g.op('Greater', [lambda, g.scalar(0)]);
      const layers = terms.map((term) => {
        const mean = meanOverBatch(g, term.kl());
        // A mean of draws can lie below zero where the divergence has no closed form: only λ binds it.
        const bounded = g.op('Where', [bounds, g.op('Max', [mean, lambda]), mean]);
        return g.op('ReduceSum', [bounded, g.int64s([0])], { keepdims: 0 });
      });
      return g.op('ReduceMean', [withRest(context, klWeight, sumOf(g, layers)), g.int64s([0])], { keepdims: 0 });
    },
  }),
});
