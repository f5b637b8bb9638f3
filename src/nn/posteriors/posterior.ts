import type { z } from 'zod';
import type { Value } from '../../graph/builder.js';
import type { Gaussian } from '../gaussian.js';
import type { NoiseSpec } from '../noise.js';
import type { Scope } from '../scope.js';

/** A draw from q(z | x). Rows as in the statistics it was drawn with. */
export interface PosteriorDraw {
  /** [R, ...latent] */
  readonly z: Value;
  /** log q(z | x) of each dimension, [R, D]. */
  logDensity(): Value;
  /** q itself where it is a diagonal Gaussian. */
  readonly gaussian?: Gaussian;
  /** A cost of its own besides the divergence, [R], such as the commitment of vector quantization. */
  penalty?(): Value;
}

/** The prior that a posterior brings with it where no other makes sense. */
export interface OwnPrior {
  readonly noise: readonly NoiseSpec[];
  /** KL(q ‖ p) of each row, the same for all of them. */
  readonly klPerRow: number;
  draw(scope: Scope, noise: readonly Value[]): Value;
}

/** q(z | x) of a VAE with one stochastic layer. */
export interface Posterior {
  /** What the encoder must produce, each of the latent's shape. */
  readonly heads: readonly string[];
  /** Whether draws need standard normal noise of the latent's shape. */
  readonly noisy: boolean;
  /** Whether the encoder's outputs say all there is to a draw: a point, or a mean and a variance. */
  readonly described: boolean;
  /** Names of what the exported encoder gives; `mean` is one of them and can be decoded. */
  readonly outputNames: readonly string[];
  /** Outputs of the exported encoder, by name. */
  outputs(scope: Scope, heads: readonly Value[]): Record<string, Value>;
  /** @param epsilon standard normal noise, [R, ...latent]; undefined unless `noisy`. */
  draw(scope: Scope, heads: readonly Value[], epsilon: Value | undefined): PosteriorDraw;
  readonly prior?: OwnPrior;
}

/** An entry of the table of posteriors. */
export interface PosteriorDefinition<S extends z.ZodObject = z.ZodObject> {
  /** The paper it is faithful to. */
  readonly source: string;
  readonly schema: S;
  /** Why it cannot be used with latents of this shape, if it cannot. */
  refuse?(latentShape: readonly number[]): string | undefined;
  make(config: z.output<S>, latentShape: readonly number[]): Posterior;
}

export function definePosterior<S extends z.ZodObject>(definition: PosteriorDefinition<S>): PosteriorDefinition<S> {
  return definition;
}
