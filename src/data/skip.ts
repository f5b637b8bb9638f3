/** Files that are left out when asked, rather than ending everything. */
import { VaeError } from '../core/errors.js';

/** Called for a file that is left out; undefined where that was not asked for. */
export type Skip = ((name: string, error: VaeError) => void) | undefined;

/** What is wrong with a file itself, rather than with the disk or the program. */
const SKIPPED: readonly string[] = ['ERR_VAE_FORMAT', 'ERR_VAE_DATA'];

/** @returns undefined for a bad file that is to be skipped. */
export async function orSkip<T>(work: () => Promise<T>, name: string, skip: Skip): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!skip || !(error instanceof VaeError) || !SKIPPED.includes(error.code)) throw error;
    skip(name, error);
    return undefined;
  }
}
