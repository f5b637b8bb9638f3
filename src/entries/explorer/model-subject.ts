/** A model and data, looked at: latents and scores of all rows, made while the page is open already. */
import { performance } from 'node:perf_hooks';
import { VaeError } from '../../core/errors.js';
import { packageVersion } from '../../core/package-files.js';
import type { Dataset } from '../../data/dataset.js';
import { stateOf, type Vae } from '../../vae/vae.js';
import { type Answering, answerModel } from './answers.js';
import { displayOf } from './display.js';
import { drawPrior } from './draws.js';
import type { Frame } from './frames.js';
import { examine } from './health.js';
import { LatentMap } from './latent-map.js';
import { Listeners, type Question, type Subject } from './subject.js';
import type { CurvePoint, Health, ModelState, Progress } from './types.js';
import { readUpload } from './uploads.js';

const BATCH = 1024;
/** Draws that are shown of a model without data. */
const DRAWS = 2000;
const QUANTILE = 0.99;
/** Data are kept in memory up to this size, to be read once only. */
const MOST_MEMORY = 2 ** 30;

export interface ModelSubjectOptions {
  readonly vae: Vae;
  readonly name: string;
  readonly data: Dataset | undefined;
  readonly path: string;
  readonly curves?: readonly CurvePoint[] | undefined;
  readonly maxDecodeBytes: number;
}

export class ModelSubject implements Subject, Answering {
  readonly vae: Vae;
  readonly batcher: ReturnType<Vae['batcher']>;
  readonly #options: ModelSubjectOptions;
  readonly #abort = new AbortController();
  readonly #listeners = new Listeners();
  readonly #working: Promise<void>;
  #data: Dataset | undefined;
  #progress: Progress;
  #map: LatentMap | undefined;
  #mapPart: Frame | undefined;
  #scoresPart: Frame | undefined;
  #health: Health | undefined;
  #holes: Float32Array = new Float32Array(0);
  #failure: unknown;
  #threshold: ModelState['threshold'];

  constructor(options: ModelSubjectOptions) {
    this.#options = options;
    this.vae = options.vae;
    this.#data = options.data;
    this.batcher = this.vae.batcher({ maxBatch: 64, maxQueue: 1024 });
    this.#progress = { stage: 'encoding', done: 0, total: this.rows, version: 0 };
    this.#working = this.#work().catch((error: unknown) => {
      this.#failure = error;
      if (!this.#abort.signal.aborted) this.#tell({ stage: 'failed', message: (error as Error).message });
    });
  }

  get data(): Dataset | undefined {
    return this.#data;
  }

  get rows(): number {
    return this.#data?.length ?? DRAWS;
  }

  get map(): LatentMap {
    if (this.#mapPart !== undefined && this.#map !== undefined) return this.#map;
    throw new VaeError('ERR_VAE_BUSY', 'The rows are still being encoded.');
  }

  get holes(): Float32Array {
    return this.#holes;
  }

  /** Elements of a latent. */
  get dimensions(): number {
    return this.map.base.length;
  }

  state(): ModelState {
    const { name, path, curves } = this.#options;
    const { info, recipe } = this.vae;
    const { networks } = stateOf(this.vae).engine;
    const data = this.#data;
    const names = data?.labels?.classes;
    const { condition } = info;
    return {
      mode: 'model',
      name,
      version: packageVersion(),
      model: {
        architecture: info.architecture.type,
        likelihood: info.likelihood.type,
        prior: info.prior.type,
        latentDim: info.latentDim,
        latentShape: this.vae.latentShape,
        parameterCount: info.parameterCount,
        ...(condition && {
          classes: Array.from({ length: condition.classes }, (_, index) => names?.[index] ?? String(index)),
        }),
      },
      display: displayOf(data?.rowShape ?? this.vae.dataShape, recipe, networks.bytes),
      data: {
        source: data ? 'data' : 'prior',
        path,
        rows: this.rows,
        ...(names && { classes: names }),
        named: data?.names !== undefined,
      },
      kept: this.#map?.kept ?? [],
      progress: this.#progress,
      ...(this.#health && { health: this.#health }),
      ...(curves && curves.length > 0 && { curves }),
      ...(this.#threshold && { threshold: this.#threshold }),
    };
  }

  part(name: string): Frame | undefined {
    if (name === 'map') return this.#mapPart;
    return name === 'scores' ? this.#scoresPart : undefined;
  }

  answer(question: Question): Promise<Frame> {
    return answerModel(this, question);
  }

  async upload(name: string, bytes: Uint8Array, signal: AbortSignal): Promise<Frame> {
    const { vae } = this;
    const { data, count, leftOut } = await readUpload(vae, name, bytes, this.#options.maxDecodeBytes, signal);
    const shape = [count, ...vae.dataShape];
    const labels = vae.info.condition ? { labels: 0 } : {};
    const { mean, logVariance } = await vae.encode({ data, shape }, { signal, ...labels });
    const rebuilt = await vae.decode(mean, { signal, ...labels });
    const scores = await vae.score({ data, shape }, { seed: 0, signal, ...labels });
    const { scale, offset } = stateOf(vae).engine.networks.bytes;
    return {
      header: { name, count, leftOut },
      arrays: {
        original: data instanceof Float32Array ? data : Float32Array.from(data, (value) => value * scale + offset),
        rebuilt: rebuilt.data as Float32Array,
        mean: mean.data as Float32Array,
        logVariance: logVariance.data as Float32Array,
        kl: scores.kl,
        reconstruction: scores.reconstruction,
      },
    };
  }

  /** When everything is measured. @throws what it failed with. */
  async ready(signal: AbortSignal): Promise<void> {
    const abort = (): void => this.#abort.abort(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    await this.#working;
    signal.removeEventListener('abort', abort);
    signal.throwIfAborted();
    const { stage, message } = this.#progress;
    if (stage === 'failed')
      throw new VaeError('ERR_VAE_DATA', message ?? 'The rows could not be encoded.', { cause: this.#failure });
  }

  /** Latents of all dimensions of all rows, as a page without a server needs them. */
  async wholeLatents(signal: AbortSignal): Promise<Frame> {
    const { map, dimensions } = this;
    const data = this.#data;
    const mean = new Float32Array(this.rows * dimensions);
    if (data === undefined) {
      mean.set(await drawPrior(this.vae, DRAWS, { seed: 0, temperature: 1, signal }));
      return { header: { rows: map.rows }, arrays: { mean } };
    }
    const logVariance = new Float32Array(mean.length);
    for await (const batch of data.batch(BATCH, { signal })) {
      const found = await this.vae.encode(batch, { signal, ...this.#labels(batch.labels?.values) });
      mean.set(found.mean.data as Float32Array, batch.start * dimensions);
      logVariance.set(found.logVariance.data as Float32Array, batch.start * dimensions);
    }
    return { header: { rows: map.rows }, arrays: { mean, logVariance } };
  }

  subscribe(listener: () => void): () => void {
    return this.#listeners.add(listener);
  }

  async close(): Promise<void> {
    this.#abort.abort(new VaeError('ERR_VAE_DISPOSED', 'The explorer was closed.'));
    await this.#working;
    await this.batcher.close();
  }

  async #work(): Promise<void> {
    const started = performance.now();
    const { signal } = this.#abort;
    if (this.#data === undefined) await this.#drawRows();
    else await this.#encodeRows(this.#data);
    const { points, mean, axes, explained } = await this.#map!.project();
    const { labels, names } = this.#data ?? {};
    this.#mapPart = {
      header: { explained, ...(names && { names }) },
      arrays: {
        points,
        mean,
        axes,
        latents: this.#map!.latents,
        base: this.#map!.base,
        ...(labels && { labels: Int32Array.from(labels.values) }),
      },
    };
    const mapMs = performance.now() - started;
    if (this.#data === undefined) {
      this.#tell({ stage: 'ready', done: this.rows, mapMs });
      return;
    }
    this.#tell({ stage: 'scoring', done: 0, mapMs });
    await this.#scoreRows(this.#data);
    this.#tell({ stage: 'measuring', done: this.rows });
    const { health, holes } = await examine(this.vae, this.#data, signal);
    this.#health = health;
    this.#holes = holes;
    this.#tell({ stage: 'ready' });
  }

  async #drawRows(): Promise<void> {
    const { signal } = this.#abort;
    const latents = await drawPrior(this.vae, DRAWS, { seed: 0, temperature: 1, signal });
    this.#map = new LatentMap(DRAWS, latents.length / DRAWS, latents);
    this.#map.add(latents);
  }

  async #encodeRows(given: Dataset): Promise<void> {
    const { signal } = this.#abort;
    const { vae } = this;
    const bytes = given.length * given.rowShape.reduce((size, side) => size * side, given.dtype === 'uint8' ? 1 : 4);
    if (bytes <= MOST_MEMORY && given.indexed === undefined) this.#data = await given.toMemory(signal);
    const data = this.#data!;
    for await (const batch of data.batch(BATCH, { signal })) {
      const { mean } = await vae.encode(batch, { signal, ...this.#labels(batch.labels?.values) });
      const values = mean.data as Float32Array;
      this.#map ??= new LatentMap(data.length, values.length / batch.shape[0]!, values);
      this.#map.add(values);
      this.#tell({ done: this.#map.filled }, false);
    }
  }

  async #scoreRows(data: Dataset): Promise<void> {
    const { signal } = this.#abort;
    const kl = new Float32Array(data.length);
    const reconstruction = new Float32Array(data.length);
    for await (const batch of data.batch(BATCH, { signal })) {
      const scores = await this.vae.score(batch, { seed: 0, signal, ...this.#labels(batch.labels?.values) });
      kl.set(scores.kl, batch.start);
      reconstruction.set(scores.reconstruction, batch.start);
      this.#tell({ done: batch.start + batch.shape[0]! }, false);
    }
    this.#scoresPart = { header: {}, arrays: { kl, reconstruction } };
    const sorted = kl.map((value, row) => value + reconstruction[row]!).sort();
    const at = (sorted.length - 1) * QUANTILE;
    const low = Math.floor(at);
    const next = sorted[Math.min(sorted.length - 1, low + 1)]!;
    this.#threshold = { value: sorted[low]! + (at - low) * (next - sorted[low]!), quantile: QUANTILE };
  }

  /** Labels of a batch, for models that are told them. */
  #labels(values: ArrayLike<number> | undefined): { labels?: Int32Array } {
    return this.vae.info.condition && values ? { labels: Int32Array.from(values) } : {};
  }

  #tell(change: Partial<Progress>, step = true): void {
    const version = this.#progress.version + (step ? 1 : 0);
    this.#progress = { ...this.#progress, ...change, version };
    this.#listeners.tell();
  }
}
