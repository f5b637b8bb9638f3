/** Labels that a conditional VAE is told (Sohn, Lee and Yan 2015). */
import { z } from 'zod';
import type { InputOf } from '../core/options.js';
import type { Value } from '../graph/builder.js';
import type { Scope } from '../nn/scope.js';

export const conditionSchema = z.strictObject({
  /** Number of classes; labels are 0 to classes − 1. */
  classes: z.int().min(1).max(1_000_000),
  /** Length of a learned vector for each class; absent: one-hot. */
  embedding: z.int().positive().max(65536).optional(),
});

export interface ConditionConfig extends z.output<typeof conditionSchema> {}
export interface ConditionInput extends InputOf<typeof conditionSchema> {}

/** Length of the vector that stands for a label. */
export function conditionDim(config: ConditionConfig | undefined): number {
  return config === undefined ? 0 : (config.embedding ?? config.classes);
}

/** Labels int64 [N] to vectors [N, conditionDim]. */
export function embedLabels(scope: Scope, labels: Value, { classes, embedding }: ConditionConfig): Value {
  const { g } = scope;
  if (embedding !== undefined) {
    const table = scope.parameter('embedding', [classes, embedding], { kind: 'normal', std: 1 });
    return g.op('Gather', [table, labels]);
  }
  return g.op('OneHot', [labels, g.int64s([classes]), g.constant([0, 1], 'float32', [2])]);
}
