/** The models that come with the package: whole, as their cards say, and as good as their cards say. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { Vae } from '../src/index.js';
import { digits } from './support/digits.js';

const file = (name: string): string => fileURLToPath(new URL(`../models/mnist-mlp/${name}`, import.meta.url));

test('mnist-mlp scores what its card says', async () => {
  const card = await readFile(file('README.md'), 'utf8');
  const stated = Number(/\| (\d+\.\d+) \| \d+\.\d+ \| \d+\.\d+ \|/.exec(card)![1]);
  await using vae = await Vae.load('mnist-mlp');
  const { elbo } = await vae.score(digits(10_000, 't10k'), { seed: 0 });
  const loss = -elbo.reduce((sum, value) => sum + value, 0) / elbo.length;
  // Another processor's arithmetic moves the mean of 10,000 digits by far less than this.
  expect(Math.abs(loss - stated)).toBeLessThan(0.02);
});

test('mnist-mlp has the files of its card', async () => {
  const card = await readFile(file('README.md'), 'utf8');
  const rows = [...card.matchAll(/\| `([\w.]+)` \| `([0-9a-f]{64})` \|/g)];
  expect(rows.map(([, name]) => name)).toEqual(['config.json', 'encoder.onnx', 'decoder.onnx', 'summary.json']);
  for (const [, name, digest] of rows) {
    expect(
      createHash('sha256')
        .update(await readFile(file(name!)))
        .digest('hex'),
      name,
    ).toBe(digest);
  }
});
