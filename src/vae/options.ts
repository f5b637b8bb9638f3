/** Options and results of the Vae class, with the schemas that check them. */
import type { Tensor } from 'onnxruntime-common';
import { z } from 'zod';
import type { ConditionConfig, ConditionInput } from '../architectures/condition.js';
import { type BuildNetwork, buildNetworkSchema } from '../architectures/custom.js';
import type { ArchitectureConfig, ArchitectureInput } from '../architectures/index.js';
import type { InputOptions, InputSpec } from '../architectures/input.js';
import { recipeShape } from '../architectures/vae-network.js';
import { importShape } from '../artifacts/import-onnx.js';
import { parseOptions } from '../core/options.js';
import { type Seed, seedSchema } from '../core/seed.js';
import { type TilingInput, tilingSchema } from '../inference/rows/tiling.js';
import { type ProviderInput, providerSchema } from '../inference/sessions/providers.js';
import type { RunOptions } from '../inference/sessions/session.js';
import { ACTIVE_ABOVE, type LatentLayer } from '../latent/statistics.js';
import type { LikelihoodConfig, LikelihoodInput } from '../nn/likelihoods/index.js';
import type { ObjectiveConfig, ObjectiveInput } from '../nn/objectives/index.js';
import type { PosteriorConfig, PosteriorInput } from '../nn/posteriors/index.js';
import type { PriorConfig, PriorInput } from '../nn/priors/index.js';

const sessionShape = {
  /** Threads inside one operator; 0 lets ONNX Runtime choose (one per physical core). Default 0. */
  threads: z.int().min(0).max(1024).default(0),
  /** Where networks run. Default `cpu`. */
  provider: providerSchema.default('cpu'),
  /** How large data is brought through in tiles where a call does not say. Default: not. */
  tiling: tilingSchema.optional(),
};

export const createSchema = z.strictObject({
  ...recipeShape,
  seed: seedSchema.default(0),
  ...sessionShape,
});

export const loadSchema = z.strictObject({ ...sessionShape, build: buildNetworkSchema.optional() });
export const fromOnnxSchema = z.strictObject({ ...importShape, ...sessionShape });
export const saveSchema = z.strictObject({
  /** Also write the training artifacts, so that training can go on. Default false. */
  training: z.boolean().default(false),
});

const pairSchema = z.strictObject({
  encoder: z.string().min(1),
  decoder: z.string().min(1),
  outputs: z.strictObject({ mean: z.string(), logVariance: z.string() }).optional(),
  range: z.enum(['unit', 'symmetric']).default('unit'),
});

export const sourceSchema = z.union([z.string().min(1), pairSchema], {
  error: 'expected the path of a model directory, the name of a model, or { encoder, decoder }',
});

const signalShape = {
  signal: z.custom<AbortSignal>((value) => value instanceof AbortSignal, 'expected an AbortSignal').optional(),
};
const callShape = {
  ...signalShape,
  tiling: tilingSchema.optional(),
  maxRows: z.int().positive().optional(),
};
const labels = z.union(
  [
    z.int().min(0),
    z.array(z.int().min(0)),
    z.custom<Uint8Array | Int32Array | Uint32Array>(
      (value) => value instanceof Uint8Array || value instanceof Int32Array || value instanceof Uint32Array,
    ),
  ],
  { error: 'expected a class number or an array of them' },
);
const floats = z.custom<Float32Array>((value) => value instanceof Float32Array, 'expected a Float32Array');
export const encodeSchema = z.strictObject({
  ...callShape,
  labels: labels.optional(),
  into: z.strictObject({ mean: floats.optional(), logVariance: floats.optional() }).optional(),
});
export const decodeSchema = z.strictObject({ ...callShape, labels: labels.optional(), into: floats.optional() });
export const deviceSchema = z.strictObject({ ...signalShape, labels: labels.optional() });
export const scoreSchema = z.strictObject({
  ...callShape,
  labels: labels.optional(),
  seed: seedSchema.optional(),
  importanceSamples: z
    .int()
    .positive()
    .max(1 << 24)
    .optional(),
});
export const latentStatisticsSchema = z.strictObject({
  ...signalShape,
  tiling: tilingSchema.optional(),
  labels: labels.optional(),
  seed: seedSchema.optional(),
  /** Above this a dimension counts as in use. Default 0.01. */
  threshold: z.number().positive().default(ACTIVE_ABOVE),
});
export const reconstructSchema = z.strictObject({
  ...callShape,
  labels: labels.optional(),
  into: floats.optional(),
  seed: seedSchema.optional(),
  /** Decode a draw from the posterior rather than its mean. Default false. */
  sample: z.boolean().default(false),
});
export const sampleSchema = z.strictObject({
  ...callShape,
  labels: labels.optional(),
  seed: seedSchema.optional(),
  /** Standard deviation of the latents drawn; the prior's is 1. Default 1. */
  temperature: z.number().min(0).max(100).default(1),
});

const side = z
  .int()
  .positive()
  .max(1 << 20)
  .optional();
export const resizeSchema = z.strictObject({ height: side, width: side, length: side, frames: side });

export const quantizeSchema = z.strictObject({ ...signalShape, labels: labels.optional() });
export const operationSchema = z.enum(['encode', 'decode', 'reconstruct']);
export const warmUpSchema = z.strictObject({
  ...signalShape,
  batchSizes: z.array(z.int().positive()).min(1).default([1]),
  shape: z.array(z.int().positive()).optional(),
});

/** Says that a call was given no options; checking them can be left out. */
export const NO_OPTIONS: Readonly<Record<never, never>> = Object.freeze({});

/** Checks the options of a call that has to be quick. */
export function parseCall<S extends z.ZodType>(schema: S, options: unknown, where: string): z.output<S> {
  return options === NO_OPTIONS ? (NO_OPTIONS as z.output<S>) : parseOptions(schema, options, where);
}

export interface VaeSessionOptions {
  /** Threads inside one operator; 0 (default) lets ONNX Runtime choose: one per physical core. */
  readonly threads?: number;
  /**
   * Execution provider: `cpu` (default), `auto`, or another that the ONNX Runtime library offers, with
   * its options where there are any. `vae.provider` says which came out.
   */
  readonly provider?: ProviderInput;
  /**
   * Brings large pictures through in overlapping tiles with blended seams, in memory for one tile, where
   * a call does not say. For networks whose latents have the axes of the data. Default: no tiles.
   */
  readonly tiling?: TilingInput;
}

/** What Vae.fromOnnx() is made from. */
export interface FromOnnxOptions extends VaeSessionOptions {
  /** Path or bytes of the encoder: one float32 input, [N, ...data]. External data lies beside its file. */
  readonly encoder: string | Uint8Array;
  /** Path or bytes of the decoder: one float32 input, [N, ...latent], and one output, [N, ...data]. */
  readonly decoder: string | Uint8Array;
  /** Names of the encoder's outputs, where they cannot be told by themselves. */
  readonly outputs?: { readonly mean: string; readonly logVariance: string };
  /** What one example is; needed where the encoder's input leaves its sides open. */
  readonly input?: InputOptions;
  /**
   * How the decoder's output is compared with data. With `bernoulli`, a decoder that ends in Sigmoid is
   * taken before it (a change of layout may follow); another must give logits. Default `bernoulli`.
   */
  readonly likelihood?: LikelihoodInput;
  readonly objective?: ObjectiveInput;
  /**
   * Weights that are not trained: names such as `encoder.conv1.weight`, names with `*`, or patterns.
   * Default: none.
   */
  readonly freeze?: readonly (string | RegExp)[];
  /** Seed of training where fit() is given none. Default 0. */
  readonly seed?: Seed;
}

export interface LoadOptions extends VaeSessionOptions {
  /** The function of a model whose architecture is `custom`. */
  readonly build?: BuildNetwork;
}

/** Options of one call. */
export interface CallOptions extends RunOptions {
  /** See VaeSessionOptions. */
  readonly tiling?: TilingInput;
  /** Rows that go through a network at once at most; fewer need less memory. */
  readonly maxRows?: number;
}

/** Options of one call to a model that may be conditional. */
export interface LabelledOptions extends CallOptions {
  /**
   * For conditional models: the class number of all rows, or one for each. Default: the labels of the
   * batch, where it is a labelled dataset or `{ data, shape, labels }`.
   */
  readonly labels?: number | readonly number[] | Uint8Array | Int32Array | Uint32Array;
}

/** Options of calls whose results stay in the execution provider's memory. */
export type DeviceOptions = Pick<LabelledOptions, 'labels' | 'signal'>;

export interface EncodeOptions extends LabelledOptions {
  /**
   * The caller's own arrays to write into, of N × latent elements each: the results are those very
   * arrays. They are the library's until the promise settles, and the caller's again after.
   */
  readonly into?: { readonly mean?: Float32Array; readonly logVariance?: Float32Array };
}

export interface DecodeOptions extends LabelledOptions {
  /** The caller's own array of N × data elements to write into; as with EncodeOptions.into. */
  readonly into?: Float32Array;
}

export interface VaeOptions extends VaeSessionOptions {
  /** Name of an architecture, or `{ type, ...options }`. Default `mlp`. */
  readonly architecture?: ArchitectureInput;
  /** What one example is. */
  readonly input: InputOptions;
  /** Number of latent dimensions, of each place where latents are a map. Default: the architecture's own, mostly 32. */
  readonly latentDim?: number;
  /** Name of a likelihood, or `{ type, ...options }`. Default `bernoulli`. */
  readonly likelihood?: LikelihoodInput;
  /** Name of a posterior, or `{ type, ...options }`. Default `gaussian`. */
  readonly posterior?: PosteriorInput;
  /** Name of a prior, or `{ type, ...options }`. Default `standard`. */
  readonly prior?: PriorInput;
  /** What training makes small: the name of an objective, or `{ type, ...options }`. Default `elbo`. */
  readonly objective?: ObjectiveInput;
  /** Labels for encoder and decoder: a conditional VAE. Default: none. */
  readonly condition?: ConditionInput;
  /** Seed of the initial weights and, where fit() is given none, of training. Default 0. */
  readonly seed?: Seed;
}

export interface Encoding {
  /** Mean of q(z|x), float32 [N, latentDim]. */
  readonly mean: Tensor;
  /** Natural logarithm of the variance of q(z|x), float32 [N, latentDim]. */
  readonly logVariance: Tensor;
}

/** One value for each example, in nats. */
export interface Scores {
  /** Evidence lower bound, a lower bound of log p(x): −(reconstruction + kl). */
  readonly elbo: Float32Array;
  /** −log p(x|z) at one draw of z from the posterior. */
  readonly reconstruction: Float32Array;
  /** KL divergence of the posterior from the prior. */
  readonly kl: Float32Array;
  /**
   * With `importanceSamples`: the importance-weighted bound of log p(x) (Burda et al. 2016), at least as
   * tight as the ELBO and rising with the number of draws. The other figures are then means over the draws.
   */
  readonly importanceWeighted?: Float32Array;
}

export interface DrawOptions extends LabelledOptions {
  /** Default: a new draw with every call, the same sequence for the same model seed. */
  readonly seed?: Seed;
}

export interface ScoreOptions extends DrawOptions {
  /** Draws from the posterior of each example, for the importance-weighted bound. Default: one draw, no such bound. */
  readonly importanceSamples?: number;
}

export interface LatentStatisticsOptions extends Omit<DrawOptions, 'maxRows'> {
  /**
   * A dimension is in use where the variance of its posterior's mean, or for models of several layers its
   * divergence in nats, is above this. Default 0.01.
   */
  readonly threshold?: number;
}

export interface ReconstructOptions extends DrawOptions {
  /** As with DecodeOptions.into. */
  readonly into?: Float32Array;
  readonly sample?: boolean;
}

export interface SampleOptions extends DrawOptions {
  readonly temperature?: number;
}

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

export interface WarmUpOptions extends RunOptions {
  /** Default: one batch of 1. */
  readonly batchSizes?: readonly number[];
  /** Shape of the examples, for data whose sides are open. */
  readonly shape?: readonly number[];
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
