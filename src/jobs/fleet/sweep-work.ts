/** What a worker does for sweeps: trains trials, and says what comes next when those of a step are done. */
import type { Job as QueueJob } from 'bullmq';
import { VaeError } from '../../core/errors.js';
import { packageVersion } from '../../core/package-files.js';
import { finishSweep } from '../sweep/run.js';
import { nextRung, type Sweep, type Trial, trialsOf } from '../sweep/sweep.js';
import { giveUpTrial, readResult, runTrial, SweepData } from '../sweep/trial.js';
import type { Connection } from './connection.js';
import { BACKOFF, failedShards } from './enqueue.js';
import { type SweepEntry, sweepEntrySchema, sweepIdOf, trialEntrySchema, trialIdOf } from './entries.js';
import { describe, isRefusal } from './failures.js';
import type { FleetLog } from './log.js';
import { PREFIX } from './redis.js';
import type { Roots } from './roots.js';

/** What trials and sweeps are called on the queues of shards and jobs. */
export const TRIAL = 'trial';
export const SWEEP = 'sweep';

export interface Watch {
  /** Aborted when the job is cancelled. */
  readonly controller: AbortController;
  /** That, or the worker stops. */
  readonly signal: AbortSignal;
  release(): void;
}

export interface Delayable {
  readonly id?: string | undefined;
  moveToDelayed(at: number, token?: string): Promise<void>;
}

interface SweepHost {
  readonly roots: Roots;
  readonly log: FleetLog;
  readonly stopping: AbortSignal;
  watch(id: string): Watch;
  refuse(queued: Delayable, token: string | undefined, id: string, error: unknown): Promise<never>;
  giveBack(queued: Delayable, token: string | undefined): Promise<never>;
}

export class SweepWork {
  readonly #connection: Connection;
  readonly #host: SweepHost;
  readonly #data = new SweepData();

  constructor(connection: Connection, host: SweepHost) {
    this.#connection = connection;
    this.#host = host;
  }

  async trial(queued: QueueJob, token: string | undefined): Promise<{ readonly loss: number | null }> {
    const { UnrecoverableError } = this.#connection.bullmq;
    const parsed = trialEntrySchema.safeParse(queued.data);
    if (!parsed.success || trialIdOf(parsed.data) !== queued.id) {
      throw new UnrecoverableError('This is no trial of a sweep of node-vae.');
    }
    const { job: id, trial: number, epochs } = parsed.data;
    const entry = await this.#entryOf(id);
    const trial = entry && trialsOf(entry.sweep)[number];
    if (entry === undefined || trial === undefined) throw new UnrecoverableError(`The sweep ${id} was cancelled.`);
    const { stopping, log } = this.#host;
    const { controller, signal, release } = this.#host.watch(id);
    try {
      await this.#check(entry.sweep);
    } catch (error) {
      release();
      if (isRefusal(error)) return this.#host.refuse(queued, token, id, error);
      throw error;
    }
    try {
      const result = await runTrial(entry.sweep, trial, epochs, { data: this.#data, signal });
      log.info({ sweep: id, trial: number, epochs, loss: result.loss, failed: result.failed }, 'trial');
      return { loss: Number.isFinite(result.loss) ? result.loss : null };
    } catch (error) {
      if (controller.signal.aborted) throw new UnrecoverableError(`The sweep ${id} was cancelled.`);
      if (stopping.aborted) return this.#host.giveBack(queued, token);
      throw new Error(describe(error), { cause: error });
    } finally {
      release();
    }
  }

  /** Trials of a step are done, or given up: those of the next, or the end. */
  async step(queued: QueueJob, token: string | undefined): Promise<{ readonly best: string; readonly trials: number }> {
    const { UnrecoverableError, WaitingChildrenError } = this.#connection.bullmq;
    const parsed = sweepEntrySchema.safeParse(queued.data);
    const id = queued.id;
    if (!parsed.success || id === undefined || id !== sweepIdOf(parsed.data.sweep)) {
      throw new UnrecoverableError('This is no sweep of node-vae.');
    }
    const { sweep } = parsed.data;
    const { commands, keys, shards } = this.#connection;
    if ((await commands.hget(keys.cancelled, id)) !== null) throw new UnrecoverableError('The sweep was cancelled.');
    try {
      await this.#check(sweep);
    } catch (error) {
      if (isRefusal(error)) return this.#host.refuse(queued, token, id, error);
      throw error;
    }
    // A trial that its workers did not survive is one that cannot be trained.
    for (const failed of await failedShards(shards, id)) {
      const { trial, epochs } = trialEntrySchema.parse(failed.data);
      await giveUpTrial(sweep, trialsOf(sweep)[trial]!, epochs, failed.failedReason ?? 'unknown');
      await failed.remove();
    }
    const rung = await nextRung(sweep, (trial, epochs) => readResult(sweep, trial, epochs));
    if (rung !== undefined) {
      await this.#add(id, parsed.data, rung.trials, rung.epochs);
      if (await queued.moveToWaitingChildren(token!)) throw new WaitingChildrenError();
      // All of them ended at once.
      return this.step(queued, token);
    }
    const { best, trials } = await finishSweep(sweep).catch((error: unknown) => {
      throw error instanceof VaeError && error.code === 'ERR_VAE_DATA'
        ? new UnrecoverableError(describe(error))
        : error;
    });
    return { best, trials: trials.length };
  }

  async #add(id: string, { tries, backoffMs }: SweepEntry, trials: readonly Trial[], epochs: number): Promise<void> {
    const parent = { id, queue: `${PREFIX}:${this.#connection.names.jobs}` };
    await this.#connection.shards.addBulk(
      trials.map(({ number: trial }) => ({
        ...{ name: TRIAL, data: { job: id, trial, epochs } as never },
        opts: {
          ...{ jobId: trialIdOf({ job: id, trial, epochs }), parent, attempts: tries, removeOnComplete: true },
          ...{ backoff: { type: BACKOFF, delay: backoffMs }, ignoreDependencyOnFailure: true, stackTraceLimit: 1 },
        },
      })),
    );
  }

  /** @throws VaeError ERR_VAE_REPRODUCIBILITY, ERR_VAE_OPTION for a sweep that is not this worker's to run. */
  async #check({ release, data, output }: Sweep): Promise<void> {
    if (release !== packageVersion()) {
      throw new VaeError(
        'ERR_VAE_REPRODUCIBILITY',
        `The sweep was made by node-vae ${release}, and this is ${packageVersion()}.`,
      );
    }
    await this.#host.roots.allow(data);
    await this.#host.roots.allow(output);
  }

  async #entryOf(id: string): Promise<SweepEntry | undefined> {
    const { commands, keys, jobs } = this.#connection;
    if ((await commands.hget(keys.cancelled, id)) !== null) return undefined;
    const parsed = sweepEntrySchema.safeParse((await jobs.getJob(id))?.data);
    return parsed.success && sweepIdOf(parsed.data.sweep) === id ? parsed.data : undefined;
  }
}
