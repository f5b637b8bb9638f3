/** A model as a directory: config.json, encoder.onnx, decoder.onnx, and what else the model needs. */
import { join } from 'node:path';
import { type PendingFile, writeFilesAtomically } from '../core/files.js';
import { MODEL_FORMAT, MODEL_VERSION, type ModelConfig, parseConfig } from './config.js';
import { CONFIG_FILE, checksum, type ModelFile, readConfigText } from './model-files.js';

export type ModelDescription = Omit<ModelConfig, 'format' | 'version' | 'files'>;

/**
 * Writes a model directory. Earlier files keep their content until all new ones are complete;
 * config.json, which holds the others' checksums, is renamed last.
 */
export async function writeModelDirectory(
  directory: string,
  description: ModelDescription,
  files: readonly ModelFile[],
): Promise<void> {
  const checksums = Object.fromEntries(files.map(({ name, chunks }) => [name, checksum(chunks)]));
  const config: ModelConfig = { format: MODEL_FORMAT, version: MODEL_VERSION, ...description, files: checksums };
  const pending: PendingFile[] = files.map(({ name, chunks }) => ({ path: join(directory, name), chunks }));
  pending.push({ path: join(directory, CONFIG_FILE), chunks: [Buffer.from(`${JSON.stringify(config, null, 2)}\n`)] });
  await writeFilesAtomically(pending);
}

/** @throws VaeError ERR_VAE_IO where there is no such file, ERR_VAE_FORMAT where it is not valid. */
export async function readConfig(directory: string): Promise<ModelConfig> {
  return parseConfig(await readConfigText(directory), join(directory, CONFIG_FILE));
}
