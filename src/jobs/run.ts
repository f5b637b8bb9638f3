/** A job on one machine: planned, its shards run by as many workers as there is room for, finished. */
import { mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { takeLock } from '../archive/lock.js';
import { lockFile } from '../binding/file-lock.js';
import { signalShape } from '../core/common-options.js';
import { VaeError } from '../core/errors.js';
import { ioError } from '../core/files.js';
import { type InputOf, parseOptions } from '../core/options.js';
import { describeJob, jobInputShape } from './describe.js';
import { finishJob, writeErrors } from './finish.js';
import type { ItemError, Job, JobSummary, StageSeconds } from './job.js';
import { openPlace } from './places/index.js';
import { isS3 } from './places/s3.js';
import { type Plan, type PlanProgress, planJob } from './plan.js';
import { type PoolProgress, runShards } from './pool.js';

const schema = z.strictObject({
  ...jobInputShape,
  /** Makes anew what inputs, model or options have changed for, and replaces files that are there. Default false. */
  force: z.boolean().default(false),
  /** Items that may be left out before the job fails. Default 1,000. */
  maxErrors: z.int().min(0).default(1000),
  /**
   * Processes that run shards at once, each with the model in memory. Default: one for each processor, fewer where memory
   * does not take them; 1 runs them in this process.
   */
  processes: z.int().positive().max(1024).optional(),
  /** Threads inside one operator of a network. Default 1 where there are several processes, else one for each processor. */
  threads: z.int().positive().max(1024).optional(),
  onProgress: z.custom<(progress: JobProgress) => void>((value) => typeof value === 'function').optional(),
  ...signalShape,
});

export interface RunJobOptions extends InputOf<typeof schema> {}

export type JobProgress =
  | ({ readonly stage: 'plan' } & PlanProgress)
  | ({ readonly stage: 'run'; readonly totalItems: number; readonly totalShards: number } & PoolProgress);

export interface RunJobResult extends JobSummary {
  /** Files in the inputs that the operation does not take, and the first of them. */
  readonly passedOver: number;
  readonly passedOverExamples: readonly string[];
  readonly processes: number;
  readonly seconds: number;
  /** Added up over all processes. */
  readonly stageSeconds: StageSeconds;
}

/**
 * Runs a job on this machine: encodes, decodes, reconstructs, scores, compresses or unpacks any number of items into shards.
 * The same call again does only what is missing.
 *
 * @throws VaeError ERR_VAE_OPTION; ERR_VAE_REPRODUCIBILITY where inputs, model or options are others than those that the job
 *   in the folder was begun with (see `force`); ERR_VAE_DATA where more items cannot be used than may be left out;
 *   ERR_VAE_IO; the signal's reason when aborted, with a job left that goes on.
 */
export async function runJob(options: RunJobOptions): Promise<RunJobResult> {
  const { force, maxErrors, processes, threads, onProgress, ...rest } = parseOptions(schema, options, 'runJob()');
  const started = performance.now();
  const { signal } = rest;
  const job = await describeJob(rest as never);
  const lock = await lockJob(job);
  try {
    const plan = await planJob(job, {
      force,
      signal,
      onProgress: (progress) => onProgress?.({ stage: 'plan', ...progress }),
    });
    let made: Awaited<ReturnType<typeof runShards>>;
    const unfinished = new Map<number, ItemError[]>();
    const onRun = (progress: PoolProgress): void =>
      onProgress?.({ stage: 'run', totalItems: plan.items, totalShards: plan.shards, ...progress });
    try {
      made = await runShards(plan, { maxErrors, processes, threads, signal, onProgress: onRun }, unfinished);
    } catch (error) {
      // What cannot be used is told, also where the job did not come to its end.
      await writeErrors(plan, unfinished).catch(() => {});
      throw error;
    }
    const summary = await finishJob(job, signal ? { signal } : {});
    return {
      ...summary,
      ...passed(plan),
      shardsBefore: made.shardsBefore,
      ...{ processes: made.processes, stageSeconds: made.seconds, seconds: (performance.now() - started) / 1000 },
    };
  } finally {
    await lock?.release();
  }
}

function passed({ summary }: Plan): Pick<RunJobResult, 'passedOver' | 'passedOverExamples'> {
  return { passedOver: summary.passedOver, passedOverExamples: summary.examples };
}

/** One run of a job at a time on the file systems that have locks. */
async function lockJob({ output }: Job): Promise<{ release(): Promise<void> } | undefined> {
  if (isS3(output)) return undefined;
  const folder = join(openPlace(output).local!, '.job');
  try {
    await mkdir(folder, { recursive: true });
    const lock = await takeLock(join(folder, 'lock'), lockFile, `running the job in ${output}`);
    return {
      async release() {
        await lock.release();
        // Folders that nothing came into.
        for (const path of [folder, output]) await rmdir(path).catch(() => {});
      },
    };
  } catch (error) {
    if (error instanceof VaeError) throw error;
    throw ioError(error, `making ${folder}`);
  }
}
