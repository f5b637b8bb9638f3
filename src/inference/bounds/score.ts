/** The evidence lower bound of each row, by the model's own objective graph or from its two networks. */
import { NAMES, perExample } from '../../architectures/names.js';
import type { NativeAbortFlag, NativeTensor } from '../../binding/addon.js';
import { STREAMS } from '../../binding/streams.js';
import { elementCount } from '../../core/dtype.js';
import type { Networks } from '../networks.js';
import { normalRows } from '../rows/noise.js';
import { rowsPerRun } from '../rows/pieces.js';
import { type RowReader, readRows } from '../rows/rows.js';
import { decodeRows, encodeRows } from '../rows/run-networks.js';
import type { Tiling } from '../rows/tiling.js';
import type { GraphSession } from '../sessions/session.js';

/** One value for each example, in nats. */
export interface ScoreRows {
  readonly reconstruction: Float32Array;
  readonly kl: Float32Array;
  /** The importance-weighted bound, where it was asked for. */
  readonly importanceWeighted?: Float32Array;
}

/** One draw from the posterior of each row, the same for the same seed. */
export async function scoreByObjective(
  session: GraphSession,
  { latentShape, dataShape, widest }: Networks,
  reader: RowReader,
  seed: bigint,
  flag: NativeAbortFlag | undefined,
  /** Which row's draw each row has; not given: its own. */
  draws?: Int32Array,
): Promise<ScoreRows> {
  const drawn = (from: number, to: number) => normalRows(to - from, latentShape, seed, STREAMS.scoreNoise, from);
  const reconstruction = new Float32Array(reader.rows);
  const kl = new Float32Array(reader.rows);
  const step = rowsPerRun(undefined, widest, dataShape, latentShape);
  const one = { dtype: 'float32' as const, dims: [], data: Float32Array.of(1) };
  for (let from = 0; from < reader.rows; from += step) {
    const to = Math.min(reader.rows, from + step);
    const rows = await reader.read(from, to);
    const noisy = session.inputs.some(({ name }) => name === NAMES.epsilon);
    await session.run(
      {
        [NAMES.input]: rows,
        ...(noisy && {
          [NAMES.epsilon]: draws === undefined ? drawn(from, to) : chosenDraws(drawn, draws.subarray(from, to)),
        }),
        [NAMES.klWeight]: one,
        ...reader.feeds?.(from, to),
      },
      [
        { name: perExample('reconstruction'), into: reconstruction.subarray(from, to), dims: [to - from] },
        { name: perExample('kl'), into: kl.subarray(from, to), dims: [to - from] },
      ],
      flag,
    );
  }
  return { reconstruction, kl };
}

/** Draws of these rows, in this order. */
function chosenDraws(drawn: (from: number, to: number) => NativeTensor, rows: Int32Array): NativeTensor {
  const { data, dims, dtype } = drawn(0, Math.max(...rows) + 1);
  const width = elementCount(dims.slice(1));
  const chosen = new Float32Array(rows.length * width);
  for (const [at, row] of rows.entries()) {
    chosen.set((data as Float32Array).subarray(row * width, (row + 1) * width), at * width);
  }
  return { dtype, dims: [rows.length, ...dims.slice(1)], data: chosen };
}

const LOG_2PI = Math.log(2 * Math.PI);

/**
 * For imported networks, whose likelihood nobody knows: a normal density of variance 1 around the
 * decoder's output, and the KL divergence of the posterior of the unscaled latents from the standard
 * normal one (Kingma and Welling 2014, appendix B).
 */
export async function scoreByNetworks(
  networks: Networks,
  encoder: GraphSession,
  decoder: GraphSession,
  reader: RowReader,
  options: { seed: bigint; flag: NativeAbortFlag | undefined; tiling: Tiling | undefined; where: string },
): Promise<ScoreRows> {
  const { seed, flag, tiling, where } = options;
  const plain: Networks = { ...networks, scaling: undefined };
  const reconstruction = new Float32Array(reader.rows);
  const kl = new Float32Array(reader.rows);
  const size = elementCount(reader.rowShape);
  const step = networks.encoder.batch ?? rowsPerRun(undefined, networks.widest, reader.rowShape);
  for (let from = 0; from < reader.rows; from += step) {
    const to = Math.min(reader.rows, from + step);
    const rows = await reader.read(from, to);
    const data = rows.data as Float32Array;
    const part = readRows({ data, shape: rows.dims }, plain.dataShape, where);
    const work = { networks: plain, flag, tiling, where };
    const { mean, logVariance, dims } = await encodeRows({ ...work, session: encoder, reader: part });
    const width = mean.length / (to - from);
    const noise = normalRows(to - from, dims.slice(1), seed, STREAMS.scoreNoise, from).data as Float32Array;
    for (let index = 0; index < mean.length; index += 1) {
      const spread = logVariance[index]!;
      const row = from + Math.floor(index / width);
      kl[row] = kl[row]! + 0.5 * (mean[index]! ** 2 + Math.exp(spread) - 1 - spread);
      const drawn = Math.fround(mean[index]! + Math.exp(0.5 * spread) * noise[index]!);
      // What cannot be decoded has no score; the other rows have theirs.
      if (!Number.isFinite(drawn)) reconstruction[row] = Number.NaN;
      noise[index] = Number.isFinite(drawn) ? drawn : 0;
    }
    const latents = readRows({ data: noise, shape: dims }, plain.latentShape, where);
    const decoded = await decodeRows({ ...work, session: decoder, reader: latents });
    for (let row = from; row < to; row += 1) {
      let sum = 0;
      for (let index = (row - from) * size; index < (row - from + 1) * size; index += 1) {
        sum += (data[index]! - decoded.data[index]!) ** 2;
      }
      reconstruction[row] = reconstruction[row]! + 0.5 * (sum + size * LOG_2PI);
    }
  }
  return { reconstruction, kl };
}
