/** Shards of a plan through several workers at once. */
import { availableParallelism } from 'node:os';
import { VaeError } from '../core/errors.js';
import { processMemory } from '../data/memory.js';
import type { ItemError, Job, StageSeconds } from './job.js';
import { NO_SECONDS, type Plan } from './plan.js';
import { openProcess } from './processes.js';
import type { Runner } from './runner.js';
import { type ShardProgress, ShardWorker } from './shard.js';

export interface PoolProgress {
  /** Items that are done, those that could not be used and those that were done before too. */
  readonly items: number;
  readonly shards: number;
  readonly itemsBefore: number;
  readonly bytesIn: number;
  readonly failed: number;
}

export interface PoolOptions {
  readonly maxErrors: number;
  readonly processes?: number | undefined;
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  onProgress(progress: PoolProgress): void;
}

/** What a process needs beside the model: Node, the runtime, what is being read. */
const PROCESS_BYTES = 400e6;

/** @param unfinished where errors of shards go that are not done yet, by their numbers. */
export async function runShards(
  plan: Plan,
  options: PoolOptions,
  unfinished: Map<number, ItemError[]>,
): Promise<{ processes: number; shardsBefore: number; seconds: StageSeconds }> {
  const { signal, maxErrors } = options;
  const pending: number[] = [];
  const sum = { items: 0, shards: 0, itemsBefore: 0, bytesIn: 0, failed: 0 };
  for await (const shard of plan) {
    signal?.throwIfAborted();
    const result = await plan.resultOf(shard);
    if (result === undefined) pending.push(shard.number);
    else {
      sum.shards += 1;
      sum.items += shard.items;
      sum.itemsBefore += shard.items;
      sum.failed += result.errors.length;
    }
  }
  const shardsBefore = sum.shards;
  const seconds: { -readonly [K in keyof StageSeconds]: number } = { ...NO_SECONDS };
  options.onProgress({ ...sum });
  if (sum.failed > maxErrors) throw tooManyErrors(sum.failed, maxErrors);
  if (pending.length === 0) return { processes: 0, shardsBefore, seconds };
  const processes = Math.min(options.processes ?? roomFor(), pending.length);
  const threads = options.threads ?? Math.max(1, Math.floor(availableParallelism() / processes));
  const running = new Map<number, ShardProgress>();
  const tell = (): void => {
    let { items, bytesIn, failed } = sum;
    for (const one of running.values()) {
      items += one.items;
      bytesIn += one.bytesIn;
      failed += one.errors;
    }
    options.onProgress({ ...sum, items, bytesIn, failed });
  };
  const stop = new AbortController();
  const abort = (): void => stop.abort(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  let failure: unknown;
  // The first ends the others in good order.
  const failed = (error: unknown): void => {
    failure ??= error;
    stop.abort(error);
  };
  const runOne = async (runner: Runner, own: number, onRun: () => void): Promise<void> => {
    const result = await runner.run(plan.job, own, {
      maxErrors: maxErrors - sum.failed,
      signal: stop.signal,
      onRun,
      onProgress: (progress) => {
        running.set(own, progress);
        unfinished.set(own, [...(unfinished.get(own) ?? []), ...progress.newErrors]);
        tell();
      },
    });
    const { items } = await plan.shard(own);
    running.delete(own);
    unfinished.delete(own);
    sum.shards += 1;
    sum.items += items;
    sum.bytesIn += result.bytesIn;
    sum.failed += result.errors.length;
    for (const stage of Object.keys(seconds) as (keyof StageSeconds)[]) seconds[stage] += result.seconds[stage];
    tell();
    if (sum.failed > maxErrors) throw tooManyErrors(sum.failed, maxErrors, result.errors.at(-1)?.reason);
  };
  const work = async (): Promise<void> => {
    const runner = await (processes === 1 ? openHere(plan.job, threads) : openProcess(plan.job, threads));
    // The next shard begins while the last is written, which waits for the disk; no third before that is done.
    let written: Promise<void> = Promise.resolve();
    try {
      for (let number = pending.shift(); number !== undefined && !stop.signal.aborted; number = pending.shift()) {
        const own = number;
        const before = written;
        await new Promise<void>((begin) => {
          written = runOne(runner, own, begin).catch(failed).finally(begin);
        });
        await before;
      }
      await written;
    } finally {
      await runner.close();
    }
  };
  try {
    await Promise.all(Array.from({ length: processes }, () => work().catch(failed)));
  } finally {
    signal?.removeEventListener('abort', abort);
  }
  signal?.throwIfAborted();
  if (failure !== undefined) throw failure;
  return { processes, shardsBefore, seconds };
}

function tooManyErrors(count: number, most: number, example?: string): VaeError {
  return new VaeError(
    'ERR_VAE_DATA',
    `${count} item${count === 1 ? '' : 's'} could not be used, and at most ${most} may be left out (maxErrors, --max-errors). ` +
      `${example === undefined ? '' : `The last: ${example} `}All are in errors.jsonl.`,
  );
}

/** A process for each processor, as far as memory goes. */
function roomFor(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(processMemory() / 2 / PROCESS_BYTES)));
}

async function openHere(job: Job, threads: number): Promise<Runner> {
  const worker = await ShardWorker.open(job, { threads });
  return {
    run: (given, shard, { signal, ...options }) =>
      worker.runShard(given, shard, { ...options, ...(signal && { signal }) }),
    close: () => worker.close(),
  };
}
