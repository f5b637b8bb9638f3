/** Looking at jobs on a queue, and stopping or repeating them. */
import { z } from 'zod';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import type { JobSummary } from '../job.js';
import { openPlan } from '../plan.js';
import { type Connection, connect, type QueuedJob } from './connection.js';
import { enqueue, failedShards, missingShards } from './enqueue.js';
import { jobEntrySchema } from './entries.js';
import { fleetShape } from './options.js';

/** A worker that has not said that it is there for so long is not. */
const GONE_MS = 60_000;
const MOST_JOBS = 1000;
const MOST_FAILED = 100;

const schema = z.strictObject({ ...fleetShape });

export interface FleetCallOptions extends InputOf<typeof schema> {}

export type JobState = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';

export interface FailedShard {
  readonly shard: number;
  readonly reason: string;
  readonly tries: number;
}

export interface JobStatus {
  readonly id: string;
  readonly operation: string;
  readonly output: string;
  readonly state: JobState;
  readonly shards: number;
  readonly items: number;
  /** Shards that are done; those that were done before it was submitted too. */
  readonly shardsDone: number;
  /** Shards that were given up, the first hundred. */
  readonly failedShards: readonly FailedShard[];
  /** Why it failed. */
  readonly reason?: string;
  /** The last worker that would not take its shards, and why. */
  readonly refused?: { readonly worker: string; readonly reason: string };
  readonly summary?: JobSummary;
}

export interface WorkerStatus {
  readonly name: string;
  readonly version: string;
  readonly host: string;
  readonly pid: number;
  readonly providers: readonly string[];
  readonly concurrency: number;
  /** Shards that it has done. */
  readonly shards: number;
  /** Bytes of memory. */
  readonly rss: number;
  /** Seconds since it last said so. */
  readonly seenSeconds: number;
}

export interface QueueStatus {
  readonly jobs: readonly JobStatus[];
  readonly workers: readonly WorkerStatus[];
  /** Shards on the queue by state. */
  readonly counts: Readonly<Record<string, number>>;
}

/** What is on a queue, and who works on it. @throws VaeError ERR_VAE_IO where Redis does not answer. */
export async function queueStatus(options: FleetCallOptions): Promise<QueueStatus> {
  return using(options, 'queueStatus()', async (connection) => {
    const { jobs, shards, keys } = connection;
    const found = await jobs.getJobs(undefined, 0, MOST_JOBS - 1);
    const list: JobStatus[] = [];
    for (const job of found.sort((a, b) => a.timestamp - b.timestamp)) {
      const status = await statusOf(connection, job as QueuedJob);
      if (status !== undefined) list.push(status);
    }
    const redis = connection.commands;
    const workers: WorkerStatus[] = [];
    for (const [name, text] of Object.entries(await redis.hgetall(keys.workers))) {
      const told = workerSchema.safeParse(parsedJson(text));
      if (!told.success || Date.now() - told.data.seen > GONE_MS) await redis.hdel(keys.workers, name);
      else workers.push({ ...told.data, seenSeconds: Math.max(0, Math.round((Date.now() - told.data.seen) / 1000)) });
    }
    return { jobs: list, workers, counts: await shards.getJobCounts() };
  });
}

const workerSchema = z.object({
  ...{ name: z.string(), version: z.string(), host: z.string(), pid: z.number(), providers: z.array(z.string()) },
  ...{ concurrency: z.number(), shards: z.number(), rss: z.number(), seen: z.number() },
});

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Undefined for what is no job of ours. */
export async function statusOf(connection: Connection, found: QueuedJob): Promise<JobStatus | undefined> {
  const state = await found.getState();
  // What it ended with was written before that state: it may be newer than what was read of the job.
  const queued = ((await connection.jobs.getJob(found.id ?? '')) as QueuedJob | undefined) ?? found;
  const parsed = jobEntrySchema.safeParse(queued.data);
  const id = queued.id;
  if (!parsed.success || id === undefined) return undefined;
  const { job, shards, items } = parsed.data;
  const redis = connection.commands;
  const isCancelled = (await redis.hget(connection.keys.cancelled, id)) !== null;
  const counts = await queued.getDependenciesCount({ unprocessed: true, failed: true, ignored: true });
  const open = counts.unprocessed ?? 0;
  const failed = (await failedShards(connection.shards, id)).slice(0, MOST_FAILED);
  const gone = Math.max(counts.failed ?? 0, counts.ignored ?? 0, failed.length);
  const refusal = refusalSchema.safeParse(parsedJson((await redis.hget(connection.keys.refused, id)) ?? ''));
  const isDone = state === 'completed';
  const { operation, output } = job;
  return {
    ...{ id, operation, output, shards, items },
    state: isDone ? 'done' : isCancelled ? 'cancelled' : (STATES[state] ?? 'running'),
    shardsDone: isDone ? shards : Math.max(0, shards - open - gone),
    failedShards: failed.map(({ data, failedReason, attemptsMade }) => ({
      ...{ shard: data.shard, reason: failedReason ?? 'unknown', tries: attemptsMade },
    })),
    ...(queued.failedReason && state === 'failed' && { reason: queued.failedReason }),
    ...(refusal.success && !isDone && { refused: refusal.data }),
    ...(isDone && queued.returnvalue && { summary: queued.returnvalue }),
  };
}

const refusalSchema = z.object({ worker: z.string(), reason: z.string() });
const STATES: Readonly<Record<string, JobState>> = { failed: 'failed', waiting: 'running', unknown: 'waiting' };

/**
 * Stops a job: shards that wait are dropped, those in work end at their next batch. What is done stays, and submitting the
 * same job again goes on from there.
 *
 * @throws VaeError ERR_VAE_OPTION for a job that is not on the queue.
 */
export async function cancelJob(id: string, options: FleetCallOptions): Promise<JobStatus> {
  return using(options, 'cancelJob()', async (connection) => {
    const job = await jobOf(connection, id);
    const state = await job.getState();
    if (state !== 'completed' && state !== 'failed') {
      const redis = connection.commands;
      await redis.hset(connection.keys.cancelled, id, String(Date.now()));
      await job.removeUnprocessedChildren();
    }
    return (await statusOf(connection, ((await connection.jobs.getJob(id)) as QueuedJob) ?? job))!;
  });
}

/**
 * Puts the shards of a job that are not done onto the queue again, with all their tries: after shards were given up, or the
 * job was cancelled.
 *
 * @throws VaeError ERR_VAE_OPTION for a job that is not on the queue.
 */
export async function retryJob(id: string, options: FleetCallOptions): Promise<JobStatus> {
  return using(options, 'retryJob()', async (connection) => {
    const job = await jobOf(connection, id);
    const entry = jobEntrySchema.parse(job.data);
    const plan = await openPlan(entry.job.output);
    await enqueue(connection, entry, await missingShards(plan));
    return (await statusOf(connection, await jobOf(connection, id)))!;
  });
}

async function jobOf({ jobs }: Connection, id: string): Promise<QueuedJob> {
  const found = await jobs.getJob(id);
  if (found !== undefined && jobEntrySchema.safeParse(found.data).success) return found as QueuedJob;
  const known = (await jobs.getJobs(undefined, 0, 9)).flatMap((job) => job.id ?? []);
  throw new VaeError('ERR_VAE_OPTION', `There is no job ${id} on the queue; there are ${known.join(', ') || 'none'}.`);
}

async function using<T>(
  options: FleetCallOptions,
  where: string,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  await using connection = await connect(parseOptions(schema, options, where));
  return await work(connection);
}
