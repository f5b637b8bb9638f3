/** checkpoint.safetensors: everything a training run needs to go on as if it had never stopped. */
import { z } from 'zod';
import { elementCount } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import { describeIssue } from '../core/options.js';
import type { ArtifactsManifest } from './manifest.js';
import {
  decodeSafeTensors,
  encodeSafeTensors,
  float32Elements,
  float32Tensor,
  type SafeTensor,
} from './safetensors.js';

const termsSchema = z.object({ loss: z.number(), reconstruction: z.number(), kl: z.number() });
/** Of an epoch: what is no number, as where every batch was skipped, stands as null in JSON. */
const term = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);
const epochTermsSchema = z.object({ loss: term, reconstruction: term, kl: term });

/** What the fit loop remembers. Any other number that is not finite stands as null in JSON and is refused. */
const loopSchema = z.object({
  epochs: z.array(
    z.object({
      kind: z.literal('epoch'),
      epoch: z.int(),
      epochs: z.int(),
      train: epochTermsSchema,
      validation: epochTermsSchema.optional(),
      latents: z
        .object({
          units: z.int(),
          activeUnits: z.int(),
          klPerDimension: z.array(z.number()).optional(),
          collapsed: z.int().optional(),
          rows: z.int(),
        })
        .optional(),
      learningRate: z.number(),
      klWeight: z.number().optional(),
      gradientNorm: z.number().optional(),
      updateNorm: z.number().optional(),
      step: z.int().optional(),
      seconds: z.number(),
      examplesPerSecond: z.number(),
      secondsLeft: z.number().optional(),
    }),
  ),
  partial: termsSchema.extend({
    seen: z.number(),
    steps: z.int().default(0),
    gradientNorm: z.number().default(0),
    updateNorm: z.number().default(0),
  }),
  rateScale: z.number(),
  klScale: z.number().default(1),
  klWeight: z.number().default(0),
  best: z.object({ epoch: z.int(), loss: z.number() }).optional(),
  toldOfCollapse: z.boolean().default(false),
  /** Of the training data. */
  fingerprint: z.string(),
});

/** Where a run stands. Random numbers are drawn by counter, so the seed and the counts are the random state. */
const progressSchema = z.object({
  /** Optimizer steps taken. */
  step: z.int().min(0),
  /** Batches seen, the counter of the random numbers. */
  microBatch: z.int().min(0),
  /** Whole epochs done, and examples done of the one under way. */
  epoch: z.int().min(0),
  position: z.int().min(0),
  /** Batches in the accumulator that no step has used yet. */
  pending: z.int().min(0),
  seed: z.string().regex(/^\d+$/),
  learningRate: z.number(),
  /** Name of the optimizer whose moments these are; absent before the first fit. */
  optimizer: z.string().optional(),
  /** Absent before the first fit. */
  loop: loopSchema.optional(),
});

export interface CheckpointProgress extends z.output<typeof progressSchema> {}

/** One flat buffer for each kind of state, in the order of the manifest's parameters. */
export interface Checkpoint {
  readonly manifest: Pick<ArtifactsManifest, 'parameters' | 'states'>;
  readonly parameters: Float32Array;
  readonly slots: Partial<Record<CheckpointSlot, Float32Array>>;
  readonly states: Readonly<Record<string, Float32Array>>;
  readonly progress: CheckpointProgress;
}

export const CHECKPOINT_SLOTS = ['moment1', 'moment2', 'ema', 'accumulator'] as const;
export type CheckpointSlot = (typeof CHECKPOINT_SLOTS)[number];

const FORMAT = 'node-vae.checkpoint';
const VERSION = 1;

/** The state before the first step. */
export function freshCheckpoint(
  manifest: ArtifactsManifest,
  initial: (name: string) => Float32Array,
  seed = 0n,
): Checkpoint {
  const total = manifest.parameters.reduce((sum, { dims }) => sum + elementCount(dims), 0);
  const parameters = new Float32Array(total);
  let offset = 0;
  for (const { name, dims } of manifest.parameters) {
    parameters.set(initial(name), offset);
    offset += elementCount(dims);
  }
  const states = Object.fromEntries(manifest.states.map(({ name }) => [name, initial(name)]));
  const progress = {
    step: 0,
    microBatch: 0,
    epoch: 0,
    position: 0,
    pending: 0,
    seed: String(seed),
    learningRate: 0,
  };
  return { manifest, parameters, slots: {}, states, progress };
}

/** The file as chunks; arrays are borrowed. */
export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array[] {
  const tensors = new Map<string, SafeTensor>();
  const addFlat = (prefix: string, flat: Float32Array): void => {
    let offset = 0;
    for (const { name, dims } of checkpoint.manifest.parameters) {
      const count = elementCount(dims);
      tensors.set(prefix + name, float32Tensor(flat.subarray(offset, offset + count), dims));
      offset += count;
    }
  };
  addFlat('', checkpoint.parameters);
  for (const slot of CHECKPOINT_SLOTS) {
    const flat = checkpoint.slots[slot];
    if (flat) addFlat(`${slot}/`, flat);
  }
  for (const { name, dims } of checkpoint.manifest.states) {
    tensors.set(name, float32Tensor(checkpoint.states[name]!, dims));
  }
  return encodeSafeTensors({
    tensors,
    metadata: { format: FORMAT, version: String(VERSION), progress: JSON.stringify(checkpoint.progress) },
  });
}

/**
 * Reads a checkpoint for the model that `manifest` describes.
 *
 * @throws VaeError ERR_VAE_FORMAT where the file is damaged or of a newer version,
 *   ERR_VAE_REPRODUCIBILITY where it belongs to another model.
 */
export function decodeCheckpoint(
  bytes: Uint8Array,
  manifest: Pick<ArtifactsManifest, 'parameters' | 'states'>,
  where: string,
): Checkpoint {
  const { tensors, metadata } = decodeSafeTensors(bytes, where);
  if (metadata['format'] !== FORMAT) {
    throw new VaeError('ERR_VAE_FORMAT', `${where} is a safetensors file but not a checkpoint of node-vae.`);
  }
  if (metadata['version'] !== String(VERSION)) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `${where} is a checkpoint of version ${metadata['version']}, this node-vae reads version ${VERSION}; upgrade node-vae.`,
    );
  }
  const take = (name: string, dims: readonly number[], required: boolean): Float32Array | undefined => {
    const tensor = tensors.get(name);
    if (tensor === undefined && !required) return undefined;
    const shape = tensor?.dims.join(', ');
    if (tensor === undefined || shape !== dims.join(', ')) {
      const found = tensor === undefined ? 'has none of that name' : `has shape [${shape}]`;
      throw new VaeError(
        'ERR_VAE_REPRODUCIBILITY',
        `${where} belongs to another model: parameter "${name}" should have shape [${dims.join(', ')}], the file ${found}.`,
      );
    }
    return float32Elements(tensor, `${where}, tensor "${name}"`);
  };
  const flat = (prefix: string, required: boolean): Float32Array | undefined => {
    const parts = manifest.parameters.map(({ name, dims }) => take(prefix + name, dims, required));
    if (parts.some((part) => part === undefined)) return undefined;
    const whole = new Float32Array(parts.reduce((sum, part) => sum + part!.length, 0));
    let offset = 0;
    for (const part of parts) {
      whole.set(part!, offset);
      offset += part!.length;
    }
    return whole;
  };
  const slots: Partial<Record<CheckpointSlot, Float32Array>> = {};
  for (const slot of CHECKPOINT_SLOTS) {
    const values = flat(`${slot}/`, false);
    if (values) slots[slot] = values;
  }
  const states = Object.fromEntries(manifest.states.map(({ name, dims }) => [name, take(name, dims, true)!.slice()]));
  return { manifest, parameters: flat('', true)!, slots, states, progress: readProgress(metadata['progress'], where) };
}

function readProgress(text: string | undefined, where: string): CheckpointProgress {
  let value: unknown;
  try {
    value = JSON.parse(text ?? '');
  } catch (cause) {
    throw new VaeError('ERR_VAE_FORMAT', `${where}: its progress is not JSON.`, { cause });
  }
  const result = progressSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => describeIssue(issue, value)).join('; ');
  throw new VaeError('ERR_VAE_FORMAT', `${where}: its progress is not valid: ${problems}.`);
}
