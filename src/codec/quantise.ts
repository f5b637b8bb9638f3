/** A trained VAE in floating point becomes the integers that the coder runs. */
import type { ParameterStore } from '../architectures/parameters.js';
import type { ItemCodecSpec } from '../binding/coder.js';
import { VaeError } from '../core/errors.js';
import { headOffsets, type LocalMixtureConfig } from '../nn/likelihoods/local-mixture.js';
import { neighbourhood, rowLayout } from '../nn/likelihoods/neighbours.js';
import { apply, concat, type FloatLayer, Ranges, relu } from './float-network.js';
import { filled, HIDDEN_TOP, integerLayer } from './integer-layer.js';

const FEATURE_TOP = 4095;
/** Room above what calibration saw; whatever is larger still codes exactly, only at a worse rate. */
const HEADROOM = 1.5;
const LATENT_BITS = 9;

export interface QuantiseInput {
  readonly parameters: ParameterStore;
  /** Hidden widths of the encoder; the decoder has them in reverse. */
  readonly hidden: readonly number[];
  readonly latentDim: number;
  readonly likelihood: LocalMixtureConfig;
  readonly dataShape: readonly number[];
  /** Items like those to be compressed, one after another: they show how large activations get. */
  readonly calibration: Uint8Array;
}

export function quantise(input: QuantiseInput): ItemCodecSpec {
  const { likelihood, dataShape, latentDim } = input;
  const networks = readNetworks(input);
  const ranges = calibrate(networks, input);
  const scaleOf = (name: string, top: number): number => {
    const most = ranges.of(name) * HEADROOM;
    return most > 0 ? top / most : 1;
  };

  const chain = (name: string, layers: readonly FloatLayer[], inputScales: Float64Array) => {
    let scales = inputScales;
    const made = layers.map((layer, index) => {
      const scale = scaleOf(`${name}.${index}`, HIDDEN_TOP);
      const integer = integerLayer(layer, scales, limitsFor(scales, name, index), filled(layer.outputs, scale), 0);
      scales = filled(layer.outputs, scale);
      return integer;
    });
    return { made, scales };
  };
  // The largest integer an input can be: bytes, latents, or hidden values.
  const limitsFor = (scales: Float64Array, name: string, index: number): Float64Array => {
    if (index > 0) return filled(scales.length, HIDDEN_TOP);
    if (name === 'encoder') return filled(scales.length, 255);
    if (name === 'decoder') return filled(scales.length, 16383);
    return localLimits(networks.neighbours, likelihood.features);
  };

  const encoder = chain('encoder', networks.encoder, filled(networks.size, 255));
  const posteriorScales = new Float64Array(2 * latentDim);
  posteriorScales.fill(4096, 0, latentDim);
  // log2(1 / standard deviation) = −log variance / (2 ln 2), in 1/256.
  posteriorScales.fill(-128 / Math.LN2, latentDim);
  const encoderHead = integerLayer(
    networks.posterior,
    encoder.scales,
    filled(encoder.scales.length, HIDDEN_TOP),
    posteriorScales,
    -32767,
  );

  const decoder = chain('decoder', networks.decoder, filled(latentDim, 4096));
  const featureScale = scaleOf('features', FEATURE_TOP);
  const featureHead = integerLayer(
    networks.features,
    decoder.scales,
    filled(decoder.scales.length, HIDDEN_TOP),
    filled(networks.features.outputs, featureScale),
    -FEATURE_TOP,
    FEATURE_TOP,
  );

  const localScales = concat(filled(networks.neighbours, 255), filled(likelihood.features, featureScale));
  const local = chain('local', networks.local, localScales);
  const { components } = likelihood;
  const rawScales = new Float64Array(3 * components + 1);
  rawScales.fill(256 / Math.LN2, 0, components);
  rawScales.fill(255 * 64, components, 2 * components);
  rawScales.fill(-256 / Math.LN2, 2 * components, 3 * components);
  rawScales[3 * components] = 256;
  const localHead = integerLayer(
    networks.mixture,
    concat(local.scales, filled(networks.neighbours, 255)),
    concat(filled(local.scales.length, HIDDEN_TOP), filled(networks.neighbours, 255)),
    rawScales,
    -32767,
  );

  const { rows, width } = rowLayout(dataShape);
  return {
    height: rows,
    width,
    channels: 1,
    latents: latentDim,
    latentBits: LATENT_BITS,
    features: likelihood.features,
    components,
    neighbours: Int32Array.from(
      neighbourhood(likelihood.above, likelihood.beside).flatMap((neighbour) => [neighbour.rows, neighbour.columns]),
    ),
    encoder: [...encoder.made, encoderHead],
    decoder: [...decoder.made, featureHead],
    local: [...local.made, localHead],
  };
}

interface Networks {
  readonly size: number;
  readonly neighbours: number;
  readonly encoder: readonly FloatLayer[];
  /** Means, then log variances. */
  readonly posterior: FloatLayer;
  readonly decoder: readonly FloatLayer[];
  /** Features of the first value, then of the second, ... */
  readonly features: FloatLayer;
  readonly local: readonly FloatLayer[];
  readonly mixture: FloatLayer;
}

function readNetworks({ parameters, hidden, likelihood, dataShape }: QuantiseInput): Networks {
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
  const size = dataShape.reduce((product, dim) => product * dim, 1);
  const { features, components } = likelihood;
  const first = layer('likelihood.hidden.0');
  const output = layer('likelihood.output');
  const mixture = joinInputs(output, values('likelihood.output.neighbours'));
  headOffsets(components).forEach((offset, index) => {
    mixture.bias[index]! += offset;
  });
  return {
    size,
    neighbours: neighbourhood(likelihood.above, likelihood.beside).length,
    encoder: hidden.map((_, index) => layer(`encoder.hidden.${index}`)),
    posterior: joinOutputs(layer('encoder.mean'), layer('encoder.log_variance')),
    decoder: hidden.map((_, index) => layer(`decoder.hidden.${index}`)),
    features: interleave(layer('decoder.features'), features, size),
    local: [
      joinInputs(neighbourLayer(values('likelihood.hidden.0.neighbours'), first), first.weights, first.bias),
      ...likelihood.hidden.slice(1).map((_, index) => layer(`likelihood.hidden.${index + 1}`)),
    ],
    mixture,
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

/** Runs the networks over the calibration items and notes how large every hidden layer gets. */
function calibrate(networks: Networks, { calibration, likelihood, dataShape, latentDim }: QuantiseInput): Ranges {
  const ranges = new Ranges();
  const { rows, width } = rowLayout(dataShape);
  const around = neighbourhood(likelihood.above, likelihood.beside);
  const through = (name: string, layers: readonly FloatLayer[], input: Float64Array): Float64Array =>
    layers.reduce((value, layer, index) => {
      const output = relu(apply(layer, value));
      ranges.see(`${name}.${index}`, output);
      return output;
    }, input);
  for (let start = 0; start + networks.size <= calibration.length; start += networks.size) {
    const item = calibration.subarray(start, start + networks.size);
    const scaled = Float64Array.from(item, (value) => value / 255);
    const posterior = apply(networks.posterior, through('encoder', networks.encoder, scaled));
    // The mean and one deviation to either side: what samples of the posterior will be like.
    for (const side of [-1, 0, 1]) {
      const z = posterior
        .subarray(0, latentDim)
        .map((mean, d) => mean + side * Math.exp(0.5 * posterior[latentDim + d]!));
      const features = apply(networks.features, through('decoder', networks.decoder, z));
      ranges.see('features', features);
      if (side !== 0) continue;
      for (let position = 0; position < networks.size; position += 1) {
        const [y, x] = [Math.floor(position / width), position % width];
        const context = around.map((neighbour) => {
          const [row, column] = [y - neighbour.rows, x + neighbour.columns];
          return row >= 0 && row < rows && column >= 0 && column < width ? scaled[row * width + column]! : 0;
        });
        const own = features.subarray(position * likelihood.features, (position + 1) * likelihood.features);
        through('local', networks.local, concat(context, own));
      }
    }
  }
  return ranges;
}

function localLimits(neighbours: number, features: number): Float64Array {
  return concat(filled(neighbours, 255), filled(features, FEATURE_TOP));
}
