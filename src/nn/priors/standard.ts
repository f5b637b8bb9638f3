import { z } from 'zod';
import { klToStandardNormal, standardLogDensity } from '../gaussian.js';
import { flattenRows } from '../reduce.js';
import { definePrior } from './prior.js';

/** N(0, 1) in every dimension. */
export const standard = definePrior({
  source: 'Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014',
  schema: z.strictObject({ type: z.literal('standard') }),
  make: () => ({
    kl: ({ g }, q) => klToStandardNormal(g, q),
    logDensity: ({ g }, z) => flattenRows(g, standardLogDensity(g, z)),
  }),
});
