/** UMAP in a worker: of some rows by the library, of the others by their neighbours among those. */
import { UMAP } from 'umap-js';

/** Rows that the map is fitted to. */
const MOST_FITTED = 3000;
const AROUND = 4;
const EPOCHS = 250;

self.onmessage = async ({ data }: MessageEvent<{ latents: Float32Array; width: number }>) => {
  const { latents, width } = data;
  const rows = latents.length / width;
  const fitted = Math.min(rows, MOST_FITTED);
  const pick = Array.from({ length: fitted }, (_, index) => Math.floor((index * rows) / fitted));
  const rowOf = (row: number): Float32Array => latents.subarray(row * width, (row + 1) * width);
  let state = 42;
  // mulberry32: the same rows give the same map.
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const model = new UMAP({ nNeighbors: Math.min(15, fitted - 1), minDist: 0.1, nEpochs: EPOCHS, random });
  const found = await model.fitAsync(
    pick.map((row) => Array.from(rowOf(row))),
    (epoch) => {
      if (epoch % 10 === 0) self.postMessage({ part: (0.7 * epoch) / EPOCHS });
    },
  );
  const points = new Float32Array(2 * rows);
  const isFitted = new Map(pick.map((row, index) => [row, index]));
  for (let row = 0; row < rows; row += 1) {
    const own = isFitted.get(row);
    const place = own === undefined ? amid(rowOf(row), pick, found, rowOf) : found[own]!;
    points.set(place, 2 * row);
    if (row % 500 === 0) self.postMessage({ part: 0.7 + (0.3 * row) / rows });
  }
  self.postMessage({ points });
};

/** The mean of the places of the nearest rows, weighted by nearness. */
function amid(
  row: Float32Array,
  pick: readonly number[],
  found: readonly number[][],
  rowOf: (row: number) => Float32Array,
): number[] {
  const best: { index: number; far: number }[] = [];
  for (const [index, other] of pick.entries()) {
    const there = rowOf(other);
    const bound = best.length === AROUND ? best[AROUND - 1]!.far : Number.POSITIVE_INFINITY;
    let far = 0;
    for (let at = 0; at < row.length && far < bound; at += 1) far += (row[at]! - there[at]!) ** 2;
    if (far >= bound) continue;
    let at = best.length;
    while (at > 0 && best[at - 1]!.far > far) at -= 1;
    best.splice(at, 0, { index, far });
    if (best.length > AROUND) best.pop();
  }
  let [x, y, sum] = [0, 0, 0];
  for (const { index, far } of best) {
    const weight = 1 / (far + 1e-9);
    x += weight * found[index]![0]!;
    y += weight * found[index]![1]!;
    sum += weight;
  }
  return [x / sum, y / sum];
}
