import { join } from 'node:path';
import { type PendingFile, writeFilesAtomically } from '../core/files.js';
import { svgToPng } from './drawing/png.js';
import { type Figure, NARROW, WIDE } from './figure.js';
import { type Highlight, type PageFigure, renderPage } from './page.js';
import { themable } from './theme.js';

export interface Report {
  readonly title: string;
  readonly subtitle?: string;
  /** The few numbers worth knowing first. */
  readonly highlights?: readonly Highlight[];
  readonly figures: readonly Figure[];
  /** Names and values for the table at the end of the page. */
  readonly details?: readonly (readonly [name: string, value: string])[];
  /** What report.json holds. */
  readonly data: Readonly<Record<string, unknown>>;
}

export interface WrittenReport {
  readonly page: string;
  readonly json: string;
  /** The picture of each figure, in order. */
  readonly pictures: readonly string[];
}

/**
 * Writes `report.html` (one page that needs nothing else), a PNG file for each figure, named by its
 * id, and `report.json`. All of them appear together, when all are complete.
 *
 * @throws VaeError ERR_VAE_IO where the folder cannot be written, and what a figure's drawing throws.
 */
export async function writeReport(directory: string, report: Report): Promise<WrittenReport> {
  const { title, subtitle, highlights = [], figures, details = [], data } = report;
  const pageFigures: PageFigure[] = [];
  const pictures: PendingFile[] = [];
  for (const figure of figures) {
    const wide = await figure.draw(WIDE);
    const narrow = await figure.draw(NARROW);
    const { id, title: name, caption, description } = figure;
    pageFigures.push({ id, title: name, caption, description, wide: themable(wide), narrow: themable(narrow) });
    pictures.push({ path: join(directory, `${id}.png`), chunks: [await svgToPng(withMargin(wide))] });
  }
  const page = renderPage({ title, ...(subtitle && { subtitle }), highlights, figures: pageFigures, details });
  const paths = { page: join(directory, 'report.html'), json: join(directory, 'report.json') };
  await writeFilesAtomically([
    ...pictures,
    { path: paths.page, chunks: [Buffer.from(page)] },
    { path: paths.json, chunks: [Buffer.from(`${JSON.stringify(data, null, 2)}\n`)] },
  ]);
  return { ...paths, pictures: pictures.map(({ path }) => path) };
}

export interface WriteFiguresOptions {
  /** Default `png`. */
  readonly format?: 'png' | 'svg' | 'both';
}

/**
 * Writes each figure into a folder as a file named by its id. All of them appear together, when all are complete.
 *
 * @returns the files, in the order of the figures, the PNG file first where there are two.
 * @throws VaeError ERR_VAE_IO where the folder cannot be written, and what a figure's drawing throws.
 */
export async function writeFigures(
  directory: string,
  figures: readonly Figure[],
  { format = 'png' }: WriteFiguresOptions = {},
): Promise<string[]> {
  const files: PendingFile[] = [];
  for (const figure of figures) {
    const at = join(directory, figure.id);
    if (format !== 'svg') files.push({ path: `${at}.png`, chunks: [await figureToPng(figure)] });
    if (format !== 'png') files.push({ path: `${at}.svg`, chunks: [Buffer.from(await figureToSvg(figure))] });
  }
  await writeFilesAtomically(files);
  return files.map(({ path }) => path);
}

/** One figure as a PNG file, as wide as on a page. */
export async function figureToPng(figure: Figure): Promise<Uint8Array> {
  return svgToPng(withMargin(await figure.draw(WIDE)));
}

/** One figure as an SVG file. */
export async function figureToSvg(figure: Figure): Promise<string> {
  return withMargin(await figure.draw(WIDE));
}

const MARGIN = 16;

/** A page gives its figures room; a picture of its own needs a margin. */
function withMargin(svg: string): string {
  const [, width, height] = /^<svg[^>]*? width="(\d+)"[^>]*? height="(\d+)"/.exec(svg)!.map(Number) as [
    number,
    number,
    number,
  ];
  const outer = { width: width + 2 * MARGIN, height: height + 2 * MARGIN };
  const inner = svg.replace('<svg', `<svg x="${MARGIN}" y="${MARGIN}"`);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${outer.width}" height="${outer.height}" viewBox="0 0 ${outer.width} ${outer.height}">\n${inner}\n</svg>`;
}
