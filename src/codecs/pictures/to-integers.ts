/** The parts of a trained lossy model that the coder depends on, as integers. */
import type { IntegerConv, LatentCodecSpec } from '../../binding/coder.js';
import type { FloatLayer } from '../integers/float-network.js';
import { filled, HIDDEN_TOP, integerLayer } from '../integers/integer-layer.js';
import type { LossyConfig } from './config.js';
import { LEAST_LOG_SCALE, priorName, SCALE_STEPS } from './objective.js';

/** What the coder takes: |z| ≤ 255, means in 1/32. A test holds these against the coder's own. */
export const MOST_HYPER = 255;
export const MEAN_UNITS = 32;
/** Priors: weights sum to 2^14, means in 1/64, log2 of inverse scales in 1/256. Likewise. */
export const WEIGHT_UNITS = 1 << 14;
export const PRIOR_MEAN_UNITS = 64;
export const PRIOR_SCALE_UNITS = 256;
export const MOST_PRIOR_SCALE = 12 * 256;
/** Room above what calibration saw; whatever is larger is clamped, and only costs bits. */
const HEADROOM = 1.5;
/** A layer that stays near 0 gains nothing from finer steps. */
const LEAST_PEAK = 0.05;

export interface Weights {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}
/** A trained parameter by its name. */
export type WeightsOf = (name: string) => Weights;

/**
 * @param hiddenPeaks the largest value that each hidden layer of the hyper synthesis takes on pictures
 *   like those to be coded; without a hyperprior not looked at.
 */
export function quantizeLatentCoder(
  config: LossyConfig,
  weights: WeightsOf,
  hiddenPeaks: readonly number[],
): LatentCodecSpec {
  const { latents, hyperLatents, lambdas, components, prior } = config;
  const hyper = prior === 'hyperprior' ? hyperLayers(config, weights, hiddenPeaks) : [];
  return {
    channels: latents,
    hyperChannels: prior === 'hyperprior' ? hyperLatents : 0,
    hyper,
    levels: lambdas.length,
    components,
    prior: priorNumbers(config, weights),
  };
}

function hyperLayers(config: LossyConfig, weights: WeightsOf, peaks: readonly number[]): IntegerConv[] {
  const { latents } = config;
  const names = [0, 1, 2].map((index) => `hyper_synthesis.${index}`);
  let inputScale = 1;
  let inputLimit = MOST_HYPER;
  return names.map((name, index): IntegerConv => {
    const { layer, kernel } = convLayer(weights, name);
    const limits = filled(layer.inputs, inputLimit);
    const scales = filled(layer.inputs, inputScale);
    if (index === names.length - 1) {
      // Means, then the index of the scale's table: 8 · (log2 of the scale + 4).
      const outputScales = filled(2 * latents, MEAN_UNITS).fill(SCALE_STEPS, latents);
      for (let o = latents; o < 2 * latents; o += 1) layer.bias[o]! -= LEAST_LOG_SCALE;
      return { ...integerLayer(layer, scales, limits, outputScales, -32767), kernel, doubles: 0 };
    }
    const peak = Math.max(peaks[index]!, LEAST_PEAK) * HEADROOM;
    const scale = HIDDEN_TOP / peak;
    const made = integerLayer(layer, scales, limits, filled(layer.outputs, scale), 0);
    inputScale = scale;
    inputLimit = HIDDEN_TOP;
    return { ...made, kernel, doubles: 1 };
  });
}

/** [outputs, channels, k, k] to a dense layer whose inputs are places, each with all channels. */
function convLayer(weights: WeightsOf, name: string): { layer: FloatLayer; kernel: number } {
  const { dims, data } = weights(`${name}.weight`);
  const [outputs, channels, kernel] = dims as [number, number, number];
  const inputs = channels * kernel * kernel;
  const moved = new Float64Array(outputs * inputs);
  for (let o = 0; o < outputs; o += 1) {
    for (let c = 0; c < channels; c += 1) {
      for (let at = 0; at < kernel * kernel; at += 1) {
        moved[o * inputs + at * channels + c] = data[(o * channels + c) * kernel * kernel + at]!;
      }
    }
  }
  return {
    layer: { inputs, outputs, weights: moved, bias: Float64Array.from(weights(`${name}.bias`).data) },
    kernel,
  };
}

/** Levels, channels and components of the factorised priors, three integers each. */
function priorNumbers({ components }: LossyConfig, weights: WeightsOf): Int32Array {
  const logits = weights(priorName('logits')).data;
  const means = weights(priorName('means')).data;
  const logScales = weights(priorName('log_scales')).data;
  const numbers = new Int32Array(3 * logits.length);
  for (let start = 0; start < logits.length; start += components) {
    const own = logits.subarray(start, start + components);
    const most = Math.max(...own);
    const shares = Array.from(own, (logit) => Math.exp(logit - most));
    const total = shares.reduce((sum, share) => sum + share, 0);
    const whole = shares.map((share) => Math.floor((share / total) * WEIGHT_UNITS));
    // What rounding left over goes to the likeliest.
    const likeliest = shares.indexOf(Math.max(...shares));
    whole[likeliest]! += WEIGHT_UNITS - whole.reduce((sum, weight) => sum + weight, 0);
    for (let k = 0; k < components; k += 1) {
      const at = 3 * (start + k);
      numbers[at] = whole[k]!;
      numbers[at + 1] = clamp(Math.round(means[start + k]! * PRIOR_MEAN_UNITS), 1 << 20);
      numbers[at + 2] = clamp(Math.round((-logScales[start + k]! / Math.LN2) * PRIOR_SCALE_UNITS), MOST_PRIOR_SCALE);
    }
  }
  return numbers;
}

function clamp(value: number, most: number): number {
  return Math.min(most, Math.max(-most, value));
}
