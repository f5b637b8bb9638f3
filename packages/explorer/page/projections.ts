/** From latents to places on the map, and back. */
import type { MapData, Store } from './store.js';

export interface Places {
  readonly key: string;
  /** [rows, 2] */
  readonly points: Float32Array;
  /** Where a latent (kept dimensions) lies. */
  place(kept: Float32Array): readonly [number, number];
  /** The kept dimensions of a place; `near` holds what the place does not say. */
  latent(x: number, y: number, near: Float32Array | undefined): Float32Array;
  readonly axes: readonly [string, string];
}

export function pcaPlaces({ points, mean, axes, explained }: MapData): Places {
  const width = mean.length;
  const along = (kept: Float32Array, axis: number): number => {
    let sum = 0;
    for (let index = 0; index < width; index += 1) sum += (kept[index]! - mean[index]!) * axes[axis * width + index]!;
    return sum;
  };
  const share = (axis: number): string => `PC ${axis + 1} (${Math.round(100 * (explained[axis] ?? 0))} %)`;
  return {
    key: 'pca',
    points,
    place: (kept) => [along(kept, 0), along(kept, 1)],
    // What lies across the map stays as it is.
    latent: (x, y, near) => {
      const from = near ?? mean;
      const [dx, dy] = near ? [x - along(near, 0), y - along(near, 1)] : [x, y];
      return from.map((value, index) => value + dx * axes[index]! + dy * axes[width + index]!);
    },
    axes: [share(0), share(1)],
  };
}

export function dimsPlaces(
  { latents, mean }: MapData,
  kept: readonly number[],
  [a, b]: readonly [number, number],
): Places {
  const width = kept.length;
  const rows = latents.length / width;
  const points = new Float32Array(2 * rows);
  for (let row = 0; row < rows; row += 1) {
    points[2 * row] = latents[row * width + a]!;
    points[2 * row + 1] = latents[row * width + b]!;
  }
  return {
    key: `dims ${a} ${b}`,
    points,
    place: (latent) => [latent[a]!, latent[b]!],
    latent: (x, y, near) => {
      const out = (near ?? mean).slice();
      out[a] = x;
      out[b] = y;
      return out;
    },
    axes: [`z ${kept[a]}`, `z ${kept[b]}`],
  };
}

/** Rows that are averaged where a map has no way back. */
const AROUND = 6;

/** A map that knows its rows only: other places are means of the rows around them, weighted by nearness. */
export function umapPlaces({ latents, mean }: MapData, points: Float32Array): Places {
  const width = mean.length;
  const rows = points.length / 2;
  return {
    key: 'umap',
    points,
    place: (kept) => {
      const near = nearest(rows, (row) => {
        let sum = 0;
        for (let index = 0; index < width; index += 1) sum += (latents[row * width + index]! - kept[index]!) ** 2;
        return sum;
      });
      const out: [number, number] = [0, 0];
      for (const { row, weight } of near) {
        out[0] += weight * points[2 * row]!;
        out[1] += weight * points[2 * row + 1]!;
      }
      return out;
    },
    latent: (x, y) => {
      const near = nearest(rows, (row) => (points[2 * row]! - x) ** 2 + (points[2 * row + 1]! - y) ** 2);
      const out = new Float32Array(width);
      for (const { row, weight } of near) {
        for (let index = 0; index < width; index += 1) out[index]! += weight * latents[row * width + index]!;
      }
      return out;
    },
    axes: ['UMAP 1', 'UMAP 2'],
  };
}

function nearest(rows: number, distance: (row: number) => number): { row: number; weight: number }[] {
  const best: { row: number; far: number }[] = [];
  for (let row = 0; row < rows; row += 1) {
    const far = distance(row);
    if (best.length === AROUND && far >= best[AROUND - 1]!.far) continue;
    let at = best.length;
    while (at > 0 && best[at - 1]!.far > far) at -= 1;
    best.splice(at, 0, { row, far });
    if (best.length > AROUND) best.pop();
  }
  const weights = best.map(({ far }) => 1 / (far + 1e-9));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return best.map(({ row }, index) => ({ row, weight: weights[index]! / sum }));
}

/** A whole latent: dimensions that the map does not know stay as those of `near`, or in the middle. */
export function wholeLatent({ map, model }: Store, kept: Float32Array, near: Float32Array | undefined): Float32Array {
  const out = (near ?? map!.base).slice();
  for (const [index, dimension] of model.kept.entries()) out[dimension] = kept[index]!;
  return out;
}

let worker: Worker | undefined;

/** UMAP (McInnes, Healy and Melville 2018) of all rows, in a thread of its own. */
export function umap(map: MapData, progress: (part: number) => void): Promise<Float32Array> {
  worker?.terminate();
  worker = new Worker(new URL('./umap-worker.ts', import.meta.url), { type: 'module' });
  const running = worker;
  return new Promise((resolve, reject) => {
    running.onmessage = ({ data }: MessageEvent<{ part?: number; points?: Float32Array }>) => {
      if (data.points) {
        resolve(data.points);
        running.terminate();
      } else progress(data.part ?? 0);
    };
    running.onerror = ({ message }) => reject(new Error(`UMAP failed: ${message}`));
    running.postMessage({ latents: map.latents, width: map.mean.length });
  });
}
