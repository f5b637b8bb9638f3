/** How many shards a worker takes at once, by what the shards before took of its memory. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { Vae, writeNpy } from '../../src/index.js';
import { MemoryShare } from '../../src/jobs/fleet/share.js';
import { queueStatus, startWorker, submitJob } from '../../src/jobs/index.js';
import { HAS_REDIS, REDIS_MISSING, startRedis, type TestRedis } from '../support/redis.js';
import { temporaryFolder } from '../support/temporary.js';

const MB = 1e6;

/** Memory that is had by who has it: shards take theirs while they are worked on. */
function machine(bytes: number, most: number, left = Number.POSITIVE_INFINITY) {
  let used = 100 * MB;
  const share = new MemoryShare({ most, bytes, memory: { used: () => used, left: () => left } });
  /** As many shards as are allowed, begun and ended together; how many those were. */
  const round = (work: string, each: number, retained = 1): number => {
    const ends: ((done: boolean) => void)[] = [];
    const before = used;
    do {
      ends.push(share.begin(work));
      used = Math.max(used, 100 * MB + ends.length * each);
    } while (ends.length < share.atOnce);
    for (const end of ends) end(true);
    used = before + retained * (used - before);
    return ends.length;
  };
  return { share, round, used: () => used };
}

describe('shards at once', () => {
  it('are one at first, and then as many as there is memory for, one more each time', () => {
    const { round, used } = machine(1000 * MB, 16);
    const seen = Array.from({ length: 8 }, () => round('a', 200 * MB));
    expect(seen).toEqual([1, 2, 3, 4, 4, 4, 4, 4]);
    expect(used()).toBeLessThanOrEqual(1000 * MB);
  });

  it('are no more than there are processors, and one where not even that fits', () => {
    const small = machine(1000 * MB, 3);
    expect(Array.from({ length: 5 }, () => small.round('a', 10 * MB))).toEqual([1, 2, 3, 3, 3]);
    const large = machine(1000 * MB, 3);
    expect(Array.from({ length: 4 }, () => large.round('a', 5000 * MB))).toEqual([1, 1, 1, 1]);
  });

  it.each([50, 150, 300, 450, 700])('of work that was not seen before are one again, of %i MB each', (each) => {
    const { round, used } = machine(1000 * MB, 8);
    for (let turn = 0; turn < 8; turn += 1) round('a', 100 * MB, 0.5);
    const seen = Array.from({ length: 12 }, () => round('b', each * MB, 0.5));
    expect(seen[0]).toBe(1);
    expect(Math.max(...seen) * each).toBeLessThanOrEqual(900);
    expect(used()).toBeLessThanOrEqual(1000 * MB);
  });

  it('are fewer again where shards become larger', () => {
    const { round } = machine(1000 * MB, 8);
    for (let turn = 0; turn < 8; turn += 1) round('a', 100 * MB);
    expect(round('a', 100 * MB)).toBe(8);
    round('a', 300 * MB);
    expect(round('a', 300 * MB)).toBeLessThanOrEqual(3);
  });

  it('are no more while others have the memory of the machine', () => {
    const { round } = machine(1000 * MB, 8, 100 * MB);
    expect(Array.from({ length: 4 }, () => round('a', 200 * MB))).toEqual([1, 1, 1, 1]);
  });

  it('are not more after shards that failed', () => {
    const { share } = machine(1000 * MB, 8);
    for (let turn = 0; turn < 4; turn += 1) share.begin('a')(false);
    expect(share.atOnce).toBe(1);
  });
});

describe.skipIf(!HAS_REDIS)(
  `a worker that says nothing of shards at once${HAS_REDIS ? '' : `: ${REDIS_MISSING}`}`,
  () => {
    const folder = temporaryFolder('fleet-share');
    const at = (...parts: string[]) => join(folder, ...parts);
    let redis: TestRedis;
    beforeAll(async () => {
      redis = await startRedis(at('redis'));
      await mkdir(at('data'));
      const input = { kind: 'vector', length: 6 } as const;
      await using vae = await Vae.create({ input, architecture: { type: 'mlp', hidden: [8] }, latentDim: 2 });
      await vae.save(at('model'));
      await writeNpy(at('data', 'rows.npy'), { data: new Float32Array(200 * 6).fill(0.5), shape: [200, 6] });
    });
    afterAll(() => redis?.stop());

    const run = async (queue: string, memoryBytes: number): Promise<number[]> => {
      const seen: number[] = [];
      const log = {
        info: ({ concurrency }: { concurrency?: unknown }, message: string) => {
          if (message === 'shards at once') seen.push(Number(concurrency));
        },
        ...{ warn() {}, error() {} },
      };
      const worker = await startWorker({ redis: redis.url, queue, roots: [folder], memoryBytes, log });
      onTestFinished(() => worker.close());
      const job = await submitJob(
        {
          ...({ operation: 'encode', format: 'npy', shardSize: 20 } as const),
          ...{ model: at('model'), input: at('data'), output: at(queue) },
        },
        { redis: redis.url, queue },
      );
      onTestFinished(() => job.close());
      expect(await job.wait()).toMatchObject({ shards: 10, items: 200 });
      const [status] = (await queueStatus({ redis: redis.url, queue })).workers;
      expect(status!.concurrency).toBeLessThanOrEqual(worker.concurrency);
      return seen;
    };

    it('takes one where that has all of its memory', async () => {
      // More than the worker may have is had before it begins.
      const ballast = Buffer.alloc(2 ** 28, 1);
      expect(await run('narrow', ballast.length)).toEqual([]);
      expect(ballast.at(-1)).toBe(1);
    }, 60_000);

    it('takes one more after each, up to the processors', async () => {
      const seen = await run('wide', 2 ** 40);
      expect(seen).toEqual(Array.from(seen, (_, index) => index + 2));
    }, 60_000);
  },
);
