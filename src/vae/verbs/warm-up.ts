/** vae.warmUp() */
import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { warmUp as warmUpEngine } from '../../inference/serving/warm-up.js';
import { stateOf, type Vae } from '../vae.js';

const schema = z.strictObject({
  ...signalShape,
  /** Default: one batch of 1. */
  batchSizes: z.array(z.int().positive()).min(1).default([1]),
  /** Shape of the examples, for data whose sides are open. */
  shape: z.array(z.int().positive()).optional(),
});

export interface WarmUpOptions extends InputOf<typeof schema> {}

declare module '../vae.js' {
  interface Vae {
    /**
     * Opens the networks and runs both once for each batch size, so that the first request does not wait
     * for that. Data whose sides are open is warmed up at the sides given.
     */
    warmUp(options?: WarmUpOptions): Promise<void>;
  }
}

export function warmUp(this: Vae, options: WarmUpOptions = {}): Promise<void> {
  const state = stateOf(this);
  return state.lifetime.run(async () => {
    const { batchSizes, shape, signal } = parseOptions(schema, options, 'warmUp()');
    await warmUpEngine(state.engine, batchSizes, shape, signal);
  });
}
