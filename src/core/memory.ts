/** What says that memory ran out, in the words of whoever said it: so that no file is called damaged for that. */
import { VaeError } from './errors.js';

const CODES = new Set(['ENOMEM', 'Z_MEM_ERROR', 'ERR_MEMORY_ALLOCATION_FAILED', 'ERR_WORKER_OUT_OF_MEMORY']);
/** Of V8, of C++, of glib and libvips, of ONNX Runtime, of the system. */
const SAID = /allocation failed|bad_alloc|out of memory|failed to allocate|cannot allocate|insufficient memory/i;

/** Whether an error, or what caused it, is that there was no memory left. */
export function isOutOfMemory(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (CODES.has((at as NodeJS.ErrnoException).code ?? '') || SAID.test(at.message)) return true;
  }
  return false;
}

/**
 * For the beginning of a catch that says something else of every error.
 *
 * @param what what was done, or to which file, for the message.
 * @throws VaeError ERR_VAE_RUNTIME where memory ran out.
 */
export function refuseOutOfMemory(error: unknown, what: string): void {
  if (!isOutOfMemory(error)) return;
  const said = (error as Error).message.split('\n')[0]!.replace(/[.\s]*$/, '');
  throw new VaeError(
    'ERR_VAE_RUNTIME',
    `${what}: there is not enough memory (${said}). Nothing is said of the file: give the process or its container more, or use fewer threads (threads, --threads).`,
    { cause: error },
  );
}
