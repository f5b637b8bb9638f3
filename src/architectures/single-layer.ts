/** A network with one stochastic layer, joined with a posterior and a prior. */
import { elementCount } from '../core/dtype.js';
import type { Value } from '../graph/builder.js';
import type { Posterior } from '../nn/posteriors/index.js';
import type { Prior, PriorContext } from '../nn/priors/index.js';
import { flattenRows, repeatRows, sumPerExample } from '../nn/reduce.js';
import type { Scope } from '../nn/scope.js';
import type { StochasticTerm } from '../nn/stochastic.js';
import type { Network } from './architecture.js';
import type { LatentNetwork } from './latent-network.js';

export interface SingleLayerParts {
  readonly network: Network;
  readonly posterior: Posterior;
  readonly prior: Prior;
  readonly dataShape: readonly number[];
  /** Whether data lies between 0 and 1. */
  readonly bounded: boolean;
}

export function singleLayer({ network, posterior, prior, dataShape, bounded }: SingleLayerParts): LatentNetwork {
  const { latentShape } = network;
  const own = posterior.prior;

  const headsOf = (scope: Scope, x: Value, condition: Value | undefined): Value[] =>
    network.encode(scope.at('encoder'), x, posterior.heads, condition);
  const priorContext = (scope: Scope): PriorContext => ({
    latentShape,
    dataShape,
    bounded,
    posteriorOf: (x) => {
      const [mean, logVariance] = headsOf(scope, x, undefined);
      return { mean: mean!, logVariance: logVariance! };
    },
  });

  return {
    latentShape,
    layers: [{ name: 'z', size: elementCount(latentShape) }],
    noisy: posterior.noisy,
    posteriorGraph: !posterior.described,
    priorNoise: own?.noise ?? prior.noise,
    encoderOutputs: posterior.outputNames,
    outputs: (scope, x, condition) => posterior.outputs(scope.at('posterior'), headsOf(scope, x, condition)),
    decode: (scope, latent, condition) => network.decode(scope.at('decoder'), latent, condition),
    drawPrior: (scope, noise) => {
      if (own !== undefined) return own.draw(scope.at('posterior'), noise);
      return prior.draw === undefined ? noise[0]! : prior.draw(scope.at('prior'), noise, priorContext(scope));
    },
    infer: (scope, x, condition) => {
      const heads = headsOf(scope, x, condition);
      return {
        mean: () => posterior.outputs(scope.at('posterior'), heads)['mean']!,
        draw: (epsilon, samples) => {
          const { g } = scope;
          const repeated = heads.map((head) => repeatRows(g, head, samples));
          const draw = posterior.draw(scope.at('posterior'), repeated, epsilon);
          const logRatios = once(() => {
            const logPrior = prior.logDensity(scope.at('prior'), draw.z, priorContext(scope));
            const logPosterior = draw.logDensity();
            const apart = logPrior.shape?.[1] === logPosterior.shape?.[1];
            return apart
              ? g.op('Sub', [logPosterior, logPrior])
              : g.op('Sub', [g.op('ReduceSum', [logPosterior, g.int64s([1])], { keepdims: 1 }), logPrior]);
          });
          const constant = once(() => {
            // As many rows as there are draws, all alike.
            const zeros = g.op('Mul', [g.op('ReduceSum', [flattenRows(g, draw.z), g.int64s([1])]), g.scalar(0)]);
            return g.op('Add', [zeros, g.scalar(own!.klPerRow)]);
          });
          const { gaussian } = draw;
          const closed = gaussian && prior.kl;
          const term: StochasticTerm = {
            name: 'z',
            z: draw.z,
            kl: once(() => {
              if (own !== undefined) return constant();
              return closed ? flattenRows(g, closed(scope.at('prior'), gaussian)) : logRatios();
            }),
            logRatio: once(() => sumPerExample(g, own === undefined ? logRatios() : constant())),
            ...(gaussian && { gaussian }),
          };
          const { penalty } = draw;
          return {
            latent: draw.z,
            terms: [term],
            penalty: penalty?.(),
            heads: () => network.decode(scope.at('decoder'), draw.z, condition && repeatRows(g, condition, samples)),
          };
        },
      };
    },
  };
}

/** Built when first asked for, and shared from then on. */
function once(make: () => Value): () => Value {
  let made: Value | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
