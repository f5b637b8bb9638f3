/** Networks of a model that this package knows the recipe of: graphs are made from its parameters. */
import {
  buildDecoder,
  buildEncoder,
  buildObjective,
  buildPosterior,
  buildPrior,
  type VaeNetwork,
} from '../architectures/graphs.js';
import { NAMES } from '../architectures/names.js';
import type { ParameterStore } from '../architectures/parameters.js';
import { elementCount } from '../core/dtype.js';
import { domainOf } from '../data/domain.js';
import { lowerSlowOperators } from '../grad/lower.js';
import { GraphBuilder, type Model, writeModel } from '../graph/index.js';
import type { Networks, SessionKind } from './networks.js';
import { FRACTIONS } from './rows/rows.js';
import { GraphSession, withDomain } from './sessions/session.js';

type MakeGraph = (vae: VaeNetwork, parameters: ParameterStore) => Model;

const GRAPHS: Readonly<Record<Exclude<SessionKind, `objective:${number}`>, MakeGraph>> = {
  encoder: (vae, parameters) => buildEncoder(vae, parameters.asInitializers),
  decoder: (vae, parameters) => buildDecoder(vae, parameters.asInitializers),
  objective: (vae, parameters) => objectiveGraph(vae, parameters, 1),
  prior: (vae, parameters) => buildPrior(vae, parameters.asInitializers),
  posterior: (vae, parameters) => buildPosterior(vae, parameters.asInitializers),
};

function objectiveGraph(vae: VaeNetwork, parameters: ParameterStore, samples: number): Model {
  const builder = GraphBuilder.from(buildObjective(vae, parameters.asInitializers, samples));
  lowerSlowOperators(builder);
  return builder.model;
}

function graphOf(kind: SessionKind, vae: VaeNetwork, parameters: ParameterStore): Model {
  const samples = /^objective:(\d+)$/.exec(kind)?.[1];
  if (samples !== undefined) return objectiveGraph(vae, parameters, Number(samples));
  return GRAPHS[kind as keyof typeof GRAPHS](vae, parameters);
}

export function recipeNetworks(vae: VaeNetwork, parameters: ParameterStore): Networks {
  const { dataShape, network } = vae;
  const { latentShape, encoderOutputs } = network;
  const factors = latentShape.slice(1).map((dim, axis) => (dataShape[axis + 1] ?? 0) / dim);
  const spatial = factors.length > 0 && factors.length === dataShape.length - 1;
  const even = spatial && factors.every((factor) => factor === factors[0] && Number.isInteger(factor));
  const domain = domainOf(vae.likelihood);
  let widest: number | undefined;
  return {
    dataShape,
    latentShape,
    downsampling: even ? factors[0] : undefined,
    tileSize: undefined,
    get widest() {
      widest ??= Math.max(
        ...(['encoder', 'decoder'] as const).map((kind) => widestRow(graphOf(kind, vae, parameters))),
      );
      return widest;
    },
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
    domain,
    logVarianceRange: undefined,
    hasObjective: true,
    layers: network.layers,
    classes: vae.condition?.classes,
    priorNoise: network.priorNoise,
    posteriorGraph: network.posteriorGraph,
    graph: async (kind) => graphOf(kind, vae, parameters),
    open: (kind, options) =>
      GraphSession.open(writeModel(graphOf(kind, vae, parameters)), `Vae's ${kind}`, withDomain(kind, domain, options)),
  };
}

/** Elements of one row of the graph's widest value: of those whose first axis is the batch. */
function widestRow({ graph }: Model): number {
  const batch = graph.inputs[0]?.shape?.[0];
  let widest = 1;
  for (const { shape } of graph.types.values()) {
    if (shape === undefined || shape[0] !== batch) continue;
    const row = shape.slice(1).filter((dim) => typeof dim === 'number');
    widest = Math.max(widest, elementCount(row));
  }
  return widest;
}
