/** What is measured at the end of an epoch: the terms of the bound on validation data, and what the latents say. */
import { NAMES, perExample, TERMS } from '../../architectures/names.js';
import type { NativeAbortFlag, NativeTrainingSession } from '../../binding/addon.js';
import { type LatentLayer, type LatentStatistics, LatentStatisticsSum } from '../../latent/statistics.js';
import type { Terms } from '../progress.js';
import { batchSizes } from './batch-plan.js';
import { meanTerms, noTerms } from './loop-state.js';
import type { RowFeed } from './row-feed.js';

/** Random counters of evaluation start here, out of reach of training's. */
const EVALUATION_COUNTER = 2 ** 44;
/** Rows that are evaluated at once, at most. */
const MOST_EVALUATED_AT_ONCE = 1024;
/** Values of the rows that are evaluated at once, at most: 4 MiB, so that large pictures need no more than training does. */
const MOST_VALUES_AT_ONCE = 1 << 20;
const MOST_BATCHES_PER_REQUEST = 8;
/** Rows that are drawn anew in every pass are evaluated as they were in the first. */
const EVALUATION_PASS = 0;
/** Values for each latent dimension that one request may bring back. */
const MOST_LATENT_VALUES = 1 << 21;
/** Training rows that latents are measured on where nothing is held out: enough for means, little beside an epoch. */
const LEAST_SAMPLED_ROWS = 128;
const MOST_SAMPLED_ROWS = 2048;
const SAMPLED_SHARE = 1 / 16;

export interface EvaluationSetting {
  readonly session: NativeTrainingSession;
  readonly feed: RowFeed;
  readonly rows: Uint32Array;
  /** Rows at once: see evaluationBatch(). */
  readonly batch: number;
  readonly layers: readonly LatentLayer[];
  /** Scalar inputs that stay the same. */
  readonly constants: Readonly<Record<string, number>>;
  readonly useEma: boolean;
  readonly flag: NativeAbortFlag | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface Evaluated {
  readonly terms: Terms;
  /** Absent where the graph does not give dimensions. */
  readonly latents: LatentStatistics | undefined;
}

/** How many rows of this shape are evaluated at once; whatever the batches of training are, so that scores agree. */
export function evaluationBatch(rowShape: readonly number[]): number {
  const size = rowShape.reduce((product, dim) => product * dim, 1);
  return Math.max(1, Math.min(MOST_EVALUATED_AT_ONCE, Math.floor(MOST_VALUES_AT_ONCE / size)));
}

export function allRows(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, index) => index);
}

/** Some rows, spread evenly over all. */
export function sampledRows(count: number): Uint32Array {
  const wanted = Math.max(LEAST_SAMPLED_ROWS, Math.min(MOST_SAMPLED_ROWS, Math.floor(count * SAMPLED_SHARE)));
  const length = Math.min(count, wanted);
  return Uint32Array.from({ length }, (_, index) => Math.floor((index * count) / length));
}

export async function evaluateRows(setting: EvaluationSetting): Promise<Evaluated> {
  const { session, feed, rows, batch: atOnce, layers, constants, useEma, flag, signal } = setting;
  const units = layers.reduce((sum, { size }) => sum + size, 0);
  const most = Math.max(1, Math.floor(MOST_LATENT_VALUES / (atOnce * units)));
  const perRequest = Math.min(feed.batchesPerRequest, MOST_BATCHES_PER_REQUEST, most);
  const sums = noTerms();
  const statistics = new LatentStatisticsSum(layers);
  let latents = false;
  let batch = 0;
  for (let position = 0; position < rows.length; ) {
    const sizes = batchSizes(rows.length, position, atOnce, perRequest);
    const end = position + sizes.reduce((total, size) => total + size, 0);
    const next = rows.subarray(end, end + atOnce);
    const planned = (part: Uint32Array) => ({ rows: part, pass: EVALUATION_PASS });
    const indices = await feed.prepare(planned(rows.subarray(position, end)), next.length > 0 ? [planned(next)] : []);
    const same = (value: number): Float32Array => new Float32Array(sizes.length).fill(value);
    const result = await session.evaluate(
      {
        indices,
        batchSizes: sizes,
        firstMicroBatch: EVALUATION_COUNTER + batch,
        scalars: {
          ...Object.fromEntries(Object.entries(constants).map(([name, value]) => [name, same(value)])),
          // β is 1 here whatever it is in training: validation is the ELBO, comparable between runs.
          [NAMES.klWeight]: same(1),
        },
        useEma,
      },
      flag,
    );
    signal?.throwIfAborted();
    for (const term of TERMS) for (const value of result[perExample(term)]!) sums[term] += value;
    const klPerDimension = result[NAMES.klPerDimension];
    const posteriorMean = result[NAMES.posteriorMean];
    if (klPerDimension !== undefined || posteriorMean !== undefined) {
      latents = true;
      statistics.add({ kl: result[perExample('kl')]!, klPerDimension, posteriorMean });
    }
    position = end;
    batch += sizes.length;
  }
  return { terms: meanTerms(sums, rows.length), latents: latents ? statistics.result() : undefined };
}
