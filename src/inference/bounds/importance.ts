/** The importance-weighted bound of many draws (Burda, Grosse and Salakhutdinov 2016, equation 8), piece by piece. */
import { NAMES, perExample } from '../../architectures/names.js';
import type { NativeAbortFlag } from '../../binding/addon.js';
import { STREAMS } from '../../binding/streams.js';
import type { Networks, SessionKind } from '../networks.js';
import { normalRows } from '../rows/noise.js';
import { rowsPerRun } from '../rows/pieces.js';
import type { RowReader } from '../rows/rows.js';
import type { GraphSession } from '../sessions/session.js';
import type { ScoreRows } from './score.js';

/** Draws of one row that go through the networks at once at most. */
const DRAWS_PER_RUN = 64;
/** Draws of later runs lie this far apart among the counters of random numbers. */
const NEXT_RUN = 2 ** 32;

/** How many draws each run has. */
export function drawRuns(samples: number): number[] {
  const full = Math.floor(samples / DRAWS_PER_RUN);
  const rest = samples % DRAWS_PER_RUN;
  return [...new Array<number>(full).fill(DRAWS_PER_RUN), ...(rest > 0 ? [rest] : [])];
}

/** The graph for a run; a single draw is drawn twice, and the second not counted. */
export function kindOf(draws: number): SessionKind {
  return `objective:${Math.max(draws, 2)}`;
}

/** @param sessions of the graphs that `kindOf` names for the runs. */
export async function scoreByImportance(
  sessions: ReadonlyMap<SessionKind, GraphSession>,
  { latentShape, dataShape, widest }: Networks,
  reader: RowReader,
  seed: bigint,
  samples: number,
  flag: NativeAbortFlag | undefined,
): Promise<Required<ScoreRows>> {
  const runs = drawRuns(samples);
  const reconstruction = new Float32Array(reader.rows);
  const kl = new Float32Array(reader.rows);
  const importanceWeighted = new Float32Array(reader.rows);
  const one = { dtype: 'float32' as const, dims: [], data: Float32Array.of(1) };
  const step = Math.max(1, Math.floor(rowsPerRun(undefined, widest, dataShape, latentShape) / Math.max(...runs)));
  for (let from = 0; from < reader.rows; from += step) {
    const to = Math.min(reader.rows, from + step);
    const rows = await reader.read(from, to);
    const sums = Array.from({ length: to - from }, () => ({ top: Number.NEGATIVE_INFINITY, sum: 0 }));
    for (const [index, draws] of runs.entries()) {
      const kind = kindOf(draws);
      const width = Math.max(draws, 2);
      const counter = (index + 1) * NEXT_RUN + from;
      const noise = normalRows(to - from, [width, ...latentShape], seed, STREAMS.scoreNoise, counter);
      const [weights, costs, divergences] = await sessions.get(kind)!.run(
        { [NAMES.input]: rows, [NAMES.epsilons]: noise, [NAMES.klWeight]: one, ...reader.feeds?.(from, to) },
        [
          { name: NAMES.logWeight, dims: [to - from, width] },
          { name: perExample('reconstruction'), dims: [to - from] },
          { name: perExample('kl'), dims: [to - from] },
        ],
        flag,
      );
      const share = draws / samples;
      for (let row = from; row < to; row += 1) {
        const at = row - from;
        reconstruction[row]! += share * (costs!.data as Float32Array)[at]!;
        kl[row]! += share * (divergences!.data as Float32Array)[at]!;
        add(sums[at]!, (weights!.data as Float32Array).subarray(at * width, at * width + draws));
      }
    }
    for (const [at, { top, sum }] of sums.entries()) importanceWeighted[from + at] = top + Math.log(sum / samples);
  }
  return { reconstruction, kl, importanceWeighted };
}

/** A running log-sum-exp: the sum is exp(top) · sum. */
function add(total: { top: number; sum: number }, weights: Float32Array): void {
  for (const weight of weights) {
    if (weight > total.top) {
      total.sum = total.sum * Math.exp(total.top - weight) + 1;
      total.top = weight;
    } else {
      total.sum += Math.exp(weight - total.top);
    }
  }
}
