/** Pooling. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type Expanded, expansion, type GradientTable, rule } from '../registry.js';
import { isStatic, lengthTensor, staticSize } from '../shapes.js';

type Gradients = readonly (Value | undefined)[];

const spatialAxes = (context: GradientContext, x: Value) =>
  Array.from({ length: context.rank(x) - 2 }, (_, index) => index + 2);

interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

function windowOf(context: GradientContext): Window {
  const kernel = context.ints('kernel_shape') ?? [];
  const ones = kernel.map(() => 1);
  return { kernel, strides: context.ints('strides') ?? ones, dilations: context.ints('dilations') ?? ones };
}

/** Whether the windows lie side by side and cover the input exactly, along every axis. */
function tilesExactly(context: GradientContext, window: Window): boolean {
  const { kernel, strides, dilations } = window;
  const lengths = context.input(0).shape!.slice(2);
  const steps = context.output().shape!.slice(2);
  // Padding in front shifts the windows, even where there are as many as without.
  if (kernel.every((size, axis) => size === strides[axis]) && beginPads(context, window).some((pad) => pad !== 0)) {
    return false;
  }
  return kernel.every(
    (size, axis) =>
      size === strides[axis] &&
      dilations[axis] === 1 &&
      typeof lengths[axis] === 'number' &&
      lengths[axis] === size * (steps[axis] as number),
  );
}

/** Each element of [N, C, ...] repeated to fill its window. */
function spreadOverTiles(context: GradientContext, value: Value, kernel: readonly number[]): Value {
  const { builder } = context;
  const x = context.input(0);
  if (value.dtype === 'float32' && kernel.length === 2) {
    const scales = builder.constant([1, 1, ...kernel], 'float32', [2 + kernel.length]);
    return context.op('Resize', [value, undefined, scales], {
      mode: 'nearest',
      coordinate_transformation_mode: 'asymmetric',
      nearest_mode: 'floor',
    });
  }
  // [rows, length, 1, ...] broadcast to [rows, length, size, ...].
  const steps = value.shape!.slice(2) as number[];
  const apart = context.reshape(value, [-1, ...steps.flatMap((length) => [length, 1])]);
  const ones = builder.int64s([1, ...steps.flatMap((length, axis) => [length, kernel[axis]!])]);
  return context.reshapeLike(context.op('Expand', [apart, ones]), x);
}

/**
 * The largest elements of each window share its gradient. Where windows tile a plane, they are found
 * by comparison, for the indices that MaxPool can give take it ten times as long to make.
 */
function maxPool(context: GradientContext): Gradients {
  if (context.hasGradient(1)) context.fail('the loss depends on the indices');
  const x = context.input(0);
  const window = windowOf(context);
  const { kernel } = window;
  const size = kernel.reduce((product, length) => product * length, 1);
  if (kernel.length === 2 && x.dtype === 'float32' && tilesExactly(context, window)) {
    const largest = context.op('Equal', [x, spreadOverTiles(context, context.output(), kernel)]);
    const winners = context.cast(largest, x.dtype);
    const count = context.scale(context.op('AveragePool', [winners], { kernel_shape: kernel, strides: kernel }), size);
    const share = context.op('Div', [context.gradient(), count]);
    return [context.mul(winners, spreadOverTiles(context, share, kernel))];
  }
  if (context.int('storage_order', 0) !== 0) context.fail('storage_order 1 (column-major indices)');
  const indices = context.extraOutput(1, { dtype: 'int64', shape: context.output().shape });
  const flat = (value: Value) => context.reshape(value, [-1]);
  const sizes = x.shape!;
  const length = isStatic(sizes)
    ? context.builder.int64s([staticSize(sizes)!])
    : context.op('Unsqueeze', [context.op('Size', [x]), context.builder.int64s([0])]);
  const zeros = context.op('Expand', [context.scalar(0, x.dtype), length]);
  const scattered = context.op('ScatterElements', [zeros, flat(indices), flat(context.gradient())], {
    reduction: 'add',
  });
  return [context.reshapeLike(scattered, x)];
}

/** Window weights, attributes and all, come from pooling a tensor of ones: how often and how much each element counts. */
function averagePool(context: GradientContext): Gradients {
  const x = context.input(0);
  const window = windowOf(context);
  const { kernel, strides, dilations } = window;
  const size = kernel.reduce((product, length) => product * length, 1);
  if (tilesExactly(context, window)) {
    return [spreadOverTiles(context, context.scale(context.gradient(), 1 / size), kernel)];
  }
  const { builder } = context;
  const axes = spatialAxes(context, x);
  const begin = beginPads(context, window);
  // Channels become examples, so that one small kernel serves all.
  const alone = (value: Value) => {
    const lengths = value.shape!.slice(2);
    if (isStatic(lengths)) return context.reshape(value, [-1, 1, ...lengths]);
    const shape = axes.map((axis) => lengthTensor(builder, value, axis));
    return context.op('Reshape', [value, context.op('Concat', [builder.int64s([-1, 1]), ...shape], { axis: 0 })]);
  };
  const gradient = alone(context.gradient());
  const isPlain =
    begin.every((pad) => pad === 0) &&
    (context.ints('pads') ?? []).every((pad) => pad === 0) &&
    !context.string('auto_pad', 'NOTSET').startsWith('SAME') &&
    context.int('ceil_mode', 0) === 0;
  const weighted = isPlain ? context.scale(gradient, 1 / size) : context.mul(gradient, windowWeights(context));
  // Spread at full length, then cut to the input: what lay in the padding is dropped.
  const ones = context.op('Expand', [context.scalar(1, x.dtype), builder.int64s([1, 1, ...kernel])]);
  const spread = context.op('ConvTranspose', [weighted, ones], { kernel_shape: kernel, strides, dilations });
  const lengths = axes.map((axis) => lengthTensor(builder, x, axis));
  const zeros = axes.map(() => 0);
  const isShort = context.op('Pad', [
    spread,
    builder.int64s([0, 0, ...zeros, 0, 0, ...strides.map((stride) => stride - 1)]),
  ]);
  const starts = builder.int64s(begin);
  const ends = context.op('Add', [
    lengths.length === 1 ? lengths[0]! : context.op('Concat', lengths, { axis: 0 }),
    starts,
  ]);
  return [context.reshapeLike(context.op('Slice', [isShort, starts, ends, builder.int64s(axes)]), x)];
}

/** What one element of each window counts: the pool of ones over the number of elements in the window. */
function windowWeights(context: GradientContext): Value {
  const { builder } = context;
  const x = context.input(0);
  const { kernel, strides, dilations } = windowOf(context);
  const axes = spatialAxes(context, x);
  const lengths = axes.map((axis) => lengthTensor(builder, x, axis));
  const ones = context.op('Expand', [
    context.scalar(1, x.dtype),
    context.op('Concat', [builder.int64s([1, 1]), ...lengths], { axis: 0 }),
  ]);
  const pooled = context.builder.append({
    ...context.node,
    name: builder.unique(`${context.node.name}/weights`),
    inputs: [ones.name],
    outputs: [builder.unique(`${context.node.name}/weights_out`)],
  })[0]!;
  const begin = beginPads(context, windowOf(context));
  // With room behind for a last window that reaches past the end.
  const room = kernel.map((size, axis) => (size - 1) * dilations[axis]! + strides[axis]!);
  const padded = context.op('Pad', [ones, builder.int64s([0, 0, ...begin, 0, 0, ...room])]);
  const kernelOfOnes = context.op('Expand', [context.scalar(1, x.dtype), builder.int64s([1, 1, ...kernel])]);
  const counted = context.op('Conv', [padded, kernelOfOnes], { kernel_shape: kernel, strides, dilations });
  const steps = axes.map((axis) => lengthTensor(builder, context.output(), axis));
  const ends = steps.length === 1 ? steps[0]! : context.op('Concat', steps, { axis: 0 });
  // Of the pool too: with ceil_mode, what ONNX Runtime works out beforehand may have one window more than what it makes.
  const [pools, counts] = [pooled, counted].map((value) =>
    context.op('Slice', [value, builder.int64s(axes.map(() => 0)), ends, builder.int64s(axes)]),
  );
  return context.op('Div', [pools, counts]);
}

/** Padding in front, automatic padding worked out. */
function beginPads(context: GradientContext, { kernel, strides, dilations }: Window): number[] {
  const automatic = context.string('auto_pad', 'NOTSET');
  if (automatic === 'VALID') return kernel.map(() => 0);
  if (!automatic.startsWith('SAME')) return [...(context.ints('pads') ?? kernel.map(() => 0))].slice(0, kernel.length);
  const lengths = context.input(0).shape!.slice(2);
  return kernel.map((size, axis) => {
    const length = lengths[axis];
    const stride = strides[axis]!;
    const covered = (size - 1) * dilations[axis]! + 1;
    if (typeof length !== 'number' && stride > 1) context.fail('automatic padding with a stride needs a known length');
    const over =
      stride === 1 ? covered - 1 : (Math.ceil((length as number) / stride) - 1) * stride + covered - (length as number);
    const total = Math.max(over, 0);
    return automatic === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
  });
}

function globalAverage(context: GradientContext): Gradients {
  const x = context.input(0);
  const count = spatialAxes(context, x)
    .map((axis) => context.lengthOf(x, axis, x.dtype))
    .reduce((product, length) => context.mul(product, length));
  return [context.div(context.compactGradient(), count)];
}

function globalMax(context: GradientContext): Gradients {
  const x = context.input(0);
  const winners = context.cast(context.op('Equal', [x, context.output()]), x.dtype);
  const count = context.reduceSum(winners, spatialAxes(context, x), true);
  return [context.mul(winners, context.op('Div', [context.gradient(), count]))];
}

/** The elements that were put somewhere are taken from there. */
function maxUnpool(context: GradientContext): Gradients {
  const flat = (value: Value) => context.reshape(value, [-1]);
  const picked = context.op('GatherElements', [flat(context.gradient()), flat(context.input(1))], { axis: 0 });
  return [context.reshapeLike(picked, context.input(0)), undefined, undefined];
}

/**
 * With ceil_mode, a last window that would begin in the padding is left out: what is left are the windows without
 * ceil_mode. Until opset 21 ONNX Runtime counts it all the same when it works out shapes, and refuses the graph where
 * something else has the right one; so the node goes on without ceil_mode.
 */
function withoutCeilMode(context: GradientContext): Expanded | undefined {
  const { node, builder } = context;
  const lengths = context.input(0).shape?.slice(2);
  const steps = context.output().shape?.slice(2);
  if (context.int('ceil_mode', 0) === 0 || !isStatic(lengths) || !isStatic(steps)) return undefined;
  const { kernel, strides, dilations } = windowOf(context);
  const automatic = context.string('auto_pad', 'NOTSET');
  if (automatic !== 'NOTSET' && automatic !== '') return undefined;
  const pads = context.ints('pads') ?? [];
  const axes = kernel.map((size, axis) => {
    const padded = lengths[axis]! + (pads[axis] ?? 0) + (pads[axis + kernel.length] ?? 0);
    const rest = padded - (size - 1) * dilations[axis]! - 1;
    return { plain: Math.floor(rest / strides[axis]!) + 1, raised: Math.ceil(rest / strides[axis]!) + 1 };
  });
  const leavesOut = axes.some(({ raised }, axis) => raised !== steps[axis]);
  if (!leavesOut || axes.some(({ plain }, axis) => plain !== steps[axis])) return undefined;
  const outputs = builder.append({
    ...node,
    name: builder.unique(node.name || node.op),
    outputs: node.outputs.map((name) => (name === '' ? '' : builder.unique(name))),
    attributes: { ...node.attributes, ceil_mode: { kind: 'int', value: 0 } },
  });
  return { outputs: outputs.map((value) => (value.name === '' ? undefined : value)) };
}

export const POOLING: GradientTable = {
  MaxPool: expansion(withoutCeilMode, maxPool),
  AveragePool: expansion(withoutCeilMode, averagePool),
  GlobalAveragePool: rule(globalAverage),
  GlobalMaxPool: rule(globalMax),
  MaxUnpool: rule(maxUnpool),
};
