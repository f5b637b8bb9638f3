/** SVG to PNG by resvg with fonts that come along, so that every machine draws the same. */
import { LIGHT } from '../theme.js';
import { drawingEngine } from './engine.js';

/**
 * @param scale pixels of the picture for one CSS pixel.
 * @throws VaeError ERR_VAE_PACKAGE where node-vae-report is not installed.
 */
export async function svgToPng(svg: string, scale = 2): Promise<Uint8Array> {
  const { renderPng } = await drawingEngine();
  return renderPng(svg, { scale, background: LIGHT.surface });
}
