import { z } from 'zod';
import { optimizerSchema } from '../artifacts/optimizer-options.js';
import { signalShape } from '../core/common-options.js';
import type { InputOf } from '../core/options.js';
import { seedSchema } from '../core/seed.js';
import type { FitControl } from './control.js';
import { scheduleSchema } from './loop/schedules.js';
import type { FitProgress } from './progress.js';

export const checkpointSchema = z
  .strictObject({
    directory: z.string().min(1),
    /** Optimizer steps between two checkpoints. Default: one at the end of every epoch. */
    everySteps: z.int().positive().optional(),
    everyMinutes: z.number().positive().optional(),
    /** How many are kept, the best one apart. Default 3. */
    keep: z.int().positive().max(10_000).default(3),
    /** Let go of the checkpoints of an earlier run there, which are refused otherwise. Default false. */
    replace: z.boolean().default(false),
  })
  .optional();

export const fitOptionsSchema = z.strictObject({
  /** Passes over the data, counted from the model's first training where `resume` is set. Default 10. */
  epochs: z.int().positive().max(1_000_000).default(10),
  /** Examples in one batch; the last batch of an epoch may be smaller. Default 128. */
  batchSize: z
    .int()
    .positive()
    .max(1 << 20)
    .default(128),
  /** Default: adam; where `resume` is set, that of the training which is gone on with. */
  optimizer: optimizerSchema.prefault({ type: 'adam' }),
  /** Overrides the optimizer's learning rate step by step. */
  learningRate: scheduleSchema.optional(),
  /** β, the weight of the KL divergence. Default 1. */
  klWeight: scheduleSchema.default(1),
  /** λ of the objective `free-bits`, step by step: nats of each dimension that cost nothing. Default: its own. */
  freeBits: scheduleSchema.optional(),
  /** Ends the run after so many batches in all, as if it were stopped there; schedules go by `epochs`. Default: none. */
  maxBatches: z.int().positive().optional(),
  /** Clips the global L2 norm of the gradient. Default: no clipping. */
  clipGradientNorm: z.number().positive().optional(),
  /** Batches whose gradients make one optimizer step. Default 1. */
  accumulate: z
    .int()
    .positive()
    .max(1 << 16)
    .default(1),
  /**
   * What the gradients of `accumulate` batches make: their `mean`, or, as with ONNX Runtime's training API, their
   * `sum`. Default `mean`.
   */
  accumulation: z.enum(['mean', 'sum']).default('mean'),
  /** Draws the order of the examples anew in every epoch. Default true. */
  shuffle: z.boolean().default(true),
  /** Binarise the data: not at all, at one half, or as Bernoulli draws anew in every batch. Default `none`. */
  binarise: z.enum(['none', 'threshold', 'sample']).default('none'),
  /** Scored after every epoch. */
  validation: z.unknown().optional(),
  /** Go on from where the model's last training stopped, with its optimizer state. Default false. */
  resume: z.boolean().default(false),
  /** Write checkpoints into a directory, from which a run that was killed can be resumed. */
  checkpoint: checkpointSchema,
  /** Stop when the validation loss (training loss where there is no validation) no longer falls. */
  earlyStopping: z
    .strictObject({
      /** Epochs without improvement that are waited for. */
      patience: z.int().positive(),
      /** A fall by less than this, in nats, is none. Default 0. */
      minDelta: z.number().min(0).default(0),
      /** End with the parameters of the best epoch. Default true. */
      restoreBest: z.boolean().default(true),
    })
    .optional(),
  /** Keep an exponential moving average of the parameters with this decay, and end with it. */
  emaDecay: z.number().gt(0).lt(1).optional(),
  /**
   * Watches for posterior collapse: dimensions that tell the decoder nothing. `latents` of every epoch's progress
   * counts them, and a warning says once what to try.
   */
  collapse: z
    .strictObject({
      /** A dimension with a mean KL divergence under this, in nats, has collapsed. Default 0.01. */
      bound: z.number().positive().default(0.01),
      /** The warning comes when this share of the dimensions has collapsed. Default 0.5. */
      share: z.number().gt(0).max(1).default(0.5),
      /** Share of the epochs that a run has to get going before it is warned of. Default 0.2. */
      after: z.number().min(0).max(1).default(0.2),
    })
    .prefault({}),
  /** Files that the run's events are written to while it goes on. Default: none. */
  log: z
    .strictObject({
      /** Appends one line of JSON for each event to this file; `readMetrics()` reads it. */
      jsonLines: z.string().min(1).optional(),
      /** Writes an event file for TensorBoard into this folder. */
      tensorBoard: z.string().min(1).optional(),
      /** Step events are written this far apart; epochs and warnings always. Default 1. */
      everySeconds: z.number().min(0).default(1),
    })
    .prefault({}),
  /**
   * Bring arrays to mean 0 and deviation 1: each value of vectors, each channel of other rows. The model keeps how, takes data
   * as it is and gives it back so; later runs scale their arrays the same. Default false.
   */
  standardise: z.boolean().default(false),
  /**
   * What to do about a loss or gradient that is not finite: `stop` with an error; `skip` the batch;
   * `rollback` to the last good state and go on with half the learning rate. Default `stop`.
   */
  onNonFinite: z.enum(['stop', 'skip', 'rollback']).default('stop'),
  /**
   * Let the addon compute convolutions, their gradients and group normalisation by kernels of its own, on the
   * CPU; otherwise ONNX Runtime runs the training graph as it is written to files. Default true.
   */
  nativeKernels: z.boolean().default(true),
  /** Seed of the order and the noise. Default: the model's seed. */
  seed: seedSchema.optional(),
  ...signalShape,
  /** Called with every event, and with what it can do to the run; what it throws ends the run. */
  onProgress: z
    .custom<(progress: FitProgress, control: FitControl) => void>(
      (value) => typeof value === 'function',
      'expected a function',
    )
    .optional(),
});

export type ResolvedFitOptions = z.output<typeof fitOptionsSchema>;

/** What users may write, the schema's `validation` with the type that the call takes as data. */
type WithData<S extends z.ZodType<unknown, { readonly validation?: unknown }>, Data> = Omit<
  InputOf<S>,
  'validation'
> & {
  /** Scored after every epoch. */
  readonly validation?: Data;
};

export interface FitOptions<Data> extends WithData<typeof fitOptionsSchema, Data> {}

export const estimateSchema = fitOptionsSchema.extend({
  /** How long steps are run to see their pace; 0: not at all. Default 2. */
  measureSeconds: z.number().min(0).max(3600).default(2),
});

export interface EstimateOptions<Data> extends WithData<typeof estimateSchema, Data> {}

export type { FitControl, FitProgress };
