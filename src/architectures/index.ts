/** The table of architectures: adding one is one file and one line here. */
import { type TableConfig, type TableInput, tableSchema } from '../core/option-table.js';
import type { ArchitectureDefinition } from './architecture.js';
import { mlp } from './mlp.js';

const ARCHITECTURES = { mlp };

export type ArchitectureName = keyof typeof ARCHITECTURES;
export type ArchitectureConfig = TableConfig<typeof ARCHITECTURES>;
/** An architecture by name, or by `type` with its options. */
export type ArchitectureInput = TableInput<typeof ARCHITECTURES>;

export const ARCHITECTURE_NAMES = Object.keys(ARCHITECTURES) as ArchitectureName[];
export const architectureSchema = tableSchema(ARCHITECTURES, 'architectures');

export function architectureDefinition(type: ArchitectureName): ArchitectureDefinition {
  return ARCHITECTURES[type] as unknown as ArchitectureDefinition;
}

export type { Network, NetworkContext } from './architecture.js';
