import type { CodingOptions } from '../kind.js';
import type { Codec } from './codec.js';

const DEFAULT_CHUNK_ITEMS = 256;
/** With fewer bytes in a chunk, its record header and index entry would show in the size. */
const LEAST_CHUNK_BYTES = 1 << 16;
/** Chunks are smaller than chunkItems says where items are large. */
const MOST_CHUNK_BYTES = 1 << 25;

/** Items of a chunk. */
export function chunkSize({ itemSize }: Codec, { chunkItems }: Pick<CodingOptions, 'chunkItems'>): number {
  const wanted = chunkItems ?? Math.max(DEFAULT_CHUNK_ITEMS, Math.ceil(LEAST_CHUNK_BYTES / itemSize));
  return Math.max(1, Math.min(wanted, Math.floor(MOST_CHUNK_BYTES / itemSize)));
}
