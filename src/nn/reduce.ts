import type { GraphBuilder, Value } from '../graph/builder.js';

/** Sums all axes but the first: [N, ...] to [N]. */
export function sumPerExample(g: GraphBuilder, x: Value): Value {
  const rank = x.shape?.length ?? 2;
  if (rank === 1) return x;
  const axes = Array.from({ length: rank - 1 }, (_, index) => index + 1);
  return g.op('ReduceSum', [x, g.int64s(axes)], { keepdims: 0 });
}

/** Mean over the batch: [N] to a scalar. */
export function meanOverBatch(g: GraphBuilder, x: Value): Value {
  return g.op('ReduceMean', [x, g.int64s([0])], { keepdims: 0 });
}
