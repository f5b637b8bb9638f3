/** What a worker does with what it takes from the queues. */
import { hostname } from 'node:os';
import { clearInterval, setInterval } from 'node:timers';
import type { Worker } from 'bullmq';
import { VaeError } from '../../core/errors.js';
import { finishJob } from '../finish.js';
import type { Job, JobSummary, ShardResult } from '../job.js';
import { openPlan, type Plan } from '../plan.js';
import type { RunShardOptions } from '../shard.js';
import type { Connection, QueuedJob, QueuedShard } from './connection.js';
import { addShards, backoffAfter, failedShards, missingShards } from './enqueue.js';
import { type JobEntry, jobEntrySchema, jobIdOf, type ShardReturn, shardEntrySchema, shardIdOf } from './entries.js';
import { describe, isRefusal } from './failures.js';
import type { FleetLog } from './log.js';
import type { FleetMetrics } from './metrics.js';
import type { Roots } from './roots.js';
import type { MemoryShare } from './share.js';
import { type Delayable, SWEEP, SweepWork, TRIAL, type Watch } from './sweep-work.js';

/** How often a worker says that it is there, and looks whether what it works on was cancelled. */
const BEAT_MS = 2000;
const TOLD_MS = 10_000;
/** A shard that this worker may not run waits so long for another one. */
const REFUSED_MS = 5000;
const MOST_DESCRIPTIONS = 100;

/** Loaded models, as Models has them. */
interface LoadedModels {
  providers(): Promise<string[]>;
  with<T>(job: Job, signal: AbortSignal, work: (worker: ShardRunner) => Promise<T>): Promise<T>;
  /** Opens anew for the next shard of a job. */
  forget(job: Job): Promise<void>;
  close(): Promise<void>;
}

interface ShardRunner {
  runShard(job: Job, shard: number, options: RunShardOptions): Promise<ShardResult>;
}

interface FleetWorkerParts {
  readonly name: string;
  readonly version: string;
  readonly concurrency: number;
  /** How many of these there is memory for; absent: all. */
  readonly share?: MemoryShare | undefined;
  readonly roots: Roots;
  readonly models: LoadedModels;
  readonly log: FleetLog;
  readonly metrics: FleetMetrics | undefined;
  readonly stalls: number;
  readonly lockMs: number;
}

/** Why a shard is not run any further. */
class Cancelled extends Error {}

export class FleetWorker {
  readonly #connection: Connection;
  readonly #parts: FleetWorkerParts;
  readonly #stopping = new AbortController();
  /** Jobs by id, as they were described. */
  readonly #entries = new Map<string, JobEntry>();
  /** Shards in work, by job. */
  readonly #running = new Map<string, Set<AbortController>>();
  readonly #began = Date.now();
  #plan: { readonly id: string; readonly plan: Promise<Plan> } | undefined;
  #workers: Worker[] = [];
  #beat: NodeJS.Timeout | undefined;
  #told = 0;
  #providers = '';
  #done = 0;
  #closing: Promise<void> | undefined;
  #end!: () => void;
  readonly ended = new Promise<void>((resolve) => {
    this.#end = resolve;
  });

  constructor(connection: Connection, parts: FleetWorkerParts) {
    this.#connection = connection;
    this.#parts = parts;
  }

  start(): void {
    const { bullmq, options, names } = this.#connection;
    const { name, stalls, lockMs, log } = this.#parts;
    const sweeps = new SweepWork(this.#connection, {
      ...{ roots: this.#parts.roots, log, stopping: this.#stopping.signal, watch: (id) => this.#watch(id) },
      refuse: (queued, token, id, error) => this.#refuse(queued, token, id, 'sweep', error),
      giveBack: (queued, token) => this.#giveBack(queued, token, 0),
    });
    const shared = {
      ...options,
      ...{ name, lockDuration: lockMs, stalledInterval: lockMs, maxStalledCount: stalls },
      settings: {
        backoffStrategy: (attempts: number, _type?: string, _error?: Error, job?: { opts: { backoff?: unknown } }) => {
          const { delay = 1000 } = (job?.opts.backoff ?? {}) as { delay?: number };
          return backoffAfter(attempts, delay);
        },
      },
    };
    this.#workers = [
      new bullmq.Worker(
        names.shards,
        (job, token) =>
          this.#withinMemory<ShardReturn | { readonly loss: number | null }>(job, () =>
            job.name === TRIAL ? sweeps.trial(job, token) : this.#shard(job as QueuedShard, token),
          ),
        { ...shared, concurrency: this.#atOnce },
      ),
      new bullmq.Worker(
        names.jobs,
        (job, token) => (job.name === SWEEP ? sweeps.step(job, token) : this.#index(job as QueuedJob, token)),
        { ...shared, concurrency: 1 },
      ),
    ] as Worker[];
    for (const worker of this.#workers) {
      worker.on('error', (error) => log.warn({ error: error.message }, 'queue'));
      worker.on('stalled', (id) => log.warn({ shard: id }, 'taken over from a worker that does not answer'));
      worker.on('failed', (job, error) => {
        log.error({ shard: job?.id, attempt: job?.attemptsMade, error: error.message }, 'failed');
      });
    }
    this.#beat = setInterval(() => void this.#look(), BEAT_MS);
    void this.#look();
  }

  get #atOnce(): number {
    return this.#parts.share?.atOnce ?? this.#parts.concurrency;
  }

  /** Sees what a shard takes of memory, and how many of the next are taken at once. */
  async #withinMemory<T>({ data }: { readonly data: unknown }, work: () => Promise<T>): Promise<T> {
    const { share, log } = this.#parts;
    if (share === undefined) return work();
    const before = share.atOnce;
    const end = share.begin(String((data as { job?: unknown } | null)?.job));
    const [shards] = this.#workers;
    const take = (): void => {
      if (shards !== undefined && shards.concurrency !== share.atOnce) shards.concurrency = share.atOnce;
    };
    take();
    let done = false;
    try {
      const result = await work();
      done = true;
      return result;
    } finally {
      end(done);
      take();
      if (share.atOnce !== before) {
        log.info({ concurrency: share.atOnce, shardMb: Math.round(share.each / 1e6) }, 'shards at once');
      }
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#beat);
    this.#stopping.abort(new DOMException('The worker was told to stop.', 'AbortError'));
    await Promise.all(this.#workers.map((worker) => worker.close()));
    await this.#parts.models.close();
    await this.#parts.metrics?.close();
    const redis = this.#connection.commands;
    await redis.hdel(this.#connection.keys.workers, this.#parts.name).catch(() => {});
    await this.#connection.close();
    this.#parts.log.info({ shards: this.#done }, 'worker ended');
    this.#end();
  }

  /** Says that it is there, and looks whether jobs that it works on were cancelled. */
  async #look(): Promise<void> {
    try {
      const { keys } = this.#connection;
      const redis = this.#connection.commands;
      for (const [id, controllers] of this.#running) {
        if (controllers.size === 0 || (await redis.hget(keys.cancelled, id)) === null) continue;
        for (const controller of controllers) controller.abort(new Cancelled(`The job ${id} was cancelled.`));
      }
      if (Date.now() - this.#told < TOLD_MS) return;
      this.#told = Date.now();
      const { name, version, models } = this.#parts;
      const told = {
        ...{ name, version, host: hostname(), pid: process.pid, concurrency: this.#atOnce },
        providers: await models.providers(),
        ...{ began: this.#began, seen: Date.now(), shards: this.#done, rss: process.memoryUsage.rss() },
      };
      await redis.hset(keys.workers, name, JSON.stringify(told));
    } catch (error) {
      this.#parts.log.warn({ error: (error as Error).message }, 'Redis');
    }
  }

  /** Says at once what networks run on, where that is another than it was. */
  async #tellModels(): Promise<void> {
    const providers = (await this.#parts.models.providers()).join();
    if (providers === this.#providers) return;
    this.#providers = providers;
    this.#told = 0;
    await this.#look();
  }

  /** The description of a job; undefined where it is gone or cancelled. */
  async #entryOf(id: string): Promise<JobEntry | undefined> {
    const { keys, jobs, bullmq } = this.#connection;
    const redis = this.#connection.commands;
    if ((await redis.hget(keys.cancelled, id)) !== null) return undefined;
    const known = this.#entries.get(id);
    if (known !== undefined) return known;
    const found = await jobs.getJob(id);
    if (found === undefined) return undefined;
    const result = jobEntrySchema.safeParse(found.data);
    if (!result.success || jobIdOf(result.data.job) !== id) {
      throw new bullmq.UnrecoverableError(`The queue holds no job under ${id} that can be read.`);
    }
    if (this.#entries.size >= MOST_DESCRIPTIONS) this.#entries.clear();
    this.#entries.set(id, result.data);
    return result.data;
  }

  async #shard(queued: QueuedShard, token: string | undefined): Promise<ShardReturn> {
    const { UnrecoverableError } = this.#connection.bullmq;
    const parsed = shardEntrySchema.safeParse(queued.data);
    if (!parsed.success || shardIdOf(parsed.data.job, parsed.data.shard) !== queued.id) {
      throw new UnrecoverableError('This is no shard of a job of node-vae.');
    }
    const { job: id, shard } = parsed.data;
    const entry = await this.#entryOf(id);
    if (entry === undefined) throw new UnrecoverableError(`The job ${id} was cancelled.`);
    const { job, maxErrors } = entry;
    const { controller, signal, release } = this.#watch(id);
    const { metrics, log, models, roots } = this.#parts;
    let opened = false;
    try {
      await roots.check(job);
      const result = await models.with(job, signal, async (worker) => {
        opened = true;
        await this.#checkItems(id, job, shard);
        return worker.runShard(job, shard, { signal, ...(maxErrors !== undefined && { maxErrors }) });
      });
      metrics?.shard(job.operation, result.wasDone ? 'there' : 'done', result);
      this.#done += 1;
      await this.#tellModels();
      const { read, decode, run, write } = result.seconds;
      log.info(
        { job: id, shard, items: result.items, failed: result.errors.length, read, decode, run, write },
        'shard',
      );
      return { items: result.items, failed: result.errors.length };
    } catch (error) {
      if (controller.signal.aborted) {
        metrics?.shard(job.operation, 'cancelled');
        throw new UnrecoverableError(`The job ${id} was cancelled.`);
      }
      if (this.#stopping.signal.aborted) {
        metrics?.shard(job.operation, 'returned');
        return this.#giveBack(queued, token, 0);
      }
      if (!opened && isRefusal(error)) return this.#refuse(queued, token, id, job.operation, error);
      metrics?.shard(job.operation, 'failed');
      this.#plan = undefined;
      await models.forget(job);
      const said = describe(error);
      throw isFinal(error) ? new UnrecoverableError(said) : new Error(said, { cause: error });
    } finally {
      release();
    }
  }

  /** Work on a job, which ends when that is cancelled. */
  #watch(id: string): Watch {
    const controller = new AbortController();
    const running = this.#running.get(id) ?? new Set();
    this.#running.set(id, running.add(controller));
    return {
      controller,
      signal: AbortSignal.any([controller.signal, this.#stopping.signal]),
      release: () => {
        running.delete(controller);
        if (running.size === 0) this.#running.delete(id);
      },
    };
  }

  /** Read once for many shards; anew after one that failed, as the job may have been planned anew. */
  #planOf(id: string, job: Job): Promise<Plan> {
    if (this.#plan?.id !== id) this.#plan = { id, plan: openPlan(job.output) };
    return this.#plan.plan;
  }

  /** Lists of items are files in the job's folder: they may name anything too. */
  async #checkItems(id: string, job: Job, number: number): Promise<void> {
    const plan = await this.#planOf(id, job);
    for (const { path } of await plan.itemsOf(await plan.shard(number))) await this.#parts.roots.allow(path);
  }

  /** Not this worker's: it has another version or model, or may not go where the job is. */
  async #refuse(
    queued: Delayable,
    token: string | undefined,
    id: string,
    operation: string,
    error: unknown,
  ): Promise<never> {
    const { name, log, metrics } = this.#parts;
    const reason = describe(error);
    metrics?.shard(operation, 'refused');
    log.warn({ job: id, shard: queued.id, reason }, 'refused');
    const redis = this.#connection.commands;
    await redis.hset(this.#connection.keys.refused, id, JSON.stringify({ worker: name, reason, at: Date.now() }));
    return this.#giveBack(queued, token, REFUSED_MS);
  }

  /** Without counting as a try. */
  async #giveBack(queued: Delayable, token: string | undefined, delay: number): Promise<never> {
    await queued.moveToDelayed(Date.now() + delay, token);
    throw new this.#connection.bullmq.DelayedError();
  }

  /** All shards are done, or given up: writes the index, or says which are missing. */
  async #index(queued: QueuedJob, token: string | undefined): Promise<JobSummary> {
    const { UnrecoverableError, WaitingChildrenError, DelayedError } = this.#connection.bullmq;
    const parsed = jobEntrySchema.safeParse(queued.data);
    if (!parsed.success || queued.id !== jobIdOf(parsed.data.job)) {
      throw new UnrecoverableError('This is no job of node-vae.');
    }
    const { job, maxErrors } = parsed.data;
    const { keys, shards, names } = this.#connection;
    const id = queued.id;
    const redis = this.#connection.commands;
    if ((await redis.hget(keys.cancelled, id)) !== null) throw new UnrecoverableError('The job was cancelled.');
    const { signal } = this.#stopping;
    try {
      await this.#parts.roots.check(job);
      const plan = await openPlan(job.output);
      const missing = await missingShards(plan, signal);
      if (missing.length > 0) {
        const failed = new Map((await failedShards(shards, id)).map((shard) => [shard.data.shard, shard.failedReason]));
        const poisoned = missing.filter((shard) => failed.has(shard));
        // Neither done nor given up: Redis lost them, or their files are gone again.
        const lost = missing.filter((shard) => !failed.has(shard));
        if (lost.length > 0) {
          await addShards(shards, names.jobs, id, parsed.data, lost);
          if (await queued.moveToWaitingChildren(token!)) throw new WaitingChildrenError();
        }
        if (poisoned.length > 0) {
          throw new UnrecoverableError(
            `${poisoned.length} of ${plan.shards} shards were given up: ${list(poisoned)}. The first: ${failed.get(poisoned[0]!)} Mend that, and then: node-vae jobs retry ${id}`,
          );
        }
      }
      const summary = await finishJob(job, { signal });
      if (maxErrors !== undefined && summary.failed > maxErrors) {
        throw new UnrecoverableError(
          `${summary.failed} items could not be used, more than ${maxErrors} (maxErrors, --max-errors). They are in errors.jsonl.`,
        );
      }
      this.#parts.log.info({ job: id, ...summary }, 'job');
      return summary;
    } catch (error) {
      if (error instanceof UnrecoverableError || error instanceof WaitingChildrenError) throw error;
      if (signal.aborted || isRefusal(error)) {
        await queued.moveToDelayed(Date.now() + (signal.aborted ? 0 : REFUSED_MS), token);
        throw new DelayedError();
      }
      throw new Error(describe(error), { cause: error });
    }
  }
}

/** Trying again gives the same. */
function isFinal(error: unknown): boolean {
  return (
    error instanceof VaeError && ['ERR_VAE_REPRODUCIBILITY', 'ERR_VAE_OPTION', 'ERR_VAE_DATA'].includes(error.code)
  );
}

function list(numbers: readonly number[]): string {
  return `${numbers.slice(0, 10).join(', ')}${numbers.length > 10 ? `, and ${numbers.length - 10} more` : ''}`;
}
