/** What custom architectures are made of: layers over a Scope, whose `g` is the graph's builder. */
export { ACTIVATION_NAMES, type ActivationName, activate } from '../nn/activations.js';
export {
  type ConvolutionOptions,
  convolve,
  convolveBack,
  convolvedLength,
  groupNorm,
  upsample,
  withPlanes,
} from '../nn/convolution.js';
export { fanInUniform, type Initializer, ONES, ZEROS } from '../nn/initializers.js';
export { layerNorm, linear } from '../nn/layers.js';
export { flattenRows, meanOverBatch, repeatRows, sumPerExample } from '../nn/reduce.js';
export { type ParameterSource, type ParameterSpec, Scope, type ScopeParts } from '../nn/scope.js';
