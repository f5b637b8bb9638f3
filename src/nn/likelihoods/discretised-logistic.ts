import { z } from 'zod';
import type { GraphBuilder, Value } from '../../graph/builder.js';
import { BYTE_LEVELS, levelNumbers } from './levels.js';
import { defineLikelihood } from './likelihood.js';

/** Limits of a component's log scale, in log levels: a scale of 0.08 to 245 of 255. */
const LOG_SCALE_RANGE = [-2.5, 5.5] as const;
/** Scales at first, when the decoder gives 0: e^2.5, 12 levels. */
const FIRST_LOG_SCALE = 2.5;

/**
 * 8-bit values as what a mixture of logistic densities puts between v − ½ and v + ½; 0 has all below
 * it and 255 all above (Salimans et al., PixelCNN++, ICLR 2017, section 2.1; one component: Kingma et al.
 * 2016, section 5.2). Data is in 0 to 1, in steps of 1/255.
 *
 * The mean is exact to half a level.
 */
export const discretisedLogistic = defineLikelihood({
  schema: z.strictObject({
    type: z.literal('discretised-logistic'),
    /** Logistic components. */
    components: z.int().positive().max(32).default(1),
  }),
  make: ({ components }) => {
    const perValue = components === 1 ? 2 : 3 * components;

    /** Each [N, components, ...data]; means in units of 1 = 255. */
    const parts = (g: GraphBuilder, head: Value): { means: Value; logScales: Value; logits: Value | undefined } => {
      const rank = head.shape!.length;
      const starts = Float32Array.from({ length: components }, (_, k) => (k + 0.5) / components);
      const along = [components, ...Array.from({ length: rank - 2 }, () => 1)];
      const sizes = g.int64s(Array.from({ length: perValue / components }, () => components));
      const [raw, scales, logits] = g.ops('Split', [head, sizes], { axis: 1 }, { outputs: perValue / components });
      const [low, high] = LOG_SCALE_RANGE;
      return {
        means: g.op('Add', [raw, g.constant(starts, 'float32', along)]),
        logScales: g.op('Clip', [g.op('Add', [scales, g.scalar(FIRST_LOG_SCALE)]), g.scalar(low), g.scalar(high)]),
        logits,
      };
    };

    return {
      heads: [{ name: 'output', perValue }],
      domain: 'levels',
      levels: BYTE_LEVELS,
      negativeLog: ({ g }, x, [head]) => {
        const { means, logScales, logits } = parts(g, head!);
        const axis = g.int64s([1]);
        const values = g.op('Unsqueeze', [levelNumbers(g, x, BYTE_LEVELS), axis]);
        const shares = logShares(g, values, g.op('Mul', [means, g.scalar(BYTE_LEVELS - 1)]), logScales);
        if (logits === undefined) return g.op('Neg', [g.op('Squeeze', [shares, axis])]);
        const all = g.op('ReduceLogSumExp', [g.op('Add', [logits, shares]), axis], { keepdims: 0 });
        return g.op('Sub', [g.op('ReduceLogSumExp', [logits, axis], { keepdims: 0 }), all]);
      },
      mean: ({ g }, [head]) => {
        const { means, logScales, logits } = parts(g, head!);
        const axis = g.int64s([1]);
        const kept = cutOff(g, means, g.op('Mul', [g.op('Exp', [logScales]), g.scalar(1 / (BYTE_LEVELS - 1))]));
        if (logits === undefined) return g.op('Squeeze', [kept, axis]);
        const weights = g.op('Softmax', [logits], { axis: 1 });
        return g.op('ReduceSum', [g.op('Mul', [weights, kept]), axis], { keepdims: 0 });
      },
    };
  },
});

/**
 * log of what each component gives each value. With a and b the scaled distances to v + ½ and v − ½ it is
 * σ(a) − σ(b) = σ(a) σ(−b) (1 − exp(b − a)), which keeps its precision in the tails.
 */
function logShares(g: GraphBuilder, values: Value, means: Value, logScales: Value): Value {
  const asFloat = (condition: Value): Value => g.op('Cast', [condition], { to: 'float32' });
  const notTop = asFloat(g.op('Less', [values, g.scalar(BYTE_LEVELS - 1.5)]));
  const notBottom = asFloat(g.op('Greater', [values, g.scalar(0.5)]));
  const inverse = g.op('Exp', [g.op('Neg', [logScales])]);
  const upper = g.op('Mul', [g.op('Add', [g.op('Sub', [values, means]), g.scalar(0.5)]), inverse]);
  const lower = g.op('Sub', [upper, inverse]);
  const below = g.op('Mul', [g.op('Softplus', [g.op('Neg', [upper])]), notTop]);
  const above = g.op('Mul', [g.op('Softplus', [lower]), notBottom]);
  const width = g.op('Log', [g.op('Sub', [g.scalar(1), g.op('Exp', [g.op('Neg', [inverse])])])]);
  const inner = g.op('Mul', [width, g.op('Mul', [notTop, notBottom])]);
  return g.op('Sub', [inner, g.op('Add', [below, above])]);
}

/**
 * The mean of a logistic variable whose values below 0 count as 0 and those above 1 as 1:
 * ∫₀¹ P(X > t) dt = s (softplus(μ/s) − softplus((μ − 1)/s)).
 */
function cutOff(g: GraphBuilder, means: Value, scales: Value): Value {
  const fromBottom = g.op('Softplus', [g.op('Div', [means, scales])]);
  const fromTop = g.op('Softplus', [g.op('Div', [g.op('Sub', [means, g.scalar(1)]), scales])]);
  return g.op('Mul', [scales, g.op('Sub', [fromBottom, fromTop])]);
}
