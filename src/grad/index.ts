/** Reverse-mode differentiation of ONNX graphs. */
export { GradientContext } from './context.js';
export { type Differentiated, type DifferentiateOptions, differentiate } from './differentiate.js';
export { type GradientRule, registerGradient } from './registry.js';
