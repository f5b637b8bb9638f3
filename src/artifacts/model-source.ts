/** From what a user names to a model directory. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { VaeError } from '../core/errors.js';
import { nearest } from '../core/options.js';
import { packageFiles } from '../core/package-files.js';
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
  const names = await shippedModels();
  if (names.includes(source)) return join(packageFiles().models, source);
  if (await isDirectory(source)) {
    throw new VaeError('ERR_VAE_IO', `"${source}" is not a model directory: it has no ${CONFIG_FILE}.`);
  }
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
  const entries = await readdir(packageFiles().models).catch(() => [] as string[]);
  const found = await Promise.all(entries.map((name) => isModelDirectory(join(packageFiles().models, name))));
  return entries.filter((_, index) => found[index]).sort();
}

export async function isModelDirectory(directory: string): Promise<boolean> {
  return (await stat(join(directory, CONFIG_FILE)).catch(() => undefined))?.isFile() ?? false;
}

async function isDirectory(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}
