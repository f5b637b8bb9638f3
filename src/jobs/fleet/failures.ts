/** Whose fault a failure is, and how it is told. */
import { VaeError } from '../../core/errors.js';

/** The worker is at fault, and another one may not be. */
export function isRefusal(error: unknown): boolean {
  return (
    error instanceof VaeError &&
    (error.code === 'ERR_VAE_REPRODUCIBILITY' || error.code === 'ERR_VAE_OPTION' || error.code === 'ERR_VAE_PACKAGE')
  );
}

export function describe(error: unknown): string {
  if (error instanceof VaeError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}
