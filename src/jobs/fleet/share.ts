/** How many shards a worker takes at once. */
import { totalmem } from 'node:os';
import { availableThreads } from '../../binding/threads.js';

/** What a shard takes while it is worked on, roughly: rows of a batch, files that are read ahead, what is written. */
const SHARD_BYTES = 2 ** 29;
/** Of what the process may have, the part that shards get. */
const SHARE = 0.75;

/** As many as there are processors, and memory for. */
export function workerShare(memoryBytes?: number): number {
  const most = memoryBytes ?? SHARE * Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  return Math.max(1, Math.min(availableThreads(), Math.floor(most / SHARD_BYTES)));
}
