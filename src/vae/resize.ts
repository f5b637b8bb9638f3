/** The same model for other data. */
import { describeParameters, type VaeNetwork } from '../architectures/graphs.js';
import { dataShapeOf } from '../architectures/input.js';
import { makeVaeNetwork } from '../architectures/vae-network.js';
import type { ModelParts } from '../artifacts/model-io.js';
import { VaeError } from '../core/errors.js';
import type { DataRecipe } from '../data/recipe.js';
import { withDataScaling } from '../inference/networks.js';
import { recipeNetworks } from '../inference/recipe.js';
import { dependsOnSides, type ResizeOptions, resizing } from './resize-options.js';

/**
 * The same parameters for data of other sides.
 *
 * @throws VaeError ERR_VAE_OPTION where the parameters depend on the sides, as those of dense layers do.
 */
function resizedParts(parts: ModelParts, sides: ResizeOptions): ModelParts {
  const input = { ...parts.description.input, ...sides } as ModelParts['description']['input'];
  const { data, ...others } = { ...parts.description, input };
  const description = { ...others, ...resizedRecipe(data, input) };
  if (parts.vae.imported) {
    throw new VaeError('ERR_VAE_OPTION', 'resized(): imported networks keep the sides they came with; use `tiling`.');
  }
  const vae = makeVaeNetwork(description);
  const [before, after] = [parts.vae, vae].map(shapesOf) as [string[], string[]];
  const other = after.find((shape, index) => shape !== before[index]);
  if (other !== undefined || before.length !== after.length) {
    throw dependsOnSides(other?.split(' ')[0]);
  }
  return { description, vae, parameters: parts.parameters, training: undefined };
}

/** Arrays are scaled by channel, whatever their sides. */
function resizedRecipe(data: unknown, input: ModelParts['description']['input']): { data?: DataRecipe } {
  const recipe = data as DataRecipe | undefined;
  return recipe?.kind === 'array' ? { data: { ...recipe, shape: dataShapeOf(input) } } : {};
}

function shapesOf(vae: VaeNetwork): string[] {
  return describeParameters(vae).map(({ name, dims }) => `${name} ${dims.join('×')}`);
}

/** The model with the recipe of the data it is trained on from now on. */
export function withRecipe(parts: ModelParts, recipe: DataRecipe | undefined): ModelParts {
  return recipe === undefined ? parts : { ...parts, description: { ...parts.description, data: recipe } };
}

resizing.resized = (before, sides) => {
  const parts = resizedParts(before, sides);
  return { parts, networks: withDataScaling(recipeNetworks(parts.vae, parts.parameters), parts.description.data) };
};
