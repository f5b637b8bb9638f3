/** Pictures in rows, as SVG: small ones are enlarged in whole steps so that their pixels stay crisp. */
import { escapeXml } from '../drawing/xml.js';
import type { Layout } from '../figure.js';
import { FONT_FAMILY, LIGHT } from '../theme.js';
import type { Pictures } from './pixels.js';
import { pictureToPng } from './png.js';

/** A row of the sheet: the same number of pictures in every row of a band. */
export interface SheetRow {
  readonly pictures: Pictures;
  readonly label?: string;
}

const GAP = 4;
const BAND_GAP = 16;
const LABEL_HEIGHT = 18;
/** Pictures are shown about this wide, by the width of the page. */
const TARGET = { wide: 60, narrow: 44 };

/**
 * Draws one or more rows that belong together (originals above their reconstructions), cut into bands
 * as wide as the layout, at most `mostBands` of them.
 */
export async function drawSheet(rows: readonly SheetRow[], layout: Layout, mostBands: number): Promise<string> {
  const { width, height, count } = rows[0]!.pictures;
  const target = layout.narrow ? TARGET.narrow : TARGET.wide;
  const zoom = width > target ? target / width : Math.max(1, Math.round(target / width));
  const cellWidth = Math.min(layout.width, width * zoom);
  const cellHeight = (cellWidth / width) * height;
  const columns = Math.min(count, Math.max(1, Math.floor((layout.width + GAP) / (cellWidth + GAP))));
  const bands = Math.min(mostBands, Math.ceil(count / columns));
  const labelled = rows.some(({ label }) => label !== undefined);
  const rowHeight = cellHeight + GAP + (labelled ? LABEL_HEIGHT : 0);
  const bandHeight = rows.length * rowHeight + (rows.length > 1 ? BAND_GAP : 0);
  const parts: string[] = [];
  for (let band = 0; band < bands; band += 1) {
    for (const [index, { pictures, label }] of rows.entries()) {
      let top = band * bandHeight + index * rowHeight;
      if (labelled) {
        if (label) parts.push(text(label, top + LABEL_HEIGHT - 6));
        top += LABEL_HEIGHT;
      }
      for (let column = 0; column < columns && band * columns + column < count; column += 1) {
        const png = await pictureToPng(pictures, band * columns + column);
        parts.push(picture(png, column * (cellWidth + GAP), top, cellWidth, cellHeight, zoom >= 1));
      }
    }
  }
  const total = Math.ceil(bands * bandHeight - GAP - (rows.length > 1 ? BAND_GAP : 0));
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${layout.width}" height="${total}" viewBox="0 0 ${layout.width} ${total}">\n` +
    `${parts.join('\n')}\n</svg>`
  );
}

function picture(png: Uint8Array, x: number, y: number, width: number, height: number, crisp: boolean): string {
  const href = `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
  const rendering = crisp ? ' image-rendering="pixelated" style="image-rendering:pixelated"' : '';
  return `<image x="${x}" y="${y}" width="${width}" height="${height}" preserveAspectRatio="none"${rendering} href="${href}"/>`;
}

function text(label: string, y: number): string {
  return `<text x="0" y="${y}" font-family="${escapeXml(FONT_FAMILY)}" font-size="12" fill="${LIGHT.muted}">${escapeXml(label)}</text>`;
}
