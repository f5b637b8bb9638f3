/** A planned job onto the queue: the shards that are not done, below the job that writes the index. */
import type { Plan } from '../plan.js';
import type { Connection, QueuedJob, QueuedShard } from './connection.js';
import { type JobEntry, jobIdOf, shardIdOf } from './entries.js';
import { PREFIX } from './redis.js';

/** Shards that go to Redis in one message. */
const AT_ONCE = 500;
/** Done records that are read at once. */
const READS = 16;
/** The index is cheap, and what it fails by is mostly a storage that comes back. */
const INDEX_TRIES = 10;
const MOST_BACKOFF_MS = 60_000;
/** BullMQ's own doubles without end. */
export const BACKOFF = 'doubled';

/** How long after a failure a shard is tried again: twice as long each time, a minute at the most. */
export function backoffAfter(attempts: number, first: number): number {
  return Math.min(first * 2 ** Math.min(attempts - 1, 20), MOST_BACKOFF_MS);
}

/** Numbers of shards that are not done, in order. */
export async function missingShards(plan: Plan, signal?: AbortSignal): Promise<number[]> {
  const missing: number[] = [];
  let some: Promise<number | undefined>[] = [];
  const settle = async (): Promise<void> => {
    for (const number of await Promise.all(some)) if (number !== undefined) missing.push(number);
    some = [];
  };
  for await (const shard of plan) {
    signal?.throwIfAborted();
    some.push(plan.resultOf(shard).then((result) => (result === undefined ? shard.number : undefined)));
    if (some.length === READS) await settle();
  }
  await settle();
  return missing;
}

/** Options of a shard. */
function shardOptions(id: string, shard: number, { tries, backoffMs }: JobEntry) {
  return {
    ...{ jobId: shardIdOf(id, shard), attempts: tries, removeOnComplete: true, stackTraceLimit: 1 },
    backoff: { type: BACKOFF, delay: backoffMs },
    // One that is given up does not hold up the others; the index names it.
    ignoreDependencyOnFailure: true,
  } as const;
}

/** Puts a job on the queue; one that is there already goes on. Its id. */
export async function enqueue(
  { jobs, shards, flows, names, keys, commands }: Connection,
  entry: JobEntry,
  missing: readonly number[],
): Promise<string> {
  const id = jobIdOf(entry.job);
  const redis = commands;
  await redis.hdel(keys.cancelled, id);
  const before = await jobs.getJob(id);
  if (before !== undefined) {
    const state = await before.getState();
    if (state !== 'completed' && state !== 'failed') return id;
    await clear(before, shards, id);
  }
  const childOf = (shard: number) => ({
    ...{ name: 'shard', queueName: names.shards, data: { job: id, shard } },
    opts: shardOptions(id, shard, entry),
  });
  await flows.add({
    ...{ name: entry.job.operation, queueName: names.jobs, data: entry },
    opts: { jobId: id, attempts: INDEX_TRIES, backoff: { type: BACKOFF, delay: 1000 }, stackTraceLimit: 1 },
    children: missing.slice(0, AT_ONCE).map(childOf),
  });
  for (let start = AT_ONCE; start < missing.length; start += AT_ONCE) {
    await addShards(shards, names.jobs, id, entry, missing.slice(start, start + AT_ONCE));
  }
  return id;
}

/** Further shards below a job that waits for some. */
export async function addShards(
  shards: Connection['shards'],
  jobsQueue: string,
  id: string,
  entry: JobEntry,
  numbers: readonly number[],
): Promise<void> {
  const parent = { id, queue: `${PREFIX}:${jobsQueue}` };
  for (let start = 0; start < numbers.length; start += AT_ONCE) {
    await shards.addBulk(
      numbers.slice(start, start + AT_ONCE).map((shard) => ({
        ...{ name: 'shard', data: { job: id, shard } },
        opts: { ...shardOptions(id, shard, entry), parent },
      })),
    );
  }
}

/** Removes a job that has ended, and its shards that failed. */
async function clear(job: QueuedJob, shards: Connection['shards'], id: string): Promise<void> {
  for (const failed of await failedShards(shards, id)) await failed.remove().catch(() => {});
  await job.remove();
}

/** Shards of a job that were given up. */
export async function failedShards(shards: Connection['shards'], id: string): Promise<QueuedShard[]> {
  const found: QueuedShard[] = [];
  const step = 1000;
  for (let start = 0; ; start += step) {
    const some = await shards.getFailed(start, start + step - 1);
    for (const shard of some) if (shard?.data.job === id) found.push(shard as QueuedShard);
    if (some.length < step) return found.sort((a, b) => a.data.shard - b.data.shard);
  }
}
