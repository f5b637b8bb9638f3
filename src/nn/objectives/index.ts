/** The table of objectives: adding one is one file and one line here. */
import { type TableConfig, type TableInput, tableSchema } from '../../core/option-table.js';
import { beta, elbo } from './elbo.js';
import { freeBits } from './free-bits.js';
import { infoMmd } from './info-mmd.js';
import { iwae } from './iwae.js';
import type { Objective, ObjectiveDefinition } from './objective.js';
import { totalCorrelation } from './total-correlation.js';

const OBJECTIVES = {
  elbo,
  beta,
  'free-bits': freeBits,
  iwae,
  'beta-tc': totalCorrelation,
  'info-mmd': infoMmd,
};

export type ObjectiveName = keyof typeof OBJECTIVES;
export type ObjectiveConfig = TableConfig<typeof OBJECTIVES>;
/** An objective by name, or by `type` with its options. */
export type ObjectiveInput = TableInput<typeof OBJECTIVES>;

export const OBJECTIVE_NAMES = Object.keys(OBJECTIVES) as ObjectiveName[];
export const objectiveSchema = tableSchema(OBJECTIVES, 'objectives');

export function objectiveDefinition(type: ObjectiveName): ObjectiveDefinition {
  return OBJECTIVES[type] as unknown as ObjectiveDefinition;
}

export function makeObjective(config: ObjectiveConfig): Objective {
  return objectiveDefinition(config.type).make(config);
}

export type { Objective, ObjectiveContext } from './objective.js';
