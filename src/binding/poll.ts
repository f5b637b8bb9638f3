/**
 * Looks out for the end of very short runs. Waking Node's event loop from another thread takes about
 * as long as a small model's whole run; while the only run in flight is such a one, the loop turns
 * without sleeping and asks. It serves everything else meanwhile, and gives up after twice the time
 * that the run was expected to take. As a turn takes a while too, the first question is put without
 * one, unless the last was too long ago.
 */
// Not the global one: tests of applications replace that by a fake.
import { setImmediate } from 'node:timers';
import type { RawAddon } from './raw-addon.js';

/** Set by native code. */
export const pollRequest = new Int32Array(new ArrayBuffer(64), 0, 1);
const NEXT_TURN = 1;
const AT_ONCE = 2;
const POLLING = 3;

const now = Promise.resolve();

/** To be called after a run was started. */
export function pollIfAsked(addon: RawAddon): void {
  const request = pollRequest[0];
  if (request !== NEXT_TURN && request !== AT_ONCE) return;
  pollRequest[0] = POLLING;
  // Not queueMicrotask(), which takes several times as long.
  if (request === AT_ONCE) now.then(() => ask(addon, false));
  else setImmediate(ask, addon, true);
}

function ask(addon: RawAddon, turn: boolean): void {
  if (addon.pollCompletions(turn)) {
    setImmediate(ask, addon, true);
  } else {
    pollRequest[0] = 0;
  }
}
