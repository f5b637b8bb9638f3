/** What the page says of a latent space: KL by dimension, use, the aggregate posterior beside the prior, and holes. */
import type { Dataset } from '../../data/dataset.js';
import { collapseWarning } from '../../training/loop/collapse.js';
import { stateOf, type Vae } from '../../vae/vae.js';
import { drawPrior } from './draws.js';
import { findHoles } from './holes.js';
import type { Health } from './types.js';

/** Rows that are looked at. */
const MOST_ROWS = 10_000;
/** Dimensions whose distribution is shown. */
const MOST_SHOWN = 64;
const BINS = 40;
const REACH = 5;
/** As fit() has them by default. */
const COLLAPSE = { bound: 0.01, share: 0.5 };
/** Dimensions in which distances are measured: with more, everything is far from everything. */
const MOST_DISTANCE = 32;

export interface Examined {
  readonly health: Health;
  /** Latents of the farthest draws of the prior, [n, dimensions]. */
  readonly holes: Float32Array;
}

export async function examine(vae: Vae, all: Dataset, signal: AbortSignal): Promise<Examined> {
  const data = all.length > MOST_ROWS ? all.shuffle(0).take(MOST_ROWS) : all;
  const labels = vae.info.condition && data.labels ? { labels: Int32Array.from(data.labels.values) } : {};
  const statistics = await vae.latentStatistics(data, { seed: 0, signal, ...labels });
  const { klPerDimension, active } = statistics;
  const spread = klPerDimension ?? statistics.meanVariance;
  const order = active.map((_, index) => index).sort((a, b) => (spread ? spread[b]! - spread[a]! : 0) || a - b);
  const shown = order.slice(0, MOST_SHOWN);
  const draws = await posteriorDraws(vae, data, shown, signal);
  const inUse = order.filter((index) => active[index]).slice(0, MOST_DISTANCE);
  const prior = await drawPrior(vae, 600, { seed: 1, temperature: 1, signal });
  const holes =
    inUse.length > 0
      ? await findHoles(
          columnsOf(
            draws,
            shown.length,
            inUse.map((one) => shown.indexOf(one)),
          ),
          columnsOf(prior, active.length, inUse),
          inUse.length,
          signal,
        )
      : undefined;
  const advice = collapseWarning(statistics, COLLAPSE);
  return {
    health: {
      rows: statistics.rows,
      kl: statistics.kl,
      ...(klPerDimension && { klPerDimension: Array.from(klPerDimension) }),
      active,
      activeUnits: statistics.activeUnits,
      units: active.length,
      ...(advice && { advice }),
      aggregate: shown.map((dimension, index) => ({ dimension, ...distribution(draws, shown.length, index) })),
      ...(holes && {
        holes: {
          draws: holes.draws,
          share: holes.share,
          quantile: holes.quantile,
          bound: holes.bound,
          distances: holes.distances,
        },
      }),
    },
    holes: holes ? rowsOf(prior, active.length, holes.farthest) : new Float32Array(0),
  };
}

/** One draw from the posterior of each row, of some dimensions: [rows, dimensions]. */
async function posteriorDraws(
  vae: Vae,
  data: Dataset,
  dimensions: readonly number[],
  signal: AbortSignal,
): Promise<Float32Array> {
  const { engine } = stateOf(vae);
  const draw = normal(7);
  const parts: Float32Array[] = [];
  for await (const batch of data.batch(1024, { signal })) {
    const labels = vae.info.condition && batch.labels ? { labels: Int32Array.from(batch.labels.values) } : {};
    const { mean, logVariance, dims } = await engine.encode(batch, { signal, ...labels }, 'encode()');
    const size = mean.length / dims[0]!;
    const part = new Float32Array(dims[0]! * dimensions.length);
    for (let row = 0; row < dims[0]!; row += 1) {
      for (const [index, dimension] of dimensions.entries()) {
        const at = row * size + dimension;
        part[row * dimensions.length + index] = mean[at]! + Math.exp(0.5 * logVariance[at]!) * draw();
      }
    }
    parts.push(part);
  }
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function distribution(
  values: Float32Array,
  width: number,
  column: number,
): { mean: number; deviation: number; bins: number[] } {
  const bins = new Array<number>(BINS).fill(0);
  const count = values.length / width;
  let mean = 0;
  let squares = 0;
  for (let row = 0; row < count; row += 1) {
    const value = values[row * width + column]!;
    mean += value / count;
    squares += (value * value) / count;
    const bin = Math.floor(((value + REACH) / (2 * REACH)) * BINS);
    if (bin >= 0 && bin < BINS) bins[bin]! += 1 / count;
  }
  return { mean, deviation: Math.sqrt(Math.max(0, squares - mean * mean)), bins };
}

function columnsOf(values: Float32Array, width: number, columns: readonly number[]): Float32Array {
  const count = values.length / width;
  const out = new Float32Array(count * columns.length);
  for (let row = 0; row < count; row += 1) {
    for (const [index, column] of columns.entries()) out[row * columns.length + index] = values[row * width + column]!;
  }
  return out;
}

function rowsOf(values: Float32Array, width: number, rows: readonly number[]): Float32Array {
  const out = new Float32Array(rows.length * width);
  for (const [index, row] of rows.entries()) out.set(values.subarray(row * width, (row + 1) * width), index * width);
  return out;
}

/** Box and Muller 1958, over mulberry32. */
function normal(seed: number): () => number {
  let state = seed;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
