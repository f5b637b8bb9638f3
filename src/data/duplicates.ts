/** Rows that a data set holds more than once. */
import { createHash } from 'node:crypto';
import type { Dataset } from './dataset.js';

export interface Duplicates {
  /** Rows that are exact copies of an earlier one. */
  readonly count: number;
  /** Rows that were looked at: the first of larger sets. */
  readonly looked: number;
  /** Numbers of an earlier row and of its first copy. */
  readonly first: readonly [original: number, copy: number] | undefined;
}

/** Rows that have to be read or decoded take time; those in memory are looked at all. */
const MOST_READ_ROWS = 5000;
const ROWS_AT_A_TIME = 256;

/**
 * Looks for rows that are the same, value by value.
 *
 * @throws VaeError as `data.read()` does; the signal's reason when aborted.
 */
export async function findDuplicates(data: Dataset, signal?: AbortSignal): Promise<Duplicates> {
  const inMemory = data.memory !== undefined || data.indexed !== undefined;
  const looked = inMemory ? data.length : Math.min(data.length, MOST_READ_ROWS);
  const seen = new Map<string, number>();
  let count = 0;
  let first: Duplicates['first'];
  for (let from = 0; from < looked; from += ROWS_AT_A_TIME) {
    const rows = Uint32Array.from({ length: Math.min(ROWS_AT_A_TIME, looked - from) }, (_, index) => from + index);
    const values = await data.read(rows, signal, 0);
    const size = values.length / rows.length;
    for (const row of rows) {
      const { buffer, byteOffset, byteLength } = values.subarray((row - from) * size, (row - from + 1) * size);
      const digest = createHash('sha1')
        .update(new Uint8Array(buffer, byteOffset, byteLength))
        .digest('base64');
      const original = seen.get(digest);
      if (original === undefined) seen.set(digest, row);
      else {
        count += 1;
        first ??= [original, row];
      }
    }
  }
  return { count, looked, first };
}
