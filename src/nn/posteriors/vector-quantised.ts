import { z } from 'zod';
import { elementCount } from '../../core/dtype.js';
import type { GraphBuilder, Value } from '../../graph/builder.js';
import { ONES } from '../initializers.js';
import type { Scope } from '../scope.js';
import { definePosterior } from './posterior.js';

/** Keeps the share of codes that nobody uses above zero (van den Oord et al. 2017, appendix A.1). */
const SMOOTHING = 1e-5;

/**
 * Each place of a latent map [D, ...places] is replaced by the nearest of K codes. The codebook is
 * the moving average of what chose its codes (appendix A.1 of the paper): a state of the graph, not a
 * parameter. Gradients pass straight through to the encoder, and the commitment cost, equation 3,
 * holds it near the codes. The prior is uniform over codes, so the divergence is constant.
 *
 * The exported encoder gives the chosen codes' vectors as `mean` and their numbers as `indices`.
 */
export const vectorQuantised = definePosterior({
  source: 'van den Oord, Vinyals and Kavukcuoglu, Neural Discrete Representation Learning, NeurIPS 2017',
  schema: z.strictObject({
    type: z.literal('vector-quantised'),
    /** Number of codes. */
    codes: z.int().min(2).max(65536).default(512),
    /** Weight of the commitment cost. */
    commitment: z.number().min(0).max(100).default(0.25),
    /** How much of the moving average each step keeps. */
    decay: z.number().min(0).lt(1).default(0.99),
  }),
  refuse: (latentShape) =>
    latentShape.length < 2
      ? 'vector quantization needs a latent map with places, such as architecture { type: "conv", latent: "map" } gives'
      : undefined,
  make: ({ codes, commitment, decay }, latentShape) => {
    const [depth, ...places] = latentShape as [number, ...number[]];
    const count = elementCount(places);

    const codebook = (scope: Scope): Value => scope.state('codebook', [codes, depth], { kind: 'normal', std: 1 });
    /** [N, D, ...places] to [N * places, D]. */
    const rows = (g: GraphBuilder, x: Value): Value => {
      const flat = g.op('Reshape', [x, g.int64s([-1, depth, count])]);
      return g.op('Reshape', [g.op('Transpose', [flat], { perm: [0, 2, 1] }), g.int64s([-1, depth])]);
    };
    /** [N * places, D] to [N, D, ...places]. */
    const map = (g: GraphBuilder, x: Value): Value => {
      const flat = g.op('Transpose', [g.op('Reshape', [x, g.int64s([-1, count, depth])])], { perm: [0, 2, 1] });
      return g.op('Reshape', [flat, g.int64s([-1, depth, ...places])]);
    };
    const nearest = (g: GraphBuilder, vectors: Value, book: Value): Value => {
      // ‖v − c‖² but for ‖v‖², which is the same for every code.
      const products = g.op('Gemm', [vectors, book], { transB: 1, alpha: -2 });
      const norms = g.op('ReduceSum', [g.op('Mul', [book, book]), g.int64s([1])], { keepdims: 0 });
      return g.op('ArgMin', [g.op('Add', [products, norms])], { axis: 1, keepdims: 0 });
    };

    return {
      heads: ['mean'],
      noisy: false,
      described: true,
      outputNames: ['mean', 'indices'],
      outputs: (scope, [encoded]) => {
        const { g } = scope;
        const book = codebook(scope);
        const indices = nearest(g, rows(g, encoded!), book);
        return {
          mean: map(g, g.op('Gather', [book, indices])),
          indices: g.op('Reshape', [indices, g.int64s([-1, ...places])]),
        };
      },
      draw: (scope, [encoded]) => {
        const { g } = scope;
        const vectors = rows(g, encoded!);
        const book = codebook(scope);
        const fixed = scope.stopGradient(vectors);
        const indices = nearest(g, fixed, book);
        const chosen = g.op('Gather', [book, indices]);
        updateCodebook(scope, fixed, indices, { codes, depth, decay });
        // Straight through: the value is the code's, the gradient the vector's.
        const passed = g.op('Add', [vectors, g.op('Sub', [chosen, fixed])]);
        return {
          z: map(g, passed),
          logDensity: () => g.op('Mul', [g.op('ReduceSum', [passed, g.int64s([1])], { keepdims: 1 }), g.scalar(0)]),
          penalty: () => {
            const difference = g.op('Sub', [vectors, chosen]);
            const squared = g.op('Mul', [difference, difference]);
            const perRow = g.op('Reshape', [squared, g.int64s([-1, count * depth])]);
            return g.op('Mul', [g.op('ReduceSum', [perRow, g.int64s([1])], { keepdims: 0 }), g.scalar(commitment)]);
          },
        };
      },
      prior: {
        noise: [{ name: 'uniform', kind: 'uniform', dims: [count] }],
        klPerRow: count * Math.log(codes),
        draw: (scope, [uniform]) => {
          const { g } = scope;
          const scaled = g.op('Floor', [g.op('Mul', [uniform!, g.scalar(codes)])]);
          const indices = g.op('Cast', [g.op('Min', [scaled, g.scalar(codes - 1)])], { to: 'int64' });
          const chosen = g.op('Gather', [codebook(scope), g.op('Reshape', [indices, g.int64s([-1])])]);
          return map(g, chosen);
        },
      },
    };
  },
});

/** N ← γ N + (1 − γ) n and m ← γ m + (1 − γ) Σ v, and the codes are m / N (appendix A.1, equations 6 to 8). */
function updateCodebook(
  scope: Scope,
  vectors: Value,
  indices: Value,
  { codes, depth, decay }: { readonly codes: number; readonly depth: number; readonly decay: number },
): void {
  const { g } = scope;
  const values = g.constant([0, 1], 'float32', [2]);
  const chosen = g.op('OneHot', [indices, g.int64s([codes]), values]);
  const average = (kept: Value, fresh: Value): Value =>
    g.op('Add', [g.op('Mul', [kept, g.scalar(decay)]), g.op('Mul', [fresh, g.scalar(1 - decay)])]);
  const counts = average(
    scope.state('counts', [codes], ONES),
    g.op('ReduceSum', [chosen, g.int64s([0])], { keepdims: 0 }),
  );
  // Sums start at the codebook itself: with counts of one, they are the same numbers.
  const sums = average(
    scope.state('sums', [codes, depth], { kind: 'copy', of: scope.name('codebook') }),
    g.op('Gemm', [chosen, vectors], { transA: 1 }),
  );
  const total = g.op('ReduceSum', [counts, g.int64s([0])], { keepdims: 1 });
  const smoothed = g.op('Add', [counts, g.scalar(SMOOTHING)]);
  const share = g.op('Div', [total, g.op('Add', [total, g.scalar(codes * SMOOTHING)])]);
  const weights = g.op('Unsqueeze', [g.op('Mul', [smoothed, share]), g.int64s([1])]);
  scope.update('counts', counts);
  scope.update('sums', sums);
  scope.update('codebook', g.op('Div', [sums, weights]));
}
