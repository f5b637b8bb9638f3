/** vae.resized() */
import { parseOptions } from '../../core/options.js';
import { withDataScaling } from '../../inference/networks.js';
import { recipeNetworks } from '../../inference/recipe.js';
import { recipeOf } from '../origin.js';
import { type ResizeOptions, resizedParts, resizeSchema } from '../resize.js';
import { makeVae, stateOf, type Vae } from '../vae.js';

declare module '../vae.js' {
  interface Vae {
    /**
     * Another Vae with the same parameters for data of other sides: a model of 64×64 crops for a whole picture. It
     * is to be closed by itself, and stays as it is when this one is trained.
     *
     * @throws VaeError ERR_VAE_OPTION where the model's parameters depend on the sides, as those of dense layers do.
     */
    resized(sides: ResizeOptions): Vae;
  }
}

export function resized(this: Vae, sides: ResizeOptions): Vae {
  const { lifetime, origin, engine } = stateOf(this);
  lifetime.check();
  const parts = resizedParts(recipeOf(origin, 'resized()'), parseOptions(resizeSchema, sides, 'resized()'));
  const networks = withDataScaling(recipeNetworks(parts.vae, parts.parameters), parts.description.data);
  return makeVae({ origin: { parts }, engine: engine.with(networks) });
}
