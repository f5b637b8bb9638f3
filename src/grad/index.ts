/**
 * Reverse-mode differentiation of ONNX graphs.
 *
 * @module node-vae/grad
 */
export { GradientContext } from './context.js';
export { type Differentiated, type DifferentiateOptions, differentiate } from './differentiate.js';
export type { KernelMark } from './kernels.js';
export { lowerSlowOperators } from './lower.js';
export { type GradientRule, registerGradient } from './registry.js';
