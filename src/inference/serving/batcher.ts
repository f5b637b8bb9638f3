/** One model for many concurrent requests. */
import type { Tensor } from 'onnxruntime-common';
import { z } from 'zod';
import type { NativeTensor } from '../../binding/addon.js';
import { Lifetime } from '../../core/disposal.js';
import { elementCount } from '../../core/dtype.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { type Seed, seedSchema } from '../../core/seed.js';
import { floatTensor } from '../../core/tensor.js';
import { isScaled, scaleRows } from '../../data/array/recipe.js';
import type { Engine } from '../engine.js';
import { checkedLabelFeeds, type LabelRows, rowLabels } from '../rows/labels.js';
import { type BatchInput, checkedRows, type RowReader, readRows } from '../rows/rows.js';
import { BatchQueue } from './batch-queue.js';

const batcherSchema = z.strictObject({
  /** Rows of one run at most. Default 64. */
  maxBatch: z.int().positive().max(65_536).default(64),
  /**
   * How long a request waits for others while nothing runs; while something runs, requests gather by
   * themselves. Default 0: for those of the same turn of the event loop.
   */
  maxDelayMs: z.number().min(0).max(60_000).default(0),
  /** Rows that may wait; a request beyond is refused with ERR_VAE_BUSY. Default 1024. */
  maxQueue: z.int().positive().default(1024),
  /**
   * Runs at once. Default 1: a run has all processors, and the JavaScript thread, which would only wait for
   * it, helps. More can pay on machines of many processors.
   */
  concurrency: z.int().positive().max(64).default(1),
  /** Called with the operation and the rows of every batch when it is run. */
  onBatch: z.custom<(operation: string, rows: number) => void>((value) => typeof value === 'function').optional(),
});

export interface BatcherOptions extends InputOf<typeof batcherSchema> {}

interface Encoding {
  readonly mean: Tensor;
  readonly logVariance: Tensor;
}

/** One value for each example, in nats. */
export interface RowScores {
  /** Evidence lower bound, a lower bound of log p(x): −(reconstruction + kl). */
  readonly elbo: Float32Array;
  /** −log p(x|z) at one draw of z from the posterior. */
  readonly reconstruction: Float32Array;
  /** KL divergence of the posterior from the prior. */
  readonly kl: Float32Array;
}

type Result = Encoding | Tensor | RowScores;

export interface RequestOptions {
  readonly signal?: AbortSignal;
  /** For conditional models: the class number of the request's rows, or one for each. */
  readonly labels?: LabelRows;
}

/** Bytes of a batch that are kept for the next one, at most. */
const MOST_KEPT = 4 * 2 ** 20;

type Operation = 'encode' | 'decode' | 'reconstruct' | 'score';

/** Rows of one request, float32. */
interface Rows {
  readonly data: Float32Array;
  readonly rows: number;
  readonly labels: Int32Array | undefined;
}

type Queue = BatchQueue<Rows, Result>;

/**
 * Gathers concurrent small requests into batches. Every request has its own result (in memory of its
 * own), its own error and its own abort; a bad one does not spoil its neighbours. Data is borrowed: it
 * must not change before the promise settles.
 */
export class Batcher {
  readonly #engine: Engine;
  readonly #options: z.output<typeof batcherSchema>;
  readonly #lifetime = new Lifetime('Batcher');
  /** By operation and, where data may have any, shape of a row. */
  readonly #queues = new Map<string, Queue>();
  readonly #open: boolean;
  readonly #seed: bigint;

  /** Inside use; see Vae.batcher(). The engine's networks are shared until the batcher is closed. */
  constructor(engine: Engine, options: BatcherOptions, seed: bigint) {
    this.#seed = seed;
    this.#options = parseOptions(batcherSchema, options, 'batcher()');
    this.#engine = engine.share();
    const { dataShape, latentShape } = engine.networks;
    this.#open = [...dataShape, ...latentShape].includes(-1);
  }

  /** Rows that wait, over all operations. */
  get waiting(): number {
    let rows = 0;
    for (const queue of this.#queues.values()) rows += queue.rows;
    return rows;
  }

  /**
   * Like Vae.encode(), float32 or uint8 [n, ...data].
   *
   * @throws VaeError as Vae.encode() does, and ERR_VAE_BUSY where the queue is full.
   */
  encode(batch: BatchInput, options: RequestOptions = {}): Promise<{ mean: Tensor; logVariance: Tensor }> {
    return this.#submit('encode', batch, this.#engine.networks.dataShape, options) as Promise<Encoding>;
  }

  /** Like Vae.decode(), float32 [n, ...latent]. */
  decode(latents: BatchInput, options: RequestOptions = {}): Promise<Tensor> {
    return this.#submit('decode', latents, this.#engine.networks.latentShape, options) as Promise<Tensor>;
  }

  /** Like Vae.reconstruct(), from the posterior's mean. */
  reconstruct(batch: BatchInput, options: RequestOptions = {}): Promise<Tensor> {
    return this.#submit('reconstruct', batch, this.#engine.networks.dataShape, options) as Promise<Tensor>;
  }

  /**
   * Like Vae.score() at one draw, the same for the same seed (default: the model's), whatever else is in the batch. Of
   * models that were imported to be run as they are, each request goes by itself.
   */
  score(batch: BatchInput, options: RequestOptions & { readonly seed?: Seed } = {}): Promise<RowScores> {
    const { seed = this.#seed, ...others } = options;
    try {
      const checked = BigInt(parseOptions(seedSchema, seed, 'batcher.score(), seed'));
      return this.#submit('score', batch, this.#engine.networks.dataShape, others, checked) as Promise<RowScores>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Resolves when no queue is full: for those who would rather wait than be refused. */
  async room(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.room()));
  }

  /** Refuses new requests, lets those that wait go through, and resolves when all have settled. Idempotent. */
  close(): Promise<void> {
    return this.#lifetime.close(async () => {
      await Promise.all([...this.#queues.values()].map((queue) => queue.drain()));
      await this.#engine.close();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #submit(
    operation: Operation,
    input: BatchInput,
    shape: readonly number[],
    options: RequestOptions,
    seed?: bigint,
  ): Promise<Result> {
    try {
      this.#lifetime.check();
      const where = `batcher.${operation}()`;
      const { networks } = this.#engine;
      const { signal } = options;
      const reader = readRows(input, shape, where, {
        ...(operation !== 'decode' && { bytes: networks.bytes, domain: networks.domain }),
        signal,
      });
      const labels = rowLabels(networks, options.labels, input, reader.rows, where);
      const scaling = operation === 'decode' || isScaled(input) ? undefined : networks.dataScaling;
      const enqueue = (taken: NativeTensor): Promise<Result> => {
        let data = taken.data as Float32Array;
        if (scaling !== undefined) {
          data = new Float32Array(data);
          scaleRows(data, 0, scaling, 'in');
        }
        const queue = this.#queue(operation, reader.rowShape, seed);
        return queue.submit({ data, rows: reader.rows, labels }, reader.rows, signal);
      };
      // Rows in memory join the batch of this turn of the event loop, whose run looks for NaN; those of a Dataset are read first.
      const taken = (reader.borrow ?? reader.read).call(reader, 0, reader.rows);
      if (!(taken instanceof Promise)) return enqueue(taken);
      return this.#lifetime.run(async () => enqueue(await taken));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #queue(operation: Operation, rowShape: readonly number[], seed: bigint | undefined): Queue {
    const name = seed === undefined ? operation : `${operation} ${seed}`;
    const key = this.#open ? `${name} ${rowShape.join(',')}` : name;
    const known = this.#queues.get(key);
    if (known !== undefined) return known;
    // Data of open sides may come in any number of shapes.
    for (const [other, queue] of this.#queues) if (queue.idle) this.#queues.delete(other);
    const room = new GatherRoom(this.#options.maxBatch, elementCount(rowShape));
    const queue: Queue = new BatchQueue({
      ...this.#options,
      run: (requests, rows, signal) =>
        seed === undefined
          ? this.#run(operation, requests, rows, rowShape, room, signal)
          : this.#score(seed, requests, rows, rowShape, signal),
    });
    this.#queues.set(key, queue);
    return queue;
  }

  async #run(
    operation: Operation,
    requests: readonly Rows[],
    rows: number,
    rowShape: readonly number[],
    room: GatherRoom,
    signal: AbortSignal | undefined,
  ): Promise<readonly Result[]> {
    this.#options.onBatch?.(operation, rows);
    const data = requests.length === 1 ? requests[0]!.data : room.gather(requests, rows);
    const feeds = checkedLabelFeeds(gatherLabels(requests, rows));
    const domain = operation === 'decode' ? undefined : this.#engine.networks.domain;
    const reader = checkedRows(data, rows, rowShape, `${operation}()`, feeds, domain);
    const result = await this.#work(operation, reader, feeds, signal);
    if (requests.length === 1) return [result];
    room.giveBack(data);
    return share(requests, result);
  }

  async #score(
    seed: bigint,
    requests: readonly Rows[],
    rows: number,
    rowShape: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<readonly RowScores[]> {
    const engine = this.#engine;
    const where = 'score()';
    if (!engine.networks.hasObjective) {
      const call = signal === undefined ? {} : { signal };
      const each = requests.map(({ data, rows: count }) =>
        engine.score({ data, shape: [count, ...rowShape] }, seed, call, where),
      );
      return (await Promise.all(each)).map(withBound);
    }
    this.#options.onBatch?.('score', rows);
    const data = new Float32Array(rows * elementCount(rowShape));
    const draws = new Int32Array(rows);
    let at = 0;
    for (const request of requests) {
      data.set(request.data, at * elementCount(rowShape));
      for (let row = 0; row < request.rows; row += 1) draws[at + row] = row;
      at += request.rows;
    }
    const feeds = checkedLabelFeeds(gatherLabels(requests, rows));
    const reader = checkedRows(data, rows, rowShape, where, feeds, engine.networks.domain);
    const scores = await engine.scoreRows(reader, seed, draws, signal, where);
    at = 0;
    return requests.map((request) => {
      const from = at;
      at += request.rows;
      return withBound({ reconstruction: scores.reconstruction.slice(from, at), kl: scores.kl.slice(from, at) });
    });
  }

  /** Runs rows that were checked when they came. */
  async #work(
    operation: Operation,
    reader: RowReader,
    feeds: RowReader['feeds'],
    signal: AbortSignal | undefined,
  ): Promise<Encoding | Tensor> {
    const engine = this.#engine;
    const call = signal === undefined ? {} : { signal };
    const where = `${operation}()`;
    if (operation === 'decode') {
      const { data, dims } = await engine.decodeRows(reader, call, where);
      return floatTensor(data, dims);
    }
    const { mean, logVariance, dims } = await engine.encodeRows(reader, call, where);
    if (operation === 'encode') return { mean: floatTensor(mean, dims), logVariance: floatTensor(logVariance, dims) };
    const latents = checkedRows(mean, dims[0]!, dims.slice(1), where, feeds);
    const rebuilt = await engine.decodeRows(latents, call, where);
    return floatTensor(rebuilt.data, rebuilt.dims);
  }
}

function withBound({ reconstruction, kl }: Omit<RowScores, 'elbo'>): RowScores {
  return { elbo: reconstruction.map((value, row) => -(value + kl[row]!)), reconstruction, kl };
}

/** Each request's rows of the results, in memory of their own. */
function share(requests: readonly Rows[], result: Encoding | Tensor): readonly Result[] {
  if ('mean' in result) {
    const means = slices(requests, result.mean);
    const logVariances = slices(requests, result.logVariance);
    return means.map((mean, index) => ({ mean, logVariance: logVariances[index]! }));
  }
  return slices(requests, result);
}

function slices(requests: readonly Rows[], { data, dims }: Tensor): Tensor[] {
  const width = data.length / dims[0]!;
  const row = dims.slice(1);
  let at = 0;
  return requests.map(({ rows }) => {
    const from = at;
    at += rows * width;
    return floatTensor((data as Float32Array).slice(from, at), [rows, ...row]);
  });
}

/** Memory in which requests are put together: kept for later batches, since fresh memory takes time to touch. */
class GatherRoom {
  readonly #spare: ArrayBuffer[] = [];
  readonly #bytes: number;
  readonly #width: number;

  constructor(maxBatch: number, width: number) {
    this.#width = width;
    this.#bytes = 4 * maxBatch * width;
  }

  gather(requests: readonly Rows[], rows: number): Float32Array {
    const length = rows * this.#width;
    const kept = this.#bytes <= MOST_KEPT;
    const all = kept
      ? new Float32Array(this.#spare.pop() ?? new ArrayBuffer(this.#bytes), 0, length)
      : new Float32Array(length);
    let at = 0;
    for (const { data } of requests) {
      all.set(data, at);
      at += data.length;
    }
    return all;
  }

  /** After a run that succeeded: one that failed may still be reading. */
  giveBack({ buffer }: Float32Array): void {
    if (buffer.byteLength === this.#bytes && this.#bytes <= MOST_KEPT) this.#spare.push(buffer as ArrayBuffer);
  }
}

/** Either all requests have labels or none has. */
function gatherLabels(requests: readonly Rows[], rows: number): Int32Array | undefined {
  if (requests.length === 1 || requests[0]!.labels === undefined) return requests[0]!.labels;
  const all = new Int32Array(rows);
  let at = 0;
  for (const { labels } of requests) {
    all.set(labels!, at);
    at += labels!.length;
  }
  return all;
}
