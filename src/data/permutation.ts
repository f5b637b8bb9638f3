import { loadAddon } from '../binding/index.js';
import { STREAMS } from '../binding/streams.js';
import { VaeError } from '../core/errors.js';
import { describeValue } from '../core/options.js';

/** The numbers 0 to count - 1 in an order that only `seed` and `count` decide, the same on every machine. */
export function permutation(count: number, seed: number): Uint32Array {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new VaeError('ERR_VAE_OPTION', `A seed must be a whole number from 0, received ${describeValue(seed)}.`);
  }
  // The training loop's own shuffles have another stream, so a dataset shuffled with the same seed stays independent of them.
  return loadAddon().random.permutation(count, BigInt(seed), STREAMS.split, 0n);
}
