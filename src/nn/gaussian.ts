/** Diagonal Gaussians in a graph: draws, densities and divergences, each by dimension. */
import type { GraphBuilder, Value } from '../graph/builder.js';

const HALF_LOG_2PI = 0.5 * Math.log(2 * Math.PI);

/** N(mean, exp(logVariance)), both [N, ...latent]. */
export interface Gaussian {
  readonly mean: Value;
  readonly logVariance: Value;
}

/** z = μ + σ ε: the reparameterisation of Kingma and Welling (2014), section 2.4. */
export function reparameterise(g: GraphBuilder, { mean, logVariance }: Gaussian, epsilon: Value): Value {
  const deviation = g.op('Exp', [g.op('Mul', [logVariance, g.scalar(0.5)])]);
  return g.op('Add', [mean, g.op('Mul', [deviation, epsilon])]);
}

/** KL(N(μ, σ²) ‖ N(0, 1)) of each dimension, in nats: Kingma and Welling (2014), appendix B. */
export function klToStandardNormal(g: GraphBuilder, { mean, logVariance }: Gaussian): Value {
  const moments = g.op('Add', [g.op('Mul', [mean, mean]), g.op('Exp', [logVariance])]);
  const terms = g.op('Sub', [g.op('Sub', [moments, logVariance]), g.scalar(1)]);
  return g.op('Mul', [terms, g.scalar(0.5)]);
}

/** KL(q ‖ p) of each dimension, in nats. */
export function klBetween(g: GraphBuilder, q: Gaussian, p: Gaussian): Value {
  const difference = g.op('Sub', [q.mean, p.mean]);
  const logRatio = g.op('Sub', [q.logVariance, p.logVariance]);
  const distance = g.op('Mul', [g.op('Mul', [difference, difference]), g.op('Exp', [g.op('Neg', [p.logVariance])])]);
  const terms = g.op('Sub', [g.op('Add', [distance, g.op('Exp', [logRatio])]), g.op('Add', [logRatio, g.scalar(1)])]);
  return g.op('Mul', [terms, g.scalar(0.5)]);
}

/** log N(z; μ, σ²) of each dimension. */
export function logDensity(g: GraphBuilder, z: Value, { mean, logVariance }: Gaussian): Value {
  const difference = g.op('Sub', [z, mean]);
  const scaled = g.op('Mul', [g.op('Mul', [difference, difference]), g.op('Exp', [g.op('Neg', [logVariance])])]);
  const terms = g.op('Mul', [g.op('Add', [scaled, logVariance]), g.scalar(-0.5)]);
  return g.op('Sub', [terms, g.scalar(HALF_LOG_2PI)]);
}

/** log N(z; 0, 1) of each dimension. */
export function standardLogDensity(g: GraphBuilder, z: Value): Value {
  const terms = g.op('Mul', [g.op('Mul', [z, z]), g.scalar(-0.5)]);
  return g.op('Sub', [terms, g.scalar(HALF_LOG_2PI)]);
}
