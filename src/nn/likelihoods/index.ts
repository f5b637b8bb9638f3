/** The table of likelihoods: adding one is one file and one line here. */
import { z } from 'zod';
import { bernoulli } from './bernoulli.js';
import { gaussian } from './gaussian.js';
import type { Likelihood, LikelihoodDefinition } from './likelihood.js';
import { localMixture } from './local-mixture.js';

const LIKELIHOODS = { bernoulli, gaussian, 'local-mixture': localMixture };

type Table = typeof LIKELIHOODS;
export type LikelihoodName = keyof Table;
export type LikelihoodConfig = { [K in LikelihoodName]: z.output<Table[K]['schema']> }[LikelihoodName];
/** A likelihood by name, or by `type` with its options. */
export type LikelihoodInput = LikelihoodName | { [K in LikelihoodName]: z.input<Table[K]['schema']> }[LikelihoodName];

export const LIKELIHOOD_NAMES = Object.keys(LIKELIHOODS) as LikelihoodName[];

const schemas = Object.values(LIKELIHOODS).map((definition) => definition.schema) as unknown as [
  z.ZodObject,
  ...z.ZodObject[],
];

export const likelihoodSchema = z.preprocess(
  (value) => (typeof value === 'string' ? { type: value } : value),
  z.discriminatedUnion('type', schemas, { error: `expected one of the likelihoods ${LIKELIHOOD_NAMES.join(', ')}` }),
) as unknown as z.ZodType<LikelihoodConfig, LikelihoodInput>;

export function makeLikelihood(config: LikelihoodConfig): Likelihood {
  const definition = LIKELIHOODS[config.type] as unknown as LikelihoodDefinition;
  return definition.make(config);
}

export type { Likelihood } from './likelihood.js';
