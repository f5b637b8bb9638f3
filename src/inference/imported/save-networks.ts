import { join } from 'node:path';
import { writeFilesAtomically } from '../../core/files.js';
import { writeModel } from '../../graph/index.js';
import type { Networks } from '../networks.js';

/** Writes both networks as ONNX files, encoder.onnx and decoder.onnx, that can be loaded as a pair. */
export async function saveNetworks(directory: string, networks: Networks): Promise<void> {
  const files = await Promise.all(
    (['encoder', 'decoder'] as const).map(async (kind) => ({
      path: join(directory, `${kind}.onnx`),
      chunks: [writeModel(await networks.graph(kind))],
    })),
  );
  await writeFilesAtomically(files);
}
