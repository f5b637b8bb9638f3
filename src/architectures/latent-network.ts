/** The networks of a VAE together with its latents: how they are inferred, drawn and decoded. */
import type { Value } from '../graph/builder.js';
import type { NoiseSpec } from '../nn/noise.js';
import type { Scope } from '../nn/scope.js';
import type { StochasticTerm } from '../nn/stochastic.js';

/** Draws from the posterior of a batch. Rows are the examples, each as often as there are draws. */
export interface Draws {
  /** What the decoder takes, [R, ...latent]. */
  readonly latent: Value;
  /** The stochastic layers, the first drawn first. */
  readonly terms: readonly StochasticTerm[];
  /** Costs of the posterior itself, [R]. */
  readonly penalty: Value | undefined;
  /** The decoder's heads at the draws, [R, ...]. */
  heads(): Value[];
}

/** What is known of a batch, [N], before anything is drawn. */
export interface Inference {
  /**
   * Draws from the posterior.
   *
   * @param epsilon standard normal noise, [N * samples, ...latent]; undefined where `noisy` is false.
   */
  draw(epsilon: Value | undefined, samples: number): Draws;
  /**
   * Mean of the posterior, [N, ...latent]. Absent where there are several layers: the means of those below
   * depend on what is drawn above.
   */
  mean?(): Value;
}

/** Scopes are the root of the model's names. `condition` is [N, conditionDim] where there are labels. */
export interface LatentNetwork {
  /** Shape of what encoder and decoder exchange for one example. */
  readonly latentShape: readonly number[];
  /** Names and sizes of the stochastic layers, the first drawn first. */
  readonly layers: readonly { readonly name: string; readonly size: number }[];
  /** Whether draws from the posterior take noise. */
  readonly noisy: boolean;
  /** Whether a draw from the posterior is more than the encoder's mean and variance tell. */
  readonly posteriorGraph: boolean;
  /** What a draw from the prior takes; undefined where standard normal noise of the latent's shape is the draw. */
  readonly priorNoise: readonly NoiseSpec[] | undefined;
  /** Names of what the exported encoder gives. */
  readonly encoderOutputs: readonly string[];
  /** Outputs of the exported encoder, by name; `mean` is one of them and what the decoder takes. */
  outputs(scope: Scope, x: Value, condition: Value | undefined): Record<string, Value>;
  infer(scope: Scope, x: Value, condition: Value | undefined): Inference;
  /** The decoder's heads for latents [N, ...latent]. */
  decode(scope: Scope, latent: Value, condition: Value | undefined): Value[];
  /** Latents drawn from the prior, [N, ...latent]. */
  drawPrior(scope: Scope, noise: readonly Value[], condition: Value | undefined): Value;
}
