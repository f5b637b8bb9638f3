/** The networks of a trained VAE as layers in floating point, found by their parameters' names. */
import type { ParameterStore } from '../../architectures/parameters.js';
import { VaeError } from '../../core/errors.js';
import { headOffsets, type LocalMixtureConfig } from '../../nn/likelihoods/local-mixture.js';
import { neighbourhood } from '../../nn/likelihoods/neighbours.js';
import { concat, type FloatLayer } from '../integers/float-network.js';

/** Names of the layers that make the parameters of a Gaussian: hidden ones in order, then the heads. */
export interface GaussianPaths {
  readonly hidden: readonly string[];
  readonly mean: string;
  readonly logVariance: string;
}

/** Where a VAE's networks are, by the names of their layers. */
export interface NetworkPaths {
  /** Latents of the first level. */
  readonly latents: number;
  readonly encoder: GaussianPaths;
  /** Hidden layers of the decoder, and the layer that gives the likelihood's features. */
  readonly decoder: readonly string[];
  readonly features: string;
  /** Levels above the first: inferred from the level below, whose prior they give. */
  readonly upper: readonly {
    readonly latents: number;
    readonly encoder: GaussianPaths;
    readonly prior: GaussianPaths;
  }[];
  /** What the graph adds to the log-variances of posteriors. */
  readonly logVarianceOffset: number;
}

/** Layers that make the parameters of a Gaussian. */
export interface GaussianNetwork {
  readonly hidden: readonly FloatLayer[];
  /** Means, then log variances. */
  readonly head: FloatLayer;
}

/** A level of latents above the first. */
export interface UpperLevel {
  readonly latents: number;
  readonly encoder: GaussianNetwork;
  /** This level's latents to the distribution of the level below. */
  readonly prior: GaussianNetwork;
}

export interface Networks {
  readonly size: number;
  readonly neighbours: number;
  /** Latents of the first level. */
  readonly latents: number;
  readonly encoder: GaussianNetwork;
  readonly decoder: readonly FloatLayer[];
  /** Features of the first value, then of the second, ... */
  readonly features: FloatLayer;
  readonly local: readonly FloatLayer[];
  readonly mixture: FloatLayer;
  readonly upper: readonly UpperLevel[];
}

export function readNetworks(
  parameters: ParameterStore,
  paths: NetworkPaths,
  likelihood: LocalMixtureConfig,
  dataShape: readonly number[],
): Networks {
  const values = (name: string): Float32Array => {
    const spec = parameters.specs.find((each) => each.name === name);
    if (spec === undefined) throw new VaeError('ERR_VAE_GRAPH', `The model has no parameter named "${name}".`);
    const view = parameters.view(spec);
    const wrong = view.find((value) => !Number.isFinite(value));
    if (wrong !== undefined)
      throw new VaeError('ERR_VAE_DATA', `Parameter "${name}" holds ${wrong}: the model is broken.`);
    return view;
  };
  const layer = (path: string): FloatLayer => {
    const bias = values(`${path}.bias`);
    const weights = values(`${path}.weight`);
    return {
      inputs: weights.length / bias.length,
      outputs: bias.length,
      weights: Float64Array.from(weights),
      bias: Float64Array.from(bias),
    };
  };
  const gaussian = ({ hidden, mean, logVariance }: GaussianPaths, offset: number): GaussianNetwork => {
    const spread = layer(logVariance);
    spread.bias.forEach((value, index) => {
      spread.bias[index] = value + offset;
    });
    return { hidden: hidden.map(layer), head: joinOutputs(layer(mean), spread) };
  };
  const size = dataShape.reduce((product, dim) => product * dim, 1);
  const { features, components } = likelihood;
  const firstLocal = layer('likelihood.hidden.0');
  const output = layer('likelihood.output');
  const mixture = joinInputs(output, values('likelihood.output.neighbours'));
  headOffsets(components).forEach((offset, index) => {
    mixture.bias[index]! += offset;
  });
  return {
    size,
    neighbours: neighbourhood(likelihood.above, likelihood.beside).length,
    latents: paths.latents,
    encoder: gaussian(paths.encoder, paths.logVarianceOffset),
    decoder: paths.decoder.map(layer),
    features: interleave(layer(paths.features), features, size),
    local: [
      joinInputs(
        neighbourLayer(values('likelihood.hidden.0.neighbours'), firstLocal),
        firstLocal.weights,
        firstLocal.bias,
      ),
      ...likelihood.hidden.slice(1).map((_, index) => layer(`likelihood.hidden.${index + 1}`)),
    ],
    mixture,
    upper: paths.upper.map(({ latents, encoder, prior }) => ({
      latents,
      encoder: gaussian(encoder, paths.logVarianceOffset),
      prior: gaussian(prior, 0),
    })),
  };

  function neighbourLayer(weights: Float32Array, { outputs }: FloatLayer): FloatLayer {
    return {
      inputs: weights.length / outputs,
      outputs,
      weights: Float64Array.from(weights),
      bias: new Float64Array(outputs),
    };
  }
}

/** One layer over the inputs of both: `left`'s, then those of the further weights. */
function joinInputs(left: FloatLayer, right: ArrayLike<number>, bias = left.bias): FloatLayer {
  const { outputs } = left;
  const more = right.length / outputs;
  const inputs = left.inputs + more;
  const weights = new Float64Array(outputs * inputs);
  for (let o = 0; o < outputs; o += 1) {
    for (let i = 0; i < left.inputs; i += 1) weights[o * inputs + i] = left.weights[o * left.inputs + i]!;
    for (let i = 0; i < more; i += 1) weights[o * inputs + left.inputs + i] = right[o * more + i]!;
  }
  return { inputs, outputs, weights, bias: Float64Array.from(bias) };
}

function joinOutputs(first: FloatLayer, second: FloatLayer): FloatLayer {
  return {
    inputs: first.inputs,
    outputs: first.outputs + second.outputs,
    weights: concat(first.weights, second.weights),
    bias: concat(first.bias, second.bias),
  };
}

/** From all values of feature 0, then of feature 1, ... to all features of value 0, then of value 1, ... */
function interleave({ inputs, weights, bias }: FloatLayer, features: number, size: number): FloatLayer {
  const moved = new Float64Array(weights.length);
  const movedBias = new Float64Array(bias.length);
  for (let f = 0; f < features; f += 1) {
    for (let v = 0; v < size; v += 1) {
      const [from, to] = [f * size + v, v * features + f];
      moved.set(weights.subarray(from * inputs, (from + 1) * inputs), to * inputs);
      movedBias[to] = bias[from]!;
    }
  }
  return { inputs, outputs: size * features, weights: moved, bias: movedBias };
}
