/** Models by name: those of this package, and of node-vae-models where that is installed. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { packageFiles } from './package-files.js';

/** Folders by the names of the models in them, in the order of the names. */
export async function shippedModelFolders(): Promise<Map<string, string>> {
  const found: [string, string][] = [];
  for (const folder of packageFiles().modelFolders()) {
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) if (entry.isDirectory()) found.push([entry.name, join(folder, entry.name)]);
  }
  return new Map(found.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** For messages about a model that was not found: where more are. */
export function moreModels(): string {
  if (packageFiles().modelFolders().length > 1) return '';
  return ' Further ones, such as fashion-codec, come with node-vae-models: npm install node-vae-models';
}
