/** The page and what serves it: a workspace of this repository, and for users a package of its own. */
import { importOptional } from '../../core/optional-package.js';

export type ExplorerPackage = typeof import('node-vae-explorer');

/** @throws VaeError ERR_VAE_PACKAGE where it is not installed. */
export function loadExplorerPackage(): Promise<ExplorerPackage> {
  return importOptional('node-vae-explorer', 'The explorer', () => import('node-vae-explorer'));
}
