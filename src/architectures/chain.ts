import { z } from 'zod';
import { elementCount } from '../core/dtype.js';
import type { GraphBuilder, Value } from '../graph/builder.js';
import { ACTIVATION_NAMES, activate } from '../nn/activations.js';
import { type Gaussian, klToStandardNormal, logDensity, reparameterise, standardLogDensity } from '../nn/gaussian.js';
import { linear } from '../nn/layers.js';
import { flattenRows, repeatRows, sumPerExample } from '../nn/reduce.js';
import type { Scope } from '../nn/scope.js';
import type { StochasticTerm } from '../nn/stochastic.js';
import { defineHierarchy, headShape } from './architecture.js';

/** Added to the log-variances of posteriors: a chain hears nothing from its far end if its draws begin as noise. */
export const CHAIN_FIRST_LOG_VARIANCE = -2;

/** Log-variances lie within plus and minus this, so that no density overflows while the divergence counts for little. */
const MOST_LOG_VARIANCE = 10;

const HALF_LOG_2PI_E = 0.5 * (Math.log(2 * Math.PI) + 1);

/**
 * Latents in a Markov chain: inferred upwards, q(z1|x) q(z2|z1) ..., and generated downwards, p(zL) ...
 * p(z1|z2) p(x|z1), where p(zL) is the standard normal. Unlike those of `ladder`, its levels can be
 * coded one after another, in the order of Bit-Swap: with the likelihood "local-mixture" and "relu" it
 * becomes a codec.
 *
 * Encoder and decoder exchange all levels' latents as one vector, z1 first. The decoder hears z1 alone:
 * what lies above decides how z1 is drawn from the prior. The exported encoder follows the means of the
 * levels below.
 */
export const chain = defineHierarchy({
  source: 'Kingma, Abbeel and Ho, Bit-Swap, ICML 2019, section 2.3; Rezende et al., ICML 2014',
  schema: z.strictObject({
    type: z.literal('chain'),
    /** Latents of each level, from the data upwards. */
    latents: z.array(z.int().positive().max(65536)).min(2).max(32).default([32, 16]),
    /** Width of the dense layers below each level, from the data upwards: in both directions. */
    hidden: z.array(z.int().positive().max(65536)).min(2).max(32).default([256, 64]),
    /** Hidden layers of each network between two levels. */
    depth: z.int().min(1).max(16).default(1),
    activation: z.enum(ACTIVATION_NAMES).default('relu'),
  }),
  latentDim: ({ latents }) => latents.reduce((sum, size) => sum + size, 0),
  refuse: ({ latents, hidden }, { latentDim }) => {
    if (latents.length !== hidden.length) {
      return `latents names ${latents.length} levels and hidden ${hidden.length}; give one number for each level in both`;
    }
    const total = latents.reduce((sum, size) => sum + size, 0);
    return total === latentDim
      ? undefined
      : `its levels have ${total} latents in all, and latentDim is ${latentDim}; leave latentDim out`;
  },
  buildHierarchy: ({ latents, hidden, depth, activation }, { dataShape, heads, conditionDim }) => {
    const dataSize = elementCount(dataShape);
    const top = latents.length - 1;
    const total = latents.reduce((sum, size) => sum + size, 0);

    /** The hidden layers between a level and the one below, in either direction. */
    const network = (scope: Scope, x: Value, inputs: number, level: number, condition: Value | undefined): Value => {
      const width = hidden[level]!;
      let value = condition === undefined ? x : scope.g.op('Concat', [x, condition], { axis: 1 });
      for (let layer = 0; layer < depth; layer += 1) {
        const from = layer === 0 ? inputs + conditionDim : width;
        value = activate(scope.g, linear(scope.at('hidden').at(layer), value, from, width), activation);
      }
      return value;
    };
    const gaussian = (scope: Scope, x: Value, inputs: number, size: number, start: number): Gaussian => {
      const { g } = scope;
      const raw = g.op('Add', [linear(scope.at('log_variance'), x, inputs, size), g.scalar(start)]);
      return {
        mean: linear(scope.at('mean'), x, inputs, size),
        logVariance: g.op('Clip', [raw, g.scalar(-MOST_LOG_VARIANCE), g.scalar(MOST_LOG_VARIANCE)]),
      };
    };

    /** Posterior of a level, from the data (flat) or from the draws of the level below. */
    const up = (scope: Scope, level: number, below: Value, condition: Value | undefined): Gaussian => {
      const at = scope.at('level').at(level);
      const inputs = level === 0 ? dataSize : latents[level - 1]!;
      const features = network(at, below, inputs, level, condition);
      return gaussian(at, features, hidden[level]!, latents[level]!, CHAIN_FIRST_LOG_VARIANCE);
    };
    /** Prior of the level below `level`, given what that one drew. */
    const down = (scope: Scope, level: number, z: Value, condition: Value | undefined): Gaussian => {
      const at = scope.at('level').at(level);
      return gaussian(at, network(at, z, latents[level]!, level, condition), hidden[level]!, latents[level - 1]!, 0);
    };
    const headsOf = (scope: Scope, z: Value, condition: Value | undefined): Value[] => {
      const features = network(scope.at('level').at(0), z, latents[0]!, 0, condition);
      return heads.map((head) => {
        const flat = linear(scope.at(head.name), features, hidden[0]!, dataSize * head.perValue);
        const shape = headShape(head, dataShape);
        return shape.length === 1 ? flat : scope.g.op('Reshape', [flat, scope.g.int64s([-1, ...shape])]);
      });
    };
    const join = (g: GraphBuilder, values: readonly Value[]): Value => g.op('Concat', [...values], { axis: 1 });
    const split = (g: GraphBuilder, value: Value): Value[] =>
      g.ops('Split', [value, g.int64s(latents)], { axis: 1 }, { outputs: latents.length });

    return {
      latentShape: [total],
      layers: latents.map((size, level) => ({ name: `z${level + 1}`, size })),
      noisy: true,
      posteriorGraph: true,
      priorNoise: [{ name: 'epsilon', kind: 'normal', dims: [total] }],
      encoderOutputs: ['mean', 'log_variance'],
      outputs: (scope, x, condition) => {
        const posteriors: Gaussian[] = [];
        let below = flattenRows(scope.g, x);
        for (let level = 0; level <= top; level += 1) {
          posteriors.push(up(scope.at('encoder'), level, below, condition));
          below = posteriors[level]!.mean;
        }
        return {
          mean: join(
            scope.g,
            posteriors.map(({ mean }) => mean),
          ),
          log_variance: join(
            scope.g,
            posteriors.map(({ logVariance }) => logVariance),
          ),
        };
      },
      infer: (scope, x, condition) => {
        const { g } = scope;
        const said = up(scope.at('encoder'), 0, flattenRows(g, x), condition);
        return {
          draw: (epsilon, samples) => {
            const noise = split(g, epsilon!);
            const told = condition && repeatRows(g, condition, samples);
            const posteriors = [
              { mean: repeatRows(g, said.mean, samples), logVariance: repeatRows(g, said.logVariance, samples) },
            ];
            const drawn = [reparameterise(g, posteriors[0]!, noise[0]!)];
            for (let level = 1; level <= top; level += 1) {
              posteriors.push(up(scope.at('encoder'), level, drawn[level - 1]!, told));
              drawn.push(reparameterise(g, posteriors[level]!, noise[level]!));
            }
            const terms = drawn.map((latent, level): StochasticTerm => {
              const q = posteriors[level]!;
              const prior = level === top ? undefined : down(scope.at('decoder'), level + 1, drawn[level + 1]!, told);
              return {
                name: `z${level + 1}`,
                z: latent,
                gaussian: q,
                kl: () => (prior === undefined ? klToStandardNormal(g, q) : divergenceAt(g, q, prior, latent)),
                logRatio: () => {
                  const logPrior = prior === undefined ? standardLogDensity(g, latent) : logDensity(g, latent, prior);
                  return sumPerExample(g, g.op('Sub', [logDensity(g, latent, q), logPrior]));
                },
              };
            });
            return {
              latent: join(g, drawn),
              terms,
              penalty: undefined,
              heads: () => headsOf(scope.at('decoder'), drawn[0]!, told),
            };
          },
        };
      },
      decode: (scope, latent, condition) => headsOf(scope.at('decoder'), split(scope.g, latent)[0]!, condition),
      drawPrior: (scope, [epsilon], condition) => {
        const noise = split(scope.g, epsilon!);
        const drawn = [noise[top]!];
        for (let level = top; level > 0; level -= 1) {
          const prior = down(scope.at('decoder'), level, drawn[0]!, condition);
          drawn.unshift(reparameterise(scope.g, prior, noise[level - 1]!));
        }
        return join(scope.g, drawn);
      },
    };
  },
});

/**
 * E[ln q(z) − ln p(z)] of each dimension, in nats: q's entropy in closed form, the prior at the draw.
 * KL(q ‖ p) in closed form would be wrong: the prior's own condition was drawn from this very draw.
 */
function divergenceAt(g: GraphBuilder, { logVariance }: Gaussian, prior: Gaussian, z: Value): Value {
  const entropy = g.op('Add', [g.op('Mul', [logVariance, g.scalar(0.5)]), g.scalar(HALF_LOG_2PI_E)]);
  return g.op('Neg', [g.op('Add', [entropy, logDensity(g, z, prior)])]);
}
