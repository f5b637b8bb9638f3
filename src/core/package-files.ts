/** Files of the package beside its JavaScript: the addon, models, package.json. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { VaeError } from './errors.js';

interface PackageFiles {
  loadAddon(): unknown;
  findRuntime(): string;
  /** Of the built package. */
  loadZod(): unknown;
  /** Likewise. */
  loadProtobuf(): unknown;
  modelFolders(): string[];
  readonly root: string;
}

/** Bundles in CommonJS have no import.meta.url, but a __filename. */
const here: string = import.meta.url ?? __filename;

let files: PackageFiles | undefined;

/**
 * @throws VaeError ERR_VAE_BINDING where a bundler has taken the code away from its package, with what to tell it.
 */
export function packageFiles(): PackageFiles {
  if (files !== undefined) return files;
  try {
    // By the package's own name, which leads to it from a bundle elsewhere too.
    files = import.meta.url === undefined ? createRequire(here)('node-vae/addon.cjs') : requireFiles();
    return files!;
  } catch (cause) {
    throw new VaeError('ERR_VAE_BINDING', `The files of the package node-vae were not found from ${here}. ${REMEDY}`, {
      cause,
    });
  }
}

/** Written so that tracers of files (@vercel/nft, Turbopack) follow it. */
function requireFiles(): PackageFiles {
  const require = createRequire(import.meta.url);
  // Named twice, or the minifier would join it with createRequire(), which they do not follow then.
  require.resolve('node-vae/addon.cjs');
  return require('node-vae/addon.cjs') as PackageFiles;
}

const REMEDY =
  'If a bundler made this file, tell it to leave node-vae out, and install node-vae where the program runs: ' +
  "esbuild: external: ['node-vae'] (--external:node-vae); webpack: externals: { 'node-vae': 'import node-vae' }; " +
  "Rollup: external: ['node-vae']; Next.js: serverExternalPackages: ['node-vae'] in next.config. " +
  'docs/guides/bundling.md has each. Else install the package again: npm install node-vae';

/** The version of this package. */
export function packageVersion(): string {
  const manifest = readFileSync(join(packageFiles().root, 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
