/** Submitting a job: planned here, worked on by whoever takes its shards. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { describeJob, type JobOptions } from '../describe.js';
import type { JobSummary } from '../job.js';
import { type Plan, type PlanProgress, planJob } from '../plan.js';
import { type Connection, connect, type QueuedJob } from './connection.js';
import { type JobStatus, statusOf } from './control.js';
import { enqueue, missingShards } from './enqueue.js';
import type { JobEntry } from './entries.js';
import { fleetShape } from './options.js';

const LOOK_MS = 1000;

const schema = z.strictObject({
  ...fleetShape,
  /** Times that a shard is tried before it is given up. Default 3. */
  tries: z.int().min(1).max(1000).default(3),
  /** Milliseconds before a shard that failed is tried again; doubled each time, to a minute. Default 1000. */
  backoffMs: z.int().min(0).max(60_000).default(1000),
  /** Items that may be left out. Default: all. */
  maxErrors: z.int().min(0).optional(),
  /** Plan anew where inputs, model or options are others than those of the job that is there. Default false. */
  force: z.boolean().default(false),
  ...signalShape,
  onPlan: z.custom<(progress: PlanProgress) => void>((value) => typeof value === 'function').optional(),
});

export interface SubmitOptions extends InputOf<typeof schema> {}

export interface WaitOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((status: JobStatus) => void) | undefined;
}

/** A job on the queue. Closing it leaves the job there. */
export interface SubmittedJob extends AsyncDisposable {
  readonly id: string;
  readonly shards: number;
  readonly items: number;
  /** Shards that were done before. */
  readonly shardsBefore: number;
  readonly notes: readonly string[];
  status(): Promise<JobStatus>;
  /**
   * Waits until the job has ended. Where Redis loses it, it is put there again.
   *
   * @throws VaeError ERR_VAE_DATA where shards were given up, naming them, or it was cancelled; the signal's reason.
   */
  wait(options?: WaitOptions): Promise<JobSummary>;
  close(): Promise<void>;
}

/**
 * Plans a job and puts its shards on a queue: those that are not done. The same job again joins the one that is there.
 *
 * @throws VaeError ERR_VAE_PACKAGE without bullmq and ioredis, ERR_VAE_IO where Redis does not answer, and what planning throws.
 */
export async function submitJob(description: JobOptions, options: SubmitOptions): Promise<SubmittedJob> {
  const parsed = parseOptions(schema, options, 'submitJob()');
  const { force, signal, onPlan, tries, backoffMs, maxErrors } = parsed;
  const connection = await connect(parsed);
  try {
    const job = await describeJob(description);
    const plan = await planJob(job, { force, signal, onProgress: onPlan });
    const missing = await missingShards(plan, signal);
    const { shards, items } = plan;
    const entry: JobEntry = { job, shards, items, tries, backoffMs, ...(maxErrors !== undefined && { maxErrors }) };
    const id = await enqueue(connection, entry, missing);
    return new Submitted(connection, plan, entry, id, shards - missing.length);
  } catch (error) {
    await connection.close();
    throw error;
  }
}

class Submitted implements SubmittedJob {
  readonly #connection: Connection;
  readonly #plan: Plan;
  readonly #entry: JobEntry;
  readonly id: string;
  readonly shardsBefore: number;
  #closing: Promise<void> | undefined;

  constructor(connection: Connection, plan: Plan, entry: JobEntry, id: string, shardsBefore: number) {
    this.#connection = connection;
    this.#plan = plan;
    this.#entry = entry;
    this.id = id;
    this.shardsBefore = shardsBefore;
  }

  get shards(): number {
    return this.#entry.shards;
  }

  get items(): number {
    return this.#entry.items;
  }

  get notes(): readonly string[] {
    return this.#connection.notes;
  }

  async status(): Promise<JobStatus> {
    return (await this.#look()).status;
  }

  async wait({ signal, onProgress }: WaitOptions = {}): Promise<JobSummary> {
    for (;;) {
      signal?.throwIfAborted();
      const { status, queued } = await this.#look();
      onProgress?.(status);
      if (status.summary !== undefined) return { ...status.summary, shardsBefore: this.shardsBefore };
      if (status.state === 'failed' || (status.state === 'cancelled' && (await queued.isFailed()))) {
        throw new VaeError('ERR_VAE_DATA', `The job ${this.id} ended: ${status.reason ?? 'it was cancelled'}`);
      }
      await sleep(LOOK_MS, undefined, { ...(signal && { signal }) }).catch(() => signal?.throwIfAborted());
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#connection.close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #look(): Promise<{ readonly status: JobStatus; readonly queued: QueuedJob }> {
    const { jobs } = this.#connection;
    let queued = await jobs.getJob(this.id);
    if (queued === undefined) {
      // Redis came back without it.
      await enqueue(this.#connection, this.#entry, await missingShards(this.#plan));
      queued = await jobs.getJob(this.id);
    }
    const status = queued && (await statusOf(this.#connection, queued as QueuedJob));
    if (status !== undefined) return { status, queued: queued as QueuedJob };
    throw new VaeError('ERR_VAE_IO', `The job ${this.id} is not on the queue, and could not be put there.`);
  }
}
