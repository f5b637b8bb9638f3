import { layoutOf, type TableRecipe } from '../data/table/recipe.js';
import type { Vae } from './vae.js';

/** Standard deviations that a model of a table has learned for its numeric columns, in standardised units. */
export function tableDeviations(vae: Vae, recipe: TableRecipe): Record<string, number> {
  const { numeric } = layoutOf(recipe);
  if (!vae.info.parameters.some(({ name }) => name === 'likelihood.log_variance')) return {};
  const logVariance = vae.parameter('likelihood.log_variance');
  // As the likelihood `table` has it: never less than 0.001.
  return Object.fromEntries(numeric.map(({ name }, at) => [name, Math.sqrt(Math.exp(logVariance[at]!) + 1e-3)]));
}
