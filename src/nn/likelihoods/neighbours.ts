/** Which values near a value its likelihood may look at: those that stand before it. */
import type { GraphBuilder, Value } from '../../graph/builder.js';

/** A neighbour so many rows above and columns to the right. */
export interface Neighbour {
  readonly rows: number;
  readonly columns: number;
}

/** Data seen as rows of values: [1, 28, 28] is 28 rows of 28, [3, 8, 8] is 24 of 8, [100] one of 100. */
export interface RowLayout {
  readonly rows: number;
  readonly width: number;
}

export function rowLayout(dataShape: readonly number[]): RowLayout {
  const width = dataShape[dataShape.length - 1] ?? 1;
  return { rows: dataShape.slice(0, -1).reduce((product, dim) => product * dim, 1), width };
}

/** The rows `above` of a value, `beside` columns to each side, and as many before it in its own row. */
export function neighbourhood(above: number, beside: number): Neighbour[] {
  const neighbours: Neighbour[] = [];
  for (let rows = above; rows >= 0; rows -= 1) {
    for (let columns = -beside; columns <= (rows === 0 ? -1 : beside); columns += 1) neighbours.push({ rows, columns });
  }
  return neighbours;
}

/** [N, ...data] to [N * values, neighbours]; what lies outside the data is 0. */
export function gatherNeighbours(
  g: GraphBuilder,
  x: Value,
  { rows, width }: RowLayout,
  neighbours: readonly Neighbour[],
): Value {
  const above = Math.max(...neighbours.map((neighbour) => neighbour.rows), 0);
  const left = Math.max(...neighbours.map(({ columns }) => -columns), 0);
  const right = Math.max(...neighbours.map(({ columns }) => columns), 0);
  const stride = left + width + right;
  const image = g.op('Reshape', [x, g.int64s([-1, rows, width])]);
  const padded = g.op('Pad', [image, g.int64s([0, above, left, 0, 0, right])]);
  const flat = g.op('Reshape', [padded, g.int64s([-1, (above + rows) * stride])]);
  const indices: number[] = [];
  for (let y = 0; y < rows; y += 1) {
    for (let column = 0; column < width; column += 1) {
      for (const neighbour of neighbours) {
        indices.push((above + y - neighbour.rows) * stride + left + column + neighbour.columns);
      }
    }
  }
  const gathered = g.op('Gather', [flat, g.int64s(indices)], { axis: 1 });
  return g.op('Reshape', [gathered, g.int64s([-1, neighbours.length])]);
}
