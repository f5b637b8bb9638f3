/** The package that draws: a workspace of this repository, and for users a package of its own. */
import { importOptional } from '../../core/optional-package.js';

type Engine = typeof import('node-vae-report');

/** @throws VaeError ERR_VAE_PACKAGE where it is not installed. */
export function drawingEngine(): Promise<Engine> {
  // Loaded when first drawn: most programs never draw.
  return importOptional('node-vae-report', 'Drawing charts', () => import('node-vae-report'));
}
