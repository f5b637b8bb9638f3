/** What a Vae does by chance: reconstruct() and sample(). */
import type { Tensor } from 'onnxruntime-common';
import { STREAMS } from '../binding/streams.js';
import { VaeError } from '../core/errors.js';
import type { Seed } from '../core/seed.js';
import { floatTensor, type TensorLike } from '../core/tensor.js';
import type { NoiseSource } from '../inference/bounds/draw-latents.js';
import type { CallOptions, Engine } from '../inference/engine.js';
import { withBatchLabels } from '../inference/rows/labels.js';
import { normalRows } from '../inference/rows/noise.js';
import type { BatchInput } from '../inference/rows/rows.js';

/** Numbers the draws of one model: the caller's seed, or the next of the model's own sequence. */
export class Draws {
  readonly #modelSeed: () => bigint;
  #count = 0;

  constructor(modelSeed: () => bigint) {
    this.#modelSeed = modelSeed;
  }

  next(seed: Seed | undefined, stream: number): NoiseSource {
    if (seed !== undefined) return { seed: BigInt(seed), stream, counter: 0 };
    this.#count += 1;
    return { seed: this.#modelSeed(), stream, counter: this.#count };
  }
}

interface ReconstructCall extends CallOptions {
  readonly sample?: boolean | undefined;
  readonly seed?: Seed | undefined;
  readonly into?: Float32Array | undefined;
}

/** The decoder's mean at the posterior's mean of each row, or at a draw from it. */
export async function reconstructRows(
  engine: Engine,
  batch: BatchInput,
  { sample, seed, into, ...call }: ReconstructCall,
  draws: Draws,
): Promise<Tensor> {
  const where = 'reconstruct()';
  const latents = await (sample
    ? drawRows(engine, batch, call, draws.next(seed, STREAMS.reconstruction), where)
    : meanRows(engine, batch, call, where));
  const decoded = await engine.decode(latents, withBatchLabels(engine.networks, call, batch), where, into);
  return floatTensor(decoded.data, decoded.dims);
}

async function meanRows(engine: Engine, batch: BatchInput, call: CallOptions, where: string): Promise<TensorLike> {
  const { mean, dims } = await engine.encode(batch, call, where);
  return { data: mean, shape: dims };
}

async function drawRows(
  engine: Engine,
  batch: BatchInput,
  call: CallOptions,
  source: NoiseSource,
  where: string,
): Promise<TensorLike> {
  if (engine.networks.posteriorGraph) {
    const { data, dims } = await engine.drawPosterior(batch, source, call, where);
    return { data, shape: dims };
  }
  const { mean, logVariance, dims } = await engine.encode(batch, call, where);
  const noise = normals(dims[0]!, dims.slice(1), source);
  for (let index = 0; index < mean.length; index += 1) {
    mean[index] = mean[index]! + Math.exp(0.5 * logVariance[index]!) * noise[index]!;
  }
  return { data: mean, shape: dims };
}

interface SampleCall extends CallOptions {
  readonly seed?: Seed | undefined;
  readonly temperature: number;
}

/** The decoder's mean at `count` draws from the prior. */
export async function sampleRows(
  engine: Engine,
  count: number,
  { seed, temperature, ...call }: SampleCall,
  draws: Draws,
): Promise<Tensor> {
  const { latentShape, priorNoise } = engine.networks;
  if (latentShape.includes(-1)) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `sample(): this model's latents [${latentShape.join(', ')}] may have any size; draw one of the size you want and decode() it.`,
    );
  }
  const source = draws.next(seed, STREAMS.sampling);
  let latents: TensorLike;
  if (priorNoise === undefined) {
    const data = normals(count, latentShape, source);
    if (temperature !== 1) for (let index = 0; index < data.length; index += 1) data[index]! *= temperature;
    latents = { data, shape: [count, ...latentShape] };
  } else {
    const { data, dims } = await engine.drawPrior(count, source, temperature, call, 'sample()');
    latents = { data, shape: dims };
  }
  const decoded = await engine.decode(latents, call, 'sample()');
  return floatTensor(decoded.data, decoded.dims);
}

function normals(rows: number, shape: readonly number[], { seed, stream, counter }: NoiseSource): Float32Array {
  return normalRows(rows, shape, seed, stream, counter).data as Float32Array;
}
