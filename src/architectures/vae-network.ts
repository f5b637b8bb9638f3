/** From options to the recipe of a VAE; what does not fit together is refused here, with the reason. */
import { z } from 'zod';
import { VaeError } from '../core/errors.js';
import { type Likelihood, likelihoodSchema, makeLikelihood } from '../nn/likelihoods/index.js';
import { makeObjective, objectiveDefinition, objectiveSchema } from '../nn/objectives/index.js';
import { posteriorDefinition, posteriorSchema } from '../nn/posteriors/index.js';
import { makePrior, priorSchema } from '../nn/priors/index.js';
import type { NetworkContext } from './architecture.js';
import { conditionDim, conditionSchema } from './condition.js';
import type { VaeNetwork } from './graphs.js';
import type { ImportedGraphs } from './imported-graph.js';
import { architectureDefinition, architectureSchema } from './index.js';
import { dataShapeOf, inputSchema } from './input.js';
import type { LatentNetwork } from './latent-network.js';
import { singleLayer } from './single-layer.js';

/** What makes a VAE, besides its seed: the shape of a zod object, shared by create() and config.json. */
export const recipeShape = {
  /** Name of an architecture, or `{ type, ...options }`. Default `mlp`. */
  architecture: architectureSchema.default(() => architectureSchema.parse('mlp')),
  /** What one example is. */
  input: inputSchema,
  /** Number of latent dimensions, of each place where latents are a map. Default: the architecture's own, mostly 32. */
  latentDim: z
    .int()
    .positive()
    .max(1 << 16)
    .optional(),
  /** Name of a likelihood, or `{ type, ...options }`. Default `bernoulli`. */
  likelihood: likelihoodSchema.default(() => likelihoodSchema.parse('bernoulli')),
  /** Name of a posterior, or `{ type, ...options }`. Default `gaussian`. */
  posterior: posteriorSchema.default(() => posteriorSchema.parse('gaussian')),
  /** Name of a prior, or `{ type, ...options }`. Default `standard`. */
  prior: priorSchema.default(() => priorSchema.parse('standard')),
  /** What training makes small: the name of an objective, or `{ type, ...options }`. Default `elbo`. */
  objective: objectiveSchema.default(() => objectiveSchema.parse('elbo')),
  /** Labels for encoder and decoder: a conditional VAE. Default: none. */
  condition: conditionSchema.optional(),
};

export const recipeSchema = z.strictObject(recipeShape);
export type VaeRecipe = z.output<typeof recipeSchema>;

const DEFAULT_LATENT_DIM = 32;

/** Number of latent dimensions of a recipe. */
export function latentDimOf({ architecture, latentDim }: Pick<VaeRecipe, 'architecture' | 'latentDim'>): number {
  return latentDim ?? architectureDefinition(architecture.type).latentDim?.(architecture) ?? DEFAULT_LATENT_DIM;
}

/** @throws VaeError ERR_VAE_OPTION for options that do not fit together, with the reason. */
export function makeVaeNetwork(recipe: VaeRecipe, imported?: ImportedGraphs): VaeNetwork {
  const likelihood = likelihoodOf(recipe);
  const dataShape = dataShapeOf(recipe.input);
  const objective = makeObjective(recipe.objective);
  const context: NetworkContext = {
    dataShape,
    latentDim: latentDimOf(recipe),
    heads: likelihood.heads,
    conditionDim: conditionDim(recipe.condition),
    imported,
  };
  checkObjective(recipe);
  const network = makeLatentNetwork(recipe, context, likelihood.domain !== 'real');
  return { network, likelihood, objective, dataShape, condition: recipe.condition, imported };
}

/** The likelihood as the decoder's output asks for it: of probabilities, where that is what an imported one gives. */
function likelihoodOf({ architecture, likelihood }: Pick<VaeRecipe, 'architecture' | 'likelihood'>): Likelihood {
  const made = makeLikelihood(likelihood);
  if (architecture.type !== 'onnx' || architecture.values !== 'probabilities') return made;
  if (made.ofProbabilities === undefined) {
    refuse(`likelihood "${likelihood.type}"`, 'it takes no probabilities from a decoder');
  }
  return { ...made, ...made.ofProbabilities };
}

function makeLatentNetwork(recipe: VaeRecipe, context: NetworkContext, bounded: boolean): LatentNetwork {
  const { architecture, posterior, prior } = recipe;
  const definition = architectureDefinition(architecture.type);
  refuse(`architecture "${architecture.type}"`, definition.refuse?.(architecture, context));
  if ('buildHierarchy' in definition) {
    if (posterior.type !== 'gaussian') {
      refuse(
        `posterior "${posterior.type}"`,
        `architecture "${architecture.type}" has Gaussian layers of its own; leave posterior out`,
      );
    }
    if (prior.type !== 'standard') {
      refuse(`prior "${prior.type}"`, `architecture "${architecture.type}" learns its own prior; leave prior out`);
    }
    return definition.buildHierarchy(architecture, context);
  }
  const network = definition.build(architecture, context);
  const { latentShape } = network;
  const posteriorEntry = posteriorDefinition(posterior.type);
  refuse(`posterior "${posterior.type}"`, posteriorEntry.refuse?.(latentShape));
  if (prior.type === 'vamp') {
    if (posterior.type !== 'gaussian') {
      refuse('prior "vamp"', `it is a mixture of Gaussian posteriors and cannot be used with "${posterior.type}"`);
    }
    if (recipe.condition !== undefined) {
      refuse('prior "vamp"', 'its made-up inputs have no labels, and this model is conditional');
    }
  }
  return singleLayer({
    network,
    posterior: posteriorEntry.make(posterior, latentShape),
    prior: makePrior(prior, latentShape),
    dataShape: context.dataShape,
    bounded,
  });
}

function checkObjective({ architecture, objective, posterior, prior }: VaeRecipe): void {
  const { requires } = objectiveDefinition(objective.type);
  const hierarchy = 'buildHierarchy' in architectureDefinition(architecture.type);
  const what = `objective "${objective.type}"`;
  if (requires.includes('gaussian-posterior') && (hierarchy || posterior.type !== 'gaussian')) {
    const found = hierarchy ? `architecture "${architecture.type}" has several layers` : `this is "${posterior.type}"`;
    refuse(what, `it needs one layer with a diagonal Gaussian posterior, and ${found}`);
  }
  if (requires.includes('posterior-density') && posterior.type === 'vector-quantised') {
    refuse(what, 'it weighs draws from the posterior, and a vector-quantised one has only a single outcome');
  }
  if (requires.includes('standard-prior') && (hierarchy || prior.type !== 'standard')) {
    refuse(
      what,
      `it needs a standard normal prior, and ${hierarchy ? `architecture "${architecture.type}" learns its own` : `this is "${prior.type}"`}`,
    );
  }
}

function refuse(what: string, reason: string | undefined): void {
  if (reason === undefined) return;
  throw new VaeError('ERR_VAE_OPTION', `These options do not fit together: ${what}: ${reason}.`);
}
