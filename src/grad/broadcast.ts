/** Broadcasting and its transpose: what was repeated on the way forward is summed on the way back. */
import type { Value } from '../graph/builder.js';
import type { Dim } from '../graph/ir.js';
import { reshapeTarget, sameShape, shapeTensor } from './shapes.js';
import type { GradientWriter } from './writer.js';

/** A value in the full shape of another that it broadcasts to. */
export function expandTo(context: GradientWriter, value: Value, like: Value): Value {
  if (sameShape(value.shape, like.shape)) return value;
  return context.op('Expand', [value, shapeTensor(context.builder, like)]);
}

/**
 * The gradient of `input` where `output` = input broadcast to output's shape, given a gradient that
 * broadcasts to the shape of `output`. The result broadcasts to the shape of `input`.
 *
 * Equal names are equal lengths, and a name against 1 was broadcast (summing one element changes
 * nothing); where two names differ, the graph finds out when it runs.
 */
export function unbroadcast(context: GradientWriter, gradient: Value, input: Value, output: Value): Value {
  if (sameShape(input.shape, output.shape)) return gradient;
  const wide = output.shape;
  const narrow = input.shape;
  if (wide === undefined || narrow === undefined || gradient.shape === undefined) {
    return unbroadcastAtRunTime(context, gradient, input, output);
  }
  // The output never has a lower rank than what was broadcast to it.
  const missing = wide.length - narrow.length;
  const absent = wide.length - gradient.shape.length;
  const summed: number[] = [];
  let constantAlong: number[] = [];
  for (const [axis, length] of wide.entries()) {
    const own: Dim = axis < missing ? 1 : narrow[axis - missing]!;
    const given: Dim = axis < absent ? 1 : gradient.shape[axis - absent]!;
    if (own === length) continue;
    if (own !== 1) {
      // Two numbers that differ cannot be; two names may or may not be one length.
      if (typeof own === 'number') continue;
      return unbroadcastAtRunTime(context, gradient, input, output);
    }
    if (given === 1) constantAlong.push(axis);
    else summed.push(axis);
  }
  constantAlong = constantAlong.filter((axis) => wide[axis] !== 1);
  let result = gradient;
  if (summed.length > 0) {
    const axes = summed.map((axis) => axis - absent);
    const leading = axes.every((axis) => axis + absent < missing) && axes.every((axis, index) => axis === index);
    // Axes that the input lacks go at once when they come first; a later Reshape costs nothing either.
    result = context.reduceSum(result, axes, !leading);
  }
  // A gradient that is constant along an axis sums to its length times itself.
  for (const axis of constantAlong) result = context.mul(result, context.lengthOf(output, axis, result.dtype));
  return dropLeadingAxes(context, result, input);
}

/** Takes away leading axes of length 1 that the target does not have. */
function dropLeadingAxes(context: GradientWriter, value: Value, target: Value): Value {
  const extra = value.shape!.length - target.shape!.length;
  if (extra <= 0) return value;
  if (sameShape(value.shape!.slice(extra), target.shape)) return context.reshapeLike(value, target);
  return context.op('Squeeze', [value, context.builder.int64s(Array.from({ length: extra }, (_, axis) => axis))]);
}

function unbroadcastAtRunTime(context: GradientWriter, gradient: Value, input: Value, output: Value): Value {
  const { builder } = context;
  const one = builder.constant([1], 'int64', [1]);
  const full = expandTo(context, gradient, output);
  const wide = shapeTensor(builder, output);
  const narrow = shapeTensor(builder, input);
  // Ones in front of the input's shape, as many as it has axes fewer.
  const missing = context.op('Sub', [context.op('Shape', [wide]), context.op('Shape', [narrow])]);
  const padded = context.op('Concat', [context.op('Expand', [one, missing]), narrow], { axis: 0 });
  const repeated = context.op('And', [
    context.op('Equal', [padded, one]),
    context.op('Not', [context.op('Equal', [wide, one])]),
  ]);
  const axes = context.op('Squeeze', [context.op('NonZero', [repeated]), builder.int64s([0])]);
  const summed = context.op('ReduceSum', [full, axes], { keepdims: 1, noop_with_empty_axes: 1 });
  return context.op('Reshape', [summed, reshapeTarget(builder, input)]);
}
