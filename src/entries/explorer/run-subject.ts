/** A run of training, looked at while it goes on. Where nobody looks, nothing is computed for it. */
import { performance } from 'node:perf_hooks';
import { VaeError } from '../../core/errors.js';
import { packageVersion } from '../../core/package-files.js';
import type { Dataset } from '../../data/dataset.js';
import type { FitControl, MomentParameters } from '../../training/control.js';
import type { EpochProgress, FitProgress, StepProgress } from '../../training/progress.js';
import { snapshotOf } from '../../vae/snapshot.js';
import { stateOf, type Vae } from '../../vae/vae.js';
import { alignment, turned } from './align.js';
import { type Answering, answerModel } from './answers.js';
import { displayOf } from './display.js';
import type { Frame } from './frames.js';
import { LatentMap } from './latent-map.js';
import { asked, unknownQuestion } from './questions.js';
import { naturalRows } from './rows.js';
import { Listeners, type Question, type Subject } from './subject.js';
import type { CurvePoint, Health, ModelState, RunState } from './types.js';

/** Rows of the map: the same all the time. */
const MAP_ROWS = 1000;
const PICTURES = 8;
/** Long epochs are looked into this often. */
const MOMENT_MS = 10_000;
/** Steps are told this often. */
const STEP_MS = 250;
const MOST_WARNINGS = 8;

export interface RunSubjectOptions {
  readonly vae: Vae;
  readonly name: string;
  readonly training: Dataset;
  readonly validation: Dataset | undefined;
  readonly path: string;
  /** Does what Ctrl-C does. */
  readonly stop: () => void;
}

/** A model of one moment with the map of its latents. */
interface Moment extends Answering {
  readonly map: LatentMap;
  close(): Promise<void>;
}

export class RunSubject implements Subject {
  readonly #options: RunSubjectOptions;
  readonly #sample: Dataset;
  readonly #listeners = new Listeners();
  readonly #curves: CurvePoint[] = [];
  readonly #wishes: { resolve(): void; reject(error: unknown): void }[] = [];
  #run: RunState = { status: 'starting', epoch: 0, epochs: 0, step: 0, steps: 0, warnings: [] };
  #health: Health | undefined;
  #watchers = 0;
  #version = 0;
  #moment: Moment | undefined;
  #mapPart: Frame | undefined;
  #momentPart: Frame | undefined;
  #busy: Promise<void> | undefined;
  #lastMoment = Number.NEGATIVE_INFINITY;
  #lastStep = 0;
  #closed = false;

  constructor(options: RunSubjectOptions) {
    this.#options = options;
    const from = options.validation ?? options.training;
    this.#sample = from.length > MAP_ROWS ? from.shuffle(0).take(MAP_ROWS) : from;
  }

  /** Takes an event of the run, between two of its batches. */
  progress(event: FitProgress, control: FitControl): void {
    if (event.kind === 'step') this.#step(event);
    else if (event.kind === 'epoch') this.#epoch(event);
    else this.#change({ warnings: [...this.#run.warnings, event.message].slice(-MOST_WARNINGS) });
    for (const { resolve, reject } of this.#wishes.splice(0)) {
      void control.saveCheckpoint().then(() => {
        this.#change({ checkpoint: `epoch ${this.#run.epoch}, step ${this.#run.step}` });
        resolve();
      }, reject);
    }
    if (this.#watchers === 0 || this.#busy || this.#closed) return;
    const due = performance.now() - this.#lastMoment > MOMENT_MS;
    if (event.kind === 'epoch' || due) this.#look(control.parameters(), event.epoch);
  }

  ended(): void {
    for (const { reject } of this.#wishes.splice(0)) reject(new VaeError('ERR_VAE_DISPOSED', 'The run has ended.'));
    this.#change({ status: 'ended' });
  }

  state(): ModelState {
    const { vae, name, path } = this.#options;
    const { info } = vae;
    const sample = this.#sample;
    const classes = sample.labels?.classes;
    const rows = sample.length;
    return {
      mode: 'model',
      name,
      version: packageVersion(),
      model: {
        ...{ architecture: info.architecture.type, likelihood: info.likelihood.type, prior: info.prior.type },
        ...{ latentDim: info.latentDim, latentShape: vae.latentShape, parameterCount: info.parameterCount },
        ...(info.condition && {
          classes: Array.from({ length: info.condition.classes }, (_, index) => classes?.[index] ?? String(index)),
        }),
      },
      display: displayOf(sample.rowShape, sample.recipe ?? vae.recipe, stateOf(vae).engine.networks.bytes),
      data: { source: 'data', path, rows, ...(classes && { classes }), named: sample.names !== undefined },
      kept: this.#moment?.map.kept ?? [],
      progress: { stage: 'ready', done: rows, total: rows, version: this.#version },
      ...(this.#health && { health: this.#health }),
      curves: this.#curves,
      run: this.#run,
    };
  }

  part(name: string): Frame | undefined {
    if (name === 'map') return this.#mapPart;
    return name === 'moment' ? this.#momentPart : undefined;
  }

  async answer(question: Question): Promise<Frame> {
    if (question.op === 'stop') {
      asked('stop', question);
      if (this.#run.status !== 'ended') {
        this.#change({ status: 'stopping' });
        this.#options.stop();
      }
      return { header: {}, arrays: {} };
    }
    if (question.op === 'checkpoint') {
      asked('checkpoint', question);
      if (this.#run.status !== 'running') throw new VaeError('ERR_VAE_OPTION', 'There is no run under way.');
      // Written between two batches.
      await new Promise<void>((resolve, reject) => this.#wishes.push({ resolve, reject }));
      return { header: {}, arrays: {} };
    }
    if (question.op === 'holes') throw unknownQuestion(question.op);
    if (this.#moment === undefined) throw new VaeError('ERR_VAE_BUSY', 'The first epoch is not there yet.');
    return answerModel(this.#moment, question);
  }

  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  watched(count: number): void {
    this.#watchers = count;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#busy;
    await this.#moment?.close();
  }

  #step({ epoch, epochs, step, steps, loss, examplesPerSecond, secondsLeft }: StepProgress): void {
    const now = performance.now();
    if (now - this.#lastStep < STEP_MS && this.#run.status === 'running') return;
    this.#lastStep = now;
    const status = this.#run.status === 'stopping' ? 'stopping' : 'running';
    this.#change({ status, epoch, epochs, step, steps, loss, examplesPerSecond, secondsLeft });
  }

  #epoch({ epoch, epochs, train, validation, latents, step, examplesPerSecond, secondsLeft }: EpochProgress): void {
    this.#curves.push({ epoch, train, validation, activeUnits: latents?.activeUnits });
    const { klPerDimension } = latents ?? {};
    if (latents) {
      const active = klPerDimension?.map((kl) => kl > 0.01) ?? new Array<boolean>(latents.units).fill(true);
      this.#health = {
        ...{ rows: latents.rows, kl: train.kl, active, activeUnits: latents.activeUnits, units: latents.units },
        ...(klPerDimension && { klPerDimension }),
        aggregate: [],
      };
    }
    const status = this.#run.status === 'stopping' ? 'stopping' : 'running';
    this.#change({
      status,
      epoch,
      epochs,
      step: step ?? this.#run.step,
      loss: train.loss,
      examplesPerSecond,
      secondsLeft,
    });
  }

  #look(parameters: MomentParameters, epoch: number): void {
    this.#lastMoment = performance.now();
    this.#busy = this.#make(parameters, epoch)
      .catch((error: unknown) =>
        this.#change({ warnings: [...this.#run.warnings, (error as Error).message].slice(-MOST_WARNINGS) }),
      )
      .finally(() => {
        this.#busy = undefined;
      });
  }

  /** Encodes the sample, reconstructs and draws some rows by the model of this moment. */
  async #make(parameters: MomentParameters, epoch: number): Promise<void> {
    const vae = await snapshotOf(this.#options.vae, parameters);
    const batcher = vae.batcher();
    const close = async (): Promise<void> => {
      await batcher.close();
      await vae.close();
    };
    try {
      const sample = await this.#sample.toMemory();
      const conditional = vae.info.condition && sample.labels ? { labels: Int32Array.from(sample.labels.values) } : {};
      const { mean } = await vae.encode(sample, conditional);
      const latents = mean.data as Float32Array;
      const dimensions = latents.length / sample.length;
      const map = new LatentMap(sample.length, dimensions, latents, this.#moment?.map.kept);
      map.add(latents);
      const { points, axes, ...rest } = await map.project();
      const before = this.#mapPart?.arrays['points'] as Float32Array | undefined;
      const turn = before ? alignment(points, before) : ([1, 0, 0, 1] as const);
      const { labels, names } = sample;
      this.#mapPart = {
        header: { explained: rest.explained, ...(names && { names }) },
        arrays: {
          ...{ points: turned(points, turn, 'points'), axes: turned(axes, turn, 'axes'), mean: rest.mean },
          ...{ latents: map.latents, base: map.base },
          ...(labels && { labels: Int32Array.from(labels.values) }),
        },
      };
      this.#momentPart = await this.#pictures(vae, sample);
      const old = this.#moment;
      const rows = sample.length;
      this.#moment = { vae, batcher, data: sample, rows, map, holes: new Float32Array(0), dimensions, close };
      await old?.close();
    } catch (error) {
      await close();
      throw error;
    }
    this.#version += 1;
    this.#change({ shown: epoch });
  }

  async #pictures(vae: Vae, sample: Dataset): Promise<Frame> {
    const count = Math.min(PICTURES, sample.length);
    const signal = new AbortController().signal;
    const rows = Array.from({ length: count }, (_, row) => row);
    const original = await naturalRows(sample, rows, stateOf(vae).engine.networks.bytes, signal);
    const { condition } = vae.info;
    const told =
      condition && sample.labels ? { labels: rows.map((row) => Math.max(0, sample.labels!.values[row]!)) } : {};
    const rebuilt = await vae.reconstruct({ data: original, shape: [count, ...sample.rowShape] }, told);
    const drawn = condition
      ? { labels: Array.from({ length: PICTURES }, (_, index) => index % condition.classes) }
      : {};
    const samples = await vae.sample(PICTURES, { seed: 0, ...drawn });
    return {
      header: {},
      arrays: {
        counts: Int32Array.of(count, PICTURES),
        ...{ original, rebuilt: rebuilt.data as Float32Array, samples: samples.data as Float32Array },
      },
    };
  }

  #change(change: Partial<RunState>): void {
    this.#run = { ...this.#run, ...change };
    this.#listeners.tell();
  }
}
