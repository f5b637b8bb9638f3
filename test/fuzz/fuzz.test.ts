/**
 * Thousands of damaged inputs for every parser of bytes from outside, the same in every run: each is read or
 * refused with an error of ours, soon, and without taking memory or writing elsewhere. `npm run check:fuzz` goes on
 * with others for as long as it is told to.
 */
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/temporary.js';
import { fuzzOne } from './target.js';
import { makeTargets } from './targets.js';

describe('damaged inputs', async () => {
  const folder = temporaryFolder('fuzz');
  const targets = await makeTargets(folder);

  test.each(targets)('$name', { timeout: 240_000 }, async (target) => {
    const outcomes = { accepted: 0, refused: 0 };
    const before = process.memoryUsage().rss;
    for (let seed = 0; seed < target.rounds; seed += 1) await fuzzOne(target, seed, outcomes);
    // Damage that is always or never noticed tests nothing.
    expect(outcomes.refused).toBeGreaterThan(target.rounds / 20);
    expect(outcomes.accepted + outcomes.refused).toBe(target.rounds);
    expect(process.memoryUsage().rss - before).toBeLessThan(400e6);
  });
});
