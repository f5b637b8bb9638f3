/** vae.batcher() */
import { Batcher, type BatcherOptions } from '../../inference/serving/batcher.js';
import { seedOf } from '../origin.js';
import { stateOf, type Vae } from '../vae.js';

declare module '../vae.js' {
  interface Vae {
    /**
     * Gathers concurrent requests into batches: for servers. It holds the networks by itself: closing this
     * model leaves it working, and training this model leaves it as it was.
     *
     * @throws VaeError ERR_VAE_OPTION.
     */
    batcher(options?: BatcherOptions): Batcher;
  }
}

export function batcher(this: Vae, options: BatcherOptions = {}): Batcher {
  const { lifetime, engine, origin } = stateOf(this);
  lifetime.check();
  return new Batcher(engine, options, seedOf(origin));
}
