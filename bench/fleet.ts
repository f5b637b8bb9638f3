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
import { connect } from '../src/jobs/fleet/connection.js';
import { FleetWorker } from '../src/jobs/fleet/fleet-worker.js';
import { NO_LOG } from '../src/jobs/fleet/log.js';
import { Roots } from '../src/jobs/fleet/roots.js';
import { submitJob } from '../src/jobs/index.js';
import { openPlace } from '../src/jobs/places/index.js';
import { openPlan } from '../src/jobs/plan.js';
import { writeRecord } from '../src/jobs/write-shard.js';
import { HAS_REDIS, REDIS_MISSING, startRedis } from '../test/support/redis.js';
import type { Bench, BenchCase, BenchContext, BenchResult } from './lib/types.js';

const ITEMS = 10_000_000;
/** Items a second that one worker encodes: small pictures, measured with `jobs run` on one core. */
const RATE = 3000;
/** Workers, and items of a shard: those of 10,000 take 3.3 s. All of them wait in this one process, which is what bounds them. */
const SETTINGS = [
  { workers: 1, shardSize: 10_000, shards: 6 },
  { workers: 10, shardSize: 10_000, shards: 60 },
  { workers: 100, shardSize: 10_000, shards: 1000 },
  { workers: 300, shardSize: 10_000, shards: 1000 },
  { workers: 1000, shardSize: 10_000, shards: 1000 },
] as const;
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
  const output = join(at, 'out');
  const shardMs = (1000 * shardSize) / RATE;
  const options = { redis: redis.url };
  const roots = await Roots.of([folder]);
  let known: ReturnType<typeof openPlan> | undefined;
  let done = 0;
  let ends: () => void = () => {};
  const enough = new Promise<void>((resolve) => {
    ends = resolve;
  });
  const fleet: FleetWorker[] = [];
  for (let index = 0; index < workers; index += 1) {
    const worker = new FleetWorker(await connect(options), {
      ...{ name: `waits-${index}`, version: '0', concurrency: 1, roots, log: NO_LOG, metrics: undefined },
      ...{ stalls: 5, lockMs: 30_000 },
      models: {
        providers: async () => [],
        close: async () => {},
        forget: async () => {},
        with: async (description, signal, work) =>
          work({
            async runShard(_, number) {
              known ??= openPlan(description.output);
              const plan = await known;
              const shard = await plan.shard(number);
              await sleep(shardMs, undefined, { signal });
              const empty = { files: [], items: shard.items, rows: shard.items, bytesIn: 0, errors: [] };
              const result = { shard: number, key: plan.keyOf(shard), ...empty };
              await writeRecord(openPlace(description.output), result);
              done += 1;
              if (done >= shards) ends();
              return { ...result, wasDone: false, seconds: { read: 0, decode: 0, run: 0, write: 0 } };
            },
          }),
      },
    });
    fleet.push(worker);
  }
  for (const worker of fleet) worker.start();
  await settled(info);
  const idle = await figuresOf(info);
  const from = performance.now();
  const job = await submitJob(
    { operation: 'encode', model: join(folder, 'model'), input: join(folder, 'items.npy'), output, shardSize },
    { redis: redis.url },
  );
  const planned = performance.now() - from;
  const queued = await figuresOf(info);
  const began = performance.now();
  await enough;
  const seconds = (performance.now() - began) / 1000;
  const after = await figuresOf(info);
  const ideal = (Math.ceil(shards / workers) * shardMs) / 1000;
  const total = job.shards;
  await job.close();
  await Promise.all(fleet.map((worker) => worker.close()));
  info.disconnect();
  await redis.stop();
  const made: BenchCase = {
    name: `${workers} workers that wait, shards of ${shardSize}`,
    ours: {
      shards,
      secondsPlan: round(planned / 1000),
      seconds: round(seconds),
      secondsIdeal: round(ideal),
      lostPercent: round(100 * (1 - ideal / seconds)),
      commandsPerShard: round((after.commands - queued.commands) / shards),
      commandsPerItem: round((after.commands - queued.commands) / (shards * shardSize)),
      redisBytesPerShard: round((queued.bytes - idle.bytes) / total),
      redisPeakMb: round(after.peak / 1e6),
    },
    ...{ peers: {}, ratios: {} },
  };
  context.log(JSON.stringify(made));
  return made;
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

async function figuresOf(redis: Redis): Promise<{ commands: number; bytes: number; peak: number }> {
  const text = await redis.info();
  const of = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)?.[1]);
  return { commands: of('total_commands_processed'), bytes: of('used_memory_dataset'), peak: of('used_memory_peak') };
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
