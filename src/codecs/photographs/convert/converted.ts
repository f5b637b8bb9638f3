/** Files of other formats as PNG: what each becomes, with everything that stands beside its pixels. */
import { pictureFormat } from '../../../data/image/formats.js';
import { isLayout, type PngLayout, rowBytesOf } from '../../../data/image/png/layout.js';
import type { StoredHeader, StoredPixels } from '../../../data/image/readers/stored.js';
import { readingMemory } from '../../../data/memory.js';
import type { Beside } from './beside.js';
import { bmpBeside } from './bmp.js';
import { gifBeside, withPalette } from './gif.js';
import { pnmBeside } from './pnm.js';
import { type RowSource, rowsOf } from './rows.js';
import { tiffBeside } from './tiff.js';
import { webpBeside } from './webp.js';

/**
 * Looks at the whole of a file; undefined for one whose pixels are not stored without loss.
 *
 * @throws Error that says what a PNG could not carry.
 */
type Look = (bytes: Buffer) => Beside | undefined;

const LOOKS: Readonly<Record<string, Look>> = {
  BMP: bmpBeside,
  GIF: gifBeside,
  PNM: pnmBeside,
  TIFF: tiffBeside,
  WebP: webpBeside,
};

/** Pixels of other formats than PNG are held as a whole. */
const MOST_HELD_BYTES = 3 * 2 ** 27;

export interface Converted {
  readonly layout: PngLayout;
  open(): Promise<RowSource>;
}

export function isConverted(format: string): boolean {
  return LOOKS[format] !== undefined;
}

/**
 * Undefined for a file that is kept as it is: its pixels are compressed with loss.
 *
 * @throws Error that says what stands in the way.
 */
export async function converted(bytes: Buffer, name: string): Promise<Converted | undefined> {
  const format = pictureFormat(bytes, name)!;
  const beside = LOOKS[format.name]!(bytes);
  if (beside === undefined) return undefined;
  const header = (await format.reader.header(bytes, true))!;
  const layout = layoutOf(header, beside);
  const held = rowBytesOf(layout) * layout.height;
  const most = Math.min(MOST_HELD_BYTES, readingMemory());
  if (held > most) {
    throw new Error(
      `decoding ${layout.width}×${layout.height} pixels would hold ${held} bytes; ${most} are allowed, but of a PNG, which is read in parts`,
    );
  }
  return {
    layout,
    async open() {
      const warn = (why: string): void => {
        throw new Error(why);
      };
      const pixels = await format.reader.decode(bytes, { page: 0, warn, header });
      const made = beside.palette ? withPalette(pixels) : { rows: packed(pixels, layout), chunks: [] };
      return rowsOf(layout, made.rows, Buffer.concat([...beside.chunks, ...made.chunks]));
    },
  };
}

function layoutOf(header: StoredHeader, { depth, palette }: Beside): PngLayout {
  const { width, height, colour, alpha, sample, pages } = header;
  if (pages > 1) throw new Error(`it has ${pages} pages`);
  if (palette) return { width, height, type: 3, depth: 8 };
  if (colour !== 'grey' && colour !== 'rgb') throw new Error(`it has ${colour} values`);
  if (sample !== 'uint8' && sample !== 'uint16') throw new Error(`its values are of type ${sample}`);
  const type = (colour === 'grey' ? 0 : 2) + (alpha ? 4 : 0);
  const layout = { width, height, type, depth: depth ?? (sample === 'uint16' ? 16 : 8) };
  if (!isLayout(layout)) throw new Error(`it has ${layout.depth} bits`);
  return layout;
}

/** Samples to rows. @throws Error where the reader gave others than its header said. */
function packed({ data, width, height, channels }: StoredPixels, { depth, type }: PngLayout): Uint8Array {
  const expected = { 0: 1, 2: 3, 4: 2, 6: 4 }[type];
  if (channels !== expected) throw new Error(`it has ${channels} values a pixel, and its header says ${expected}`);
  if (depth === 16) {
    if (!(data instanceof Uint16Array)) throw new Error('its values are not of 16 bits');
    const rows = Buffer.alloc(2 * data.length);
    for (let at = 0; at < data.length; at += 1) rows.writeUInt16BE(data[at]!, 2 * at);
    return rows;
  }
  if (!(data instanceof Uint8Array)) throw new Error('its values are not of 8 bits');
  if (depth === 8) return data;
  const perRow = Math.ceil((width * depth) / 8);
  const rows = new Uint8Array(perRow * height);
  const top = 2 ** depth - 1;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const value = (data[y * width + x]! * top) / 255;
      if (!Number.isInteger(value)) throw new Error(`a value is none of ${depth} bits`);
      const place = y * perRow + ((x * depth) >> 3);
      rows[place] = rows[place]! | (value << (8 - depth - ((x * depth) & 7)));
    }
  }
  return rows;
}
