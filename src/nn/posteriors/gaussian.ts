import { z } from 'zod';
import { logDensity, reparameterise } from '../gaussian.js';
import { flattenRows } from '../reduce.js';
import { definePosterior } from './posterior.js';

/** Independent normal dimensions. */
export const gaussian = definePosterior({
  source: 'Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014',
  schema: z.strictObject({ type: z.literal('gaussian') }),
  make: () => ({
    heads: ['mean', 'log_variance'],
    noisy: true,
    described: true,
    outputNames: ['mean', 'log_variance'],
    outputs: (_, [mean, logVariance]) => ({ mean: mean!, log_variance: logVariance! }),
    draw: ({ g }, [mean, logVariance], epsilon) => {
      const q = { mean: mean!, logVariance: logVariance! };
      const z = reparameterise(g, q, epsilon!);
      return { z, gaussian: q, logDensity: () => flattenRows(g, logDensity(g, z, q)) };
    },
  }),
});
