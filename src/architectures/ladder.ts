import { z } from 'zod';
import { elementCount } from '../core/dtype.js';
import type { Value } from '../graph/builder.js';
import { ACTIVATION_NAMES, activate } from '../nn/activations.js';
import {
  type Gaussian,
  klBetween,
  klToStandardNormal,
  logDensity,
  reparameterise,
  standardLogDensity,
} from '../nn/gaussian.js';
import { heUniform } from '../nn/initializers.js';
import { layerNorm, linear } from '../nn/layers.js';
import { flattenRows, repeatRows, sumPerExample } from '../nn/reduce.js';
import type { Scope } from '../nn/scope.js';
import type { StochasticTerm } from '../nn/stochastic.js';
import { defineHierarchy, headShape } from './architecture.js';

/** Added to the log-variances that the encoder gives. */
const FIRST_LOG_VARIANCE = -2;

/**
 * Log-variances stay, smoothly, within plus and minus this: while the divergence counts for little, nothing
 * else keeps a layer from becoming so sure that a density overflows.
 */
const MOST_LOG_VARIANCE = 10;

/** Where a layer's latents come from on the way down, given its prior (none: standard normal). */
type Choose = (layer: number, prior: Gaussian | undefined) => Value;

/**
 * Several stochastic layers with inference in both directions: the encoder goes up through the
 * data's features, and on the way down each layer's posterior joins what the encoder says with what
 * the layers above have already drawn, weighted by their precisions (equations 17 and 18 of the paper).
 * Weights start by He et al. (2015), and the encoder starts out sure of itself: a chain this deep hears
 * nothing from its far end otherwise.
 *
 * Encoder and decoder exchange all layers' latents as one vector, the top one first. The exported
 * encoder follows the means of the layers above.
 */
export const ladder = defineHierarchy({
  source: 'Sønderby et al., Ladder Variational Autoencoders, NeurIPS 2016',
  schema: z.strictObject({
    type: z.literal('ladder'),
    /** Latents of each stochastic layer, from the data upwards. */
    latents: z.array(z.int().positive().max(65536)).min(2).max(32).default([64, 32, 16]),
    /** Width of the dense layers at each stochastic layer, from the data upwards. */
    hidden: z.array(z.int().positive().max(65536)).min(2).max(32).default([512, 256, 128]),
    activation: z.enum(ACTIVATION_NAMES).default('silu'),
    /**
     * Normalise the dense layers on the way up. On the way down it would raise the noise of the draws to
     * the level of what they say, and nothing is learned.
     */
    norm: z.boolean().default(false),
    /**
     * Pass the features of the way down on beside the latents, so that lower layers know of all above
     * (Kingma et al. 2016, section 4). Without it, as in the paper, each layer knows only the one above.
     */
    skip: z.boolean().default(false),
  }),
  latentDim: ({ latents }) => latents.reduce((sum, size) => sum + size, 0),
  refuse: ({ latents, hidden }, { latentDim }) => {
    if (latents.length !== hidden.length) {
      return `latents names ${latents.length} layers and hidden ${hidden.length}; give one number for each layer in both`;
    }
    const total = latents.reduce((sum, size) => sum + size, 0);
    return total === latentDim
      ? undefined
      : `its layers have ${total} latents in all, and latentDim is ${latentDim}; leave latentDim out`;
  },
  buildHierarchy: ({ latents, hidden, activation, norm, skip }, { dataShape, heads, conditionDim }) => {
    const dataSize = elementCount(dataShape);
    const top = latents.length - 1;
    /** From the top down: what is drawn first. */
    const order = latents.map((_, index) => top - index);
    const total = latents.reduce((sum, size) => sum + size, 0);

    const dense = (scope: Scope, x: Value, inputs: number, outputs: number, normalised: boolean): Value => {
      const raw = linear(scope, x, inputs, outputs, heUniform(inputs));
      return activate(scope.g, normalised ? layerNorm(scope.at('norm'), raw, outputs) : raw, activation);
    };
    const block = (scope: Scope, x: Value, inputs: number, outputs: number, normalised: boolean): Value =>
      dense(scope.at(1), dense(scope.at(0), x, inputs, outputs, normalised), outputs, outputs, normalised);
    const gaussian = (scope: Scope, x: Value, inputs: number, size: number, start: number): Gaussian => {
      const { g } = scope;
      const most = g.scalar(MOST_LOG_VARIANCE);
      const raw = g.op('Add', [linear(scope.at('log_variance'), x, inputs, size), g.scalar(start)]);
      return {
        mean: linear(scope.at('mean'), x, inputs, size),
        logVariance: g.op('Mul', [g.op('Tanh', [g.op('Div', [raw, most])]), most]),
      };
    };

    /** What the encoder says of each layer, [N, ...], from the data upwards. */
    const climb = (scope: Scope, x: Value, condition: Value | undefined): Gaussian[] => {
      const { g } = scope;
      const flat = flattenRows(g, x);
      let value = condition === undefined ? flat : g.op('Concat', [flat, condition], { axis: 1 });
      let inputs = dataSize + conditionDim;
      return latents.map((size, layer) => {
        const at = scope.at('layer').at(layer);
        value = block(at, value, inputs, hidden[layer]!, norm);
        inputs = hidden[layer]!;
        return gaussian(at, value, inputs, size, FIRST_LOG_VARIANCE);
      });
    };

    /** From the top layer's latents to the data's features; `choose` gives each layer's latents. */
    const descend = (scope: Scope, condition: Value | undefined, choose: Choose): Value => {
      const { g } = scope;
      let features: Value | undefined;
      for (const layer of order) {
        const at = scope.at('layer').at(layer);
        const prior = features && gaussian(at.at('prior'), features, hidden[layer + 1]!, latents[layer]!, 0);
        const z = choose(layer, prior);
        const parts = [z, skip ? features : undefined, condition].filter((part) => part !== undefined);
        const width = parts.reduce((sum, part) => sum + (part.shape![1] as number), 0);
        const joined = parts.length === 1 ? z : g.op('Concat', parts, { axis: 1 });
        features = block(at, joined, width, hidden[layer]!, false);
      }
      return features!;
    };

    const headsOf = (scope: Scope, features: Value): Value[] =>
      heads.map((head) => {
        const flat = linear(scope.at(head.name), features, hidden[0]!, dataSize * head.perValue);
        const shape = headShape(head, dataShape);
        return shape.length === 1 ? flat : scope.g.op('Reshape', [flat, scope.g.int64s([-1, ...shape])]);
      });
    const joinLayers = (scope: Scope, values: readonly Value[]): Value =>
      scope.g.op('Concat', [...values], { axis: 1 });
    const splitLayers = (scope: Scope, value: Value): Value[] =>
      scope.g.ops(
        'Split',
        [value, scope.g.int64s(order.map((layer) => latents[layer]!))],
        { axis: 1 },
        {
          outputs: order.length,
        },
      );

    return {
      latentShape: [total],
      layers: order.map((layer) => ({ name: `z${layer + 1}`, size: latents[layer]! })),
      noisy: true,
      posteriorGraph: true,
      priorNoise: [{ name: 'epsilon', kind: 'normal', dims: [total] }],
      encoderOutputs: ['mean', 'log_variance'],
      outputs: (scope, x, condition) => {
        const said = climb(scope.at('encoder'), x, condition);
        const posteriors: Gaussian[] = [];
        descend(scope.at('decoder'), condition, (layer, prior) => {
          const q = prior === undefined ? said[layer]! : merge(scope, said[layer]!, prior);
          posteriors.push(q);
          return q.mean;
        });
        return {
          mean: joinLayers(
            scope,
            posteriors.map(({ mean }) => mean),
          ),
          log_variance: joinLayers(
            scope,
            posteriors.map(({ logVariance }) => logVariance),
          ),
        };
      },
      infer: (scope, x, condition) => {
        const said = climb(scope.at('encoder'), x, condition);
        return {
          draw: (epsilon, samples) => {
            const { g } = scope;
            const noise = splitLayers(scope, epsilon!);
            const told = condition && repeatRows(g, condition, samples);
            const repeated = said.map(({ mean, logVariance }) => ({
              mean: repeatRows(g, mean, samples),
              logVariance: repeatRows(g, logVariance, samples),
            }));
            const terms: StochasticTerm[] = [];
            const features = descend(scope.at('decoder'), told, (layer, prior) => {
              const q = prior === undefined ? repeated[layer]! : merge(scope, repeated[layer]!, prior);
              const z = reparameterise(g, q, noise[terms.length]!);
              terms.push({
                name: `z${layer + 1}`,
                z,
                gaussian: q,
                kl: () => (prior === undefined ? klToStandardNormal(g, q) : klBetween(g, q, prior)),
                logRatio: () => {
                  const logPrior = prior === undefined ? standardLogDensity(g, z) : logDensity(g, z, prior);
                  return sumPerExample(g, g.op('Sub', [logDensity(g, z, q), logPrior]));
                },
              });
              return z;
            });
            return {
              latent: joinLayers(
                scope,
                terms.map(({ z }) => z),
              ),
              terms,
              penalty: undefined,
              heads: () => headsOf(scope.at('decoder'), features),
            };
          },
        };
      },
      decode: (scope, latent, condition) => {
        const parts = splitLayers(scope, latent);
        const features = descend(scope.at('decoder'), condition, (layer) => parts[order.indexOf(layer)]!);
        return headsOf(scope.at('decoder'), features);
      },
      drawPrior: (scope, [epsilon], condition) => {
        const noise = splitLayers(scope, epsilon!);
        const drawn: Value[] = [];
        descend(scope.at('decoder'), condition, (_, prior) => {
          const standard = noise[drawn.length]!;
          const z = prior === undefined ? standard : reparameterise(scope.g, prior, standard);
          drawn.push(z);
          return z;
        });
        return joinLayers(scope, drawn);
      },
    };
  },
});

/**
 * The product of two Gaussians, normalised: σ² = 1/(σ₁⁻² + σ₂⁻²), μ = σ² (μ₁ σ₁⁻² + μ₂ σ₂⁻²). With w = σ(ln σ₂² − ln σ₁²)
 * the first one's share of the precision, μ = μ₂ + w (μ₁ − μ₂) and ln σ² = ln σ₂² − softplus(ln σ₂² − ln σ₁²).
 */
function merge({ g }: Scope, one: Gaussian, two: Gaussian): Gaussian {
  const logRatio = g.op('Sub', [two.logVariance, one.logVariance]);
  const share = g.op('Sigmoid', [logRatio]);
  return {
    mean: g.op('Add', [two.mean, g.op('Mul', [share, g.op('Sub', [one.mean, two.mean])])]),
    logVariance: g.op('Sub', [two.logVariance, g.op('Softplus', [logRatio])]),
  };
}
