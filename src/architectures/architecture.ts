import type { z } from 'zod';
import type { Value } from '../graph/builder.js';
import type { LikelihoodHead } from '../nn/likelihoods/likelihood.js';
import type { GaussianPosterior } from '../nn/posterior.js';
import type { Scope } from '../nn/scope.js';

/** What an architecture is told about the data and the model around it. */
export interface NetworkContext {
  /** Shape of one example, channels first: [1, 28, 28] for a grey image. */
  readonly dataShape: readonly number[];
  readonly latentDim: number;
  /** The decoder's outputs, one for each parameter of the likelihood. */
  readonly heads: readonly LikelihoodHead[];
}

/** The two networks of a VAE, as functions over a graph under construction. */
export interface Network {
  /** Shape of one latent: [latentDim], or with spatial axes. */
  readonly latentShape: readonly number[];
  /** [N, ...data] to the posterior, both parts [N, ...latent]. `scope` is named `encoder`. */
  encode(scope: Scope, x: Value): GaussianPosterior;
  /** [N, ...latent] to one value of shape [N, ...data] for each head. `scope` is named `decoder`. */
  decode(scope: Scope, z: Value): Value[];
}

/** An entry of the table of architectures. */
export interface ArchitectureDefinition<S extends z.ZodObject = z.ZodObject> {
  /** The paper it is faithful to. */
  readonly source: string;
  /** Its own options, `type` first. */
  readonly schema: S;
  build(options: z.output<S>, context: NetworkContext): Network;
}

export function defineArchitecture<S extends z.ZodObject>(
  definition: ArchitectureDefinition<S>,
): ArchitectureDefinition<S> {
  return definition;
}
