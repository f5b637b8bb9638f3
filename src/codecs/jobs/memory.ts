/** What jobs take of memory: how much is worked on at once, and what is said where one piece alone is too much. */
import { availableThreads } from '../../binding/threads.js';
import { VaeError } from '../../core/errors.js';
import { warn } from '../../core/warn.js';

/** What any job fits in unless it is told otherwise. */
const USUAL_BYTES = 2 ** 29;
/** What a process takes with the addon, ONNX Runtime and a model, before it does anything. */
const PROCESS_BYTES = 160e6;

export interface MemoryOptions {
  readonly threads?: number | undefined;
  readonly maxMemoryBytes?: number | undefined;
}

/**
 * How many pieces are worked on at once: as many as were asked for, else one per processor that memory is there for. Says,
 * before anything is done, where one alone takes more than a job usually does.
 *
 * @param what the largest piece, for the message.
 * @throws VaeError ERR_VAE_DATA where it takes more than the job was told to.
 */
export function threadsWithin(
  what: string,
  pieceBytes: number,
  { threads, maxMemoryBytes: told }: MemoryOptions,
): number {
  const most = told ?? USUAL_BYTES;
  const needed = PROCESS_BYTES + pieceBytes;
  if (needed > most) {
    const need = `${what} needs about ${megabytes(needed)} MB of memory`;
    if (told === undefined) warn(`${need}, more than the ${megabytes(most)} MB that jobs fit in.`, 'WARN_VAE_MEMORY');
    else {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${need}, and the job may take ${megabytes(most)} MB. Nothing was done yet; let it take more (maxMemoryBytes, --max-memory ${megabytes(needed)}).`,
      );
    }
  }
  return threads ?? Math.max(1, Math.min(availableThreads(), Math.floor((most - PROCESS_BYTES) / pieceBytes)));
}

function megabytes(bytes: number): number {
  return Math.ceil(bytes / 1e6);
}
