/** Adam7, the seven passes of interlaced PNG files (ISO/IEC 15948, section 8). */

import { unfilterRow } from './filters.js';
import { type PngLayout, rowBytesOf, samplesOf, stepOf } from './layout.js';

/** First column and row of each pass, and the steps. */
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

function passOf(layout: PngLayout, [left, top, across, down]: (typeof PASSES)[number]) {
  const width = Math.ceil((layout.width - left) / across);
  const height = Math.ceil((layout.height - top) / down);
  return { width, height, rowBytes: rowBytesOf({ ...layout, width }) };
}

/** Bytes of all passes, with those of their filters. */
export function interlacedBytes(layout: PngLayout): number {
  return PASSES.reduce((sum, pass) => {
    const { width, height, rowBytes } = passOf(layout, pass);
    return width > 0 && height > 0 ? sum + height * (rowBytes + 1) : sum;
  }, 0);
}

/** The rows of the picture from those of its passes. */
export function deinterlaced(filtered: Uint8Array, layout: PngLayout): Uint8Array {
  const rowBytes = rowBytesOf(layout);
  const rows = new Uint8Array(rowBytes * layout.height);
  const pixelBits = samplesOf(layout) * layout.depth;
  const step = stepOf(layout);
  let at = 0;
  for (const pass of PASSES) {
    const [left, top, across, down] = pass;
    const { width, height, rowBytes: passBytes } = passOf(layout, pass);
    if (width <= 0 || height <= 0) continue;
    const values = new Uint8Array(height * passBytes);
    for (let y = 0; y < height; y += 1) {
      const to = y * passBytes;
      values.set(filtered.subarray(at + 1, at + 1 + passBytes), to);
      unfilterRow(values, to, y === 0 ? -1 : to - passBytes, passBytes, step, filtered[at]!);
      at += passBytes + 1;
      const row = (top + y * down) * rowBytes;
      for (let x = 0; x < width; x += 1) copyPixel(values, to, x, rows, row, left + x * across, pixelBits);
    }
  }
  return rows;
}

function copyPixel(
  from: Uint8Array,
  fromRow: number,
  x: number,
  to: Uint8Array,
  toRow: number,
  column: number,
  bits: number,
): void {
  if (bits >= 8) {
    const bytes = bits >> 3;
    for (let k = 0; k < bytes; k += 1) to[toRow + column * bytes + k] = from[fromRow + x * bytes + k]!;
    return;
  }
  const value = (from[fromRow + ((x * bits) >> 3)]! >> (8 - bits - ((x * bits) & 7))) & ((1 << bits) - 1);
  const place = toRow + ((column * bits) >> 3);
  to[place] = to[place]! | (value << (8 - bits - ((column * bits) & 7)));
}
