import { z } from 'zod';
import type { Value } from '../../graph/builder.js';
import { sumOf, sumPerExample } from '../reduce.js';
import { defineObjective, type ObjectiveContext } from './objective.js';

/** Divergence of all layers, [R]. */
export function totalKl({ g, terms }: Pick<ObjectiveContext, 'g' | 'terms'>): Value {
  return sumOf(
    g,
    terms.map((term) => sumPerExample(g, term.kl())),
  );
}

/** Reconstruction, the posterior's own costs and a weighted rest, [R]. */
export function withRest(context: ObjectiveContext, weight: Value, rest: Value): Value {
  const { g, reconstruction, penalty } = context;
  const weighted = g.op('Add', [reconstruction, g.op('Mul', [rest, weight])]);
  return penalty === undefined ? weighted : g.op('Add', [weighted, penalty]);
}

/** The negative evidence lower bound. */
export const elbo = defineObjective({
  source: 'Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014',
  schema: z.strictObject({ type: z.literal('elbo') }),
  requires: [],
  make: () => ({ samples: 1, loss: (context) => withRest(context, context.klWeight, totalKl(context)) }),
});

/** The negative evidence lower bound with β times the divergence; β = 1 is the bound itself. */
export const beta = defineObjective({
  source:
    'Higgins et al., beta-VAE: Learning Basic Visual Concepts with a Constrained Variational Framework, ICLR 2017',
  schema: z.strictObject({ type: z.literal('beta'), beta: z.number().min(0).max(1e6).default(4) }),
  requires: [],
  make: ({ beta: weight }) => ({
    samples: 1,
    loss: (context) => {
      const { g, klWeight } = context;
      return withRest(context, g.op('Mul', [klWeight, g.scalar(weight)]), totalKl(context));
    },
  }),
});
