/** Finds points by place: a grid of cells, each with the points that lie in it. */

/** Points of a cell, about. */
const PER_CELL = 8;
const MOST_SIDE = 512;

export class PointGrid {
  readonly #points: Float32Array;
  readonly #side: number;
  readonly #starts: Uint32Array;
  readonly #order: Uint32Array;
  readonly #low: readonly [number, number];
  readonly #span: readonly [number, number];

  /** @param points [rows, 2], which are kept. */
  constructor(points: Float32Array) {
    const rows = points.length / 2;
    const low: [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    const high: [number, number] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let at = 0; at < points.length; at += 1) {
      const axis = (at % 2) as 0 | 1;
      low[axis] = Math.min(low[axis], points[at]!);
      high[axis] = Math.max(high[axis], points[at]!);
    }
    this.#points = points;
    this.#side = Math.min(MOST_SIDE, Math.max(1, Math.floor(Math.sqrt(rows / PER_CELL))));
    this.#low = low;
    this.#span = [high[0] - low[0] || 1, high[1] - low[1] || 1];
    const counts = new Uint32Array(this.#side * this.#side + 1);
    const cells = new Uint32Array(rows);
    for (let row = 0; row < rows; row += 1) {
      const cell = this.#cell(points[2 * row]!, 0) + this.#side * this.#cell(points[2 * row + 1]!, 1);
      cells[row] = cell;
      counts[cell + 1]! += 1;
    }
    for (let cell = 0; cell < counts.length - 1; cell += 1) counts[cell + 1]! += counts[cell]!;
    this.#starts = counts;
    const next = counts.slice();
    this.#order = new Uint32Array(rows);
    for (let row = 0; row < rows; row += 1) {
      const cell = cells[row]!;
      this.#order[next[cell]!] = row;
      next[cell]! += 1;
    }
  }

  /** The nearest point within a distance. */
  nearest(x: number, y: number, within: number): number | undefined {
    let best: number | undefined;
    let far = within * within;
    this.#each(x - within, y - within, x + within, y + within, (row, px, py) => {
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance > far) return;
      far = distance;
      best = row;
    });
    return best;
  }

  /** The points within a polygon [corners, 2], by the even-odd rule. */
  within(polygon: readonly (readonly [number, number])[]): number[] {
    const xs = polygon.map(([x]) => x);
    const ys = polygon.map(([, y]) => y);
    const found: number[] = [];
    this.#each(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys), (row, x, y) => {
      let inside = false;
      for (let a = 0, b = polygon.length - 1; a < polygon.length; b = a, a += 1) {
        const [ax, ay] = polygon[a]!;
        const [bx, by] = polygon[b]!;
        if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
      }
      if (inside) found.push(row);
    });
    return found.sort((a, b) => a - b);
  }

  #each(
    left: number,
    bottom: number,
    right: number,
    top: number,
    take: (row: number, x: number, y: number) => void,
  ): void {
    const [x0, x1] = [this.#cell(left, 0), this.#cell(right, 0)];
    const [y0, y1] = [this.#cell(bottom, 1), this.#cell(top, 1)];
    for (let cy = y0; cy <= y1; cy += 1) {
      for (let cx = x0; cx <= x1; cx += 1) {
        const cell = cx + this.#side * cy;
        for (let at = this.#starts[cell]!; at < this.#starts[cell + 1]!; at += 1) {
          const row = this.#order[at]!;
          const [x, y] = [this.#points[2 * row]!, this.#points[2 * row + 1]!];
          if (x >= left && x <= right && y >= bottom && y <= top) take(row, x, y);
        }
      }
    }
  }

  #cell(value: number, axis: 0 | 1): number {
    const place = Math.floor(((value - this.#low[axis]) / this.#span[axis]) * this.#side);
    return Math.min(this.#side - 1, Math.max(0, place));
  }
}
