/** How arrays are brought to mean 0 and deviation 1. */
import { z } from 'zod';
import { elementCount } from '../../core/dtype.js';

/** How arrays become rows; in config.json under `data`. */
export const arrayRecipeSchema = z.strictObject({
  kind: z.literal('array'),
  /** Of a row. */
  shape: z.array(z.int().positive()).min(1),
  /** Of the training data: one for each value of a vector, for each channel of other rows. */
  mean: z.array(z.number()).min(1),
  deviation: z.array(z.number().positive()).min(1),
});

export interface ArrayRecipe extends z.output<typeof arrayRecipeSchema> {}

/**
 * Scales values in place: `in` to mean 0 and deviation 1, `out` back.
 *
 * @param at place of the first value within its row.
 */
export function scaleRows(
  values: Float32Array,
  at: number,
  { shape, mean, deviation }: ArrayRecipe,
  way: 'in' | 'out',
): void {
  const size = elementCount(shape);
  const run = size / mean.length;
  for (let index = 0; index < values.length; index += 1) {
    const channel = Math.floor(((at + index) % size) / run);
    values[index] =
      way === 'in'
        ? (values[index]! - mean[channel]!) / deviation[channel]!
        : values[index]! * deviation[channel]! + mean[channel]!;
  }
}

/** Whether rows come from a dataset that is scaled already. */
export function isScaled(batch: unknown): batch is { readonly recipe: ArrayRecipe } {
  return (batch as { readonly recipe?: { readonly kind?: unknown } } | undefined)?.recipe?.kind === 'array';
}
