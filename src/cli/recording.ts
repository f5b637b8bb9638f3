/** Keeps the record of a run while it goes on: run.json in its directory. */

import { relative, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Dataset, History, RunPart, RunRecord, RunResult, Vae } from '../index.js';
import { CliError } from './errors.js';
import type { TrainSettings } from './settings.js';

export interface RecordedCommand {
  /** The run's directory. */
  readonly out: string;
  /** The data as they were named. */
  readonly path: string;
  /** Every flag of the command. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** What flags, --config and --set come to. */
  readonly settings: TrainSettings;
  readonly training: Dataset;
  readonly validation: Dataset | undefined;
  readonly resumed: boolean;
}

/** The fingerprints of a run's data. */
export interface ExpectedData {
  readonly training: string;
  readonly validation: string | undefined;
}

/** Flags that say how a command talks, or whose content is in the settings. */
const NOT_RECORDED = new Set(['json', 'verbose', 'overwrite', 'config', 'set', 'out', 'dryRun', 'watch', 'watchPort']);

export class RunRecording {
  readonly #directory: string;
  readonly #vae: Vae;
  readonly #earlier: readonly RunPart[];
  #part: RunPart;
  readonly #training: Dataset;
  readonly #validation: Dataset | undefined;
  readonly #started = performance.now();
  #written = false;

  private constructor(
    vae: Vae,
    { out, training, validation }: RecordedCommand,
    earlier: readonly RunPart[],
    part: RunPart,
  ) {
    this.#directory = out;
    this.#vae = vae;
    this.#training = training;
    this.#validation = validation;
    this.#earlier = earlier;
    this.#part = part;
  }

  /** Describes what is about to run; nothing is written yet. */
  static async begin(vae: Vae, command: RecordedCommand, signal: AbortSignal): Promise<RunRecording> {
    const { describeEnvironment } = await import('../index.js');
    const { out, path, flags, settings, training, validation, resumed } = command;
    const recorded = Object.entries(flags).filter(([name, value]) => !NOT_RECORDED.has(name) && value !== undefined);
    const part: RunPart = {
      started: new Date().toISOString(),
      outcome: 'running',
      pid: process.pid,
      resumed,
      command: { directory: process.cwd(), path, flags: toJson(Object.fromEntries(recorded)) },
      settings: { model: toJson(settings.model), fit: toJson(settings.fit) },
      data: await describe(training, signal),
      ...(validation && { validation: await describe(validation, signal) }),
      environment: describeEnvironment(),
    };
    return new RunRecording(vae, command, resumed ? await earlierParts(out) : [], part);
  }

  /** @throws CliError ERR_VAE_REPRODUCIBILITY where the data are not those with these fingerprints. */
  async expect(expected: ExpectedData, signal: AbortSignal): Promise<void> {
    const { isFingerprintOf } = await import('../index.js');
    for (const [what, data, wanted] of [
      ['data', this.#training, expected.training],
      ['validation data', this.#validation, expected.validation],
    ] as const) {
      if (data === undefined && wanted === undefined) continue;
      if (data !== undefined && wanted !== undefined && (await isFingerprintOf(data, wanted, signal))) continue;
      throw new CliError(
        'ERR_VAE_REPRODUCIBILITY',
        `The ${what} are not those of the run: ` +
          `${data === undefined ? 'there are none now' : wanted === undefined ? 'there were none then' : 'their content, names or labels differ'}. ` +
          'Restore them, or name their place with --data.',
      );
    }
  }

  /** Writes that the run is under way. */
  start(): Promise<void> {
    return this.#write(this.#part, undefined);
  }

  /** Writes how it ended. The model must have been saved: the result is what it holds. */
  async finish(history: History | undefined, batches?: number): Promise<void> {
    const { settings } = this.#part;
    // A clock would end the repetition elsewhere.
    if (batches !== undefined) {
      this.#part = { ...this.#part, settings: { ...settings, fit: { ...settings.fit, maxBatches: batches } } };
    }
    const outcome = history === undefined ? 'aborted' : history.stoppedEarly ? 'stopped' : 'done';
    await this.#write(this.#ended(outcome), await resultOf(this.#vae, history));
  }

  /** Writes what it failed with, where it was under way. */
  async fail(error: unknown): Promise<void> {
    if (!this.#written) return;
    const message = error instanceof Error ? error.message : String(error);
    // The error itself matters more than its record.
    await this.#write({ ...this.#ended('failed'), message }, undefined).catch(() => {});
  }

  #ended(outcome: RunPart['outcome']): RunPart {
    const seconds = (performance.now() - this.#started) / 1000;
    return { ...this.#part, outcome, ended: new Date().toISOString(), seconds };
  }

  async #write(part: RunPart, result: RunResult | undefined): Promise<void> {
    const { newRunRecord, writeRunRecord } = await import('../index.js');
    const { architecture, input, latentDim, likelihood, seed } = this.#vae.info;
    const record: RunRecord = newRunRecord({
      seed: String(seed),
      model: toJson({ architecture, input, latentDim, likelihood }),
      parts: [...this.#earlier, part],
      ...(result && { result }),
    });
    await writeRunRecord(this.#directory, record);
    this.#written = true;
  }
}

async function describe(data: Dataset, signal: AbortSignal): Promise<RunPart['data']> {
  const { fingerprintOf } = await import('../index.js');
  const { length, rowShape, dtype } = data;
  return { fingerprint: await fingerprintOf(data, signal), rows: length, rowShape: [...rowShape], dtype };
}

/** Parts of the run that is resumed; none where it was made before there were records. */
async function earlierParts(directory: string): Promise<readonly RunPart[]> {
  const { readRunRecord, VaeError } = await import('../index.js');
  try {
    return (await readRunRecord(directory)).parts;
  } catch (error) {
    if (error instanceof VaeError && error.code === 'ERR_VAE_IO') return [];
    throw error;
  }
}

/** What a model holds after a run. */
export async function resultOf(vae: Vae, history: History | undefined): Promise<RunResult> {
  const { digestParameters } = await import('../index.js');
  const { parameters, parameterCount, trainedEpochs } = vae.info;
  const last = history?.epochs[history.epochs.length - 1];
  return {
    parameters: digestParameters(parameters.map(({ name }) => [name, vae.parameter(name)])),
    parameterCount,
    epochs: trainedEpochs ?? 0,
    ...(history && { bestEpoch: history.bestEpoch, rowsPerSecond: history.examplesPerSecond }),
    ...(last && { train: { ...last.train } }),
    ...(last?.validation && { validation: { ...last.validation } }),
    ...(last?.latents && { latents: { units: last.latents.units, activeUnits: last.latents.activeUnits } }),
  };
}

/** Only what JSON can hold: seeds beyond 2^53 as text. */
function toJson(value: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(value, (_, item: unknown) => (typeof item === 'bigint' ? String(item) : item)));
}

/** A path as a person would write it from here. */
export function fromHere(path: string): string {
  const short = relative(process.cwd(), resolve(path)) || '.';
  return short.startsWith('..') ? path : short;
}
