/** The diagonal Gaussian posterior and its two uses: sampling and the KL divergence to the prior. */
import type { GraphBuilder, Value } from '../graph/builder.js';
import { sumPerExample } from './reduce.js';

/** q(z | x) = N(mean, exp(logVariance)), both [N, ...latent]. */
export interface GaussianPosterior {
  readonly mean: Value;
  readonly logVariance: Value;
}

/** z = μ + σ ε: the reparameterisation of Kingma and Welling (2014), section 2.4. */
export function reparameterise(g: GraphBuilder, posterior: GaussianPosterior, epsilon: Value): Value {
  const deviation = g.op('Exp', [g.op('Mul', [posterior.logVariance, g.scalar(0.5)])]);
  return g.op('Add', [posterior.mean, g.op('Mul', [deviation, epsilon])]);
}

/** KL(q(z|x) ‖ N(0, 1)) of each example, [N], in nats: Kingma and Welling (2014), appendix B. */
export function klToStandardNormal(g: GraphBuilder, { mean, logVariance }: GaussianPosterior): Value {
  const variance = g.op('Exp', [logVariance]);
  const moments = g.op('Add', [g.op('Mul', [mean, mean]), variance]);
  const terms = g.op('Sub', [g.op('Sub', [moments, logVariance]), g.scalar(1)]);
  return g.op('Mul', [sumPerExample(g, terms), g.scalar(0.5)]);
}
