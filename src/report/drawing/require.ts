import { drawingEngine } from './engine.js';

/**
 * Fails where charts could not be drawn: before work whose result is to be drawn.
 *
 * @throws VaeError ERR_VAE_PACKAGE where the package node-vae-report is not installed.
 */
export async function requireDrawing(): Promise<void> {
  await drawingEngine();
}
