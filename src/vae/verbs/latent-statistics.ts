/** vae.latentStatistics() */
import { z } from 'zod';
import { elementCount } from '../../core/dtype.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import type { BatchInput } from '../../inference/rows/rows.js';
import { ACTIVE_ABOVE, type LatentStatistics, LatentStatisticsSum } from '../../latent/statistics.js';
import { drawShape } from '../call-options.js';
import { seedOf } from '../origin.js';
import { stateOf, type Vae } from '../vae.js';

const schema = z
  .strictObject({
    ...drawShape,
    /**
     * A dimension is in use where the variance of its posterior's mean, or for models of several layers its
     * divergence in nats, is above this. Default 0.01.
     */
    threshold: z.number().positive().default(ACTIVE_ABOVE),
  })
  .omit({ maxRows: true });

export interface LatentStatisticsOptions extends InputOf<typeof schema> {}

declare module '../vae.js' {
  interface Vae {
    /**
     * Which latent dimensions the model uses: the divergence of each and how far its mean spreads over the
     * data, and the number of active units (Burda et al. 2016). Dimensions with next to none have collapsed:
     * the model does without them. Takes a data set of any size in memory for one piece of it.
     *
     * @throws VaeError as score() does.
     */
    latentStatistics(data: BatchInput, options?: LatentStatisticsOptions): Promise<LatentStatistics>;
  }
}

export function latentStatistics(
  this: Vae,
  data: BatchInput,
  options: LatentStatisticsOptions = {},
): Promise<LatentStatistics> {
  const state = stateOf(this);
  return state.lifetime.run(async () => {
    const where = 'latentStatistics()';
    const { seed = seedOf(state.origin), threshold, ...call } = parseOptions(schema, options, where);
    const { layers } = state.engine.networks;
    let sum: LatentStatisticsSum | undefined;
    await state.engine.inspectLatents(data, BigInt(seed), call, where, ({ latentShape, ...rows }) => {
      sum ??= new LatentStatisticsSum(layers ?? [{ name: 'z', size: elementCount(latentShape) }]);
      sum.add(rows);
    });
    return sum!.result(threshold);
  });
}
