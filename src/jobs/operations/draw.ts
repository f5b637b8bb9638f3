/** Draws from the posterior of rows, each row's its own by its number in the job. */
import { loadAddon } from '../../binding/index.js';
import { STREAMS } from '../../binding/streams.js';
import { elementCount } from '../../core/dtype.js';
import { stateOf, type Vae } from '../../vae/vae.js';
import type { JobSettings } from '../job.js';
import { callOf, type RowCall, withLabels } from './operation.js';

/** [rows, ...latent] */
export async function drawLatents(
  vae: Vae,
  call: RowCall,
  settings: JobSettings,
): Promise<{ data: Float32Array; dims: readonly number[] }> {
  const batch = withLabels(call, settings);
  const seed = BigInt(settings.seed ?? 0);
  const { engine } = stateOf(vae);
  if (engine.networks.posteriorGraph) {
    const source = { seed, stream: STREAMS.reconstruction, counter: Number(call.draw) };
    return engine.drawPosterior(batch, source, callOf(call), 'encode()');
  }
  const { mean, logVariance } = await vae.encode(batch, callOf(call));
  const data = mean.data as Float32Array;
  const spread = logVariance.data as Float32Array;
  const noise = new Float32Array(elementCount(mean.dims));
  loadAddon().random.fillNormal(noise, seed, STREAMS.reconstruction, call.draw);
  for (let at = 0; at < data.length; at += 1) data[at] = data[at]! + Math.exp(0.5 * spread[at]!) * noise[at]!;
  return { data, dims: mean.dims };
}
