/** Options of the ways to come by a model. */
import { z } from 'zod';
import { buildNetworkSchema } from '../architectures/custom.js';
import { posteriorSchema } from '../architectures/onnx.js';
import { recipeShape } from '../architectures/vae-network.js';
import { importShape } from '../artifacts/import-onnx.js';
import type { InputOf } from '../core/options.js';
import { seedSchema } from '../core/seed.js';
import { tilingSchema } from '../inference/rows/tiling.js';
import { providerSchema } from '../inference/sessions/providers.js';

const sessionShape = {
  /** Threads inside one operator; 0 lets ONNX Runtime choose: one per physical core. Default 0. */
  threads: z.int().min(0).max(1024).default(0),
  /**
   * Execution provider: `cpu`, `auto`, or another that the ONNX Runtime library offers, with its options where
   * there are any. `vae.provider` says which came out. Default `cpu`.
   */
  provider: providerSchema.default('cpu'),
  /**
   * Brings large pictures through in overlapping tiles with blended seams, in memory for one tile, where
   * a call does not say. For networks whose latents have the axes of the data. Default: no tiles.
   */
  tiling: tilingSchema.optional(),
  /**
   * Gives the same bits on every processor (AVX-512, AVX2, SSE, arm64), with any number of threads: for tests that hold
   * results against stored ones. Everything that the model does takes part: encode, decode, sample, score and fit. Several
   * times slower. Default false.
   */
  deterministic: z.boolean().default(false),
};

const sessionSchema = z.strictObject(sessionShape);

export interface VaeSessionOptions extends InputOf<typeof sessionSchema> {}

export const createSchema = z.strictObject({
  ...recipeShape,
  /** Seed of the initial weights and, where fit() is given none, of training. Default 0. */
  seed: seedSchema.default(0),
  ...sessionShape,
});

/** What Vae.create() makes a model of. */
export interface VaeOptions extends InputOf<typeof createSchema> {}

export const loadSchema = z.strictObject({
  ...sessionShape,
  /** The function of a model whose architecture is `custom`. */
  build: buildNetworkSchema.optional(),
});

export interface LoadOptions extends InputOf<typeof loadSchema> {}

export const fromOnnxSchema = z.strictObject({ ...importShape, ...sessionShape });

/** What Vae.fromOnnx() is made from. */
export interface FromOnnxOptions extends InputOf<typeof fromOnnxSchema> {}

const OUTPUTS =
  'expected names of outputs: { mean, logVariance }, { mean, variance }, { mean, std }, { mean, logStd }, { moments } or { point }';

const pairSchema = z.strictObject({
  encoder: z.string().min(1),
  decoder: z.string().min(1),
  outputs: z.union([posteriorSchema, z.strictObject({ point: z.string() })], OUTPUTS).optional(),
  range: z.enum(['unit', 'symmetric']).default('unit'),
});

export const sourceSchema = z.union([z.string().min(1), pairSchema], {
  error: 'expected the path of a model directory, the name of a model, or { encoder, decoder }',
});
