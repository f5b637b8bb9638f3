/** The table of posteriors: adding one is one file and one line here. */
import { type TableConfig, type TableInput, tableSchema } from '../../core/option-table.js';
import { gaussian } from './gaussian.js';
import { iaf } from './iaf.js';
import type { PosteriorDefinition } from './posterior.js';
import { vectorQuantised } from './vector-quantised.js';

const POSTERIORS = { gaussian, iaf, 'vector-quantised': vectorQuantised };

export type PosteriorName = keyof typeof POSTERIORS;
export type PosteriorConfig = TableConfig<typeof POSTERIORS>;
/** A posterior by name, or by `type` with its options. */
export type PosteriorInput = TableInput<typeof POSTERIORS>;

export const POSTERIOR_NAMES = Object.keys(POSTERIORS) as PosteriorName[];
export const posteriorSchema = tableSchema(POSTERIORS, 'posteriors');

export function posteriorDefinition(type: PosteriorName): PosteriorDefinition {
  return POSTERIORS[type] as unknown as PosteriorDefinition;
}

export type { Posterior } from './posterior.js';
