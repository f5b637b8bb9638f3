/** The flags of `train`, and the options they stand for. */
import type { AugmentFlags } from '../kind-options.js';
import type { Setting } from '../parse.js';
import type { TrainSettings } from '../settings.js';
import type { DataFlags, SessionFlags } from '../shared-options.js';

export interface TrainFlags extends DataFlags, AugmentFlags, SessionFlags {
  readonly out?: string;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
  readonly architecture?: unknown;
  readonly hidden?: number[];
  readonly latent?: number;
  readonly likelihood?: unknown;
  readonly posterior?: unknown;
  readonly prior?: unknown;
  readonly objective?: unknown;
  readonly conditional?: boolean;
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly minutes?: number;
  readonly optimizer?: string;
  readonly learningRate?: number;
  readonly klWeight?: number;
  readonly seed?: number;
  /** False by --no-validation. */
  readonly validation?: string | false;
  readonly validationLabels?: string;
  readonly validationSplit?: number;
  readonly checkpointEvery?: number;
  readonly report?: boolean;
  readonly watch?: boolean;
  readonly watchPort?: number;
  readonly codec?: boolean;
  readonly config?: string;
  readonly set?: Setting[];
  readonly dryRun?: boolean;
  readonly tensorboard?: boolean;
  /** Directory of onnxruntime-training. */
  readonly artifacts?: string;
}

/** The flags with what a run needs. */
export type TrainArguments = TrainFlags & { readonly out: string };

/** What a model is made from. */
export const MODEL_FLAGS = [
  'architecture',
  'hidden',
  'latent',
  'likelihood',
  'posterior',
  'prior',
  'objective',
  'conditional',
] as const;

/** What a model cannot change once it is made. */
export const FIXED = [...MODEL_FLAGS, 'seed'] as const;

/** What the flags say of the model and of its training. */
export function settingsOfFlags(flags: TrainFlags): TrainSettings {
  const { architecture, hidden, optimizer, learningRate } = flags;
  const named = typeof architecture === 'object' ? architecture : { type: architecture ?? 'mlp' };
  return {
    model: {
      architecture: hidden ? { ...named, hidden } : architecture,
      latentDim: flags.latent,
      likelihood: flags.likelihood,
      posterior: flags.posterior,
      prior: flags.prior,
      objective: flags.objective,
      seed: flags.seed,
    },
    fit: {
      epochs: flags.epochs,
      batchSize: flags.batchSize,
      optimizer: learningRate === undefined ? optimizer : { type: optimizer ?? 'adam', learningRate },
      klWeight: flags.klWeight,
    },
  };
}
