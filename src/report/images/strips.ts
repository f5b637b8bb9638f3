/** Strips of pictures, each with a label, all as wide as the layout allows. */
import { escapeXml } from '../drawing/xml.js';
import type { Layout } from '../figure.js';
import { FONT_FAMILY, LIGHT } from '../theme.js';
import type { Pictures } from './pixels.js';
import { pictureToPng } from './png.js';

export interface StripOptions {
  /** Pictures of a strip: the first strip has the first so many, and so on. */
  readonly perStrip: number;
  /** Beside each strip. */
  readonly labels?: readonly string[];
  /** Under the columns: at the first, the middle and the last. */
  readonly columns?: readonly string[];
  /** Empty pixels between pictures. Default 2. */
  readonly gap?: number;
  /** Largest width of a picture. Default 96. */
  readonly largest?: number;
  /** Strips that are shown at most. */
  readonly most?: number;
}

const LABEL_WIDTH = 96;
const FOOTER = 20;

export async function drawStrips(pictures: Pictures, layout: Layout, options: StripOptions): Promise<string> {
  const { perStrip, labels, columns, gap = 2, largest = 96, most = 100 } = options;
  const left = labels ? (layout.narrow ? LABEL_WIDTH * 0.7 : LABEL_WIDTH) : 0;
  const strips = Math.min(most, Math.floor(pictures.count / perStrip));
  // Whole pixels: pictures that touch would show seams otherwise.
  const cell = Math.floor(Math.min(largest, (layout.width - left - gap * (perStrip - 1)) / perStrip));
  const height = (cell / pictures.width) * pictures.height;
  const crisp = cell >= pictures.width;
  const rendering = crisp ? ' image-rendering="pixelated" style="image-rendering:pixelated"' : '';
  const parts: string[] = [];
  const text = (label: string, x: number, y: number, anchor: string): string =>
    `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" font-family="${escapeXml(FONT_FAMILY)}" font-size="12" fill="${LIGHT.muted}">${escapeXml(label)}</text>`;
  for (let strip = 0; strip < strips; strip += 1) {
    const y = strip * (height + gap);
    if (labels?.[strip]) parts.push(text(labels[strip]!, 0, y + height / 2 + 4, 'start'));
    for (let column = 0; column < perStrip; column += 1) {
      const png = await pictureToPng(pictures, strip * perStrip + column);
      const href = `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
      const x = left + column * (cell + gap);
      parts.push(
        `<image x="${x.toFixed(2)}" y="${y.toFixed(2)}" width="${cell.toFixed(2)}" height="${height.toFixed(2)}" preserveAspectRatio="none"${rendering} href="${href}"/>`,
      );
    }
  }
  const bottom = strips * (height + gap) - gap;
  for (const [index, label] of (columns ?? []).entries()) {
    const place = columns!.length === 1 ? 0.5 : index / (columns!.length - 1);
    const x = left + cell / 2 + place * (perStrip - 1) * (cell + gap);
    parts.push(text(label, x, bottom + FOOTER - 4, 'middle'));
  }
  const total = Math.ceil(bottom + (columns ? FOOTER : 0));
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${layout.width}" height="${total}" viewBox="0 0 ${layout.width} ${total}">\n` +
    `${parts.join('\n')}\n</svg>`
  );
}
