/** One trial of a sweep: trained to some epochs, from the checkpoint that there is. */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { takeLock } from '../../archive/lock.js';
import { lockFile } from '../../binding/file-lock.js';
import { VaeError } from '../../core/errors.js';
import { ioError, writeFilesAtomically } from '../../core/files.js';
import { type Dataset, modelOptionsFor, readDataset } from '../../data/index.js';
import type { Terms } from '../../training/progress.js';
import { Vae } from '../../vae/index.js';
import type { VaeOptions } from '../../vae/options.js';
import type { LossTerms, Sweep, Trial, TrialResult } from './sweep.js';

/** A trial that is killed loses no more steps than this, and no more than an epoch. */
const MOST_STEPS = 2000;
const DEFAULT_BATCH = 128;

/** Rows of a sweep, read once for all of its trials. */
export class SweepData {
  #read: { readonly path: string; readonly data: Promise<Dataset> } | undefined;

  of({ data: path }: Sweep, signal?: AbortSignal): Promise<Dataset> {
    if (this.#read?.path !== path) {
      const data = readDataset(path, { ...(signal && { signal }) });
      data.catch(() => {
        this.#read = undefined;
      });
      this.#read = { path, data };
    }
    return this.#read.data;
  }
}

export function trialFolder({ output }: Sweep, trial: number): string {
  return join(output, 'trials', String(trial).padStart(4, '0'));
}

const resultFile = (sweep: Sweep, trial: number, epochs: number): string =>
  join(trialFolder(sweep, trial), `result-${String(epochs).padStart(6, '0')}.json`);

/** What became of a trial at so many epochs; undefined where it has not come so far. */
export async function readResult(sweep: Sweep, trial: Trial, epochs: number): Promise<TrialResult | undefined> {
  const path = resultFile(sweep, trial.number, epochs);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw ioError(error, `reading ${path}`);
  });
  if (text === undefined) return undefined;
  const result = JSON.parse(text) as TrialResult;
  // JSON has no Infinity.
  return { ...result, loss: result.failed === undefined ? result.loss : Number.POSITIVE_INFINITY };
}

/**
 * Trains a trial to so many epochs; at once where that is done. Where it was killed, or trained for fewer epochs before, it
 * goes on from its newest checkpoint, to the same bits as if nothing had happened.
 *
 * @throws VaeError ERR_VAE_IO where another worker trains it at this moment, ERR_VAE_REPRODUCIBILITY for another release;
 *   the signal's reason.
 */
export async function runTrial(
  sweep: Sweep,
  trial: Trial,
  epochs: number,
  { data, signal }: { readonly data: SweepData; readonly signal?: AbortSignal | undefined },
): Promise<TrialResult> {
  const there = await readResult(sweep, trial, epochs);
  if (there !== undefined) return there;
  const folder = trialFolder(sweep, trial.number);
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw ioError(error, `making ${folder}`);
  });
  const lock = await takeLock(join(folder, '.lock'), lockFile, `training trial ${trial.number}`);
  try {
    const before = await readResult(sweep, trial, epochs);
    if (before !== undefined) return before;
    const result = await trained(sweep, trial, epochs, await data.of(sweep, signal), signal).catch((error: unknown) => {
      signal?.throwIfAborted();
      // Options that do not go together, or values that become NaN, are an outcome of a search.
      const isOutcome = error instanceof VaeError && OUTCOMES.has(error.code);
      if (!isOutcome) throw error;
      return failed(trial, epochs, error.message);
    });
    const chunks = [Buffer.from(`${JSON.stringify(result, null, 2)}\n`)];
    await writeFilesAtomically([{ path: resultFile(sweep, trial.number, epochs), chunks }]);
    return { ...result, loss: result.failed === undefined ? result.loss : Number.POSITIVE_INFINITY };
  } finally {
    await lock.release();
  }
}

/** A trial that cannot be trained, by whoever saw that. */
export async function giveUpTrial(sweep: Sweep, trial: Trial, epochs: number, reason: string): Promise<void> {
  if ((await readResult(sweep, trial, epochs)) !== undefined) return;
  const chunks = [Buffer.from(`${JSON.stringify(failed(trial, epochs, reason), null, 2)}\n`)];
  await writeFilesAtomically([{ path: resultFile(sweep, trial.number, epochs), chunks }]);
}

const OUTCOMES: ReadonlySet<string> = new Set(['ERR_VAE_OPTION', 'ERR_VAE_SHAPE', 'ERR_VAE_DATA', 'ERR_VAE_RUNTIME']);

function failed({ number, values }: Trial, epochs: number, reason: string): TrialResult {
  const none = {
    loss: Number.POSITIVE_INFINITY,
    reconstruction: Number.NaN,
    kl: Number.NaN,
    parameters: 0,
    history: [],
  };
  return { trial: number, epochs, values, ...none, failed: reason };
}

async function trained(
  sweep: Sweep,
  trial: Trial,
  epochs: number,
  data: Dataset,
  signal: AbortSignal | undefined,
): Promise<TrialResult> {
  const { validationSplit, seed } = sweep;
  const { model, fit } = optionsOf(sweep, trial);
  const [validation, training] = data.split(validationSplit, seed);
  const directory = join(trialFolder(sweep, trial.number), 'checkpoints');
  const batchSize = typeof fit['batchSize'] === 'number' ? fit['batchSize'] : DEFAULT_BATCH;
  const steps = Math.ceil(training!.length / batchSize);
  const reached = await lastStep(directory);
  await using vae = await Vae.create({ ...(await modelOptionsFor(data, signal)), seed, ...model } as VaeOptions);
  const history = await vae.fit(training!, {
    ...fit,
    // Schedules go by the whole of a trial, whatever becomes of it; one that has come so far before is only read.
    ...{ epochs: reached !== undefined && reached >= epochs * steps ? epochs : sweep.epochs },
    ...{ batchSize, validation: validation!, resume: reached !== undefined },
    checkpoint: { directory, keep: 1, ...(steps > MOST_STEPS && { everySteps: MOST_STEPS }) },
    ...(signal && { signal }),
    onProgress: (event, control) => {
      if (event.kind !== 'epoch' || event.epoch < epochs) return;
      // The next step of the sweep goes on from here.
      control.saveCheckpoint().catch(() => {});
      control.stop();
    },
  });
  const done = history.epochs.filter((epoch) => epoch.epoch <= epochs);
  const last = done.at(-1)?.validation;
  if (last === undefined) throw new VaeError('ERR_VAE_RUNTIME', 'No epoch of the trial came to its end.');
  await vae.save(join(trialFolder(sweep, trial.number), 'model'));
  const loss = bound(last);
  if (!Number.isFinite(loss)) throw new VaeError('ERR_VAE_RUNTIME', `The loss became ${loss}.`);
  return {
    ...{ trial: trial.number, epochs, values: trial.values, loss },
    ...{ reconstruction: last.reconstruction, kl: last.kl, parameters: vae.info.parameterCount },
    history: done.map(({ epoch, train, validation: held }) => ({
      epoch,
      train: lossesOf(train),
      ...(held && { validation: lossesOf(held) }),
    })),
  };
}

/** −ELBO: what trials of any β are compared by. */
function bound({ reconstruction, kl }: Terms): number {
  return reconstruction + kl;
}

function lossesOf({ loss, reconstruction, kl }: Terms): LossTerms {
  return { loss, reconstruction, kl };
}

/** Batches that the newest checkpoint is after; undefined where there is none. */
async function lastStep(directory: string): Promise<number | undefined> {
  const names = await readdir(directory).catch(() => [] as string[]);
  const steps = names.flatMap((name) => Number(/^checkpoint-(\d+)\.safetensors$/.exec(name)?.[1] ?? []));
  return steps.length > 0 ? Math.max(...steps) : undefined;
}

/** Options of the model and of fit(), with the trial's values in their places. */
function optionsOf(
  { model, fit }: Sweep,
  { values }: Trial,
): { readonly model: Record<string, unknown>; readonly fit: Record<string, unknown> } {
  const options = JSON.parse(JSON.stringify({ model, fit })) as Record<'model' | 'fit', Record<string, unknown>>;
  for (const [path, value] of Object.entries(values)) {
    const keys = path.split('.');
    const name = keys.pop()!;
    let at: Record<string, unknown> = options;
    for (const key of keys) {
      const inner = at[key];
      // A name stands for an object with that type.
      const next = typeof inner === 'string' ? { type: inner } : ((inner ?? {}) as Record<string, unknown>);
      at[key] = next;
      at = next;
    }
    at[name] = value;
  }
  return options;
}
