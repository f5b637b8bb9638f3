/** Divergence and mean of every latent dimension of every row. */
import { NAMES, perExample } from '../../architectures/names.js';
import type { NativeAbortFlag } from '../../binding/addon.js';
import { STREAMS } from '../../binding/streams.js';
import { elementCount } from '../../core/dtype.js';
import type { Networks } from '../networks.js';
import { normalRows } from '../rows/noise.js';
import { rowsPerRun } from '../rows/pieces.js';
import { type RowReader, readRows } from '../rows/rows.js';
import { encodeRows, type Work } from '../rows/run-networks.js';
import type { GraphSession } from '../sessions/session.js';

/** Some rows; what is not known of a model is undefined. */
export interface InspectedLatents {
  /** Shape of one latent. */
  readonly latentShape: readonly number[];
  /** Divergence from the prior in nats, [rows]. */
  readonly kl: Float32Array;
  /** The same by dimension, [rows, dimensions]. */
  readonly klPerDimension: Float32Array | undefined;
  /** [rows, dimensions] */
  readonly posteriorMean: Float32Array | undefined;
}

/** By the graph of the evidence lower bound; where a divergence hangs on draws, at one of them. */
export async function inspectByObjective(
  session: GraphSession,
  { latentShape, dataShape, widest }: Networks,
  reader: RowReader,
  seed: bigint,
  flag: NativeAbortFlag | undefined,
  take: (rows: InspectedLatents) => void,
): Promise<void> {
  const size = elementCount(latentShape);
  const has = (values: readonly { readonly name: string }[], name: string) =>
    values.some((value) => value.name === name);
  const known = [NAMES.klPerDimension, NAMES.posteriorMean].filter((name) => has(session.outputs, name));
  const noisy = has(session.inputs, NAMES.epsilon);
  const one = { dtype: 'float32' as const, dims: [], data: Float32Array.of(1) };
  const step = rowsPerRun(undefined, widest, dataShape, latentShape);
  for (let from = 0; from < reader.rows; from += step) {
    const to = Math.min(reader.rows, from + step);
    const [kl, ...rest] = await session.run(
      {
        [NAMES.input]: await reader.read(from, to),
        ...(noisy && { [NAMES.epsilon]: normalRows(to - from, latentShape, seed, STREAMS.scoreNoise, from) }),
        [NAMES.klWeight]: one,
        ...reader.feeds?.(from, to),
      },
      [{ name: perExample('kl'), dims: [to - from] }, ...known.map((name) => ({ name, dims: [to - from, size] }))],
      flag,
    );
    const values = (name: string) =>
      rest[known.indexOf(name as (typeof known)[number])]?.data as Float32Array | undefined;
    take({
      latentShape,
      kl: kl!.data as Float32Array,
      klPerDimension: values(NAMES.klPerDimension),
      posteriorMean: values(NAMES.posteriorMean),
    });
  }
}

/** For imported networks: the divergence of unscaled latents from the standard normal distribution. */
export async function inspectByEncoder(work: Work, take: (rows: InspectedLatents) => void): Promise<void> {
  const { reader, where } = work;
  const networks: Networks = { ...work.networks, scaling: undefined };
  const step = networks.encoder.batch ?? rowsPerRun(undefined, networks.widest, reader.rowShape);
  for (let from = 0; from < reader.rows; from += step) {
    const to = Math.min(reader.rows, from + step);
    const rows = await reader.read(from, to);
    const part = readRows({ data: rows.data as Float32Array, shape: rows.dims }, networks.dataShape, where);
    const { mean, logVariance, dims } = await encodeRows({ ...work, networks, reader: part });
    const size = elementCount(dims.slice(1));
    const kl = new Float32Array(to - from);
    const klPerDimension = new Float32Array(mean.length);
    for (let index = 0; index < mean.length; index += 1) {
      const spread = logVariance[index]!;
      const value = 0.5 * (mean[index]! ** 2 + Math.exp(spread) - 1 - spread);
      klPerDimension[index] = value;
      kl[Math.floor(index / size)]! += value;
    }
    take({ latentShape: dims.slice(1), kl, klPerDimension, posteriorMean: mean });
  }
}
