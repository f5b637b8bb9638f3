/**
 * Posterior collapse: dimensions whose posterior has become the prior, so that they tell the decoder nothing
 * (Bowman et al. 2016, section 3.1; Lucas et al. 2019). Found by their KL divergence.
 */
import type { LatentStatistics } from '../../latent/statistics.js';
import type { LatentUse } from '../progress.js';

export interface CollapseOptions {
  /** In nats. */
  readonly bound: number;
  readonly share: number;
}

export function describeLatents(statistics: LatentStatistics, { bound }: CollapseOptions): LatentUse {
  const { klPerDimension, activeUnits, active, rows } = statistics;
  return {
    units: active.length,
    activeUnits,
    ...(klPerDimension && {
      klPerDimension: Array.from(klPerDimension),
      collapsed: klPerDimension.reduce((count, kl) => count + (kl < bound ? 1 : 0), 0),
    }),
    rows,
  };
}

/** What to tell the owner of a run, or undefined where enough dimensions are in use. */
export function collapseWarning(
  { klPerDimension, layers }: LatentStatistics,
  { bound, share }: CollapseOptions,
): string | undefined {
  if (klPerDimension === undefined) return undefined;
  const under = (values: Float64Array): number => values.reduce((count, kl) => count + (kl < bound ? 1 : 0), 0);
  const collapsed = under(klPerDimension);
  const units = klPerDimension.length;
  if (collapsed < share * units) return undefined;
  let from = 0;
  const byLayer = layers.map(({ name, size }) => {
    from += size;
    return `${name} ${under(klPerDimension.subarray(from - size, from))} of ${size}`;
  });
  const where = layers.length > 1 ? ` (${byLayer.join(', ')})` : '';
  return (
    `Posterior collapse: ${collapsed} of ${units} latent dimensions${where} have a KL divergence under ${bound} nats ` +
    'and tell the decoder nothing. Where that is more than you want, let klWeight rise from 0 over the first epochs ' +
    '({ type: "linear", from: 0, to: 1, steps: … }), give free bits (objective: "free-bits"), make klWeight smaller ' +
    'or the decoder weaker, or choose a smaller latentDim.'
  );
}
