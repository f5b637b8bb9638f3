import { axis, drawChart } from '../drawing/chart.js';
import type { Figure } from '../figure.js';
import { PALETTE } from '../theme.js';

/** Bars beyond this would be thinner than lines. */
const MOST_BARS = 128;

/**
 * How many nats each latent dimension carries.
 *
 * @param klPerDimension divergence of the posterior from the prior by dimension, mean over examples, in nats.
 * @param places of latent maps, whose dimensions come one after another with all their places: each is shown as the
 *   sum over its places.
 */
export function latentUse(klPerDimension: ArrayLike<number>, threshold = 0.01, places = 1): Figure {
  return useOf(places === 1 ? klPerDimension : overPlaces(klPerDimension, places), threshold, places);
}

function overPlaces(values: ArrayLike<number>, places: number): Float64Array {
  const sums = new Float64Array(values.length / places);
  for (let at = 0; at < values.length; at += 1) sums[Math.floor(at / places)]! += values[at]!;
  return sums;
}

function useOf(klPerDimension: ArrayLike<number>, threshold: number, places: number): Figure {
  const order = Array.from({ length: klPerDimension.length }, (_, index) => index).sort(
    (a, b) => klPerDimension[b]! - klPerDimension[a]!,
  );
  const used = order.filter((index) => klPerDimension[index]! > threshold).length;
  const shown = order.slice(0, MOST_BARS);
  return {
    id: 'latent-use',
    title: 'Use of latent dimensions',
    caption:
      `The KL divergence of each dimension${places > 1 ? `, summed over its ${places} places` : ''}, largest first${shown.length < order.length ? ` (the first ${MOST_BARS} of ${order.length})` : ''}. ` +
      `${used} of ${order.length} carry more than ${threshold} nats; the model does without the others.`,
    description: `Bar chart of the divergence of ${shown.length} latent dimensions; ${used} are in use.`,
    draw: (layout) =>
      drawChart(
        {
          grid: { left: 56, right: 12, top: 12, bottom: 52 },
          xAxis: axis('latent dimension', {
            type: 'category',
            data: shown.map((index) => `z${index}`),
            splitLine: { show: false },
            nameGap: 30,
          }) as object,
          yAxis: axis('KL divergence (nats)', { type: 'value', nameGap: 36 }) as object,
          series: [
            {
              type: 'bar',
              silent: true,
              barCategoryGap: '20%',
              data: shown.map((index) => klPerDimension[index]!),
              itemStyle: { color: PALETTE[0] },
            },
          ],
        },
        layout.width,
        layout.narrow ? 260 : 300,
      ),
  };
}
