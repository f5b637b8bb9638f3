/** Encoding, decoding and reconstruction of sequences of any length. */

import { Transform, type TransformCallback } from 'node:stream';
import { TransformStream } from 'node:stream/web';
import { z } from 'zod';
import { onceAborted } from '../../core/abort-listeners.js';
import { signalShape } from '../../core/common-options.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import type { BatchInput } from '../rows/rows.js';

/** An item of a sequence, [n, ...]; a conditional model finds an item's labels beside its data. */
export type StreamItem = BatchInput;

const streamSchema = z.strictObject({
  ...signalShape,
  /** Items in flight at most: what memory is bounded by. Default 8. */
  readAhead: z.int().positive().max(65_536).default(8),
  /** Rows of small items that are run together at most. Default 64. */
  maxBatch: z.int().positive().max(65_536).default(64),
  /** For conditional models: the class number of items that bring no labels of their own. Default: none. */
  label: z.int().min(0).optional(),
});

export interface StreamOptions extends InputOf<typeof streamSchema> {}

/** Runs one item; `close` when there will be no more. */
export interface StreamWorker<Out> {
  run(item: StreamItem): Promise<Out>;
  close(): Promise<void>;
}

/**
 * One operation over a sequence of items, float32 or uint8 [n, ...], with one result for each, in their
 * order. It has three faces; each use of one is a sequence of its own.
 */
export class VaeStream<Out> {
  readonly #options: z.output<typeof streamSchema>;
  readonly #open: (options: z.output<typeof streamSchema>) => StreamWorker<Out>;

  /** Inside use; see Vae.stream(). */
  constructor(
    options: StreamOptions,
    open: (options: { readonly maxBatch: number; readonly readAhead: number }) => StreamWorker<Out>,
  ) {
    this.#options = parseOptions(streamSchema, options, 'stream()');
    this.#open = open;
  }

  /**
   * Results of what the source gives. The source is read no further ahead than `readAhead` items, and is
   * told to stop when the results are no longer wanted. What it throws, and what an item fails with,
   * comes out here, after the results of the items before it.
   */
  async *over(source: Iterable<StreamItem> | AsyncIterable<StreamItem>): AsyncGenerator<Out, void, undefined> {
    const { readAhead, signal } = this.#options;
    const worker = this.#open(this.#options);
    const running: Promise<Out>[] = [];
    const iterator = iteratorOf(source);
    let next: Promise<Arrival> | undefined;
    let end: { readonly error?: unknown } | undefined;
    try {
      for (;;) {
        if (end === undefined && next === undefined && running.length < readAhead) next = arrivalOf(iterator);
        const oldest = running[0];
        if (oldest === undefined && next === undefined) {
          if (end !== undefined && 'error' in end) throw end.error;
          return;
        }
        // Whichever comes first: a slow source does not hold back results that are there.
        const event: Arrival | { readonly result: Out } = await untilAborted(
          Promise.race([
            ...(next === undefined ? [] : [next]),
            ...(oldest === undefined ? [] : [oldest.then((result) => ({ result }))]),
          ]),
          signal,
        );
        if ('result' in event) {
          running.shift();
          yield event.result;
          continue;
        }
        next = undefined;
        if ('item' in event) {
          const started = worker.run(event.item);
          quiet(started);
          running.push(started);
        } else {
          end = event;
        }
      }
    } finally {
      const returned = end === undefined ? Promise.resolve(iterator.return?.()) : undefined;
      quiet(returned);
      // A source that is being waited for may never answer.
      if (next === undefined) await returned;
      await worker.close();
    }
  }

  /** A Node transform in object mode: tensors in, results out. */
  node(): Transform {
    const { readAhead, signal } = this.#options;
    const lane = new Lane(this.#open(this.#options), readAhead);
    const transform: Transform = new Transform({
      objectMode: true,
      readableHighWaterMark: 1,
      writableHighWaterMark: 1,
      ...(signal && { signal }),
      transform(item: StreamItem, _encoding: BufferEncoding, done: TransformCallback) {
        lane.put(item, (result) => transform.push(result)).then(() => done(), done);
      },
      flush(done: TransformCallback) {
        lane.finish((result) => transform.push(result)).then(() => done(), done);
      },
      destroy(error, done) {
        lane.close().then(() => done(error), done);
      },
    });
    return transform;
  }

  /** A web transform: tensors in, results out. */
  web(): TransformStream<StreamItem, Out> {
    const { readAhead, signal } = this.#options;
    const lane = new Lane(this.#open(this.#options), readAhead);
    return new TransformStream<StreamItem, Out>({
      async transform(item, controller) {
        try {
          signal?.throwIfAborted();
          await lane.put(item, (result) => controller.enqueue(result));
        } catch (error) {
          await lane.close();
          throw error;
        }
      },
      async flush(controller) {
        try {
          await lane.finish((result) => controller.enqueue(result));
        } finally {
          await lane.close();
        }
      },
    });
  }
}

type Arrival = { readonly item: StreamItem } | { readonly error?: unknown };

/** What the source gives next; its failure is one of the answers. */
async function arrivalOf(iterator: Iterator<StreamItem> | AsyncIterator<StreamItem>): Promise<Arrival> {
  try {
    const { done, value } = await iterator.next();
    return done ? {} : { item: value };
  } catch (error) {
    return { error };
  }
}

function iteratorOf(source: Iterable<StreamItem> | AsyncIterable<StreamItem>) {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
}

/** Items in flight between the two ends of a transform. */
class Lane<Out> {
  readonly #worker: StreamWorker<Out>;
  readonly #readAhead: number;
  readonly #running: Promise<Out>[] = [];

  constructor(worker: StreamWorker<Out>, readAhead: number) {
    this.#worker = worker;
    this.#readAhead = readAhead;
  }

  /** Starts an item; waits for the oldest ones where too many are in flight. */
  async put(item: StreamItem, emit: (result: Out) => void): Promise<void> {
    const started = this.#worker.run(item);
    quiet(started);
    this.#running.push(started);
    while (this.#running.length >= this.#readAhead) emit(await this.#running.shift()!);
  }

  async finish(emit: (result: Out) => void): Promise<void> {
    while (this.#running.length > 0) emit(await this.#running.shift()!);
  }

  close(): Promise<void> {
    return this.#worker.close();
  }
}

/** A failure is told when its turn comes; until then it is not an unhandled one. */
function quiet(promise: Promise<unknown> | undefined): void {
  promise?.catch(() => undefined);
}

/** What the promise comes to, or the signal's reason, whichever is first. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const stop = onceAborted(signal, () => reject(signal.reason));
    if (signal.aborted) reject(signal.reason);
    promise.then(resolve, reject).finally(stop);
  });
}
