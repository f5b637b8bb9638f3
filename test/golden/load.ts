/**
 * Reads the golden numbers under test/golden: what PyTorch computed on given weights, batches and noise.
 * Each folder has the script that made it beside it; no test runs Python.
 */
import { readFileSync } from 'node:fs';
import { hashedNormal, hashedPixels, hashedSign, hashedUniform } from './formula.js';

/** A tensor in full, flat and row-major. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export interface GoldenNet {
  readonly inputDim: number;
  /** Widths of the encoder's hidden layers; the decoder has them in reverse. */
  readonly hidden: readonly number[];
  readonly latentDim: number;
  readonly activation: string;
  /** `gaussian`: variance 1. `gaussian-learned`: one learned log-variance, `likelihood.log_variance`. */
  readonly likelihood: 'bernoulli' | 'gaussian' | 'gaussian-learned';
}

/** Means over the batch, in nats. */
export interface GoldenTerms {
  readonly loss: number;
  readonly reconstruction: number;
  readonly kl: number;
}

export interface GoldenPerExample {
  readonly loss: Float32Array;
  readonly reconstruction: Float32Array;
  readonly kl: Float32Array;
}

export interface GoldenCase {
  readonly net: GoldenNet;
  readonly klWeight: number;
  readonly terms: GoldenTerms;
  /** The same from a computation in float64. */
  readonly terms64: GoldenTerms;
  readonly perExample?: GoldenPerExample;
  /** `mean` and `log_variance` [batch, latentDim], `output` (logits or means) [batch, inputDim]. */
  readonly outputs?: Readonly<Record<'mean' | 'log_variance' | 'output', Float32Array>>;
  readonly gradients: Readonly<Record<string, GoldenTensor>>;
}

export type GoldenOptimizer = { readonly learningRate: number; readonly clipGradientNorm?: number } & (
  | {
      readonly type: 'sgd';
      readonly momentum: number;
      readonly nesterov: boolean;
      readonly dampening: number;
      readonly weightDecay: number;
    }
  | {
      readonly type: 'adam' | 'adamw';
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly weightDecay: number;
    }
);

export interface GoldenHistory extends GoldenPerExample {
  /** Global norm before clipping. */
  readonly gradientNorm: Float32Array;
}

export interface GoldenTraining<T = GoldenTensor> {
  readonly optimizer: GoldenOptimizer;
  readonly steps: number;
  readonly parameters: Readonly<Record<string, T>>;
  /** One value for each step. */
  readonly history: GoldenHistory;
}

/** A small net in full. Step k trains on rows[indices[k]] with noise epsilons[k]. */
export interface SmallVaeGolden {
  readonly batchSize: number;
  readonly weights: Readonly<Record<string, GoldenTensor>>;
  /** [28, 36], multiples of 1/256. */
  readonly rows: GoldenTensor;
  readonly indices: readonly (readonly number[])[];
  /** [steps, batchSize, latentDim]. */
  readonly epsilons: GoldenTensor;
  /** Step 0 before training. */
  readonly case: GoldenCase;
  readonly weightedCase: GoldenCase;
  readonly optimizers: Readonly<Record<string, GoldenTraining>>;
}

/** A net with its own weights; rows, indices and noise are those of the small golden. */
export interface VariantGolden extends GoldenCase {
  readonly weights: Readonly<Record<string, GoldenTensor>>;
  readonly trained: GoldenTraining;
}

/** What stands for a tensor too large to store. */
export interface GoldenDigest {
  readonly shape: readonly number[];
  /** L2. */
  readonly norm: number;
  readonly norm64?: number;
  readonly sampleIndices: readonly number[];
  readonly samples: Float32Array;
  /** Inner products with the hashed vectors of +1 and -1. */
  readonly projections: readonly number[];
}

/** The VAE 784-400-20 at batch 128. Step k trains on rows 128 k to 128 k + 127. */
export interface FullVaeGolden {
  readonly net: GoldenNet;
  readonly klWeight: number;
  readonly batchSize: number;
  readonly weights: Readonly<Record<string, GoldenTensor>>;
  /** [2560, 784], grey values; the golden batches are these over 256. */
  readonly rows: Uint8Array;
  /** [20, 128, 20]. */
  readonly epsilons: Float32Array;
  readonly terms: GoldenTerms;
  readonly terms64: GoldenTerms;
  readonly perExample: GoldenPerExample;
  readonly gradients: Readonly<Record<string, GoldenDigest>>;
  readonly trained: GoldenTraining<GoldenDigest> & {
    /** Parameters after training minus those before. */
    readonly updates: Readonly<Record<string, GoldenDigest>>;
  };
  readonly projectionStream: number;
}

/** test/golden/vae/small.json. */
export function loadSmallVae(): SmallVaeGolden {
  return read('vae/small.json');
}

/** test/golden/vae/activations.json: the small net with each activation, by the activation's name. */
export function loadActivationCases(): Readonly<Record<string, GoldenCase>> {
  return read<{ cases: Record<string, GoldenCase> }>('vae/activations.json').cases;
}

/** test/golden/vae/variants.json: other likelihoods and depths. */
export function loadVaeVariants(): Readonly<Record<string, VariantGolden>> {
  return read<{ cases: Record<string, VariantGolden> }>('vae/variants.json').cases;
}

/** test/golden/vae/full.json, with weights, rows and noise made from its formulas. */
export function loadFullVae(): FullVaeGolden {
  interface Hashed {
    readonly shape: readonly number[];
    readonly stream: number;
    readonly scale: number;
  }
  const { weights, inputs, ...rest } = read<
    Omit<FullVaeGolden, 'weights' | 'rows' | 'epsilons'> & {
      weights: Record<string, Hashed>;
      inputs: { rows: Hashed & { start: Float32Array }; epsilons: Hashed & { start: Float32Array } };
    }
  >('vae/full.json');
  const rows = hashedPixels(inputs.rows.stream, count(inputs.rows.shape));
  const epsilons = hashedNormal(inputs.epsilons.stream, count(inputs.epsilons.shape));
  inputs.rows.start.forEach((value, i) => {
    if (value !== rows[i]! / 256) throw new Error(`golden rows: element ${i} is ${rows[i]! / 256}, not ${value}`);
  });
  inputs.epsilons.start.forEach((value, i) => {
    if (value !== epsilons[i]) throw new Error(`golden noise: element ${i} is ${epsilons[i]}, not ${value}`);
  });
  const tensors = Object.entries(weights).map(([name, { shape, stream, scale }]) => {
    return [name, { shape, values: hashedUniform(stream, count(shape), scale) }] as const;
  });
  return { ...rest, weights: Object.fromEntries(tensors), rows, epsilons };
}

/** |actual - expected| / |expected|, L2. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i += 1) {
    difference += (actual[i]! - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
  }
  return norm === 0 ? Math.sqrt(difference) : Math.sqrt(difference / norm);
}

/**
 * How far a tensor is from a digest, relative to the digest's norm. Samples estimate the L2 distance of all
 * elements; each projection is as large as the norm for a tensor that differs everywhere; the largest counts.
 */
export function digestError(actual: ArrayLike<number>, digest: GoldenDigest, projectionStream: number): number {
  const size = count(digest.shape);
  if (actual.length !== size) return Number.POSITIVE_INFINITY;
  let square = 0;
  for (let i = 0; i < size; i += 1) square += actual[i]! ** 2;
  const errors = [Math.abs(Math.sqrt(square) - digest.norm)];
  const sampled = digest.sampleIndices.reduce((sum, where, i) => sum + (actual[where]! - digest.samples[i]!) ** 2, 0);
  errors.push(Math.sqrt((sampled * size) / digest.samples.length));
  digest.projections.forEach((expected, k) => {
    let sum = 0;
    for (let i = 0; i < size; i += 1) sum += hashedSign(projectionStream + k, i) * actual[i]!;
    errors.push(Math.abs(sum - expected));
  });
  const worst = Math.max(...errors.map((error) => (Number.isNaN(error) ? Number.POSITIVE_INFINITY : error)));
  return digest.norm === 0 ? worst : worst / digest.norm;
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Arrays of numbers under these keys are tensor elements; others (shapes, indices) stay plain arrays. */
const FLOAT_KEYS = new Set([
  'values',
  'samples',
  'start',
  'loss',
  'reconstruction',
  'kl',
  'gradientNorm',
  'mean',
  'log_variance',
  'output',
]);

function read<T>(path: string): T {
  const text = readFileSync(new URL(path, import.meta.url), 'utf8');
  return JSON.parse(text, (key, value) =>
    FLOAT_KEYS.has(key) && Array.isArray(value) ? Float32Array.from(value) : value,
  ) as T;
}
