/** A model that is being trained, as it is at one moment. */
import { withDataScaling } from '../inference/networks.js';
import { recipeNetworks } from '../inference/recipe.js';
import type { MomentParameters } from '../training/control.js';
import { makeVae, stateOf, type Vae } from './vae.js';

/**
 * The model with the parameters of one moment, as `FitControl.parameters()` gives them; training goes on. Close it.
 *
 * @throws (as a rejection) VaeError ERR_VAE_OPTION for imported models, which are not trained.
 */
export async function snapshotOf(vae: Vae, { values, states }: MomentParameters): Promise<Vae> {
  const state = stateOf(vae);
  const { engine } = state;
  const parts = await state.recipe('fit()');
  const parameters = parts.parameters.with(values, states);
  const networks = withDataScaling(recipeNetworks(parts.vae, parameters), parts.description.data);
  return makeVae({ origin: { parts: { ...parts, parameters, training: undefined } }, engine: engine.with(networks) });
}
