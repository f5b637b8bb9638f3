import { z } from 'zod';
import { logProbabilities } from '../probabilities.js';
import { defineLikelihood } from './likelihood.js';

/**
 * Bernoulli with probabilities σ(l). On grey values in [0, 1] it is the cross-entropy that Kingma
 * and Welling (2014) and most published MNIST figures use, though not a density there.
 */
export const bernoulli = defineLikelihood({
  schema: z.strictObject({ type: z.literal('bernoulli') }),
  make: () => ({
    heads: [{ name: 'output', perValue: 1 }],
    domain: 'unit',
    // −x log σ(l) − (1 − x) log(1 − σ(l)) = softplus(l) − x l, finite for every l.
    negativeLog: ({ g }, x, [logits]) => g.op('Sub', [g.op('Softplus', [logits]), g.op('Mul', [x, logits])]),
    mean: ({ g }, [logits]) => g.op('Sigmoid', [logits]),
    ofProbabilities: {
      // x (log(1 − p) − log p) − log(1 − p)
      negativeLog: ({ g }, x, [p]) => {
        const [yes, no] = logProbabilities(g, p!);
        return g.op('Sub', [g.op('Mul', [x, g.op('Sub', [no, yes])]), no]);
      },
      mean: (_, [p]) => p!,
    },
  }),
});
