/** What a training run takes where nobody says: from the look of the data. */

import type { Dataset, InputOptions } from '../index.js';
import { CliError } from './errors.js';

/** [C, H, W] and [H, W] are pictures, [D] is a vector. */
export function chooseInput(dataset: Dataset): InputOptions {
  const { rowShape } = dataset;
  const [a, b, c] = rowShape as [number, number, number];
  if (rowShape.length === 1) return { kind: 'vector', length: a };
  if (rowShape.length === 2) return { kind: 'image', height: a, width: b, channels: 1 };
  if (rowShape.length === 3) return { kind: 'image', height: b, width: c, channels: a };
  throw new CliError(
    'ERR_VAE_SHAPE',
    `Rows of shape [${rowShape.join(', ')}] are neither vectors [size] nor pictures [channels, height, width].`,
  );
}

/** One class for each that the data's labels name; what else is asked of labels stays. */
export function chooseCondition({ labels }: Dataset, given: unknown): object {
  if (labels !== undefined) return { classes: labels.classes.length, ...(given as object | undefined) };
  throw new CliError(
    'ERR_VAE_DATA',
    '--conditional: the data has no labels. Give them with --labels FILE, or train on a folder with the MNIST names.',
  );
}

/** Values from 0 to 1 (8-bit ones stand for fractions) are Bernoulli, others Gaussian. */
export async function chooseLikelihood(dataset: Dataset, signal: AbortSignal): Promise<'bernoulli' | 'gaussian'> {
  if (dataset.dtype === 'uint8') return 'bernoulli';
  for await (const { data } of dataset.batch(4096, { signal })) {
    for (const value of data) if (value < 0 || value > 1) return 'gaussian';
  }
  return 'bernoulli';
}
