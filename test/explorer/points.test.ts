/** What lies where on the map, beside looking at every point. */
import { expect, it } from 'vitest';
import { PointGrid } from '../../packages/explorer/page/nearest-point.js';

const random = (seed: number) => () => {
  const value = Math.sin(seed) * 10_000;
  seed += 1;
  return value - Math.floor(value);
};

it.each([1, 2, 50, 5000])('finds the nearest of %d points, and those within a polygon', (rows) => {
  const next = random(rows);
  const points = Float32Array.from({ length: 2 * rows }, () => next() ** 2 * 4 - 1);
  const grid = new PointGrid(points);
  const apart = (row: number, x: number, y: number): number =>
    Math.hypot(points[2 * row]! - x, points[2 * row + 1]! - y);
  for (let turn = 0; turn < 200; turn += 1) {
    const [x, y, within] = [next() * 5 - 1.5, next() * 5 - 1.5, next()];
    const all = Array.from({ length: rows }, (_, row) => row).filter((row) => apart(row, x, y) <= within);
    const found = grid.nearest(x, y, within);
    if (all.length === 0) expect(found).toBeUndefined();
    else expect(apart(found!, x, y)).toBeCloseTo(Math.min(...all.map((row) => apart(row, x, y))), 6);
  }
  const square = [
    [-0.5, -0.5],
    [0.7, -0.5],
    [0.7, 0.6],
    [-0.5, 0.6],
  ] as const;
  const inside = Array.from({ length: rows }, (_, row) => row).filter((row) => {
    const [x, y] = [points[2 * row]!, points[2 * row + 1]!];
    return x > -0.5 && x < 0.7 && y > -0.5 && y < 0.6;
  });
  expect(grid.within(square)).toEqual(inside);
});
