/** A model that suits data, where nobody says more. */
import type { ArchitectureInput } from '../architectures/index.js';
import type { InputOptions } from '../architectures/input.js';
import type { LikelihoodInput } from '../nn/likelihoods/index.js';
import type { Dataset } from './dataset.js';
import { inputOf, inputOfRows } from './recipe.js';
import { layoutOf } from './table/recipe.js';

/** Options of `Vae.create()`. */
export interface ModelOptions {
  readonly input: InputOptions;
  readonly architecture: ArchitectureInput;
  readonly likelihood: LikelihoodInput;
  /** Default: the architecture's own. */
  readonly latentDim?: number;
}

/** Of values whose noise nobody knows: in closed form, as short runs do not get far by gradient. */
const GAUSSIAN = { type: 'gaussian', variance: 'optimal' } as const;
/** Smaller pictures do as well without convolutions. */
const LEAST_FOR_CONV = 16;
const CHANNELS = [32, 64, 128, 128];

/**
 * What to make a model of for this data: convolutions for pictures, sound and video from files, a fully connected
 * network for tables and arrays; a likelihood for what the values are. Each is a start, to be changed as one likes:
 * `Vae.create({ ...modelOptionsFor(data), latentDim: 64 })`.
 *
 * @throws VaeError ERR_VAE_SHAPE for rows that are of no known kind.
 */
export async function modelOptionsFor(data: Dataset, signal?: AbortSignal): Promise<ModelOptions> {
  const { recipe } = data;
  if (recipe === undefined || recipe.kind === 'array') {
    return {
      input: inputOfRows(data.rowShape),
      architecture: data.rowShape.length === 4 ? 'conv3d' : 'mlp',
      likelihood: recipe ? GAUSSIAN : await likelihoodOfValues(data, signal),
    };
  }
  const input = inputOf(recipe);
  switch (recipe.kind) {
    case 'image': {
      // Grey pictures are mostly near black or white; colours lie between.
      const likelihood = recipe.colour === 'grey' && !recipe.anySize && recipe.depth !== 32 ? 'bernoulli' : GAUSSIAN;
      if (recipe.volume !== undefined) return { input, architecture: 'conv3d', likelihood, latentDim: 64 };
      if (recipe.anySize) {
        return { input, architecture: { type: 'conv', channels: [32, 64], latent: 'map' }, likelihood, latentDim: 8 };
      }
      const side = Math.min(recipe.height, recipe.width);
      if (side < LEAST_FOR_CONV) return { input, architecture: 'mlp', likelihood };
      return { input, architecture: { type: 'conv', channels: channelsFor(side) }, likelihood };
    }
    case 'audio':
      return recipe.mel
        ? { input, architecture: { type: 'conv', channels: channelsFor(recipe.mel.bands) }, likelihood: GAUSSIAN }
        : {
            input,
            architecture: 'conv1d',
            likelihood: GAUSSIAN,
            latentDim: Math.max(8, Math.round(recipe.frame / 16)),
          };
    case 'video':
      return recipe.frames === 1
        ? { input, architecture: { type: 'conv', channels: [32, 64] }, likelihood: GAUSSIAN }
        : { input, architecture: 'conv3d', likelihood: GAUSSIAN, latentDim: 64 };
    case 'table': {
      const { width, numeric, masked, categories } = layoutOf(recipe);
      const embed = categories.flatMap(({ column: { values, embed: size }, start }) =>
        size === undefined ? [] : [{ start, values: values.length, size }],
      );
      return {
        input,
        architecture: { type: 'mlp', hidden: [64], ...(embed.length > 0 && { embed }) },
        likelihood: {
          type: 'table',
          numeric: numeric.length,
          masked,
          categories: categories.map(({ column }) => column.values.length),
        },
        latentDim: Math.min(16, Math.max(2, Math.ceil(width / 4))),
      };
    }
  }
}

/** One layer for each halving down to about 8. */
function channelsFor(side: number): number[] {
  const layers = Math.max(2, Math.min(CHANNELS.length, Math.floor(Math.log2(side / 7))));
  return CHANNELS.slice(0, layers);
}

/** Values from 0 to 1 (8-bit ones stand for fractions) are Bernoulli, others Gaussian. */
async function likelihoodOfValues(data: Dataset, signal?: AbortSignal): Promise<LikelihoodInput> {
  if (data.dtype === 'uint8') return 'bernoulli';
  for await (const { data: values } of data.batch(4096, signal ? { signal } : {})) {
    for (const value of values) if (value < 0 || value > 1) return GAUSSIAN;
  }
  return 'bernoulli';
}
