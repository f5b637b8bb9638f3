/** What a Vae is made of: its verbs work on this. */
import { Lifetime } from '../core/disposal.js';
import type { Engine } from '../inference/engine.js';
import { withDataScaling } from '../inference/networks.js';
import { recipeNetworks } from '../inference/recipe.js';
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

  /** Sessions of the present parameters from here on; work under way ends with those it began with. */
  async renewEngine(): Promise<void> {
    const { vae, parameters, description } = recipeOf(this.origin, 'fit()');
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
