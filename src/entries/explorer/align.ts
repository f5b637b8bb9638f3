/** Maps of one moment after another: turned so that rows stay where they were as far as they can. */

/**
 * The rotation or reflection [2, 2], row-major, that brings `points` nearest to `before`, both about their origin
 * (orthogonal Procrustes, Schönemann 1966; in two dimensions in closed form).
 */
export function alignment(points: Float32Array, before: Float32Array): [number, number, number, number] {
  let [xx, xy, yx, yy] = [0, 0, 0, 0];
  for (let at = 0; at < points.length; at += 2) {
    xx += points[at]! * before[at]!;
    xy += points[at]! * before[at + 1]!;
    yx += points[at + 1]! * before[at]!;
    yy += points[at + 1]! * before[at + 1]!;
  }
  // Turned by the best angle, or mirrored and turned, whichever agrees more.
  const turn = Math.hypot(xx + yy, xy - yx);
  const mirror = Math.hypot(xx - yy, xy + yx);
  if (turn >= mirror) {
    const [cos, sin] = turn === 0 ? [1, 0] : [(xx + yy) / turn, (xy - yx) / turn];
    return [cos, -sin, sin, cos];
  }
  const [cos, sin] = [(xx - yy) / mirror, (xy + yx) / mirror];
  return [cos, sin, sin, -cos];
}

/** Two rows of numbers, the places or the axes of a map, brought along. */
export function turned(values: Float32Array, [a, b, c, d]: readonly number[], layout: 'points' | 'axes'): Float32Array {
  const out = new Float32Array(values.length);
  const width = layout === 'points' ? 1 : values.length / 2;
  const step = layout === 'points' ? 2 : 1;
  for (let at = 0; at < values.length / 2; at += 1) {
    const [first, second] = layout === 'points' ? [step * at, step * at + 1] : [at, at + width];
    out[first!] = a! * values[first!]! + b! * values[second!]!;
    out[second!] = c! * values[first!]! + d! * values[second!]!;
  }
  return out;
}
