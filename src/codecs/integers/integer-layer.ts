/** Rounding of a floating-point layer to the integers that the coder runs. */
import type { IntegerLayer } from '../../binding/coder.js';
import { VaeError } from '../../core/errors.js';
import type { FloatLayer } from './float-network.js';

/** Hidden layers are 0..4095: 12 bits, so that with 12-bit weights hundreds of products fit 32 bits. */
export const HIDDEN_TOP = 4095;
const INT32 = 2 ** 31 - 1;

/**
 * Rounds a layer: input i stands for its real value times inputScales[i], output o likewise. Each
 * output's weights take as many bits as 16-bit numbers and 32-bit sums allow. Hidden layers share
 * one shift, which runs faster.
 */
export function integerLayer(
  layer: FloatLayer,
  inputScales: Float64Array,
  inputLimits: Float64Array,
  outputScales: Float64Array,
  low: number,
  high = low === 0 ? HIDDEN_TOP : 32767,
): IntegerLayer {
  const { inputs, outputs } = layer;
  const shift = new Uint8Array(outputs);
  for (let o = 0; o < outputs; o += 1) shift[o] = largestShift(layer, o, inputScales, inputLimits, outputScales[o]!);
  if (low === 0 || high !== 32767) shift.fill(Math.min(...shift));
  const weights = new Int16Array(inputs * outputs);
  const bias = new Int32Array(outputs);
  for (let o = 0; o < outputs; o += 1) {
    const factor = outputScales[o]! * 2 ** shift[o]!;
    for (let i = 0; i < inputs; i += 1) {
      weights[o * inputs + i] = Math.round((layer.weights[o * inputs + i]! * factor) / inputScales[i]!);
    }
    bias[o] = Math.round(layer.bias[o]! * factor);
  }
  return { inputs, outputs, weights, bias, shift, low, high };
}

function largestShift(
  layer: FloatLayer,
  output: number,
  inputScales: Float64Array,
  inputLimits: Float64Array,
  outputScale: number,
): number {
  let most = 0;
  let reach = Math.abs(layer.bias[output]! * outputScale) + 1;
  for (let i = 0; i < layer.inputs; i += 1) {
    const weight = Math.abs((layer.weights[output * layer.inputs + i]! * outputScale) / inputScales[i]!);
    most = Math.max(most, weight);
    reach += weight * inputLimits[i]!;
  }
  for (let shift = 20; shift >= 0; shift -= 1) {
    const factor = 2 ** shift;
    // Rounding may add half to each weight, and half of the divisor is added to the sum.
    const rounding = inputLimits.reduce((total, limit) => total + 0.5 * limit, 0) + factor;
    if (most * factor <= 32766 && reach * factor + rounding < INT32) return shift;
  }
  throw new VaeError(
    'ERR_VAE_DATA',
    'The model cannot be made a codec: its weights are too large for integers. Train it with weight decay or clipGradientNorm.',
  );
}

export function filled(length: number, value: number): Float64Array {
  return new Float64Array(length).fill(value);
}
