/**
 * Operators that act on one axis at a time by a fixed linear map: resampling, padding with copies.
 * The map's matrix is what the operator itself makes of the unit vectors, so that every mode and
 * attribute means just what it means forward.
 */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { lengthTensor, staticSize } from '../shapes.js';

/** The identity matrix as long as an axis of a value, [length, length]. */
export function unitVectors(context: GradientContext, value: Value, axis: number): Value {
  const { builder } = context;
  const length = value.shape![axis]!;
  const square =
    typeof length === 'number'
      ? builder.int64s([length, length])
      : context.op('Concat', [lengthTensor(builder, value, axis), lengthTensor(builder, value, axis)], { axis: 0 });
  const zeros = context.op('Expand', [context.scalar(0, value.dtype), square]);
  return context.op('EyeLike', [zeros]);
}

/** The transpose of a map along one axis: gradient [..., after, ...] by matrix [before, after]. */
export function transposeMap(context: GradientContext, gradient: Value, axis: number, matrix: Value): Value {
  const rank = context.rank(gradient);
  const order = Array.from({ length: rank }, (_, each) => each);
  const turned = () => context.transpose(matrix, [1, 0]);
  if (axis === rank - 1) return context.op('MatMul', [gradient, turned()]);
  const behind = staticSize(gradient.shape!.slice(axis + 1));
  const [before, after] = [matrix.shape?.[0], gradient.shape![axis]];
  if (behind !== undefined && typeof before === 'number' && typeof after === 'number') {
    const lengths = gradient.shape!.map((length, each) => (each === axis ? before : length));
    if (lengths.filter((length) => typeof length !== 'number').length <= 1) {
      // [in front, after, behind]: one product per block, without moving anything.
      const blocks = context.op('MatMul', [matrix, context.reshape(gradient, [-1, after, behind])]);
      return context.reshape(
        blocks,
        lengths.map((length) => (typeof length === 'number' ? length : -1)),
      );
    }
  }
  const exchanged = order.map((each) => (each === axis ? rank - 1 : each === rank - 1 ? axis : each));
  const moved = context.transpose(gradient, exchanged);
  return context.transpose(context.op('MatMul', [moved, turned()]), exchanged);
}
