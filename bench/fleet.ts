/**
 * A queue of jobs on a real Redis. Workers that only wait as long as a shard takes, 1 to 1,000 of them, over ten million
 * items: what a shard costs the queue, and what is lost to planning and to the slowest shard. And real workers, each on a
 * processor of its own.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { Vae, writeNpy } from '../src/index.js';
import { submitJob } from '../src/jobs/index.js';
import { HAS_REDIS, REDIS_MISSING, startRedis } from '../test/support/redis.js';
import type { Bench, BenchCase, BenchContext, BenchResult } from './lib/types.js';
import { undisturbed, WaitingFleet } from './lib/waiting.js';

const ITEMS = 10_000_000;
/** Items a second that one worker takes: photographs of 256 × 256 pixels on a core. A shard of 10,000 takes 33 s. */
const RATE = 300;
/**
 * Workers, items of a shard, and how many shards are waited for: few workers would take hours over all ten million items.
 * The processes that the workers wait in have 50 each.
 */
const SETTINGS = [
  { workers: 1, shardSize: 10_000, shards: 3 },
  { workers: 10, shardSize: 10_000, shards: 30 },
  { workers: 100, shardSize: 10_000, shards: 1000 },
  { workers: 300, shardSize: 10_000, shards: 1000 },
  { workers: 1000, shardSize: 10_000, shards: 1000 },
  { workers: 1000, shardSize: 2500, shards: 4000 },
] as const;
const IN_ONE_PROCESS = 50;
const IDLE_MS = 20_000;
const REAL_ROWS = 20_000;

export const bench: Bench = {
  question: 'What does a queue cost for each shard, and what is lost to planning and to the slowest one?',
  packages: ['bullmq', 'ioredis'],
  async run(context): Promise<BenchResult> {
    if (!HAS_REDIS) return { cases: [], missing: { redis: REDIS_MISSING }, sections: [] };
    const folder = mkdtempSync(join(tmpdir(), 'node-vae-bench-fleet-'));
    const cases: BenchCase[] = [];
    try {
      await writeNpy(join(folder, 'items.npy'), { data: new Uint8Array(ITEMS * 4), shape: [ITEMS, 4] });
      const input = { kind: 'vector', length: 4 } as const;
      await using vae = await Vae.create({ input, architecture: { type: 'mlp', hidden: [4] }, latentDim: 2 });
      await vae.save(join(folder, 'model'));
      for (const [index, setting] of SETTINGS.entries()) {
        cases.push(await simulated(join(folder, `simulated-${index}`), folder, setting, context));
      }
      for (const workers of [1, 2, 4].filter((each) => each <= availableParallelism())) {
        cases.push(await real(folder, workers, context));
      }
      return { cases, missing: {}, sections: [] };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function simulated(
  at: string,
  folder: string,
  { workers, shardSize, shards }: (typeof SETTINGS)[number],
  context: BenchContext,
): Promise<BenchCase> {
  const redis = await startRedis(join(at, 'redis'), { persist: false });
  const info = new Redis(redis.url);
  const fleet = new WaitingFleet();
  try {
    const output = join(at, 'out');
    const shardMs = (1000 * shardSize) / RATE;
    const empty = await figuresOf(info);
    await fleet.start(workers, IN_ONE_PROCESS, { redis: redis.url, root: folder, shardMs });
    await settled(info);
    const idle = await figuresOf(info);
    await sleep(IDLE_MS);
    const idler = await figuresOf(info);
    const idleCommands = (1000 * (idler.commands - idle.commands)) / IDLE_MS;
    const from = performance.now();
    const job = await submitJob(
      { operation: 'encode', model: join(folder, 'model'), input: join(folder, 'items.npy'), output, shardSize },
      { redis: redis.url },
    );
    const queued = await figuresOf(info);
    await fleet.whenDone(shards);
    const ended = performance.now();
    const after = await figuresOf(info);
    // The index is written where all shards are done.
    if (shards === job.shards) await job.wait();
    const indexed = performance.now();
    const total = job.shards;
    await job.close();
    // The first shards are on the queue, and taken, before the last ones are.
    const began = fleet.firstBegan!;
    const seconds = (ended - began) / 1000;
    const { seconds: least, evenly } = undisturbed(shards, workers, shardMs);
    const made: BenchCase = {
      name: `${workers} workers that wait in ${fleet.processes} processes, shards of ${shardSize}`,
      ours: {
        shards,
        secondsPlan: round((began - from) / 1000),
        ...(shards === total && { secondsIndex: round((indexed - ended) / 1000) }),
        seconds: round(seconds),
        secondsEvenly: round(evenly),
        lostToSlowestPercent: round(100 * (least / evenly - 1)),
        lostToQueuePercent: round(100 * (seconds / least - 1)),
        lateMs: round(fleet.late),
        commandsPerShard: round((after.commands - queued.commands) / shards),
        commandsPerItem: round((after.commands - queued.commands) / (shards * shardSize)),
        commandsPerSecondIdle: round(idleCommands),
        redisBusyPercent: round((100 * (after.cpu - queued.cpu)) / seconds),
        redisBytesPerShard: round((queued.bytes - idler.bytes) / total),
        redisBytesPerWorker: round((idler.used - empty.used) / workers),
        connectionsPerWorker: round((idler.clients - empty.clients) / workers),
        redisPeakMb: round(after.peak / 1e6),
      },
      ...{ peers: {}, ratios: {} },
    };
    context.log(JSON.stringify(made));
    return made;
  } finally {
    await fleet.stop();
    info.disconnect();
    await redis.stop();
  }
}

/** All workers are connected: their number has not changed for a while. */
async function settled(redis: Redis): Promise<void> {
  let before = -1;
  for (let same = 0; same < 4; ) {
    await sleep(500);
    const clients = Number(/^connected_clients:(\d+)/m.exec(await redis.info('clients'))?.[1]);
    same = clients === before ? same + 1 : 0;
    before = clients;
  }
}

/** What Redis says of itself: commands so far, bytes of keys, bytes in all now and at most, clients, seconds of processor. */
async function figuresOf(redis: Redis) {
  const text = await redis.info();
  const of = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(text)?.[1]);
  return {
    ...{ commands: of('total_commands_processed'), bytes: of('used_memory_dataset'), used: of('used_memory') },
    ...{ peak: of('used_memory_peak'), clients: of('connected_clients') },
    cpu: of('used_cpu_sys') + of('used_cpu_user'),
  };
}

/** Workers in processes of their own, each held to one processor. */
async function real(folder: string, workers: number, context: BenchContext): Promise<BenchCase> {
  const redis = await startRedis(join(folder, `redis-${workers}`));
  const input = join(folder, 'digits.npy');
  const data = Float32Array.from({ length: REAL_ROWS * 784 }, (_, i) => (Math.imul(i, 2654435761) >>> 8) / 2 ** 24);
  if (workers === 1) await writeNpy(input, { data, shape: [REAL_ROWS, 1, 28, 28] });
  const program = fileURLToPath(new URL('../test/fleet/worker-process.mjs', import.meta.url));
  const children: ChildProcess[] = [];
  for (let core = 0; core < workers; core += 1) {
    const options = JSON.stringify({ redis: redis.url, roots: [folder], concurrency: 1 });
    const child = spawn('taskset', ['-c', String(core), process.execPath, program, options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout!, 'data');
    children.push(child);
  }
  const submit = async (output: string) => {
    const job = await submitJob(
      {
        ...{ operation: 'score', model: 'mnist-mlp', input, output, shardSize: 250, format: 'npy' },
        importanceSamples: 8,
      },
      { redis: redis.url },
    );
    const from = performance.now();
    await job.wait();
    const seconds = (performance.now() - from) / 1000;
    await job.close();
    return seconds;
  };
  await submit(join(folder, `warm-${workers}`));
  const times: number[] = [];
  for (let index = 0; index < 3; index += 1) times.push(await submit(join(folder, `real-${workers}-${index}`)));
  for (const child of children) child.kill('SIGTERM');
  await Promise.all(children.map((child) => (child.exitCode === null ? once(child, 'exit') : undefined)));
  await redis.stop();
  const seconds = times.sort((a, b) => a - b)[1]!;
  const made: BenchCase = {
    name: `${workers} workers on a core each, score of ${REAL_ROWS} digits`,
    ours: { seconds: round(seconds), itemsPerSecond: round(REAL_ROWS / seconds) },
    ...{ peers: {}, ratios: {} },
  };
  context.log(JSON.stringify(made));
  return made;
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
