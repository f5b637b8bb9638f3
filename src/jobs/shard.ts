/** A worker: a model that is loaded once, and shards that are run with it. */
import { setMaxListeners } from 'node:events';
import { VaeError } from '../core/errors.js';
import { packageVersion } from '../core/package-files.js';
import type { ProviderInput } from '../inference/sessions/providers.js';
import { Vae } from '../vae/index.js';
import { runCompress, runDecompress } from './archives.js';
import type { ItemError, Job, ShardResult } from './job.js';
import { checkModel, localModel } from './model.js';
import { openPlace } from './places/index.js';
import { identityOf, openPlan, type Plan } from './plan.js';
import { runRows, tooMany } from './rows/run-rows.js';
import { shardFolder } from './shard-folder.js';
import type { ShardRun } from './shard-run.js';
import { writeRecord } from './write-shard.js';

export interface ShardProgress {
  readonly shard: number;
  /** Items that are done, those that could not be used too. */
  readonly items: number;
  readonly totalItems: number;
  readonly bytesIn: number;
  readonly errors: number;
  /** Errors that were not told before. */
  readonly newErrors: readonly ItemError[];
}

/** A signal that all items which are read at once listen to, which Node would otherwise take for a leak. */
function forMany(signal: AbortSignal): AbortSignal {
  const own = AbortSignal.any([signal]);
  setMaxListeners(0, own);
  return own;
}

export interface WorkerOptions {
  /** Threads inside one operator of a network. Default 1: a worker for each core. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RunShardOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ShardProgress) => void) | undefined;
  /** Called when nothing is left but to write the shard: time to begin another, since writing waits for disks. */
  readonly onRun?: (() => void) | undefined;
  /** Items that may be left out of this shard. Default: all. */
  readonly maxErrors?: number | undefined;
}

/** Runs shards with one model. Close it when there are none left. */
export class ShardWorker implements AsyncDisposable {
  readonly #job: Job;
  readonly #threads: number;
  /** Where the model lies on this machine. */
  readonly #model: string | undefined;
  readonly #vae: Vae | undefined;
  #plan: { readonly output: string; readonly plan: Promise<Plan> } | undefined;

  private constructor(job: Job, threads: number, model: string | undefined, vae: Vae | undefined) {
    this.#job = job;
    this.#threads = threads;
    this.#model = model;
    this.#vae = vae;
  }

  /**
   * Loads the model of a job.
   *
   * @throws VaeError ERR_VAE_REPRODUCIBILITY for a model of another SHA-256, or a job of another release of this package;
   *   what Vae.load() throws.
   */
  static async open(job: Job, { threads = 1, signal }: WorkerOptions = {}): Promise<ShardWorker> {
    const release = packageVersion();
    if (job.release !== release) {
      throw new VaeError(
        'ERR_VAE_REPRODUCIBILITY',
        `The job was made by node-vae ${job.release}, and this is ${release}. Run it with that release, or make it anew with this one.`,
      );
    }
    const model = job.model && (await localModel(job.model.source, job.model.sha256, signal));
    if (model !== undefined) await checkModel(model, job.model!.sha256);
    const needsVae = job.operation !== 'compress' && job.operation !== 'decompress';
    if (model === undefined && job.operation !== 'decompress') {
      throw new VaeError('ERR_VAE_OPTION', `${job.operation} needs a model (model, --model).`);
    }
    const { provider, deterministic } = job.options;
    const vae = needsVae
      ? await Vae.load(model!, {
          threads,
          ...(provider !== undefined && { provider: provider as ProviderInput }),
          ...(deterministic !== undefined && { deterministic }),
        })
      : undefined;
    return new ShardWorker(job, threads, model, vae);
  }

  /** The execution provider that networks run on; undefined where there are none. */
  get provider(): string | undefined {
    return this.#vae?.provider;
  }

  /** Whether the model that is loaded serves this job too. */
  accepts(job: Job): boolean {
    const of = ({ release, model, options, operation }: Job): string =>
      JSON.stringify([
        ...[release, model?.sha256 ?? null, options.provider ?? 'cpu', options.deterministic ?? false],
        operation === 'compress' || operation === 'decompress',
      ]);
    return of(job) === of(this.#job);
  }

  /**
   * Runs a shard; at once where it is done. Its files appear under their names when they are whole, and are the same bytes
   * whoever makes them. An abort lets the batch in flight finish and keeps what is done, where the job's folder is a
   * local one.
   *
   * @throws VaeError ERR_VAE_REPRODUCIBILITY for an input that changed since the job was planned, ERR_VAE_DATA where more
   *   items cannot be used than may be left out, ERR_VAE_IO; the signal's reason.
   */
  async runShard(job: Job, number: number, options: RunShardOptions = {}): Promise<ShardResult> {
    const { onProgress, maxErrors = Number.POSITIVE_INFINITY } = options;
    options.signal?.throwIfAborted();
    const signal = options.signal && forMany(options.signal);
    if (!this.accepts(job)) {
      throw new VaeError('ERR_VAE_OPTION', 'runShard(): this worker has another model than the job. Open one for it.');
    }
    const plan = await this.#planOf(job);
    const shard = await plan.shard(number);
    const before = await plan.resultOf(shard);
    if (before !== undefined) return before;
    const items = await plan.itemsOf(shard);
    const place = openPlace(job.output);
    const folder = await shardFolder(place, number);
    let keep = true;
    let told = 0;
    const seconds = { read: 0, decode: 0, run: 0, write: 0 };
    const run: ShardRun = {
      ...{ folder: folder.path, maxErrors, threads: this.#threads, signal },
      onItems: (done, bytesIn, errors) => {
        const newErrors = errors.slice(told);
        told = errors.length;
        onProgress?.({ shard: number, items: done, totalItems: shard.items, bytesIn, errors: told, newErrors });
      },
      onRun: () => options.onRun?.(),
      onSeconds: (stage, time) => {
        seconds[stage] += time;
      },
    };
    try {
      const key = plan.keyOf(shard);
      let result: Omit<ShardResult, 'wasDone' | 'seconds'>;
      if (this.#vae === undefined) {
        const work = job.operation === 'compress' ? runCompress : runDecompress;
        result = { shard: number, key, ...(await work(this.#model, plan, shard, items, run)) };
      } else {
        const { files, spool } = await runRows(this.#vae, plan, shard, items, run);
        result = {
          ...{ shard: number, key, files, items: spool.itemsWithRows, rows: spool.rows },
          ...{ bytesIn: spool.bytesIn, errors: spool.errors },
        };
        await spool.close();
      }
      if (result.errors.length > maxErrors)
        throw tooMany(result.errors.length, maxErrors, result.errors.at(-1)?.reason);
      await writeRecord(place, result);
      keep = false;
      return { ...result, wasDone: false, seconds };
    } finally {
      await folder.release(keep);
    }
  }

  async close(): Promise<void> {
    await this.#vae?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Held against the job that was given: a queue may name a folder whose job is another by now. */
  async #planOf(job: Job): Promise<Plan> {
    if (this.#plan?.output !== job.output) this.#plan = { output: job.output, plan: openPlan(job.output) };
    const plan = await this.#plan.plan.catch((error: unknown) => {
      this.#plan = undefined;
      throw error;
    });
    if (JSON.stringify(identityOf(plan.job)) === JSON.stringify(identityOf(job))) return plan;
    this.#plan = undefined;
    throw new VaeError(
      'ERR_VAE_REPRODUCIBILITY',
      `${job.output} holds the plan of another job than this one. Plan it again, or drop this one.`,
    );
  }
}
