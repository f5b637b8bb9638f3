/** Errors as a person or a program reads them: code, message with the remedy, no stack unless asked for. */
import type { VaeErrorCode } from '../index.js';

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly stack?: string;
}

export function describeFailure(error: unknown, verbose: boolean): Failure {
  const stack = verbose && error instanceof Error && error.stack ? { stack: error.stack } : {};
  if (hasCode(error)) return { code: error.code, message: error.message, ...stack };
  const message = error instanceof Error ? error.message : String(error);
  if (isSystemError(error)) return { code: 'ERR_VAE_IO', message: `${message}.`, ...stack };
  const hint = verbose ? '' : ' This is a fault of node-vae itself; --verbose shows where.';
  return { code: 'ERR_INTERNAL', message: `${message}${hint}`, ...stack };
}

/** Whether the arguments were wrong, rather than the data or the machine. */
export function isUsageError(error: unknown): boolean {
  return hasCode(error) && error.code === 'ERR_VAE_OPTION';
}

/** An error of the command line itself, in the form of the library's, which need not be loaded to say it. */
export class CliError extends Error {
  readonly code: VaeErrorCode;

  constructor(code: VaeErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** What Node says of files and pipes: the machine's fault rather than this package's. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && 'errno' in error;
}

function hasCode(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_VAE_');
}
