/** Layers: a scope, an input value, an output value. */
import type { Value } from '../graph/builder.js';
import { fanInUniform, type Initializer, ONES, ZEROS } from './initializers.js';
import type { Scope } from './scope.js';

/** x·Wᵀ + b over the last axis of [N, inputs]; weight [outputs, inputs], bias [outputs]. */
export function linear(
  scope: Scope,
  x: Value,
  inputs: number,
  outputs: number,
  initializer: Initializer = fanInUniform(inputs),
): Value {
  const weight = scope.parameter('weight', [outputs, inputs], initializer);
  const bias = scope.parameter('bias', [outputs], fanInUniform(inputs), { decay: false });
  return scope.g.op('Gemm', [x, weight, bias], { transB: 1 }, { name: scope.name('gemm') });
}

/** Ba, Kiros and Hinton 2016: each row of [N, size] normalised, then scale and shift by column. */
export function layerNorm(scope: Scope, x: Value, size: number): Value {
  const scale = scope.parameter('weight', [size], ONES, { decay: false });
  const shift = scope.parameter('bias', [size], ZEROS, { decay: false });
  return scope.g.op('LayerNormalization', [x, scale, shift], { axis: -1, epsilon: 1e-5 });
}
