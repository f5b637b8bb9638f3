/** Networks of a model that this package knows the recipe of: graphs are made from its parameters. */
import { buildDecoder, buildEncoder, buildObjective, NAMES, type VaeNetwork } from '../architectures/graphs.js';
import type { ParameterStore } from '../architectures/parameters.js';
import { type Model, writeModel } from '../graph/index.js';
import type { Networks, SessionKind } from './networks.js';
import { FRACTIONS } from './rows.js';
import { GraphSession } from './session.js';

type MakeGraph = (vae: VaeNetwork, parameters: ParameterStore) => Model;

const GRAPHS: Readonly<Record<SessionKind, MakeGraph>> = {
  encoder: (vae, parameters) => buildEncoder(vae, parameters.asInitializers),
  decoder: (vae, parameters) => buildDecoder(vae, parameters.asInitializers),
  objective: (vae, parameters) => buildObjective(vae, parameters.asInitializers),
};

export function recipeNetworks(vae: VaeNetwork, parameters: ParameterStore): Networks {
  const { dataShape, network } = vae;
  const { latentShape, encoderOutputs } = network;
  const factors = latentShape.slice(1).map((dim, axis) => (dataShape[axis + 1] ?? 0) / dim);
  const spatial = factors.length > 0 && factors.length === dataShape.length - 1;
  const even = spatial && factors.every((factor) => factor === factors[0] && Number.isInteger(factor));
  return {
    dataShape,
    latentShape,
    downsampling: even ? factors[0] : undefined,
    tileSize: undefined,
    encoder: {
      input: NAMES.input,
      dtype: 'float32',
      posterior: encoderOutputs.includes(NAMES.logVariance)
        ? { kind: 'pair', mean: NAMES.mean, logVariance: NAMES.logVariance }
        : { kind: 'point', name: NAMES.mean },
      batch: undefined,
    },
    decoder: { input: NAMES.latent, output: NAMES.output, dtype: 'float32', batch: undefined },
    scaling: undefined,
    bytes: FRACTIONS,
    logVarianceRange: undefined,
    hasObjective: true,
    open: (kind, options) => GraphSession.open(writeModel(GRAPHS[kind](vae, parameters)), `Vae's ${kind}`, options),
  };
}
