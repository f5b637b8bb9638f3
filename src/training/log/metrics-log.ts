/** Writes the events of a run to files while it goes on: JSON lines, TensorBoard. */
import { join } from 'node:path';
import type { VaeError } from '../../core/errors.js';
import type { EpochProgress, FitProgress, StepProgress, Terms } from '../progress.js';
import { AppendFile } from './append-file.js';
import { type Histogram, record, restartEvent, type Scalar, summaryEvent, versionEvent } from './event-file.js';

/** Where a run begins or goes on. */
export interface RunStarted {
  readonly kind: 'start';
  /** Epochs and batches done before; 0 for a fresh run. */
  readonly epoch: number;
  readonly step: number;
  readonly epochs: number;
  readonly batchSize: number;
}

export interface RunEnded {
  readonly kind: 'end';
  readonly outcome: 'done' | 'stopped' | 'aborted' | 'failed';
  readonly epoch: number;
  readonly step: number;
  /** What it failed with. */
  readonly message?: string;
}

export type LoggedEvent = FitProgress | RunStarted | RunEnded;

/** One place that events go to. */
interface Sink {
  readonly file: AppendFile;
  write(event: LoggedEvent, time: Date): void;
}

export interface LogTargets {
  readonly jsonLines?: string | undefined;
  readonly tensorBoard?: string | undefined;
  /** Between two step events. */
  readonly everySeconds: number;
}

export class MetricsLog {
  readonly #sinks: readonly Sink[];
  readonly #everySeconds: number;
  #lastStep = Number.NEGATIVE_INFINITY;

  private constructor(sinks: readonly Sink[], everySeconds: number) {
    this.#sinks = sinks;
    this.#everySeconds = everySeconds;
  }

  /** @throws VaeError ERR_VAE_IO where a file cannot be opened. */
  static async open({ jsonLines, tensorBoard, everySeconds }: LogTargets): Promise<MetricsLog> {
    const sinks: Sink[] = [];
    if (jsonLines !== undefined) sinks.push(await openJsonLines(jsonLines));
    if (tensorBoard !== undefined) sinks.push(await openTensorBoard(tensorBoard));
    return new MetricsLog(sinks, everySeconds);
  }

  /** The first error of writing; the run is worth more than its log, so it goes on. */
  get failure(): VaeError | undefined {
    return this.#sinks.map(({ file }) => file.failure).find((failure) => failure !== undefined);
  }

  write(event: LoggedEvent): void {
    const time = new Date();
    if (event.kind === 'step') {
      if (time.getTime() - this.#lastStep < this.#everySeconds * 1000) return;
      this.#lastStep = time.getTime();
    }
    for (const sink of this.#sinks) sink.write(event, time);
  }

  /** Waits until everything is written. */
  async close(): Promise<void> {
    await Promise.all(this.#sinks.map(({ file }) => file.close()));
  }
}

const NEW_LINE = 10;

/** Appends one line for each event; a line that a crash cut short stays a line of its own. */
async function openJsonLines(path: string): Promise<Sink> {
  const file = await AppendFile.open(path);
  if (!(await file.endsWith(NEW_LINE))) file.append(Buffer.from('\n'));
  return {
    file,
    write: (event, time) => {
      const { kind, ...rest } = event;
      file.append(Buffer.from(`${JSON.stringify({ kind, time: time.toISOString(), ...rest })}\n`));
    },
  };
}

async function openTensorBoard(directory: string): Promise<Sink> {
  const now = Date.now() / 1000;
  // Named as TensorFlow names them; several files in one folder are one run.
  const name = `events.out.tfevents.${now.toFixed(3).replace('.', '')}.node-vae.${process.pid}`;
  const file = await AppendFile.open(join(directory, name));
  const put = (message: Uint8Array): void => file.append(record(message));
  put(versionEvent(now));
  return {
    file,
    write: (event, time) => {
      const seconds = time.getTime() / 1000;
      // Steps from the one it names on are dropped.
      if (event.kind === 'start') put(restartEvent(seconds, event.step === 0 ? 0 : event.step + 1));
      else if (event.kind === 'step') put(summaryEvent(seconds, event.step, stepScalars(event)));
      else if (event.kind === 'epoch') put(summaryEvent(seconds, event.step ?? event.epoch, ...epochSummary(event)));
    },
  };
}

function stepScalars(event: StepProgress): Scalar[] {
  return finite([
    ...terms('step', event),
    { tag: 'step/learning_rate', value: event.learningRate },
    { tag: 'step/kl_weight', value: event.klWeight },
    { tag: 'step/gradient_norm', value: event.gradientNorm },
    { tag: 'step/update_norm', value: event.updateNorm },
    { tag: 'step/examples_per_second', value: event.examplesPerSecond },
  ]);
}

function epochSummary({ train, validation, latents }: EpochProgress): [Scalar[], Histogram[]] {
  const scalars = [...terms('train', train), ...(validation ? terms('validation', validation) : [])];
  if (latents === undefined) return [finite(scalars), []];
  scalars.push({ tag: 'latents/active_units', value: latents.activeUnits });
  if (latents.collapsed !== undefined) scalars.push({ tag: 'latents/collapsed', value: latents.collapsed });
  const { klPerDimension } = latents;
  return [finite(scalars), klPerDimension ? [{ tag: 'latents/kl_per_dimension', values: klPerDimension }] : []];
}

function terms(group: string, { loss, reconstruction, kl }: Terms): Scalar[] {
  return [
    { tag: `${group}/loss`, value: loss },
    { tag: `${group}/reconstruction`, value: reconstruction },
    { tag: `${group}/kl`, value: kl },
  ];
}

function finite(scalars: readonly Scalar[]): Scalar[] {
  return scalars.filter(({ value }) => Number.isFinite(value));
}
