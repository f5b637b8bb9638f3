/** Normalisations with a scale and bias per channel: batch, instance and group. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type Expanded, expansion, type GradientTable } from '../registry.js';
import { staticSize } from '../shapes.js';

type Gradients = readonly (Value | undefined)[];

/** Spatial axes of [N, C, ...]. */
const spatialAxes = (context: GradientContext, x: Value) =>
  Array.from({ length: context.rank(x) - 2 }, (_, index) => index + 2);

/** A vector [C] as [C, 1, ...], against [N, C, ...]. */
function perChannel(context: GradientContext, vector: Value, like: Value): Value {
  const ones = context.rank(like) - 2;
  return ones === 0 ? vector : context.reshape(vector, [-1, ...new Array<number>(ones).fill(1)]);
}

/** 1/√(variance + ε) */
function inverseDeviation(context: GradientContext, variance: Value, epsilon: number): Value {
  const shifted = context.add(variance, context.scalar(epsilon, variance.dtype));
  return context.op('Reciprocal', [context.op('Sqrt', [shifted])]);
}

/** How many elements of each channel there are, over batch and places. */
function countPerChannel(context: GradientContext, x: Value): Value {
  const axes = [0, ...spatialAxes(context, x)];
  return axes
    .map((axis) => context.lengthOf(x, axis, x.dtype))
    .reduce((product, length) => context.mul(product, length));
}

// --- Batch normalisation (Ioffe & Szegedy 2015) ---

/**
 * In training mode written out, to keep the centred input and the deviation. It also keeps clear of
 * ONNX Runtime's own kernel, which writes the new running statistics over the old ones it was given,
 * graph inputs and initializers included (seen in 1.30).
 */
function batchNormalization(context: GradientContext): Expanded | undefined {
  if (context.int('training_mode', 0) === 0) return undefined;
  const [x, scale, bias] = [context.input(0), context.input(1), context.input(2)];
  const axes = [0, ...spatialAxes(context, x)];
  const mean = context.reduceMean(x, axes, false);
  const centred = context.sub(x, perChannel(context, mean, x));
  const variance = context.reduceMean(context.square(centred), axes, false);
  const inverse = inverseDeviation(context, variance, context.float('epsilon', 1e-5));
  const slope = context.mul(context.cast(scale, x.dtype), inverse);
  const scaled = context.mul(centred, perChannel(context, slope, x));
  const y = context.add(scaled, perChannel(context, context.cast(bias, x.dtype), x));
  const momentum = context.float('momentum', 0.9);
  const running = (index: number, now: Value) => {
    const old = context.input(index);
    const wanted = (context.node.outputs[index - 2] ?? '') !== '';
    if (!wanted) return undefined;
    return context.add(context.scale(old, momentum), context.scale(context.cast(now, old.dtype), 1 - momentum));
  };
  return {
    outputs: [y, running(3, mean), running(4, variance)],
    gradient: (backward) => throughBatchStatistics(backward, { axes, centred, inverse, slope }),
  };
}

interface BatchStatistics {
  readonly axes: readonly number[];
  /** x - mean */
  readonly centred: Value;
  /** 1/√(variance + ε) and that times the scale, [C]. */
  readonly inverse: Value;
  readonly slope: Value;
}

/** dx = s·inv·(g - mean(g) - x̂·mean(g·x̂)), written as A·g + B·(x - mean) + C with A, B, C per channel. */
function throughBatchStatistics(context: GradientContext, statistics: BatchStatistics): Gradients {
  if (context.hasGradient(1) || context.hasGradient(2)) context.fail('the loss depends on the running statistics');
  const { axes, centred, inverse, slope } = statistics;
  const x = context.input(0);
  const gradient = context.gradient();
  const needs = (...indices: number[]) => indices.some((index) => context.needs(index));
  const sum = needs(0, 2) ? context.reduceSum(gradient, axes, false) : undefined;
  const moment = needs(0, 1) ? context.reduceSum(context.mul(gradient, centred), axes, false) : undefined;
  const dx = () => {
    const count = countPerChannel(context, x);
    const b = context.div(context.mul(context.mul(slope, context.square(inverse)), moment!), count);
    const c = context.div(context.mul(slope, sum!), count);
    const onGradient = context.mul(gradient, perChannel(context, slope, x));
    const onInput = context.add(
      context.mul(centred, perChannel(context, context.neg(b), x)),
      perChannel(context, context.neg(c), x),
    );
    return context.add(onGradient, onInput);
  };
  return [
    context.needs(0) ? dx() : undefined,
    context.needs(1) ? context.cast(context.mul(moment!, inverse), context.input(1).dtype) : undefined,
    context.needs(2) ? context.cast(sum!, context.input(2).dtype) : undefined,
    // The old statistics only go into the new ones.
    context.needs(3) ? context.zerosLike(context.input(3)) : undefined,
    context.needs(4) ? context.zerosLike(context.input(4)) : undefined,
  ];
}

/** y = s·(x - m)/√(v + ε) + b with statistics that are given. */
function throughGivenStatistics(context: GradientContext): Gradients {
  const [x, scale, , mean, variance] = [0, 1, 2, 3, 4].map((index) => context.input(index));
  const gradient = context.gradient();
  const axes = [0, ...spatialAxes(context, x!)];
  const inverse = [0, 1, 3, 4].some((index) => context.needs(index))
    ? inverseDeviation(context, variance!, context.float('epsilon', 1e-5))
    : undefined;
  const slope = [0, 3, 4].some((index) => context.needs(index)) ? context.mul(scale!, inverse!) : undefined;
  const sum = [2, 3].some((index) => context.needs(index)) ? context.reduceSum(gradient, axes, false) : undefined;
  const moment = [1, 4].some((index) => context.needs(index))
    ? context.reduceSum(context.mul(gradient, context.sub(x!, perChannel(context, mean!, x!))), axes, false)
    : undefined;
  return [
    context.needs(0) ? context.mul(gradient, perChannel(context, slope!, x!)) : undefined,
    context.needs(1) ? context.mul(moment!, inverse!) : undefined,
    context.needs(2) ? sum : undefined,
    context.needs(3) ? context.neg(context.mul(sum!, slope!)) : undefined,
    context.needs(4)
      ? context.scale(context.mul(moment!, context.mul(slope!, context.square(inverse!))), -0.5)
      : undefined,
  ];
}

// --- Instance and group normalisation (Ulyanov et al. 2016; Wu & He 2018) ---

/**
 * Groups of channels standardised over channels and places, as a layer normalisation of [N, groups, rest]
 * that also gives its deviations.
 */
function standardisedGroups(
  context: GradientContext,
  x: Value,
  groups: number,
  epsilon: number,
): { standardised: Value; inverse: Value } {
  const rows = context.reshape(x, [0, groups, -1]);
  const size = staticSize([...x.shape!.slice(1)]);
  if (size !== undefined) {
    const ones = context.op('Expand', [context.scalar(1, x.dtype), context.builder.int64s([size / groups])]);
    const [standardised, , inverse] = context.ops('LayerNormalization', [rows, ones], { axis: 2, epsilon }, 3);
    return { standardised: standardised!, inverse: inverse! };
  }
  const centred = context.sub(rows, context.reduceMean(rows, [2], true));
  const variance = context.reduceMean(context.square(centred), [2], true);
  const inverse = inverseDeviation(context, variance, epsilon);
  return { standardised: context.mul(centred, inverse), inverse };
}

function groupNorm(context: GradientContext, groupsOf: (channels: number) => number): Expanded | undefined {
  const [x, scale, bias] = [context.input(0), context.input(1), context.input(2)];
  const channels = x.shape?.[1];
  if (typeof channels !== 'number' || context.rank(x) < 3) return undefined;
  const groups = groupsOf(channels);
  const { standardised, inverse } = standardisedGroups(context, x, groups, context.float('epsilon', 1e-5));
  // Before operator set 21 GroupNormalization had one scale and bias per group.
  const widen = (vector: Value) => {
    if (vector.shape?.[0] === channels || groups === channels) return vector;
    const repeated = context.op('Expand', [
      context.op('Unsqueeze', [vector, context.builder.int64s([1])]),
      context.builder.int64s([groups, channels / groups]),
    ]);
    return context.reshape(repeated, [channels]);
  };
  const isEverywhere = (index: number, value: number) =>
    context.numbers(index)?.every((element) => element === value) ?? false;
  const scales = isEverywhere(1, 1) ? undefined : widen(scale);
  let y = context.reshapeLike(standardised, x);
  if (scales !== undefined) y = context.mul(y, perChannel(context, scales, x));
  if (!isEverywhere(2, 0)) y = context.add(y, perChannel(context, widen(bias), x));
  return {
    outputs: [y],
    gradient: (backward) => {
      // The result of a node keeps the name it had, even where it is the standardised input itself.
      const normal = y.name === standardised.name ? backward.output() : standardised;
      return throughGroups(backward, { standardised: normal, inverse, scales, groups, channels });
    },
  };
}

interface GroupStatistics {
  /** [N, groups, rest] */
  readonly standardised: Value;
  /** [N, groups, 1] */
  readonly inverse: Value;
  /** [C]; undefined where they are all 1, as exporters have it when scaling comes later. */
  readonly scales: Value | undefined;
  readonly groups: number;
  readonly channels: number;
}

/**
 * dx = inv·(s·g - mean(s·g) - x̂·mean(s·g·x̂)) over each group, written as A·g + B·x̂ + C. The means are
 * put together from the sums per example and channel that scale and bias need as well.
 */
function throughGroups(context: GradientContext, statistics: GroupStatistics): Gradients {
  const { standardised, inverse, scales, groups, channels } = statistics;
  const x = context.input(0);
  const per = channels / groups;
  // [N, groups, channels of a group, places]
  const split = (value: Value) => context.reshape(value, [0, groups, per, -1]);
  const gradient = split(context.gradient());
  const normal = split(standardised);
  const sum = context.needs(0) || context.needs(2) ? context.reduceSum(gradient, [3], true) : undefined;
  const moment =
    context.needs(0) || context.needs(1) ? context.reduceSum(context.mul(gradient, normal), [3], true) : undefined;
  const dx = () => {
    const scale = scales && context.reshape(scales, [groups, per, 1]);
    const scaled = (value: Value) => (scale ? context.mul(value, scale) : value);
    const spread = context.op('Unsqueeze', [context.cast(inverse, x.dtype), context.builder.int64s([3])]);
    const places = [1, ...spatialAxes(context, x)]
      .map((axis) => context.lengthOf(x, axis, x.dtype))
      .reduce((product, length) => context.mul(product, length));
    const size = context.scale(places, 1 / groups);
    const mean = (value: Value) => context.div(context.reduceSum(scaled(value), [2], true), size);
    const a = scaled(spread);
    const b = context.neg(context.mul(spread, mean(moment!)));
    const c = context.neg(context.mul(spread, mean(sum!)));
    const onInput = context.add(context.mul(normal, b), c);
    return context.reshapeLike(context.add(context.mul(gradient, a), onInput), x);
  };
  const toVector = (value: Value, like: Value) => {
    const summed = context.reduceSum(value, like.shape?.[0] === channels ? [0, 3] : [0, 2, 3], false);
    return context.reshapeLike(summed, like);
  };
  return [
    context.needs(0) ? dx() : undefined,
    context.needs(1) ? toVector(moment!, context.input(1)) : undefined,
    context.needs(2) ? toVector(sum!, context.input(2)) : undefined,
  ];
}

export const CHANNEL_NORM: GradientTable = {
  BatchNormalization: expansion(batchNormalization, throughGivenStatistics),
  InstanceNormalization: expansion((context) => groupNorm(context, (channels) => channels)),
  GroupNormalization: expansion((context) => groupNorm(context, () => context.int('num_groups', 1))),
};
