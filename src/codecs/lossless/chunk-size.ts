import type { CodingOptions } from '../kind.js';
import type { Codec } from './codec.js';

const DEFAULT_CHUNK_ITEMS = 256;
/** With fewer bytes in a chunk, its record header and index entry would show in the size. */
const LEAST_CHUNK_BYTES = 1 << 16;
/** Where nobody says otherwise, chunks are smaller where items are large: several are worked on at once. */
const MOST_USUAL_BYTES = 1 << 23;
/** Chunks are smaller than chunkItems says where items are very large. */
const MOST_CHUNK_BYTES = 1 << 25;
/** A chunk that is worked on takes so many times its bytes: its items, what the model makes of them, what comes out. */
export const MEMORY_PER_CHUNK_BYTE = 10;

/** Items of a chunk. */
export function chunkSize({ itemSize }: Codec, { chunkItems }: Pick<CodingOptions, 'chunkItems'>): number {
  const wanted = chunkItems ?? Math.max(DEFAULT_CHUNK_ITEMS, Math.ceil(LEAST_CHUNK_BYTES / itemSize));
  const most = chunkItems === undefined ? MOST_USUAL_BYTES : MOST_CHUNK_BYTES;
  return Math.max(1, Math.min(wanted, Math.floor(most / itemSize)));
}
