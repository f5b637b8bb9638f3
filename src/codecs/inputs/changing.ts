import { VaeError } from '../../core/errors.js';

const CHANGING = new WeakSet<VaeError>();

/** The error of a file that is never the same while it is read. */
export function changingError(name: string): VaeError {
  const error = new VaeError('ERR_VAE_IO', `${name} changes while it is read: it was tried three times.`);
  CHANGING.add(error);
  return error;
}

export function isChanging(error: unknown): boolean {
  return error instanceof VaeError && CHANGING.has(error);
}
