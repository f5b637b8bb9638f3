/** Latents drawn from a model's prior. */
import { STREAMS } from '../../binding/streams.js';
import { normalRows } from '../../inference/rows/noise.js';
import { stateOf, type Vae } from '../../vae/vae.js';

export interface PriorDraw {
  readonly seed: number;
  readonly temperature: number;
  /** For conditional models: the class of all draws. */
  readonly label?: number | undefined;
  readonly signal: AbortSignal;
}

/** As sample() draws them: [count, dimensions]. */
export async function drawPrior(
  vae: Vae,
  count: number,
  { seed, temperature, label, signal }: PriorDraw,
): Promise<Float32Array> {
  const { engine } = stateOf(vae);
  const { latentShape, priorNoise, classes } = engine.networks;
  const source = { seed: BigInt(seed), stream: STREAMS.sampling, counter: 0 };
  if (priorNoise === undefined) {
    const data = normalRows(count, latentShape, source.seed, source.stream, 0).data as Float32Array;
    return temperature === 1 ? data : data.map((value) => value * temperature);
  }
  const labels = classes === undefined ? {} : { labels: label ?? 0 };
  return (await engine.drawPrior(count, source, temperature, { signal, ...labels }, 'sample()')).data;
}
