/** What a directory of onnxruntime-training is, told without opening a session. */
import { join } from 'node:path';
import { elementCount } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import type { OptimizerConfig } from '../optimizer-options.js';
import { isOrtDirectory, readOrtCheckpoint, readOrtDirectory } from './directory.js';
import { findHalves } from './halves.js';

export interface DescribedTensor {
  readonly name: string;
  readonly dims: readonly number[];
}

/** A directory that onnxruntime-training made. */
export interface ArtifactsDescription {
  readonly format: 'onnxruntime';
  /** Names and types only: nothing to train or to run. */
  readonly nominal: boolean;
  readonly parameters: readonly DescribedTensor[];
  readonly frozen: readonly DescribedTensor[];
  readonly parameterCount: number;
  /** Optimizer steps taken; 0 for a checkpoint without optimizer state. */
  readonly step: number;
  readonly properties: Readonly<Record<string, number | string>>;
  /** Absent where the graphs cannot be trained here; `problem` then says why. */
  readonly inputs?: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly (number | string)[];
  }[];
  readonly loss?: string;
  readonly optimizer?: OptimizerConfig;
  readonly clipGradientNorm?: number;
  /** Of a VAE whose loss takes data and noise: what is what. */
  readonly vae?: {
    readonly data: string;
    readonly noise: string;
    readonly mean: string;
    readonly logVariance: string;
    readonly likelihood: 'bernoulli' | 'gaussian';
  };
  readonly problem?: string;
}

/**
 * @returns undefined where the directory is none of onnxruntime-training.
 * @throws VaeError ERR_VAE_IO, ERR_VAE_FORMAT for a checkpoint that cannot be read.
 */
export async function describeArtifacts(directory: string): Promise<ArtifactsDescription | undefined> {
  if (!(await isOrtDirectory(directory))) return undefined;
  const checkpoint = await readOrtCheckpoint(join(directory, 'checkpoint')).catch((error: unknown) =>
    readOrtCheckpoint(join(directory, 'nominal_checkpoint')).catch(() => Promise.reject(error)),
  );
  const shape = ({ name, dims }: DescribedTensor): DescribedTensor => ({ name, dims });
  const held = {
    format: 'onnxruntime' as const,
    nominal: checkpoint.nominal,
    parameters: checkpoint.trainable.map(shape),
    frozen: checkpoint.frozen.map(shape),
    parameterCount: checkpoint.trainable.reduce((sum, { dims }) => sum + elementCount(dims), 0),
    step: checkpoint.groups[0]?.step ?? 0,
    properties: Object.fromEntries(checkpoint.properties.map(({ name, value }) => [name, value])),
  };
  try {
    const { evaluation, loss, optimizer } = await readOrtDirectory(directory);
    const vae = vaeOf(evaluation, loss);
    return {
      ...held,
      inputs: evaluation.graph.inputs.map(({ name, dtype, shape: dims }) => ({ name, dtype, shape: dims ?? [] })),
      loss,
      optimizer: optimizer.optimizer,
      ...(optimizer.clipGradientNorm === undefined ? {} : { clipGradientNorm: optimizer.clipGradientNorm }),
      ...(vae && { vae }),
    };
  } catch (error) {
    if (!(error instanceof VaeError)) throw error;
    return { ...held, problem: error.message };
  }
}

function vaeOf(...[model, loss]: [Parameters<typeof findHalves>[0], string]): ArtifactsDescription['vae'] {
  try {
    const { data, noise, mean, logVariance, likelihood } = findHalves(model, loss, 'It');
    return { data: data.name, noise: noise.name, mean, logVariance, likelihood };
  } catch {
    return undefined;
  }
}
