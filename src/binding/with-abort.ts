import { linkAbort } from './abort.js';
import type { NativeAbortFlag } from './addon.js';
import { loadAddon } from './index.js';

/**
 * Runs `work` with a flag that the signal raises.
 * @throws signal.reason when the signal has fired, whatever the work came to.
 */
export async function withAbort<T>(
  signal: AbortSignal | undefined,
  work: (flag: NativeAbortFlag | undefined) => Promise<T>,
): Promise<T> {
  using link = linkAbort(loadAddon(), signal);
  return await link.wait(work(link.flag));
}
