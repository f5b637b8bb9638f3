/** vae.resized() */
import { parseOptions } from '../../core/options.js';
import { recipeOf } from '../origin.js';
import { dependsOnSides, type ResizeOptions, resizeSchema, resizing } from '../resize-options.js';
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
  const recipe = 'saved' in origin ? undefined : recipeOf(origin, 'resized()');
  const options = parseOptions(resizeSchema, sides, 'resized()');
  // What is opened without its recipe has no latents with places.
  if (recipe === undefined) throw dependsOnSides();
  const { parts, networks } = resizing.resized!(recipe, options);
  return makeVae({ origin: { parts }, engine: engine.with(networks) });
}
