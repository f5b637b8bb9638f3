/** The soak in small: what `npm run check:soak` does 500 and 200 times. */
import { expect, test } from 'vitest';
import { soak } from '../../scripts/soak/soak.js';

test('forty lives of a model in one process leave neither files nor handles, and end by themselves', async () => {
  const { moreFiles, left, bytesPerRound } = await soak('rounds', 40);
  expect({ moreFiles, left }).toEqual({ moreFiles: 0, left: [] });
  // The allocator still settles in the first twenty rounds; a model that is never freed is more than this.
  expect(bytesPerRound).toBeLessThan(2_000_000);
}, 240_000);

test('fifteen workers terminated at any moment leave the process working', async () => {
  const { moreFiles, left } = await soak('workers', 15);
  expect(left).toBe(true);
  expect(moreFiles).toBeLessThanOrEqual(0);
}, 240_000);
