/** A trained VAE in floating point becomes the integers that the coder runs. */
import type { ParameterStore } from '../../architectures/parameters.js';
import type { IntegerLayer, ItemCodecSpec } from '../../binding/coder.js';
import type { LocalMixtureConfig } from '../../nn/likelihoods/local-mixture.js';
import { neighbourhood, rowLayout } from '../../nn/likelihoods/neighbours.js';
import { apply, concat, type FloatLayer, Ranges, relu } from '../integers/float-network.js';
import { filled, HIDDEN_TOP, integerLayer } from '../integers/integer-layer.js';
import { type GaussianNetwork, type NetworkPaths, type Networks, readNetworks } from './networks.js';
import { standardise } from './standardise.js';

const FEATURE_TOP = 4095;
/** Room above what calibration saw; whatever is larger still codes exactly, only at a worse rate. */
const HEADROOM = 1.5;
const LATENT_BITS = 9;
/** Latents are in 1/4096; none is larger than this, with room to spare. */
const LATENT_SCALE = 4096;
const LATENT_TOP = 16383;

export interface QuantizeInput {
  readonly parameters: ParameterStore;
  readonly paths: NetworkPaths;
  readonly likelihood: LocalMixtureConfig;
  readonly dataShape: readonly number[];
  /** Items like those to be compressed, one after another: they show how large activations get. */
  readonly calibration: Uint8Array;
}

export function quantize(input: QuantizeInput): ItemCodecSpec {
  const { parameters, paths, likelihood, dataShape } = input;
  const read = readNetworks(parameters, paths, likelihood, dataShape);
  const items = scaledItems(input.calibration, read.size);
  const networks = standardise(read, items);
  const ranges = calibrate(networks, input, items);
  const scaleOf = (name: string, top: number): number => {
    const most = ranges.of(name) * HEADROOM;
    return most > 0 ? top / most : 1;
  };

  /** `limits`: the largest integer that an input of the first layer can be. */
  const chain = (name: string, layers: readonly FloatLayer[], inputScales: Float64Array, limits: Float64Array) => {
    let scales = inputScales;
    const made = layers.map((layer, index) => {
      const scale = scaleOf(`${name}.${index}`, HIDDEN_TOP);
      const most = index > 0 ? filled(scales.length, HIDDEN_TOP) : limits;
      const integer = integerLayer(layer, scales, most, filled(layer.outputs, scale), 0);
      scales = filled(layer.outputs, scale);
      return integer;
    });
    return { made, scales };
  };
  const ofValues = (name: string, layers: readonly FloatLayer[]) =>
    chain(name, layers, filled(networks.size, 255), filled(networks.size, 255));
  const ofLatents = (name: string, layers: readonly FloatLayer[], latents: number) =>
    chain(name, layers, filled(latents, LATENT_SCALE), filled(latents, LATENT_TOP));
  const withHead = ({ made, scales }: ReturnType<typeof chain>, head: FloatLayer): IntegerLayer[] => {
    const outputScales = new Float64Array(head.outputs);
    outputScales.fill(LATENT_SCALE, 0, head.outputs / 2);
    // log2(1 / standard deviation) = −log variance / (2 ln 2), in 1/256.
    outputScales.fill(-128 / Math.LN2, head.outputs / 2);
    return [...made, integerLayer(head, scales, filled(scales.length, HIDDEN_TOP), outputScales, -32767)];
  };

  const decoder = ofLatents('decoder', networks.decoder, networks.latents);
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
  const localMost = concat(filled(networks.neighbours, 255), filled(likelihood.features, FEATURE_TOP));
  const local = chain('local', networks.local, localScales, localMost);
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
    latents: networks.latents,
    latentBits: LATENT_BITS,
    features: likelihood.features,
    components,
    neighbours: Int32Array.from(
      neighbourhood(likelihood.above, likelihood.beside).flatMap((neighbour) => [neighbour.rows, neighbour.columns]),
    ),
    encoder: withHead(ofValues('encoder', networks.encoder.hidden), networks.encoder.head),
    decoder: [...decoder.made, featureHead],
    local: [...local.made, localHead],
    levels: networks.upper.map(({ latents, encoder, prior }, index) => {
      const below = index === 0 ? networks.latents : networks.upper[index - 1]!.latents;
      return {
        latents,
        encoder: withHead(ofLatents(`encoder${index + 1}`, encoder.hidden, below), encoder.head),
        prior: withHead(ofLatents(`prior${index + 1}`, prior.hidden, latents), prior.head),
      };
    }),
  };
}

/** Values from 0 to 1. */
function scaledItems(calibration: Uint8Array, size: number): Float64Array[] {
  return Array.from({ length: Math.floor(calibration.length / size) }, (_, index) =>
    Float64Array.from(calibration.subarray(index * size, (index + 1) * size), (value) => value / 255),
  );
}

/** Runs the networks over the calibration items and notes how large every hidden layer gets. */
function calibrate(
  networks: Networks,
  { likelihood, dataShape }: QuantizeInput,
  items: readonly Float64Array[],
): Ranges {
  const ranges = new Ranges();
  const { rows, width } = rowLayout(dataShape);
  const around = neighbourhood(likelihood.above, likelihood.beside);
  const through = (name: string, layers: readonly FloatLayer[], input: Float64Array): Float64Array =>
    layers.reduce((value, layer, index) => {
      const output = relu(apply(layer, value));
      ranges.see(`${name}.${index}`, output);
      return output;
    }, input);
  const infer = (name: string, { hidden, head }: GaussianNetwork, input: Float64Array): Float64Array =>
    apply(head, through(name, hidden, input));
  for (const scaled of items) {
    const posterior = infer('encoder', networks.encoder, scaled);
    // The mean and one deviation to either side: what samples of the posterior will be like.
    for (const side of [-1, 0, 1]) {
      const z = drawn(posterior, side);
      const features = apply(networks.features, through('decoder', networks.decoder, z));
      ranges.see('features', features);
      let below = z;
      networks.upper.forEach(({ encoder, prior }, index) => {
        below = drawn(infer(`encoder${index + 1}`, encoder, below), side);
        infer(`prior${index + 1}`, prior, below);
      });
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

/** The mean of a posterior, `side` deviations away. */
function drawn(posterior: Float64Array, side: number): Float64Array {
  const latents = posterior.length / 2;
  return posterior.subarray(0, latents).map((mean, d) => mean + side * Math.exp(0.5 * posterior[latents + d]!));
}
