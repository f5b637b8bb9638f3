/** vae.profile() */
import { makeVae, stateOf, type Vae } from '../vae.js';

declare module '../vae.js' {
  interface Vae {
    /**
     * Runs `work` with a clone that records what every operator of every run takes, and writes the trace
     * to `path` in the format that chrome://tracing, Perfetto and speedscope open.
     *
     * @returns what `work` returns.
     * @throws VaeError ERR_VAE_IO where the file cannot be written; what `work` throws.
     */
    profile<T>(path: string, work: (vae: Vae) => Promise<T>): Promise<T>;
  }
}

export function profile<T>(this: Vae, path: string, work: (vae: Vae) => Promise<T>): Promise<T> {
  const state = stateOf(this);
  return state.lifetime.run(async () => {
    const { profileEngine } = await import('../../inference/sessions/profile.js');
    return profileEngine(state.engine, path, async (engine) => {
      const vae = makeVae({ origin: state.origin, engine: engine.share() });
      try {
        return await work(vae);
      } finally {
        await vae.close();
      }
    });
  });
}
