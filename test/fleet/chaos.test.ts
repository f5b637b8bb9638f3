/**
 * Workers are killed, Redis is restarted, the network is cut and the disk fills, at random; every output is byte for byte that
 * of one machine that nothing happened to. `npm run check:fleet` goes on for 20 rounds and more.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../../src/codecs/lossless/image-files.js';
import { writeNpy } from '../../src/index.js';
import { type JobOptions, retryJob, runJob, submitJob } from '../../src/jobs/index.js';
import { randomNumbers } from '../codecs/random-spec.js';
import { outputOf } from '../shards/support/tree.js';
import { digits } from '../support/digits.js';
import { HAS_REDIS, REDIS_MISSING, startRedis, type TestRedis } from '../support/redis.js';
import { temporaryFolder } from '../support/temporary.js';
import { type Network, openNetwork } from './cut-network.js';

const ROUNDS = Number(process.env['NODE_VAE_FLEET_ROUNDS'] ?? 2);
const SEED = Number(process.env['NODE_VAE_FLEET_SEED'] ?? 1);
const WORKER = fileURLToPath(new URL('worker-process.mjs', import.meta.url));
const BUILT = existsSync(fileURLToPath(new URL('../../dist/jobs/index.js', import.meta.url)));
const WORKERS = 3;
const folder = temporaryFolder('chaos');
const at = (...parts: string[]) => join(folder, ...parts);
const DISK_BYTES = 24 << 20;

/** Jobs of several operations and formats, some tens of shards each. */
const JOBS: readonly Omit<JobOptions, 'output'>[] = [
  {
    ...{ operation: 'score', model: 'mnist-mlp', input: at('digits.npy'), shardSize: 25, format: 'parquet' },
    ...{ importanceSamples: 24, seed: 3 },
  },
  { operation: 'encode', model: 'mnist-mlp', input: at('pictures'), shardSize: 12, format: 'tar', logVariance: true },
  { operation: 'compress', model: 'mnist-codec', input: at('pictures'), shardSize: 16 },
  { operation: 'reconstruct', model: 'mnist-mlp', input: at('digits.npy'), shardSize: 20, format: 'npz' },
];

/** Workers that are started again when they end. */
class Crew {
  readonly #all = new Map<number, ChildProcess>();
  readonly #options: object;
  readonly #prefix: readonly string[];
  #over = false;
  kills = 0;

  constructor(options: object, prefix: readonly string[]) {
    this.#options = options;
    this.#prefix = prefix;
    for (let place = 0; place < WORKERS; place += 1) this.#start(place);
  }

  #start(place: number): void {
    if (this.#over) return;
    const [program, ...args] = [...this.#prefix, process.execPath, WORKER, JSON.stringify(this.#options)];
    const stdio: ['ignore', 'ignore', 'ignore' | 'inherit'] = [
      'ignore',
      'ignore',
      process.env['NODE_VAE_FLEET_TALK'] ? 'inherit' : 'ignore',
    ];
    const child = spawn(program!, args, { stdio });
    this.#all.set(place, child);
    // One that finds no Redis ends by itself, as under a supervisor.
    child.once('exit', () => setTimeout(() => this.#start(place), 100));
  }

  kill(place: number): void {
    this.kills += 1;
    this.#all.get(place)?.kill('SIGKILL');
  }

  /** Ends them as a machine that goes down does. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    this.#over = true;
    await Promise.all(
      [...this.#all.values()].map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, 'exit');
        child.kill(signal);
        await ended;
      }),
    );
  }
}

const left = HAS_REDIS ? (BUILT ? '' : ': the package is not built (npm run setup)') : `: ${REDIS_MISSING}`;

describe.skipIf(left !== '')(`a fleet to which everything happens${left}`, () => {
  const alone: Record<string, string>[] = [];
  const mounts: string[] = [];

  beforeAll(async () => {
    const { data } = digits(900);
    await writeNpy(at('digits.npy'), { data, shape: [900, 28, 28] });
    await mkdir(at('pictures'));
    for (let n = 0; n < 300; n += 1) {
      const png = await encodePng(data.subarray(n * 784, (n + 1) * 784), [1, 28, 28]);
      await writeFile(at('pictures', `${String(n).padStart(4, '0')}.png`), png);
    }
    await writeFile(at('pictures', '0150-broken.png'), 'no picture');
    for (const [index, job] of JOBS.slice(0, Math.min(ROUNDS, JOBS.length)).entries()) {
      await runJob({ ...job, output: at(`alone-${index}`), processes: 1 });
      alone.push(await outputOf(at(`alone-${index}`)));
    }
  }, 240_000);
  afterAll(() => {
    for (const mount of mounts) spawnSync('umount', ['-l', mount]);
  });

  it.each(Array.from({ length: ROUNDS }, (_, round) => round))(
    'round %i: the bytes of one machine that nothing happened to',
    async (round) => {
      const random = randomNumbers(SEED * 1000 + round);
      const job = JOBS[round % JOBS.length]!;
      const disk = at(`disk-${round}`);
      await mkdir(disk);
      const own = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES}`, 'none', disk]).status === 0;
      if (own) mounts.push(disk);
      const redis: TestRedis = await startRedis(at(`redis-${round}`));
      const network: Network = await openNetwork(redis.port, round);
      const output = join(disk, 'out');
      const options = { redis: network.url, roots: [folder], concurrency: 2, lockMs: 2000, stalls: 100 };
      const crew = new Crew(options, network.prefix);
      const events: string[] = [];
      try {
        const handle = await submitJob({ ...job, output }, { redis: redis.url, tries: 20, backoffMs: 100 });
        let over = false;
        const happenings = (async () => {
          while (!over) {
            await sleep(150 + random() * 600);
            const dice = random();
            if (dice < 0.6) {
              crew.kill(Math.floor(random() * WORKERS));
              events.push('kill');
            } else if (dice < 0.75) {
              events.push('redis');
              await redis.stop();
              await sleep(random() * 500);
              await redis.start();
            } else if (dice < 0.9) {
              events.push('network');
              network.cut();
              // Sometimes longer than a worker keeps its shard.
              await sleep(200 + random() * 3500);
              network.mend();
            } else if (own) {
              events.push('disk');
              spawnSync('dd', ['if=/dev/zero', `of=${join(disk, 'ballast')}`, 'bs=64k']);
              await sleep(random() * 1500);
              await rm(join(disk, 'ballast'), { force: true });
            }
            // Quiet comes at last: a shard needs more than a second here and there.
            if (events.length >= 25) return;
          }
        })();
        const summary = await (async () => {
          for (;;) {
            try {
              return await handle.wait();
            } catch (error) {
              // Shards whose tries a full disk has used up are named, and taken again when that is asked for.
              if (!/given up/.test(String(error))) throw error;
              events.push('retry');
              await retryJob(handle.id, { redis: redis.url });
            }
          }
        })();
        over = true;
        await happenings;
        expect(summary.shards).toBeGreaterThan(15);
        expect(await outputOf(output), events.join()).toEqual(alone[round % JOBS.length]);
        if (process.env['NODE_VAE_FLEET_ROUNDS'])
          process.stdout.write(
            `round ${round}: ${job.operation}, ${summary.shards} shards, ${network.how}, ${events.join(' ')}\n`,
          );
        await handle.close();
      } finally {
        await crew.stop('SIGKILL');
        await network.close();
        await redis.stop();
      }
      if (own) spawnSync('umount', ['-l', disk]);
    },
    300_000,
  );
});
