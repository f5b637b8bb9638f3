/** The table of likelihoods: adding one is one file and one line here. */
import { type TableConfig, type TableInput, tableSchema } from '../../core/option-table.js';
import { bernoulli } from './bernoulli.js';
import { betaBinomial } from './beta-binomial.js';
import { categorical } from './categorical.js';
import { continuousBernoulli } from './continuous-bernoulli.js';
import { discretisedLogistic } from './discretised-logistic.js';
import { gaussian } from './gaussian.js';
import { laplace } from './laplace.js';
import type { Likelihood, LikelihoodDefinition } from './likelihood.js';
import { localMixture } from './local-mixture.js';
import { table } from './table.js';

const LIKELIHOODS = {
  bernoulli,
  'continuous-bernoulli': continuousBernoulli,
  gaussian,
  laplace,
  'discretised-logistic': discretisedLogistic,
  categorical,
  'beta-binomial': betaBinomial,
  'local-mixture': localMixture,
  table,
};

export type LikelihoodName = keyof typeof LIKELIHOODS;
export type LikelihoodConfig = TableConfig<typeof LIKELIHOODS>;
/** A likelihood by name, or by `type` with its options. */
export type LikelihoodInput = TableInput<typeof LIKELIHOODS>;

export const LIKELIHOOD_NAMES = Object.keys(LIKELIHOODS) as LikelihoodName[];
export const likelihoodSchema = tableSchema(LIKELIHOODS, 'likelihoods');

export function makeLikelihood(config: LikelihoodConfig): Likelihood {
  const definition = LIKELIHOODS[config.type] as unknown as LikelihoodDefinition;
  return definition.make(config);
}

export type { Likelihood } from './likelihood.js';
