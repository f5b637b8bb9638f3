/** From what a user names to a model directory. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { VaeError } from '../core/errors.js';
import { nearest } from '../core/options.js';
import { shippedModelFolders } from '../core/shipped-models.js';
import { CONFIG_FILE } from './model-files.js';

/**
 * @param source a directory, or the name of a model of this package.
 * @throws VaeError ERR_VAE_IO where it is neither, with the names that exist.
 */
export async function findModel(source: string): Promise<string> {
  if (typeof source !== 'string' || source === '') {
    throw new VaeError('ERR_VAE_OPTION', 'Vae.load(): expected the path of a model directory or the name of a model.');
  }
  if (await isModelDirectory(source)) return source;
  const shipped = await shippedOf();
  const folder = shipped.get(source);
  if (folder !== undefined) return folder;
  if (await isDirectory(source)) {
    throw new VaeError('ERR_VAE_IO', `"${source}" is not a model directory: it has no ${CONFIG_FILE}.`);
  }
  const names = [...shipped.keys()];
  const near = nearest(source, names);
  const hint =
    near === undefined ? `The models of this package are ${names.join(', ') || 'none'}` : `Did you mean "${near}"`;
  throw new VaeError(
    'ERR_VAE_IO',
    `There is no model directory "${source}", and no model of that name. ${hint}${near ? '?' : '.'}`,
  );
}

/** Names of the models that come with the package. */
export async function shippedModels(): Promise<string[]> {
  return [...(await shippedOf()).keys()];
}

async function shippedOf(): Promise<Map<string, string>> {
  const entries = [...(await shippedModelFolders())];
  const found = await Promise.all(entries.map(([, folder]) => isModelDirectory(folder)));
  return new Map(entries.filter((_, index) => found[index]));
}

export async function isModelDirectory(directory: string): Promise<boolean> {
  return (await stat(join(directory, CONFIG_FILE)).catch(() => undefined))?.isFile() ?? false;
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}
