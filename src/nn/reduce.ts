import type { GraphBuilder, Value } from '../graph/builder.js';

/** Sums all axes but the first: [N, ...] to [N]. */
export function sumPerExample(g: GraphBuilder, x: Value): Value {
  const rank = x.shape?.length ?? 2;
  if (rank === 1) return x;
  const axes = Array.from({ length: rank - 1 }, (_, index) => index + 1);
  return g.op('ReduceSum', [x, g.int64s(axes)], { keepdims: 0 });
}

/** Mean over the first axis: [N] to a scalar, [N, D] to [D]. */
export function meanOverBatch(g: GraphBuilder, x: Value): Value {
  return g.op('ReduceMean', [x, g.int64s([0])], { keepdims: 0 });
}

/** [N, ...] to [N, size]. */
export function flattenRows(g: GraphBuilder, x: Value): Value {
  return x.shape?.length === 2 ? x : g.op('Flatten', [x], { axis: 1 });
}

/** Sum of a list of values. */
export function sumOf(g: GraphBuilder, values: readonly Value[]): Value {
  return values.slice(1).reduce((sum, value) => g.op('Add', [sum, value]), values[0]!);
}

/** Each row `times` times, one after another: [N, ...] to [N * times, ...]. */
export function repeatRows(g: GraphBuilder, x: Value, times: number): Value {
  if (times === 1) return x;
  const shape = x.shape!.slice(1) as number[];
  const ones = shape.map(() => 1);
  const expanded = g.op('Expand', [g.op('Unsqueeze', [x, g.int64s([1])]), g.int64s([1, times, ...ones])]);
  return g.op('Reshape', [expanded, g.int64s([-1, ...shape])]);
}
