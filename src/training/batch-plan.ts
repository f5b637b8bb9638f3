/** Which rows make which batch: the order of an epoch and how it is cut. */
import { loadAddon } from '../binding/index.js';
import { STREAMS } from '../binding/streams.js';

/** Row numbers of one epoch in the order they are seen; the same for the same seed and epoch. */
export function epochOrder(rows: number, epoch: number, seed: bigint, shuffle: boolean): Uint32Array {
  if (shuffle) return loadAddon().random.permutation(rows, seed, STREAMS.shuffle, BigInt(epoch));
  return Uint32Array.from({ length: rows }, (_, index) => index);
}

/** Sizes of the next batches from `position` on, at most `count` of them. */
export function batchSizes(rows: number, position: number, batchSize: number, count: number): Uint32Array {
  const left = Math.ceil((rows - position) / batchSize);
  return Uint32Array.from({ length: Math.min(count, left) }, (_, index) =>
    Math.min(batchSize, rows - position - index * batchSize),
  );
}
