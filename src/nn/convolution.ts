/** Convolution layers in one, two or three dimensions: images are [N, channels, ...size]. */
import type { Value } from '../graph/builder.js';
import { fanInUniform, ONES, ZEROS } from './initializers.js';
import type { Scope } from './scope.js';

export interface ConvolutionOptions {
  readonly kernel: number;
  /** Default 1. */
  readonly stride?: number;
  /** Zeros at each edge. Default: what keeps the size at stride 1 for an odd kernel. */
  readonly padding?: number;
}

/** Lengths of a value's axes behind the channels. */
function spatialSize(x: Value): number[] {
  return x.shape!.slice(2) as number[];
}

export function channelsOf(x: Value): number {
  return x.shape![1] as number;
}

/** What `convolve` makes of a length. */
export function convolvedLength(length: number, { kernel, stride = 1, padding }: ConvolutionOptions): number {
  return Math.floor((length + 2 * (padding ?? samePadding(kernel)) - kernel) / stride) + 1;
}

/** Weight [outputs, inputs, ...kernel], bias [outputs]. */
export function convolve(scope: Scope, x: Value, outputs: number, options: ConvolutionOptions): Value {
  const { kernel, stride = 1, padding = samePadding(kernel) } = options;
  const inputs = channelsOf(x);
  const axes = spatialSize(x);
  const fanIn = inputs * kernel ** axes.length;
  const weight = scope.parameter('weight', [outputs, inputs, ...axes.map(() => kernel)], fanInUniform(fanIn));
  const bias = scope.parameter('bias', [outputs], fanInUniform(fanIn), { decay: false });
  return scope.g.op(
    'Conv',
    [x, weight, bias],
    {
      kernel_shape: axes.map(() => kernel),
      strides: axes.map(() => stride),
      pads: [...axes, ...axes].map(() => padding),
    },
    { name: scope.name('conv') },
  );
}

/** The way back from a strided convolution with these options, to exactly `size`. Weight [inputs, outputs, ...kernel]. */
export function convolveBack(
  scope: Scope,
  x: Value,
  outputs: number,
  size: readonly number[],
  options: ConvolutionOptions,
): Value {
  const { kernel, stride = 1, padding = samePadding(kernel) } = options;
  const inputs = channelsOf(x);
  const axes = spatialSize(x);
  const fanIn = outputs * kernel ** axes.length;
  const weight = scope.parameter('weight', [inputs, outputs, ...axes.map(() => kernel)], fanInUniform(fanIn));
  const bias = scope.parameter('bias', [outputs], fanInUniform(fanIn), { decay: false });
  return scope.g.op(
    'ConvTranspose',
    [x, weight, bias],
    {
      kernel_shape: axes.map(() => kernel),
      strides: axes.map(() => stride),
      pads: [...axes, ...axes].map(() => padding),
      output_padding: axes.map((length, axis) => size[axis]! - ((length - 1) * stride + kernel - 2 * padding)),
    },
    { name: scope.name('conv') },
  );
}

/** Wu and He 2018: each of `groups` groups of channels normalised within an example, then scale and shift by channel. */
export function groupNorm(scope: Scope, x: Value, groups: number): Value {
  const { g } = scope;
  const channels = channelsOf(x);
  const size = spatialSize(x);
  const grouped = g.op('Reshape', [x, g.int64s([0, groups, -1])]);
  const ones = g.constant(new Float32Array(groups).fill(1), 'float32', [groups]);
  const zeros = g.constant(new Float32Array(groups), 'float32', [groups]);
  const normal = g.op('InstanceNormalization', [grouped, ones, zeros], { epsilon: 1e-5 });
  const back = g.op('Reshape', [normal, g.int64s([-1, channels, ...size])]);
  const perChannel = [channels, ...size.map(() => 1)];
  const scale = scope.parameter('weight', perChannel, ONES, { decay: false });
  const shift = scope.parameter('bias', perChannel, ZEROS, { decay: false });
  return g.op('Add', [g.op('Mul', [back, scale]), shift]);
}

/** Each value twice along every spatial axis. */
export function upsample({ g }: Scope, x: Value): Value {
  const size = spatialSize(x);
  const scales = g.constant(Float32Array.from([1, 1, ...size.map(() => 2)]), 'float32', [2 + size.length]);
  return g.op('Resize', [x, undefined, scales], {
    mode: 'nearest',
    nearest_mode: 'floor',
    coordinate_transformation_mode: 'asymmetric',
  });
}

/** A vector [N, C] as C planes that are the same everywhere, behind the channels of x. */
export function withPlanes({ g }: Scope, x: Value, vector: Value | undefined): Value {
  if (vector === undefined) return x;
  const size = spatialSize(x);
  const count = vector.shape![1] as number;
  const spread = g.op('Reshape', [vector, g.int64s([-1, count, ...size.map(() => 1)])]);
  const planes = g.op('Expand', [spread, g.int64s([1, count, ...size])]);
  return g.op('Concat', [x, planes], { axis: 1 });
}

function samePadding(kernel: number): number {
  return Math.floor((kernel - 1) / 2);
}
