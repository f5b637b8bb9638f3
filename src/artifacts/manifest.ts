/** What an artifact's graphs are made of, kept as JSON in their own metadata. */
import { z } from 'zod';
import { VaeError } from '../core/errors.js';
import { describeIssue } from '../core/options.js';
import type { Model } from '../graph/ir.js';
import { optimizerSchema } from './optimizer-options.js';

const KEY = 'node-vae.artifacts';
const dims = z.array(z.int().min(0));

export const manifestSchema = z.object({
  version: z.literal(1, { error: 'made by a newer version of node-vae; upgrade node-vae' }),
  /** Output to minimise. */
  loss: z.string(),
  /** Scalar outputs of the training graph, the loss first. */
  scalars: z.array(z.string()),
  /** Outputs of the eval graph with one value per example. */
  perExample: z.array(z.string()),
  /** Trainable parameters in the order of the flat buffer. */
  parameters: z.array(z.object({ name: z.string(), dims, gradient: z.string(), decay: z.boolean() })),
  /** Values the graph carries from step to step. */
  states: z.array(z.object({ name: z.string(), dims, output: z.string() })),
  /** Inputs other than parameters and states. */
  inputs: z.array(z.string()),
  optimizer: optimizerSchema,
  clipGradientNorm: z.number().positive().optional(),
  /** What the gradients of several batches make: their mean (where it is not said), or their sum. */
  accumulation: z.enum(['mean', 'sum']).optional(),
});

export type ArtifactsManifest = z.output<typeof manifestSchema>;

export function writeManifest(model: Model, manifest: ArtifactsManifest): void {
  model.metadata.set(KEY, JSON.stringify(manifest));
}

/** @throws VaeError ERR_VAE_FORMAT where the model carries none, or one of a newer version. */
export function readManifest(model: Model, where: string): ArtifactsManifest {
  const text = model.metadata.get(KEY);
  if (text === undefined) {
    throw new VaeError('ERR_VAE_FORMAT', `${where} is not a training artifact: it has no "${KEY}" metadata.`);
  }
  return parseManifest(text, where);
}

function parseManifest(text: string, where: string): ArtifactsManifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new VaeError('ERR_VAE_FORMAT', `${where}: its "${KEY}" metadata is not JSON.`, { cause });
  }
  const result = manifestSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => describeIssue(issue, value)).join('; ');
  throw new VaeError('ERR_VAE_FORMAT', `${where}: its "${KEY}" metadata is not valid: ${problems}.`);
}
