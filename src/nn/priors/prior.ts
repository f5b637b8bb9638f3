import type { z } from 'zod';
import type { Value } from '../../graph/builder.js';
import type { Gaussian } from '../gaussian.js';
import type { NoiseSpec } from '../noise.js';
import type { Scope } from '../scope.js';

/** What a prior may know of the model around it. */
export interface PriorContext {
  readonly latentShape: readonly number[];
  readonly dataShape: readonly number[];
  /** Whether data lies between 0 and 1. */
  readonly bounded: boolean;
  /** The posterior of other data, [K, ...data]. */
  posteriorOf(x: Value): Gaussian;
}

/** p(z) of a VAE with one stochastic layer. */
export interface Prior {
  /** KL(q ‖ p) by dimension, [R, ...latent], where it has a closed form. */
  kl?(scope: Scope, q: Gaussian): Value;
  /** log p(z), [R, D] by dimension where it comes apart so, else [R, 1]. */
  logDensity(scope: Scope, z: Value, context: PriorContext): Value;
  /** What a draw takes; undefined for the standard normal, where the noise is the draw. */
  readonly noise?: readonly NoiseSpec[];
  draw?(scope: Scope, noise: readonly Value[], context: PriorContext): Value;
}

/** An entry of the table of priors. */
export interface PriorDefinition<S extends z.ZodObject = z.ZodObject> {
  /** The paper it is faithful to. */
  readonly source: string;
  readonly schema: S;
  make(config: z.output<S>, latentShape: readonly number[]): Prior;
}

export function definePrior<S extends z.ZodObject>(definition: PriorDefinition<S>): PriorDefinition<S> {
  return definition;
}
