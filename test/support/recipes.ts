/** Small models by recipe, with parameters from a formula, and batches for them. */
import type { z } from 'zod';
import { describeParameters, type VaeNetwork } from '../../src/architectures/graphs.js';
import type { ParameterStore } from '../../src/architectures/parameters.js';
import { makeVaeNetwork, recipeSchema } from '../../src/architectures/vae-network.js';
import { hashedUniform } from '../golden/formula.js';
import { type Given, hashedStore, standardNormal } from './evaluate.js';

export type RecipeInput = Partial<z.input<typeof recipeSchema>>;

export interface SmallModel {
  /** λ of the objective `free-bits`. */
  readonly freeBits: number;
  readonly vae: VaeNetwork;
  readonly parameters: ParameterStore;
}

export function smallModel(options: RecipeInput, spread = 0.3): SmallModel {
  const recipe = recipeSchema.parse({
    architecture: { type: 'mlp', hidden: [12], activation: 'tanh' },
    input: { kind: 'vector', length: 6 },
    ...('architecture' in options ? {} : { latentDim: 3 }),
    ...options,
  });
  const vae = makeVaeNetwork(recipe);
  const freeBits = recipe.objective.type === 'free-bits' ? recipe.objective.lambda : 0;
  return { vae, freeBits, parameters: hashedStore(describeParameters(vae), spread) };
}

/** All that a graph of this model may ask for. */
export function batchFor(
  { vae, freeBits }: SmallModel,
  rows: number,
  samples = 1,
  klWeight = 1,
): Record<string, Given> {
  const size = vae.dataShape.reduce((product, dim) => product * dim, 1);
  const { latentShape } = vae.network;
  const latent = latentShape.reduce((product, dim) => product * dim, 1);
  const classes = vae.condition?.classes ?? 1;
  return {
    input: { data: hashedUniform(31, rows * size, 0.5).map((value) => value + 0.5), dims: [rows, ...vae.dataShape] },
    label: { data: Array.from({ length: rows }, (_, row) => row % classes), dims: [rows], dtype: 'int64' },
    epsilon: { data: standardNormal(32, rows * latent), dims: [rows, ...latentShape] },
    epsilons: { data: standardNormal(33, rows * samples * latent), dims: [rows, samples, ...latentShape] },
    kl_weight: { data: [klWeight], dims: [] },
    dataset_size: { data: [1000], dims: [] },
    free_bits: { data: [freeBits], dims: [] },
  };
}
