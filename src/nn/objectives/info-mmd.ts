import { z } from 'zod';
import { elementCount } from '../../core/dtype.js';
import type { GraphBuilder, Value } from '../../graph/builder.js';
import { flattenRows } from '../reduce.js';
import { totalKl, withRest } from './elbo.js';
import { defineObjective } from './objective.js';

/**
 * InfoVAE with maximum mean discrepancy: (1 − α) of the divergence, and (α + λ − 1) times the distance
 * between the aggregate posterior and the prior (equation 6 of the paper, in the form of its section
 * 5). α = 0, λ = 1 is the ELBO; α = 1 is the MMD-VAE.
 *
 * The kernel is the Gaussian one, exp(−‖a − b‖² / D) as in the authors' code; its expectations
 * under the standard normal prior are known, so no draws from the prior are needed. What a draw
 * has in common with itself is left out (the unbiased estimate).
 */
export const infoMmd = defineObjective({
  source: 'Zhao, Song and Ermon, InfoVAE: Balancing Learning and Inference in Variational Autoencoders, AAAI 2019',
  schema: z.strictObject({
    type: z.literal('info-mmd'),
    alpha: z.number().max(1).min(-1000).default(0),
    lambda: z.number().min(0).max(1e6).default(1000),
  }),
  requires: ['posterior-density', 'standard-prior'],
  make: ({ alpha, lambda }) => ({
    samples: 1,
    loss: (context) => {
      const { g, terms, klWeight } = context;
      const z = flattenRows(g, terms[0]!.z);
      const rest = g.op('Mul', [totalKl(context), g.scalar(1 - alpha)]);
      const distance = g.op('Mul', [discrepancy(g, z), g.scalar(alpha + lambda - 1)]);
      const both = g.op('Add', [rest, distance]);
      return g.op('ReduceMean', [withRest(context, klWeight, both), g.int64s([0])], { keepdims: 0 });
    },
  }),
});

/** MMD² between the rows of z [N, D] and N(0, 1), a scalar. */
function discrepancy(g: GraphBuilder, z: Value): Value {
  const size = elementCount(z.shape!.slice(1) as number[]);
  const squares = g.op('ReduceSum', [g.op('Mul', [z, z]), g.int64s([1])], { keepdims: 1 });
  const products = g.op('Gemm', [z, z], { transB: 1, alpha: 2 });
  const row = g.op('Transpose', [squares], { perm: [1, 0] });
  const distances = g.op('Sub', [g.op('Add', [squares, row]), products]);
  const kernel = g.op('Exp', [g.op('Mul', [distances, g.scalar(-1 / size)])]);
  const count = g.op('Cast', [g.op('Size', [squares])], { to: 'float32' });
  const one = g.scalar(1);
  const sum = g.op('Sub', [g.op('ReduceSum', [kernel], { keepdims: 0 }), count]);
  // Of a single draw nothing can be said about pairs: their sum, 0, is divided by 1.
  const pairs = g.op('Max', [g.op('Mul', [count, g.op('Sub', [count, one])]), one]);
  const within = g.op('Div', [sum, pairs]);

  // exp(−‖a−b‖²/(2s²)) with s² = D/2; for b ~ N(0, 1): (s²/(1+s²))^(D/2) exp(−‖a‖²/(2(1+s²))).
  const width = size / 2;
  const toPrior = g.op('Exp', [g.op('Mul', [squares, g.scalar(-0.5 / (1 + width))])]);
  const across = g.op('Mul', [
    g.op('ReduceMean', [toPrior], { keepdims: 0 }),
    g.scalar(2 * (width / (1 + width)) ** (size / 2)),
  ]);
  const prior = (width / (2 + width)) ** (size / 2);
  return g.op('Add', [g.op('Sub', [within, across]), g.scalar(prior)]);
}
