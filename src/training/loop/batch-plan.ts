/** Which rows make which batch: the order of an epoch and how it is cut. */
import { loadAddon } from '../../binding/index.js';
import { STREAMS } from '../../binding/streams.js';
import type { PlannedRows } from './row-feed.js';

/** Row numbers of one epoch in the order they are seen; the same for the same seed and epoch. */
function epochOrder(rows: number, epoch: number, seed: bigint, shuffle: boolean): Uint32Array {
  if (shuffle) return loadAddon().random.permutation(rows, seed, STREAMS.shuffle, BigInt(epoch));
  return Uint32Array.from({ length: rows }, (_, index) => index);
}

/** The orders of a run's epochs; that of the epoch under way and of the next are kept. */
export class EpochOrders {
  readonly #rows: number;
  readonly #seed: bigint;
  readonly #shuffle: boolean;
  #kept = new Map<number, Uint32Array>();

  constructor(rows: number, seed: bigint, shuffle: boolean) {
    this.#rows = rows;
    this.#seed = seed;
    this.#shuffle = shuffle;
  }

  of(epoch: number): Uint32Array {
    let order = this.#kept.get(epoch);
    if (order === undefined) {
      order = epochOrder(this.#rows, epoch, this.#seed, this.#shuffle);
      this.#kept = new Map([...this.#kept].filter(([other]) => Math.abs(other - epoch) === 1));
      this.#kept.set(epoch, order);
    }
    return order;
  }

  /** Rows of the next `count` batches of an epoch from `position` on, going on into the one after it. */
  *ahead(epoch: number, position: number, batchSize: number, count: number, epochs: number): Generator<PlannedRows> {
    let [at, within] = [position, epoch];
    for (let batch = 0; batch < count; batch += 1, at += batchSize) {
      if (at >= this.#rows) [at, within] = [0, within + 1];
      if (within >= epochs) return;
      yield { rows: this.of(within).subarray(at, at + batchSize), pass: within };
    }
  }
}

/** Sizes of the next batches from `position` on, at most `count` of them. */
export function batchSizes(rows: number, position: number, batchSize: number, count: number): Uint32Array {
  const left = Math.ceil((rows - position) / batchSize);
  return Uint32Array.from({ length: Math.min(count, left) }, (_, index) =>
    Math.min(batchSize, rows - position - index * batchSize),
  );
}
