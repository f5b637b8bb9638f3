/** Exact search for the nearest latents of a set. */

import { setImmediate } from 'node:timers';
import { z } from 'zod';
import { signalShape } from '../core/common-options.js';
import { VaeError } from '../core/errors.js';
import { type InputOf, parseOptions } from '../core/options.js';
import type { TensorLike } from '../core/tensor.js';
import { checkSameShape, type LatentRows, latentRows } from './rows.js';

const searchSchema = z.strictObject({
  /** Neighbours for each query. Default 10. */
  count: z.int().positive().default(10),
  /** `euclidean` (default): distance. `cosine`: 1 − cosine of the angle. */
  metric: z.enum(['euclidean', 'cosine']).default('euclidean'),
  ...signalShape,
});

export interface SearchOptions extends InputOf<typeof searchSchema> {}

export interface Neighbour<Id> {
  readonly id: Id;
  /** Number of the latent, in the order they were added. */
  readonly row: number;
  readonly distance: number;
}

/** Elements compared before other work of the JavaScript thread gets its turn: about a millisecond. */
const BREATH = 1 << 20;
const FIRST_CAPACITY = 256;

/**
 * A set of latents with an id for each, searched exhaustively: exact, and quick up to some hundred
 * thousand latents of a few dozen dimensions. Latents are copied in.
 */
export class LatentIndex<Id = number> {
  #shape: LatentRows | undefined;
  #data = new Float32Array(0);
  /** Length of each latent. */
  #norms = new Float64Array(0);
  readonly #ids: Id[] = [];

  /** Number of latents. */
  get size(): number {
    return this.#ids.length;
  }

  /**
   * Adds latents [N, ...latent], with an id for each; without, ids are row numbers.
   *
   * @throws VaeError ERR_VAE_SHAPE for latents of another shape, ERR_VAE_OPTION for another number of ids.
   */
  add(latents: TensorLike, ids?: readonly Id[]): void {
    const rows = latentRows(latents, 'LatentIndex.add()');
    if (ids !== undefined && ids.length !== rows.rows) {
      throw new VaeError(
        'ERR_VAE_OPTION',
        `LatentIndex.add(): expected an id for each of ${rows.rows} latents, received ${ids.length}.`,
      );
    }
    if (this.#shape === undefined) this.#shape = { ...rows, data: new Float32Array(0) };
    else checkSameShape(this.#shape, rows, 'LatentIndex.add()');
    const { width } = rows;
    const before = this.size;
    this.#reserve(before + rows.rows, width);
    this.#data.set(rows.data, before * width);
    for (let row = 0; row < rows.rows; row += 1) {
      let square = 0;
      for (let index = row * width; index < (row + 1) * width; index += 1) square += rows.data[index]! ** 2;
      this.#norms[before + row] = Math.sqrt(square);
      this.#ids.push(ids === undefined ? ((before + row) as Id) : ids[row]!);
    }
  }

  /**
   * The nearest latents of each query, nearest first.
   *
   * @param queries float32 [Q, ...latent]; not to be changed before the promise settles.
   * @throws VaeError ERR_VAE_SHAPE for queries of another shape; the signal's reason when aborted.
   */
  async search(queries: TensorLike, options: SearchOptions = {}): Promise<Neighbour<Id>[][]> {
    const { count, metric, signal } = parseOptions(searchSchema, options, 'LatentIndex.search()');
    const { data, rows, width, ...rest } = latentRows(queries, 'LatentIndex.search()');
    if (this.#shape === undefined) return Array.from({ length: rows }, () => []);
    checkSameShape(this.#shape, { data, rows, width, ...rest }, 'LatentIndex.search()');
    const results: Neighbour<Id>[][] = [];
    const step = Math.max(1, Math.floor(BREATH / width));
    const size = this.size;
    for (let row = 0; row < rows; row += 1) {
      const query = data.subarray(row * width, (row + 1) * width);
      const nearest = new Nearest(Math.min(count, size));
      for (let from = 0; from < size; from += step) {
        signal?.throwIfAborted();
        if (from > 0 || row > 0) await new Promise(setImmediate);
        this.#compare(query, metric, from, Math.min(size, from + step), nearest);
      }
      results.push(nearest.sorted().map(([at, distance]) => ({ id: this.#ids[at]!, row: at, distance })));
    }
    return results;
  }

  #compare(query: Float32Array, metric: 'euclidean' | 'cosine', from: number, to: number, nearest: Nearest): void {
    const data = this.#data;
    const width = query.length;
    let length = 0;
    for (const value of query) length += value * value;
    length = Math.sqrt(length);
    for (let row = from; row < to; row += 1) {
      let sum = 0;
      const base = row * width;
      if (metric === 'euclidean') {
        for (let index = 0; index < width; index += 1) {
          const difference = data[base + index]! - query[index]!;
          sum += difference * difference;
        }
        nearest.offer(row, Math.sqrt(sum));
      } else {
        for (let index = 0; index < width; index += 1) sum += data[base + index]! * query[index]!;
        const lengths = length * this.#norms[row]!;
        nearest.offer(row, lengths === 0 ? 1 : 1 - sum / lengths);
      }
    }
  }

  #reserve(rows: number, width: number): void {
    if (this.#norms.length >= rows) return;
    const capacity = Math.max(rows, 2 * this.#norms.length, FIRST_CAPACITY);
    const data = new Float32Array(capacity * width);
    data.set(this.#data);
    const norms = new Float64Array(capacity);
    norms.set(this.#norms);
    this.#data = data;
    this.#norms = norms;
  }
}

/** The rows of least distance so far, in a binary heap with the farthest on top. */
class Nearest {
  readonly #rows: number[] = [];
  readonly #distances: number[] = [];

  constructor(readonly count: number) {}

  offer(row: number, distance: number): void {
    if (this.#rows.length < this.count) {
      this.#rows.push(row);
      this.#distances.push(distance);
      this.#up(this.#rows.length - 1);
    } else if (distance < this.#distances[0]!) {
      this.#rows[0] = row;
      this.#distances[0] = distance;
      this.#down();
    }
  }

  sorted(): [row: number, distance: number][] {
    return this.#rows
      .map((row, index) => [row, this.#distances[index]!] as [number, number])
      .sort((a, b) => a[1] - b[1] || a[0] - b[0]);
  }

  #up(from: number): void {
    for (let at = from; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (this.#distances[parent]! >= this.#distances[at]!) return;
      this.#swap(at, parent);
      at = parent;
    }
  }

  #down(): void {
    for (let at = 0; ; ) {
      let largest = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < this.#rows.length && this.#distances[child]! > this.#distances[largest]!) largest = child;
      }
      if (largest === at) return;
      this.#swap(at, largest);
      at = largest;
    }
  }

  #swap(a: number, b: number): void {
    [this.#rows[a], this.#rows[b]] = [this.#rows[b]!, this.#rows[a]!];
    [this.#distances[a], this.#distances[b]] = [this.#distances[b]!, this.#distances[a]!];
  }
}
