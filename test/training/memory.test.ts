import { expect, test } from 'vitest';
import { Vae } from '../../src/index.js';
import { digits } from '../support/digits.js';

const MEGABYTE = 2 ** 20;

/** Garbage and allocator slack may come and go; a leak of one batch per step would be 180 MB. */
const SLACK = 32 * MEGABYTE;

test('2,000 steps of training need no more memory than 200', async () => {
  await using vae = await Vae.create({
    input: { kind: 'image', height: 28, width: 28, channels: 1 },
    latentDim: 20,
    seed: 1,
  });
  // 100 steps an epoch.
  const train = digits(3200);
  const resident: number[] = [];
  await vae.fit(train, {
    epochs: 20,
    batchSize: 32,
    onProgress: (event) => {
      if (event.kind === 'epoch') resident.push(process.memoryUsage.rss());
    },
  });
  expect(resident).toHaveLength(20);
  const afterWarmUp = resident[1]!;
  const later = Math.max(...resident.slice(10));
  expect((later - afterWarmUp) / MEGABYTE).toBeLessThan(SLACK / MEGABYTE);
});
