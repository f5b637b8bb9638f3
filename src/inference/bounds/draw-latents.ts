/** Latents drawn by a graph of the model: from a prior that is not the standard normal, or from a posterior that is not diagonal. */
import { NAMES } from '../../architectures/names.js';
import type { NativeAbortFlag, NativeTensor } from '../../binding/addon.js';
import { loadAddon } from '../../binding/index.js';
import { elementCount } from '../../core/dtype.js';
import type { NoiseSpec } from '../../nn/noise.js';
import type { Networks } from '../networks.js';
import { normalRows } from '../rows/noise.js';
import { rowsPerRun } from '../rows/pieces.js';
import type { RowReader } from '../rows/rows.js';
import type { Feeds, GraphSession } from '../sessions/session.js';

/** Where the noise of a draw comes from. */
export interface NoiseSource {
  readonly seed: bigint;
  readonly stream: number;
  readonly counter: number;
}

export interface LatentRows {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** Two kinds of noise for one draw lie this far apart among the counters. */
const NEXT_NOISE = 2 ** 40;

export async function drawFromPrior(
  session: GraphSession,
  { latentShape, priorNoise }: Networks,
  rows: number,
  source: NoiseSource,
  temperature: number,
  labels: ((from: number, to: number) => Feeds) | undefined,
  flag: NativeAbortFlag | undefined,
): Promise<LatentRows> {
  const noise = priorNoise!.map((spec, index) => noiseRows(spec, rows, source, index, temperature));
  const size = elementCount(latentShape);
  const data = new Float32Array(rows * size);
  const step = rowsPerRun(undefined, undefined, latentShape);
  for (let from = 0; from < rows; from += step) {
    const to = Math.min(rows, from + step);
    const feeds: Record<string, NativeTensor> = { ...labels?.(from, to) };
    priorNoise!.forEach(({ name, dims }, index) => {
      const width = elementCount(dims);
      feeds[name] = {
        dtype: 'float32',
        dims: [to - from, ...dims],
        data: noise[index]!.subarray(from * width, to * width),
      };
    });
    const into = data.subarray(from * size, to * size);
    await session.run(feeds, [{ name: NAMES.latent, into, dims: [to - from, ...latentShape] }], flag);
  }
  return { data, dims: [rows, ...latentShape] };
}

export async function drawFromPosterior(
  session: GraphSession,
  { latentShape, dataShape, widest }: Networks,
  reader: RowReader,
  { seed, stream, counter }: NoiseSource,
  flag: NativeAbortFlag | undefined,
): Promise<LatentRows> {
  const size = elementCount(latentShape);
  const data = new Float32Array(reader.rows * size);
  const noise = normalRows(reader.rows, latentShape, seed, stream, counter).data as Float32Array;
  const step = rowsPerRun(undefined, widest, dataShape, latentShape);
  for (let from = 0; from < reader.rows; from += step) {
    const to = Math.min(reader.rows, from + step);
    const dims = [to - from, ...latentShape];
    const epsilon = { dtype: 'float32' as const, dims, data: noise.subarray(from * size, to * size) };
    const feeds = { [NAMES.input]: await reader.read(from, to), [NAMES.epsilon]: epsilon, ...reader.feeds?.(from, to) };
    await session.run(feeds, [{ name: NAMES.latent, into: data.subarray(from * size, to * size), dims }], flag);
  }
  return { data, dims: [reader.rows, ...latentShape] };
}

/** Temperature widens or narrows normal noise; what chooses among components stays as it is. */
function noiseRows(
  { kind, dims }: NoiseSpec,
  rows: number,
  { seed, stream, counter }: NoiseSource,
  index: number,
  temperature: number,
): Float32Array {
  const at = counter + index * NEXT_NOISE;
  if (kind === 'uniform') {
    const values = new Float32Array(rows * elementCount(dims));
    loadAddon().random.fillUniform(values, seed, stream, BigInt(at));
    return values;
  }
  const values = normalRows(rows, dims, seed, stream, at).data as Float32Array;
  if (temperature !== 1) for (let i = 0; i < values.length; i += 1) values[i]! *= temperature;
  return values;
}
