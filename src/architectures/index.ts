/** The table of architectures: adding one is one file and one line here. */
import { z } from 'zod';
import type { ArchitectureDefinition, Network, NetworkContext } from './architecture.js';
import { mlp } from './mlp.js';

const ARCHITECTURES = { mlp };

type Table = typeof ARCHITECTURES;
export type ArchitectureName = keyof Table;
export type ArchitectureConfig = { [K in ArchitectureName]: z.output<Table[K]['schema']> }[ArchitectureName];
/** An architecture by name, or by `type` with its options. */
export type ArchitectureInput =
  | ArchitectureName
  | { [K in ArchitectureName]: z.input<Table[K]['schema']> }[ArchitectureName];

export const ARCHITECTURE_NAMES = Object.keys(ARCHITECTURES) as ArchitectureName[];

const schemas = Object.values(ARCHITECTURES).map((entry) => entry.schema) as unknown as [z.ZodObject, ...z.ZodObject[]];

export const architectureSchema = z.preprocess(
  (value) => (typeof value === 'string' ? { type: value } : value),
  z.discriminatedUnion('type', schemas, {
    error: `expected one of the architectures ${ARCHITECTURE_NAMES.join(', ')}`,
  }),
) as unknown as z.ZodType<ArchitectureConfig, ArchitectureInput>;

export function buildNetwork(config: ArchitectureConfig, context: NetworkContext): Network {
  const definition = ARCHITECTURES[config.type] as unknown as ArchitectureDefinition;
  return definition.build(config, context);
}

export type { Network, NetworkContext } from './architecture.js';
