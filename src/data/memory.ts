/** How much memory there is to read into: containers have less than their machine. */
import { totalmem } from 'node:os';

const MOST_BYTES = 512 * 2 ** 20;
const SHARE_OF_MEMORY = 4;

let bytes: number | undefined;

/** What this process may have in all. */
export function processMemory(): number {
  if (bytes === undefined) {
    const allowed = process.constrainedMemory?.() ?? 0;
    bytes = allowed > 0 && allowed < totalmem() ? allowed : totalmem();
  }
  return bytes;
}

/** A quarter of that, at most 512 MiB: for rows that are kept, and for what decoding holds. */
export function readingMemory(): number {
  return Math.min(MOST_BYTES, Math.floor(processMemory() / SHARE_OF_MEMORY));
}
