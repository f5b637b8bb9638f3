/** What is known of a model. */
import type { ConditionConfig } from '../architectures/condition.js';
import type { ArchitectureConfig } from '../architectures/index.js';
import type { InputSpec } from '../architectures/input.js';
import type { LatentLayer } from '../latent/statistics.js';
import type { LikelihoodConfig } from '../nn/likelihoods/index.js';
import type { ObjectiveConfig } from '../nn/objectives/index.js';
import type { PosteriorConfig } from '../nn/posteriors/index.js';
import type { PriorConfig } from '../nn/priors/index.js';

/** Networks that were imported rather than made here. */
export interface ImportedArchitecture {
  readonly type: 'imported';
  /** Path of the encoder's file. */
  readonly encoder: string;
  readonly decoder: string;
}

/** Data of imported networks: its shape, −1 on an axis of any size. */
export interface ImportedInput {
  readonly kind: 'tensor';
  readonly shape: readonly number[];
}

/** What a model is, as its config.json has it, or as an import found it. */
export interface VaeInfo {
  readonly architecture: ArchitectureConfig | ImportedArchitecture;
  readonly input: InputSpec | ImportedInput;
  readonly latentDim: number;
  readonly likelihood: LikelihoodConfig;
  readonly posterior: PosteriorConfig;
  readonly prior: PriorConfig;
  /** What training makes small. */
  readonly objective: ObjectiveConfig;
  /** Number of classes and how labels are told, of conditional models. */
  readonly condition?: ConditionConfig;
  /** The stochastic layers, in the order of the latent's dimensions; −1 where sizes are open. */
  readonly layers: readonly LatentLayer[];
  readonly seed: bigint;
  readonly parameterCount: number;
  readonly parameters: readonly { readonly name: string; readonly dims: readonly number[] }[];
  /** Whole epochs of training this model can go on from; undefined where it cannot. */
  readonly trainedEpochs: number | undefined;
  /** What the networks compute in. */
  readonly precision: 'float32' | 'float16' | 'int8';
}
