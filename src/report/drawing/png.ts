/** SVG to PNG by resvg with the fonts of this package, so that every machine draws the same. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { LIGHT } from '../theme.js';

const FONTS = ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'];

/** @param scale pixels of the picture for one CSS pixel. */
export async function svgToPng(svg: string, scale = 2): Promise<Uint8Array> {
  const { renderAsync } = await import('@resvg/resvg-js');
  const folder = join(dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')), 'ttf');
  const image = await renderAsync(svg, {
    background: LIGHT.surface,
    fitTo: { mode: 'zoom', value: scale },
    font: {
      loadSystemFonts: false,
      fontFiles: FONTS.map((name) => join(folder, name)),
      defaultFontFamily: 'DejaVu Sans',
      sansSerifFamily: 'DejaVu Sans',
    },
  });
  return image.asPng();
}
