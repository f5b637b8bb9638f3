/** config.json of a model directory: what the model is, and the checksums of its files. */
import { z } from 'zod';
import { recipeShape } from '../architectures/vae-network.js';
import { VaeError } from '../core/errors.js';
import { describeIssue } from '../core/options.js';

export const MODEL_FORMAT = 'node-vae.model';
export const MODEL_VERSION = 1;

const fileSchema = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  byteLength: z.int().min(0),
});

const sizes = z
  .array(
    z
      .int()
      .positive()
      .max(1 << 24),
  )
  .max(8);

/** What the graphs of a model in 8-bit integers take and give: without its parameters, its recipe cannot say. */
const quantizedSchema = z.strictObject({
  dataShape: sizes.min(1),
  latentShape: sizes.min(1),
  /** Data elements for each latent element along every spatial axis. */
  downsampling: z.int().positive().optional(),
  /** Elements of one row of the widest value inside the networks. */
  widest: z.int().positive().optional(),
  layers: z.array(z.strictObject({ name: z.string(), size: z.int().positive() })).min(1),
  /** Whether the encoder gives a log-variance besides the mean. */
  hasVariance: z.boolean(),
  /** What prior.onnx takes. */
  priorNoise: z
    .array(z.strictObject({ name: z.string(), kind: z.enum(['normal', 'uniform']), dims: sizes }))
    .optional(),
  /** Whether draws from the posterior need posterior.onnx. */
  posteriorGraph: z.boolean(),
});

export type QuantizedConfig = z.output<typeof quantizedSchema>;

const configSchema = z.strictObject({
  format: z.literal(MODEL_FORMAT),
  version: z.literal(MODEL_VERSION),
  ...recipeShape,
  latentDim: z.int().positive(),
  /** Seed of the initial weights and of training, in decimal. */
  seed: z.string().regex(/^\d{1,20}$/),
  parameterCount: z.int().min(0),
  /** How files become rows; the layer of data knows what it says. */
  data: z.record(z.string(), z.unknown()).optional(),
  /** Of models in 8-bit integers. */
  quantized: quantizedSchema.optional(),
  /** Checksum and length of each file of the model, by its name in the directory. */
  files: z.record(z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*(\/[A-Za-z0-9_][A-Za-z0-9_.-]*)?$/), fileSchema),
});

export type ModelConfig = z.output<typeof configSchema>;

/**
 * Reads config.json.
 *
 * @throws VaeError ERR_VAE_FORMAT naming what is wrong: not JSON, another format, a newer version,
 *   an unknown or invalid entry.
 */
export function parseConfig(text: string, where: string): ModelConfig {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new VaeError('ERR_VAE_FORMAT', `${where} is not JSON: the file is truncated or damaged.`, { cause });
  }
  const { format, version } = (value ?? {}) as { format?: unknown; version?: unknown };
  if (format !== MODEL_FORMAT) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `${where} is not the config of a node-vae model: "format" should be "${MODEL_FORMAT}".`,
    );
  }
  if (typeof version === 'number' && version > MODEL_VERSION) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `${where} was written by a newer node-vae (format version ${version}, this one reads ${MODEL_VERSION}): upgrade node-vae.`,
    );
  }
  const result = configSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => describeIssue(issue, value, configSchema)).join('; ');
  throw new VaeError('ERR_VAE_FORMAT', `${where} is not valid: ${problems}.`);
}
