/** One stochastic layer of a VAE, at draws from its posterior: what objectives are made of. */
import type { Value } from '../graph/builder.js';
import type { Gaussian } from './gaussian.js';

/** R rows: the examples of a batch, each as often as there are draws for it. */
export interface StochasticTerm {
  readonly name: string;
  /** The draws, [R, ...shape]. */
  readonly z: Value;
  /**
   * KL(q(z|x) ‖ p(z)) in nats, [R, D], by dimension where it comes apart so, else D = 1. In closed
   * form where there is one, else log q(z|x) − log p(z) at the draw.
   */
  kl(): Value;
  /** log q(z|x) − log p(z) at the draw, [R]. */
  logRatio(): Value;
  /** q(z|x) where it is a diagonal Gaussian, [R, ...shape]. */
  readonly gaussian?: Gaussian;
}
