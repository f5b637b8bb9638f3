/** What a Vae is made of: its verbs work on this. */

import type { ModelParts } from '../artifacts/model-io.js';
import { Lifetime } from '../core/disposal.js';
import type { Engine } from '../inference/engine.js';
import { Draws } from './draws.js';
import { type Origin, recipeOf, seedOf } from './origin.js';

export class VaeState {
  origin: Origin;
  engine: Engine;
  /** Whether a fit() is running. */
  fitting = false;
  readonly lifetime = new Lifetime('Vae');
  readonly draws = new Draws(() => seedOf(this.origin));

  constructor(origin: Origin, engine: Engine) {
    this.origin = origin;
    this.engine = engine;
  }

  /**
   * Recipe and parameters, read now where the model was opened without.
   *
   * @throws VaeError ERR_VAE_OPTION for models that have none.
   */
  async recipe(where: string): Promise<ModelParts> {
    const { origin } = this;
    if (!('saved' in origin)) return recipeOf(origin, where);
    const [parts] = await Promise.all([origin.saved.parts(), import('./resize.js')]);
    // Others may have read it too, and trained it meanwhile.
    if (this.origin === origin) this.origin = { parts };
    return parts;
  }

  /** Sessions of the present parameters from here on; work under way ends with those it began with. */
  async renewEngine(): Promise<void> {
    const { withDataScaling } = await import('../inference/networks.js');
    const { recipeNetworks } = await import('../inference/recipe.js');
    const { vae, parameters, description } = await this.recipe('fit()');
    const old = this.engine;
    this.engine = old.with(withDataScaling(recipeNetworks(vae, parameters), description.data));
    await old.close();
  }

  /** Runs what needs more than one network with those of one moment, even where a fit() ends meanwhile. */
  async withEngine<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    const engine = this.engine.share();
    try {
      return await work(engine);
    } finally {
      await engine.close();
    }
  }
}
