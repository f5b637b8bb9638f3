import { z } from 'zod';
import { BYTE_LEVELS, levelNumbers } from './levels.js';
import { defineLikelihood } from './likelihood.js';

/**
 * A probability of its own for each level of each value (van den Oord, Kalchbrenner and Kavukcuoglu,
 * Pixel Recurrent Neural Networks, ICML 2016, section 3.3). Data is in 0 to 1, in even steps:
 * 8-bit data has 256 levels, black and white 2.
 */
export const categorical = defineLikelihood({
  schema: z.strictObject({
    type: z.literal('categorical'),
    levels: z.int().min(2).max(BYTE_LEVELS).default(BYTE_LEVELS),
  }),
  make: ({ levels }) => ({
    heads: [{ name: 'output', perValue: levels }],
    domain: 'levels',
    levels,
    negativeLog: ({ g }, x, [logits]) => {
      const axis = g.int64s([1]);
      const chosen = g.op('Cast', [g.op('Unsqueeze', [levelNumbers(g, x, levels), axis])], { to: 'int64' });
      const found = g.op('Squeeze', [g.op('GatherElements', [logits, chosen], { axis: 1 }), axis]);
      return g.op('Sub', [g.op('ReduceLogSumExp', [logits, axis], { keepdims: 0 }), found]);
    },
    mean: ({ g }, [logits]) => {
      const rank = logits!.shape!.length;
      const along = [levels, ...Array.from({ length: rank - 2 }, () => 1)];
      const values = g.constant(
        Float32Array.from({ length: levels }, (_, level) => level / (levels - 1)),
        'float32',
        along,
      );
      const weighted = g.op('Mul', [g.op('Softmax', [logits], { axis: 1 }), values]);
      return g.op('ReduceSum', [weighted, g.int64s([1])], { keepdims: 0 });
    },
  }),
});
