/** The table of architectures: adding one is one file and one line here. */
import { type TableConfig, type TableInput, tableSchema } from '../core/option-table.js';
import type { ArchitectureDefinition } from './architecture.js';
import { chain } from './chain.js';
import { conv } from './conv.js';
import { conv1d } from './conv1d.js';
import { conv3d } from './conv3d.js';
import { custom } from './custom.js';
import { ladder } from './ladder.js';
import { mlp } from './mlp.js';
import { onnx } from './onnx.js';
import { resnet } from './resnet.js';

const ARCHITECTURES = { mlp, conv, resnet, conv1d, conv3d, ladder, chain, custom, onnx };

export type ArchitectureName = keyof typeof ARCHITECTURES;
export type ArchitectureConfig = TableConfig<typeof ARCHITECTURES>;
/** An architecture by name, or by `type` with its options. */
export type ArchitectureInput = TableInput<typeof ARCHITECTURES>;

export const ARCHITECTURE_NAMES = Object.keys(ARCHITECTURES) as ArchitectureName[];
export const architectureSchema = tableSchema(ARCHITECTURES, 'architectures', {
  onnx: 'expected an architecture to make a model of; this one is made from files, by Vae.fromOnnx({ encoder, decoder })',
});

export function architectureDefinition(type: ArchitectureName): ArchitectureDefinition {
  return ARCHITECTURES[type] as unknown as ArchitectureDefinition;
}

export type { Network, NetworkContext } from './architecture.js';
