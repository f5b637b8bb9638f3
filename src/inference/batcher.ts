/** One model for many concurrent requests. */
import type { Tensor } from 'onnxruntime-common';
import { z } from 'zod';
import { Lifetime } from '../core/disposal.js';
import { elementCount } from '../core/dtype.js';
import { parseOptions } from '../core/options.js';
import { floatTensor, type TensorLike } from '../core/tensor.js';
import { BatchQueue } from './batch-queue.js';
import { type LabelledArray, type LabelRows, rowLabels } from './labels.js';
import type { Networks } from './networks.js';
import { readRows } from './rows.js';

export const batcherSchema = z.strictObject({
  maxBatch: z.int().positive().max(65_536).default(64),
  maxDelayMs: z.number().min(0).max(60_000).default(0),
  maxQueue: z.int().positive().default(1024),
  concurrency: z.int().positive().max(64).default(2),
});

export interface BatcherOptions {
  /** Rows of one run at most. Default 64. */
  readonly maxBatch?: number;
  /**
   * How long a request waits for others while nothing runs; while something runs, requests gather by
   * themselves. Default 0: for those of the same turn of the event loop.
   */
  readonly maxDelayMs?: number;
  /** Rows that may wait; a request beyond is refused with ERR_VAE_BUSY. Default 1024. */
  readonly maxQueue?: number;
  /**
   * Runs at once. Default 2: while one runs, the JavaScript thread hands out the results of the other and
   * takes new requests.
   */
  readonly concurrency?: number;
}

/** What a batcher needs of a model: a Vae. */
export interface BatchedModel {
  readonly dataShape: readonly number[];
  readonly latentShape: readonly number[];
  encode(batch: TensorLike, options: BatchOptions): Promise<{ mean: Tensor; logVariance: Tensor }>;
  decode(latents: TensorLike, options: BatchOptions): Promise<Tensor>;
  reconstruct(batch: TensorLike, options: BatchOptions): Promise<Tensor>;
}

interface BatchOptions {
  readonly signal: AbortSignal;
  readonly labels?: Int32Array;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
  /** For conditional models: the class number of the request's rows, or one for each. */
  readonly labels?: LabelRows;
}

type Operation = 'encode' | 'decode' | 'reconstruct';

/** Rows of one request, float32. */
interface Rows {
  readonly data: Float32Array;
  readonly dims: readonly number[];
  readonly labels: Int32Array | undefined;
}

type Queue = BatchQueue<Rows, readonly Tensor[]>;

/**
 * Gathers concurrent small requests into batches. Every request has its own result (in memory of its
 * own), its own error and its own abort; a bad one does not spoil its neighbours. Data is borrowed: it
 * must not change before the promise settles.
 */
export class Batcher {
  readonly #model: BatchedModel;
  readonly #networks: Pick<Networks, 'bytes' | 'classes'>;
  readonly #options: z.output<typeof batcherSchema>;
  readonly #release: () => Promise<void>;
  readonly #lifetime = new Lifetime('Batcher');
  /** By operation and shape of a row. */
  readonly #queues = new Map<string, Queue>();

  /** Inside use; see Vae.batcher(). */
  constructor(
    model: BatchedModel,
    networks: Pick<Networks, 'bytes' | 'classes'>,
    options: BatcherOptions,
    release: () => Promise<void>,
  ) {
    this.#options = parseOptions(batcherSchema, options, 'batcher()');
    this.#model = model;
    this.#networks = networks;
    this.#release = release;
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
  async encode(
    batch: TensorLike | LabelledArray,
    options: RequestOptions = {},
  ): Promise<{ mean: Tensor; logVariance: Tensor }> {
    const [mean, logVariance] = await this.#submit('encode', batch, this.#model.dataShape, options);
    return { mean: mean!, logVariance: logVariance! };
  }

  /** Like Vae.decode(), float32 [n, ...latent]. */
  async decode(latents: TensorLike | LabelledArray, options: RequestOptions = {}): Promise<Tensor> {
    return (await this.#submit('decode', latents, this.#model.latentShape, options))[0]!;
  }

  /** Like Vae.reconstruct(), from the posterior's mean. */
  async reconstruct(batch: TensorLike | LabelledArray, options: RequestOptions = {}): Promise<Tensor> {
    return (await this.#submit('reconstruct', batch, this.#model.dataShape, options))[0]!;
  }

  /** Resolves when no queue is full: for those who would rather wait than be refused. */
  async room(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.room()));
  }

  /** Refuses new requests, lets those that wait go through, and resolves when all have settled. Idempotent. */
  close(): Promise<void> {
    return this.#lifetime.close(async () => {
      await Promise.all([...this.#queues.values()].map((queue) => queue.drain()));
      await this.#release();
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #submit(
    operation: Operation,
    input: TensorLike,
    shape: readonly number[],
    options: RequestOptions,
  ): Promise<readonly Tensor[]> {
    this.#lifetime.check();
    const where = `batcher.${operation}()`;
    const reader = readRows(input, shape, where, operation === 'decode' ? {} : { bytes: this.#networks.bytes });
    const labels = rowLabels(this.#networks, options.labels, input, reader.rows, where);
    // In memory already: a TensorLike is never read asynchronously.
    const { data, dims } = reader.read(0, reader.rows) as { data: Float32Array; dims: readonly number[] };
    const queue = this.#queue(operation, reader.rowShape);
    return queue.submit({ data, dims, labels }, reader.rows, options.signal);
  }

  #queue(operation: Operation, rowShape: readonly number[]): Queue {
    const key = `${operation} ${rowShape.join(',')}`;
    const known = this.#queues.get(key);
    if (known !== undefined) return known;
    // Data of open sides may come in any number of shapes.
    for (const [other, queue] of this.#queues) if (queue.idle) this.#queues.delete(other);
    const queue: Queue = new BatchQueue({
      ...this.#options,
      run: (requests, rows, signal) => this.#run(operation, requests, rows, rowShape, signal),
    });
    this.#queues.set(key, queue);
    return queue;
  }

  async #run(
    operation: Operation,
    requests: readonly Rows[],
    rows: number,
    rowShape: readonly number[],
    signal: AbortSignal,
  ): Promise<readonly (readonly Tensor[])[]> {
    const batch = { data: gather(requests, rows * elementCount(rowShape)), shape: [rows, ...rowShape] };
    const labels = gatherLabels(requests, rows);
    const result = await this.#model[operation](batch, labels === undefined ? { signal } : { signal, labels });
    const outputs = 'mean' in result ? [result.mean, result.logVariance] : [result];
    if (requests.length === 1) return [outputs];
    let from = 0;
    return requests.map(({ dims }) => {
      const to = from + dims[0]!;
      const own = outputs.map((output) => sliceRows(output, from, to));
      from = to;
      return own;
    });
  }
}

function gather(requests: readonly Rows[], length: number): Float32Array {
  if (requests.length === 1) return requests[0]!.data;
  const all = new Float32Array(length);
  let at = 0;
  for (const { data } of requests) {
    all.set(data, at);
    at += data.length;
  }
  return all;
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

function sliceRows({ data, dims }: Tensor, from: number, to: number): Tensor {
  const width = data.length / dims[0]!;
  return floatTensor((data as Float32Array).slice(from * width, to * width), [to - from, ...dims.slice(1)]);
}
