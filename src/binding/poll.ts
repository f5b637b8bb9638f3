/**
 * Looks out for the end of very short runs. Waking Node's event loop from another thread takes about
 * as long as a small model's whole run; while the only run in flight is such a one, the loop turns
 * without sleeping and asks. It serves everything else meanwhile, and gives up after twice the time
 * that the run was expected to take.
 */
// Not the global one: tests of applications replace that by a fake.
import { setImmediate } from 'node:timers';
import type { RawAddon } from './raw-addon.js';

/** Set to 1 by native code. */
export const pollRequest = new Int32Array(new ArrayBuffer(64), 0, 1);
const POLLING = 2;

/** To be called after a run was started. */
export function pollIfAsked(addon: RawAddon): void {
  if (pollRequest[0] !== 1) return;
  pollRequest[0] = POLLING;
  setImmediate(poll, addon);
}

function poll(addon: RawAddon): void {
  if (addon.pollCompletions()) {
    setImmediate(poll, addon);
  } else {
    pollRequest[0] = 0;
  }
}
