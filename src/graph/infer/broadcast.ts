/** Multidirectional (numpy) broadcasting over shapes that may be partly unknown. */
import type { Dim, Shape } from '../ir.js';

/** What two axes that are broadcast against each other come to; null where they conflict. */
function broadcastDim(left: Dim, right: Dim, freshDim: () => string): Dim | null {
  if (left === right) return left;
  if (left === 1) return right;
  if (right === 1) return left;
  if (typeof left === 'number') return typeof right === 'number' ? null : left;
  // A symbol against a number greater than one is either that number or one.
  if (typeof right === 'number') return right;
  return freshDim();
}

/** The common shape; undefined where a rank is unknown, null where two axes conflict. */
export function broadcastShapes(
  shapes: readonly (Shape | undefined)[],
  freshDim: () => string,
): Dim[] | undefined | null {
  let rank = 0;
  for (const shape of shapes) {
    if (shape === undefined) return undefined;
    rank = Math.max(rank, shape.length);
  }
  const result: Dim[] = [];
  for (let axis = 0; axis < rank; axis += 1) {
    let dim: Dim = 1;
    for (const shape of shapes) {
      const own = axis - (rank - shape!.length);
      if (own < 0) continue;
      const merged = broadcastDim(dim, shape![own]!, freshDim);
      if (merged === null) return null;
      dim = merged;
    }
    result.push(dim);
  }
  return result;
}

/** Text of a shape for messages. */
export function describeShape(shape: Shape | undefined): string {
  return shape === undefined ? 'unknown rank' : `[${shape.join(', ')}]`;
}
