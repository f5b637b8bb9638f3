/** What is known of shapes while differentiating, and shapes as values of the graph where it is not enough. */
import type { DataType } from '../core/dtype.js';
import type { GraphBuilder, Value } from '../graph/builder.js';
import type { Dim, Shape } from '../graph/ir.js';

/** Data types through which gradients flow. */
export function isDifferentiable(dtype: DataType): boolean {
  return dtype === 'float32' || dtype === 'float64' || dtype === 'float16' || dtype === 'bfloat16';
}

/** Whether both are known and the same; equal names are equal lengths. */
export function sameShape(left: Shape | undefined, right: Shape | undefined): boolean {
  return (
    left !== undefined &&
    right !== undefined &&
    left.length === right.length &&
    left.every((dim, axis) => dim === right[axis])
  );
}

/** Whether a tensor of the first shape surely broadcasts to the second without changing it. */
export function fitsInto(shape: Shape | undefined, target: Shape | undefined): boolean {
  if (shape === undefined) return false;
  if (shape.length === 0) return true;
  if (target === undefined || shape.length > target.length) return false;
  const offset = target.length - shape.length;
  return shape.every((dim, axis) => dim === 1 || dim === target[axis + offset]);
}

export function isStatic(shape: Shape | undefined): shape is readonly number[] {
  return shape?.every((dim) => typeof dim === 'number') ?? false;
}

/** Product of the lengths; undefined where one is not a number. */
export function staticSize(dims: readonly Dim[]): number | undefined {
  let size = 1;
  for (const dim of dims) {
    if (typeof dim !== 'number') return undefined;
    size *= dim;
  }
  return size;
}

/** An axis counted from the front. */
export function axisFromFront(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** Shape tensors of values, each made once per builder. */
const shapeTensors = new WeakMap<GraphBuilder, Map<string, Value>>();

/** Forgets what was made before, some of which the builder's owner may have removed since. */
export function forgetShapeTensors(builder: GraphBuilder): void {
  shapeTensors.delete(builder);
}

function memoised(builder: GraphBuilder, key: string, make: () => Value): Value {
  let known = shapeTensors.get(builder);
  if (known === undefined) {
    known = new Map();
    shapeTensors.set(builder, known);
  }
  let value = known.get(key);
  if (value === undefined) {
    value = make();
    known.set(key, value);
  }
  return value;
}

/** The exact shape of a value as an int64 tensor: a constant where it is static. */
export function shapeTensor(builder: GraphBuilder, value: Value): Value {
  if (isStatic(value.shape)) return builder.int64s(value.shape);
  return memoised(builder, value.name, () => builder.op('Shape', [value], {}, { name: `${value.name}/shape` }));
}

/**
 * A shape to give to Reshape so that the data of another value takes this value's shape: one
 * unknown length is left to Reshape to work out, which spares the Shape node.
 */
export function reshapeTarget(builder: GraphBuilder, value: Value): Value {
  return targetOf(builder, value.shape) ?? shapeTensor(builder, value);
}

/** A constant for Reshape with at most one length left open; undefined where more are unknown. */
export function targetOf(builder: GraphBuilder, shape: Shape | undefined): Value | undefined {
  if (shape === undefined) return undefined;
  const open = shape.filter((dim) => typeof dim !== 'number').length;
  // With a zero among them the open length could not be told.
  if (open > 1 || (open === 1 && shape.includes(0))) return undefined;
  return builder.int64s(shape.map((dim) => (typeof dim === 'number' ? dim : -1)));
}

/** One length of a value as an int64 tensor of shape [1]. */
export function lengthTensor(builder: GraphBuilder, value: Value, axis: number): Value {
  const dim = value.shape?.[axis];
  if (typeof dim === 'number') return builder.int64s([dim]);
  return memoised(builder, `${value.name}[${axis}]`, () =>
    builder.op('Shape', [value], { start: axis, end: axis + 1 }, { name: `${value.name}/length` }),
  );
}

/** A shape as an int64 tensor put together from numbers and from lengths of values (each of shape [1]). */
export function assembleShape(builder: GraphBuilder, parts: readonly (number | Value)[]): Value {
  if (parts.every((part) => typeof part === 'number')) return builder.int64s(parts as number[]);
  const pieces: Value[] = [];
  let run: number[] = [];
  for (const part of parts) {
    if (typeof part === 'number') {
      run.push(part);
      continue;
    }
    if (run.length > 0) pieces.push(builder.int64s(run));
    run = [];
    pieces.push(part);
  }
  if (run.length > 0) pieces.push(builder.int64s(run));
  return pieces.length === 1 ? pieces[0]! : builder.op('Concat', pieces, { axis: 0 });
}

/** The lengths of a value as parts for assembleShape: numbers where known. */
export function lengthsOf(builder: GraphBuilder, value: Value): (number | Value)[] {
  return value.shape!.map((dim, axis) => (typeof dim === 'number' ? dim : lengthTensor(builder, value, axis)));
}
