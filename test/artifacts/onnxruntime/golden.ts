/** What onnxruntime-training 1.19.2 computed, and the inputs that it was given; see test/golden/make-onnxruntime-golden.py. */
import { readFileSync } from 'node:fs';
import { Tensor } from 'onnxruntime-common';
import type { ArtifactDirectory, TrainingSession } from '../../../src/index.js';
import { hash, hashedNormal, hashedPixels } from '../../golden/formula.js';

export const ROWS = 32;
const FOLDER = new URL('../../golden/onnxruntime/', import.meta.url);

export interface OrtGolden {
  readonly learningRate: number;
  readonly losses: readonly number[];
  readonly evaluated: number | null;
  readonly norms: Readonly<Record<string, number>>;
}

export const golden: Readonly<Record<string, OrtGolden>> = JSON.parse(
  readFileSync(new URL('losses.json', FOLDER), 'utf8'),
);

export function goldenPath(name: string): string {
  return new URL(name, FOLDER).pathname;
}

/** The directory, with the checkpoint that it shares where it has none of its own. */
export function directory(name: string): ArtifactDirectory {
  const shared = /^vae-(sgd|adamw-clip)$|^conv-sgd$/.test(name);
  const artifacts = goldenPath(name);
  return shared ? { artifacts, checkpoint: goldenPath(`${name.split('-')[0]}-adamw/checkpoint`) } : { artifacts };
}

function below(stream: number, dims: readonly number[], limit: number): Tensor {
  const count = dims.reduce((product, dim) => product * dim, 1);
  return new Tensor(
    'int64',
    BigInt64Array.from({ length: count }, (_, i) => BigInt(hash(stream, i) % limit)),
    dims,
  );
}

function numbers(values: Float32Array, dims: readonly number[]): Tensor {
  return new Tensor('float32', values, dims);
}

/** The inputs of one step. */
export function batch(name: string, step: number): Record<string, Tensor> {
  const [data, other] = [2 * step + 1, 2 * step + 2];
  const pixels = () => Float32Array.from(hashedPixels(data, ROWS * 784), (grey) => grey / 256);
  switch (name.split('-')[0]) {
    case 'vae':
      return { x: numbers(pixels(), [ROWS, 784]), noise: numbers(hashedNormal(other, ROWS * 8), [ROWS, 8]) };
    case 'block':
      return { tokens: below(data, [ROWS, 12], 50), labels: below(other, [ROWS, 50], 12) };
    case 'lstm':
    case 'gru':
      return { x: numbers(hashedNormal(data, ROWS * 20), [ROWS, 5, 4]), labels: below(other, [ROWS], 2) };
    default: {
      const labels = below(other, [ROWS], 10);
      const x = pixels();
      (labels.data as BigInt64Array).forEach((label, row) => {
        x.fill(1, row * 784 + Number(label) * 28, row * 784 + Number(label) * 28 + 28);
      });
      return { x: numbers(x, [ROWS, 1, 28, 28]), labels };
    }
  }
}

/** The losses of steps `first` to `last`, as a program for onnxruntime-training would get them. */
export async function train(
  session: TrainingSession,
  name: string,
  first: number,
  last: number,
  accumulate = 1,
): Promise<number[]> {
  const losses: number[] = [];
  for (let step = first; step < last; step += 1) {
    losses.push(Object.values(await session.trainStep(batch(name, step)))[0]!);
    if ((step + 1) % accumulate !== 0) continue;
    await session.optimizerStep();
    session.lazyResetGrad();
  }
  return losses;
}

export function worst(found: readonly number[], expected: readonly number[]): number {
  return Math.max(...found.map((value, index) => Math.abs(value / expected[index]! - 1)));
}
