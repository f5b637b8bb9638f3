/** Errors as a person or a program reads them: code, message with the remedy, no stack unless asked for. */
import { VaeError } from '../core/errors.js';

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly stack?: string;
}

export function describeFailure(error: unknown, verbose: boolean): Failure {
  const stack = verbose && error instanceof Error && error.stack ? { stack: error.stack } : {};
  if (error instanceof VaeError) return { code: error.code, message: error.message, ...stack };
  const message = error instanceof Error ? error.message : String(error);
  const hint = verbose ? '' : ' This is a fault of node-vae itself; --verbose shows where.';
  return { code: 'ERR_INTERNAL', message: `${message}${hint}`, ...stack };
}

/** Whether the arguments were wrong, rather than the data or the machine. */
export function isUsageError(error: unknown): boolean {
  return error instanceof VaeError && error.code === 'ERR_VAE_OPTION';
}
