/** The experiments of `npm run reproduce`: models that can be made, trials that run, data binarised as it should be. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { binarise } from '../../scripts/reproduce/data.js';
import { EXPERIMENTS, INPUT } from '../../scripts/reproduce/experiments.js';
import { Vae } from '../../src/index.js';
import { meanOf } from '../support/evaluate.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe.each(Object.entries(EXPERIMENTS))('%s', (_, { model, limit, published }) => {
  test('its model can be made, and its limit is above what others reached', async () => {
    await using vae = await Vae.create({ ...model, input: INPUT });
    expect(vae.dataShape).toEqual([1, 28, 28]);
    // A floor to pass, not a place to stop: somebody has published better.
    expect(Math.min(...published.map(({ figure }) => figure))).toBeLessThan(limit);
  });
});

test('binarised images are the same every time and as bright on average', () => {
  const grey = Uint8Array.from({ length: 200_000 }, (_, index) => index % 256);
  const first = binarise(grey, 1);
  expect(binarise(grey, 1)).toEqual(first);
  expect(binarise(grey, 2)).not.toEqual(first);
  expect(new Set(first)).toEqual(new Set([0, 1]));
  expect(Math.abs(meanOf(first) - meanOf(grey) / 255)).toBeLessThan(5e-3);
  const bright = first.filter((_, index) => index % 256 >= 192);
  expect(meanOf(bright)).toBeGreaterThan(0.85);
});

test('an unknown experiment is refused with the names there are', async () => {
  const run = promisify(execFile)(process.execPath, ['--import', 'tsx', 'scripts/reproduce/run.ts', 'nothing'], {
    cwd: root,
  });
  await expect(run).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('mnist-mlp-iwae') });
  expect(existsSync(new URL('../../models/results/nothing.json', import.meta.url))).toBe(false);
});
