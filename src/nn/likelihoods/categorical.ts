import { z } from 'zod';
import type { GraphBuilder, Value } from '../../graph/builder.js';
import { logProbability } from '../probabilities.js';
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
      const total = g.op('ReduceLogSumExp', [logits, g.int64s([1])], { keepdims: 0 });
      return g.op('Sub', [total, chosenOf(g, x, logits!, levels)]);
    },
    mean: ({ g }, [logits]) => expected(g, g.op('Softmax', [logits], { axis: 1 }), levels),
    ofProbabilities: {
      negativeLog: ({ g }, x, [p]) => g.op('Neg', [logProbability(g, chosenOf(g, x, p!, levels))]),
      mean: ({ g }, [p]) => expected(g, p!, levels),
    },
  }),
});

/** Of [N, levels, ...data], what stands at the level of each value. */
function chosenOf(g: GraphBuilder, x: Value, all: Value, levels: number): Value {
  const axis = g.int64s([1]);
  const chosen = g.op('Cast', [g.op('Unsqueeze', [levelNumbers(g, x, levels), axis])], { to: 'int64' });
  return g.op('Squeeze', [g.op('GatherElements', [all, chosen], { axis: 1 }), axis]);
}

/** The mean level, from 0 to 1. */
function expected(g: GraphBuilder, probabilities: Value, levels: number): Value {
  const rank = probabilities.shape!.length;
  const along = [levels, ...Array.from({ length: rank - 2 }, () => 1)];
  const values = g.constant(
    Float32Array.from({ length: levels }, (_, level) => level / (levels - 1)),
    'float32',
    along,
  );
  return g.op('ReduceSum', [g.op('Mul', [probabilities, values]), g.int64s([1])], { keepdims: 0 });
}
