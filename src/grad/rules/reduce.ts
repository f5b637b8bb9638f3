/** Reductions and running sums. Gradients keep the reduced axes at length 1, and broadcasting does the rest. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type GradientEntry, type GradientTable, rule } from '../registry.js';
import { axisFromFront, staticSize } from '../shapes.js';
import { signOf } from './unary.js';

interface Reduction {
  readonly x: Value;
  /** The reduced axes counted from the front; undefined where only the run will tell. */
  readonly axes: readonly number[] | undefined;
  /** Gradient of the output, broadcasting to the input. */
  readonly gradient: Value;
  /** A value of the output's shape, broadcasting to the input. */
  kept(value: Value): Value;
}

function reductionOf(context: GradientContext): Reduction {
  const x = context.input(0);
  const rank = x.shape?.length;
  const given = context.inputs[1] === undefined ? [] : context.elements(1);
  let axes: readonly number[] | undefined;
  if (given !== undefined && rank !== undefined) {
    const all = context.int('noop_with_empty_axes', 0) === 0;
    axes =
      given.length === 0
        ? Array.from({ length: all ? rank : 0 }, (_, axis) => axis)
        : given.map((axis) => axisFromFront(axis, rank)).sort((a, b) => a - b);
  }
  const kept = (value: Value): Value => {
    if (context.int('keepdims', 1) !== 0 || value.shape?.length === 0) return value;
    // Axes reduced in front of all others are put back by broadcasting.
    if (axes?.every((axis, index) => axis === index)) return value;
    const list = axes === undefined ? context.inputs[1] : context.builder.int64s(axes);
    return list === undefined ? value : context.op('Unsqueeze', [value, list]);
  };
  const compact = context.compactGradient();
  // Axes can only be put back between those that are there.
  const whole = compact.shape?.length === 0 || compact.shape?.length === context.output().shape?.length;
  return { x, axes, gradient: kept(whole ? compact : context.gradient()), kept };
}

/** How many elements went into each result, as a scalar. */
function countOf(context: GradientContext, { x, axes }: Reduction): Value {
  const size = axes && staticSize(axes.map((axis) => x.shape![axis]!));
  if (size !== undefined) return context.scalar(size, x.dtype);
  if (axes !== undefined) {
    return axes.map((axis) => context.lengthOf(x, axis, x.dtype)).reduce((product, next) => context.mul(product, next));
  }
  const elements = (value: Value) => context.cast(context.op('Size', [value]), x.dtype);
  return context.op('Div', [elements(x), elements(context.output())]);
}

/** A reduction like another with other attributes of none: same axes, kept. */
function reduceAgain(context: GradientContext, op: string, value: Value): Value {
  return context.op(op, [value, context.inputs[1]], {
    keepdims: 1,
    noop_with_empty_axes: context.int('noop_with_empty_axes', 0),
  });
}

function reduction(make: (context: GradientContext, reduction: Reduction, y: () => Value) => Value): GradientEntry {
  return rule((context) => {
    const parts = reductionOf(context);
    return [make(context, parts, () => parts.kept(context.output())), undefined];
  });
}

/** The extreme elements share the gradient equally, as in PyTorch's amax and amin. */
const extreme = reduction((context, { x, gradient }, y) => {
  const winners = context.op('Equal', [x, y()]);
  const count = reduceAgain(context, 'ReduceSum', context.cast(winners, x.dtype));
  return context.keepWhere(winners, context.op('Div', [gradient, count]));
});

/** The product of all others; where zeros are among them, y/x would not tell. */
const product = reduction((context, { x, gradient }) => {
  const zero = context.scalar(0, x.dtype);
  const one = context.scalar(1, x.dtype);
  const isZero = context.op('Equal', [x, zero]);
  const nonZero = context.op('Where', [isZero, one, x]);
  const zeros = reduceAgain(context, 'ReduceSum', context.cast(isZero, x.dtype));
  const rest = context.op('Mul', [gradient, reduceAgain(context, 'ReduceProd', nonZero)]);
  const ofOthers = context.keepWhere(context.op('Equal', [zeros, zero]), rest);
  const ofTheZero = context.keepWhere(context.op('Equal', [zeros, one]), rest);
  return context.op('Where', [isZero, ofTheZero, context.op('Div', [ofOthers, nonZero])]);
});

/** x/‖x‖, and 0 where the norm is 0, as in PyTorch. */
const euclidean = reduction((context, { x, gradient }, y) => {
  const norm = y();
  const ratio = context.op('Div', [gradient, norm]);
  const isZero = context.op('Equal', [norm, context.scalar(0, x.dtype)]);
  return context.mul(context.dropWhere(isZero, ratio), x);
});

function cumulativeSum(context: GradientContext): readonly (Value | undefined)[] {
  const summed = context.op('CumSum', [context.gradient(), context.input(1)], {
    exclusive: context.int('exclusive', 0),
    reverse: 1 - context.int('reverse', 0),
  });
  return [summed, undefined];
}

export const REDUCE: GradientTable = {
  ReduceSum: reduction((_, { gradient }) => gradient),
  ReduceMean: reduction((context, parts) => context.div(parts.gradient, countOf(context, parts))),
  ReduceMax: extreme,
  ReduceMin: extreme,
  ReduceProd: product,
  ReduceL1: reduction((context, { x, gradient }) => context.mul(gradient, signOf(context, x))),
  ReduceL2: euclidean,
  ReduceSumSquare: reduction((context, { x, gradient }) => context.mul(context.scale(gradient, 2), x)),
  // 1/Σx, and Σx = exp(y).
  ReduceLogSum: reduction((context, { gradient }, y) => context.mul(gradient, context.op('Exp', [context.neg(y())]))),
  // The softmax, exp(x - y).
  ReduceLogSumExp: reduction((context, { x, gradient }, y) =>
    context.mul(gradient, context.op('Exp', [context.op('Sub', [x, y()])])),
  ),
  CumSum: rule(cumulativeSum),
};
