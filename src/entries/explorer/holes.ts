/**
 * Holes of the latent space: places the prior draws from where no row lies (Rosca, Lakshminarayanan and Mohamed 2018,
 * "Distribution matching in variational inference"). Found by distance to the nearest of some rows' draws, beside the distance that such draws
 * have among themselves.
 */
import { setImmediate } from 'node:timers/promises';

const MOST_ROWS = 3000;
const DRAWS = 600;
const QUANTILE = 0.99;
/** Draws that are shown. */
const SHOWN = 8;

export interface Holes {
  readonly draws: number;
  /** Share of the draws of the prior that are farther from every row than `bound`. */
  readonly share: number;
  readonly quantile: number;
  readonly bound: number;
  /** Distances of the farthest draws, and which they are. */
  readonly distances: readonly number[];
  readonly farthest: readonly number[];
}

/**
 * @param rows draws from the posteriors of rows [n, width].
 * @param prior draws from the prior [m, width].
 */
export async function findHoles(
  rows: Float32Array,
  prior: Float32Array,
  width: number,
  signal: AbortSignal,
): Promise<Holes | undefined> {
  const some = thinned(rows, width, MOST_ROWS);
  const count = some.length / width;
  const draws = Math.min(DRAWS, prior.length / width);
  if (count < 50 || draws < 50) return undefined;
  const among = await nearest(thinned(some, width, DRAWS), some, width, true, signal);
  const bound = Float64Array.from(among).sort()[Math.floor(QUANTILE * (among.length - 1))]!;
  const distances = await nearest(prior.subarray(0, draws * width), some, width, false, signal);
  const farthest = Array.from(distances, (_, index) => index)
    .sort((a, b) => distances[b]! - distances[a]!)
    .slice(0, SHOWN);
  return {
    ...{ draws, quantile: QUANTILE, bound, farthest },
    share: distances.reduce((sum, distance) => sum + (distance > bound ? 1 : 0), 0) / draws,
    distances: farthest.map((index) => distances[index]!),
  };
}

function thinned(rows: Float32Array, width: number, most: number): Float32Array {
  const count = rows.length / width;
  if (count <= most) return rows;
  const out = new Float32Array(most * width);
  for (let row = 0; row < most; row += 1) {
    const from = Math.floor((row * count) / most) * width;
    out.set(rows.subarray(from, from + width), row * width);
  }
  return out;
}

/** @param apart leaves out what is at no distance at all: the row itself. */
async function nearest(
  from: Float32Array,
  to: Float32Array,
  width: number,
  apart: boolean,
  signal: AbortSignal,
): Promise<Float64Array> {
  const count = from.length / width;
  const out = new Float64Array(count);
  for (let a = 0; a < count; a += 1) {
    if (a % 16 === 0) {
      await setImmediate();
      signal.throwIfAborted();
    }
    let least = Number.POSITIVE_INFINITY;
    for (let b = 0; b < to.length; b += width) {
      let sum = 0;
      for (let index = 0; index < width && sum < least; index += 1) {
        const difference = from[a * width + index]! - to[b + index]!;
        sum += difference * difference;
      }
      if (sum < least && !(apart && sum === 0)) least = sum;
    }
    out[a] = Math.sqrt(least);
  }
  return out;
}
