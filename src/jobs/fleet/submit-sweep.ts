/** A sweep on a queue. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { beginSweep, finishSweep, type SweepSummary } from '../sweep/run.js';
import { nextRung, type Sweep } from '../sweep/sweep.js';
import { readResult } from '../sweep/trial.js';
import { type Connection, connect } from './connection.js';
import { BACKOFF, failedShards } from './enqueue.js';
import { type SweepEntry, sweepIdOf } from './entries.js';
import { fleetShape } from './options.js';
import { SWEEP } from './sweep-work.js';

const LOOK_MS = 1000;

const schema = z.strictObject({
  ...fleetShape,
  /** What is swept: an object, or the path of a JSON file. */
  sweep: z.union([z.string().min(1), z.record(z.string(), z.unknown())]),
  /** Path of the data, the same for every worker. */
  data: z.string().min(1),
  /** Folder of trials, table and report, on a file system that all workers share. */
  output: z.string().min(1),
  /** Times that a trial is tried before it counts as one that cannot be trained. Default 3. */
  tries: z.int().min(1).max(1000).default(3),
  backoffMs: z.int().min(0).max(60_000).default(1000),
  ...signalShape,
});

export interface SubmitSweepOptions extends InputOf<typeof schema> {}

export interface SweepStep {
  /** Trials that wait or are trained, and the epochs that they are trained to. */
  readonly open: number;
  readonly epochs: number;
}

/** A sweep on the queue. Closing it leaves the sweep there. */
export interface SubmittedSweep extends AsyncDisposable {
  readonly id: string;
  /**
   * Waits for table and report.
   *
   * @throws VaeError ERR_VAE_DATA where it failed or was cancelled; the signal's reason.
   */
  wait(options?: {
    readonly signal?: AbortSignal | undefined;
    readonly onProgress?: ((step: SweepStep) => void) | undefined;
  }): Promise<SweepSummary>;
  close(): Promise<void>;
}

/**
 * Puts a sweep on a queue; workers train its trials. The same sweep again joins the one that is there.
 *
 * @throws VaeError as runSweep() and submitJob() throw.
 */
export async function submitSweep(options: SubmitSweepOptions): Promise<SubmittedSweep> {
  const parsed = parseOptions(schema, options, 'submitSweep()');
  const sweep = await beginSweep(parsed);
  const connection = await connect(parsed);
  const entry: SweepEntry = { sweep, tries: parsed.tries, backoffMs: parsed.backoffMs };
  const id = sweepIdOf(sweep);
  try {
    await put(connection, id, entry);
  } catch (error) {
    await connection.close();
    throw error;
  }
  const close = (): Promise<void> => connection.close();
  return {
    ...{ id, close, [Symbol.asyncDispose]: close },
    async wait({ signal, onProgress } = {}) {
      for (;;) {
        signal?.throwIfAborted();
        const queued = await connection.jobs.getJob(id);
        // Redis came back without it.
        if (queued === undefined) await put(connection, id, entry);
        else if (await queued.isCompleted()) return finishSweep(sweep);
        else if (await queued.isFailed()) {
          const reason = (await connection.jobs.getJob(id))?.failedReason;
          throw new VaeError('ERR_VAE_DATA', `The sweep ${id} ended: ${reason ?? 'it was cancelled'}`);
        }
        onProgress?.(await stepOf(sweep));
        await sleep(LOOK_MS, undefined, { ...(signal && { signal }) }).catch(() => signal?.throwIfAborted());
      }
    },
  };
}

async function stepOf(sweep: Sweep): Promise<SweepStep> {
  const rung = await nextRung(sweep, (trial, epochs) => readResult(sweep, trial, epochs));
  return { open: rung?.trials.length ?? 0, epochs: rung?.epochs ?? sweep.epochs };
}

async function put({ jobs, shards, keys, commands }: Connection, id: string, entry: SweepEntry): Promise<void> {
  await commands.hdel(keys.cancelled, id);
  const before = await jobs.getJob(id);
  if (before !== undefined) {
    const state = await before.getState();
    if (state !== 'completed' && state !== 'failed') return;
    for (const failed of await failedShards(shards, id)) await failed.remove().catch(() => {});
    await before.remove();
  }
  await jobs.add(SWEEP, entry as never, { jobId: id, attempts: 10, backoff: { type: BACKOFF, delay: 1000 } });
}
