import { z } from 'zod';
import { type OptimizerInput, optimizerSchema } from '../artifacts/optimizer-options.js';
import { seedSchema } from '../core/seed.js';
import type { FitProgress, History } from './progress.js';
import { type Schedule, scheduleSchema } from './schedules.js';

const signalSchema = z.custom<AbortSignal>((value) => value instanceof AbortSignal, 'expected an AbortSignal');

export const fitOptionsSchema = z.strictObject({
  /** Passes over the data, counted from the model's first training where `resume` is set. Default 10. */
  epochs: z.int().positive().max(1_000_000).default(10),
  /** Examples in one batch; the last batch of an epoch may be smaller. Default 128. */
  batchSize: z
    .int()
    .positive()
    .max(1 << 20)
    .default(128),
  optimizer: optimizerSchema.prefault({ type: 'adam' }),
  /** Overrides the optimizer's learning rate step by step. */
  learningRate: scheduleSchema.optional(),
  /** β, the weight of the KL divergence. Default 1. */
  klWeight: scheduleSchema.default(1),
  /** Clips the global L2 norm of the gradient. Default: no clipping. */
  clipGradientNorm: z.number().positive().optional(),
  /** Batches whose mean gradient makes one optimizer step. Default 1. */
  accumulate: z
    .int()
    .positive()
    .max(1 << 16)
    .default(1),
  /** Draws the order of the examples anew in every epoch. Default true. */
  shuffle: z.boolean().default(true),
  /** Binarise the data: not at all, at one half, or as Bernoulli draws anew in every batch. Default `none`. */
  binarise: z.enum(['none', 'threshold', 'sample']).default('none'),
  /** Scored after every epoch. */
  validation: z.unknown().optional(),
  /** Go on from where the model's last training stopped, with its optimizer state. Default false. */
  resume: z.boolean().default(false),
  /** Seed of the order and the noise. Default: the model's seed. */
  seed: seedSchema.optional(),
  signal: signalSchema.optional(),
  onProgress: z
    .custom<(progress: FitProgress) => void>((value) => typeof value === 'function', 'expected a function')
    .optional(),
});

export type ResolvedFitOptions = z.output<typeof fitOptionsSchema>;

export interface FitOptions<Data>
  extends Omit<z.input<typeof fitOptionsSchema>, 'validation' | 'optimizer' | 'learningRate' | 'klWeight'> {
  readonly learningRate?: Schedule;
  readonly klWeight?: Schedule;
  readonly optimizer?: OptimizerInput;
  readonly validation?: Data;
}

export type { FitProgress, History };
