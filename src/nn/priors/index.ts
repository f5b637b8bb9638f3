/** The table of priors: adding one is one file and one line here. */
import { type TableConfig, type TableInput, tableSchema } from '../../core/option-table.js';
import type { Prior, PriorDefinition } from './prior.js';
import { standard } from './standard.js';
import { vamp } from './vamp.js';

const PRIORS = { standard, vamp };

export type PriorName = keyof typeof PRIORS;
export type PriorConfig = TableConfig<typeof PRIORS>;
/** A prior by name, or by `type` with its options. */
export type PriorInput = TableInput<typeof PRIORS>;

export const PRIOR_NAMES = Object.keys(PRIORS) as PriorName[];
export const priorSchema = tableSchema(PRIORS, 'priors');

export function makePrior(config: PriorConfig, latentShape: readonly number[]): Prior {
  return (PRIORS[config.type] as unknown as PriorDefinition).make(config, latentShape);
}

export type { Prior, PriorContext } from './prior.js';
