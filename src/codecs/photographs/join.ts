/** Bands of pictures to whole PNG files: what stands in front of the rows, behind them, and in place of bands that are lost. */
import type { Gaps, Joiner, Output } from '../../archive/archive.js';
import { damaged } from '../../archive/format.js';
import { pngChunk } from '../../data/image/png/chunks.js';
import { PALETTE, type PngLayout, rowBytesOf } from '../../data/image/png/layout.js';
import { EMPTY_SUM, joinedSum, packBand, pngEnd, pngStart, type StreamSum } from '../../data/image/png/write-rows.js';
import type { Entry, EntryContent } from './record.js';

/** Rows that are lost are made up in steps of so many bytes. */
const GAP_BYTES = 1 << 24;

/** The part of a PNG file that a band is, without the end of the stream, and the sum of its part of that. */
export interface BandOutput {
  readonly entry: Entry;
  readonly after: Uint8Array;
  readonly sum: StreamSum;
}

/** The PNG file of a whole picture, or the part of one that a band is. */
export async function bandOutput(
  entry: Entry,
  { rows, before, after }: EntryContent,
): Promise<{ readonly bytes: Uint8Array; readonly band: BandOutput | undefined }> {
  const part = await packBand({ layout: entry.layout, top: entry.top, rows });
  const pieces = entry.top === 0 ? [pngStart(entry.layout, before), part.bytesOf] : [part.bytesOf];
  if (entry.height === entry.layout.height)
    return { bytes: Buffer.concat([...pieces, pngEnd(part, after)]), band: undefined };
  return { bytes: Buffer.concat(pieces), band: { entry, after, sum: { adler: part.adler, bytes: part.bytes } } };
}

export function isLast({ layout, top, height }: Entry): boolean {
  return top + height === layout.height;
}

/** Joins the bands of each picture as they come, in the order of the picture. */
export function bandJoiner(gaps: Gaps): Joiner {
  const begun = new Map<string, { sum: StreamSum; row: number }>();
  return async (_, output) => {
    const bands = output.sum as readonly (BandOutput | undefined)[] | undefined;
    if (bands === undefined) return output;
    const parts: Uint8Array[] = [];
    for (const [index, band] of bands.entries()) {
      if (band === undefined) {
        parts.push(output.parts[index]!);
        continue;
      }
      const { entry, after, sum } = band;
      const { name, top, height, layout } = entry;
      const before = begun.get(name) ?? { sum: EMPTY_SUM, row: 0 };
      const pieces: Uint8Array[] = [];
      let whole = before.sum;
      if (before.row < top && gaps === 'refuse') throw damaged(`rows of "${name}" from ${before.row} on are missing`);
      if (before.row < top && gaps === 'fill') {
        const gap = await lostRows(layout, before.row, top);
        pieces.push(...gap.pieces);
        whole = joinedSum(whole, gap.sum);
      }
      whole = joinedSum(whole, sum);
      pieces.push(output.parts[index]!);
      if (isLast(entry)) {
        pieces.push(pngEnd(whole, after));
        begun.delete(name);
      } else begun.set(name, { sum: whole, row: top + height });
      parts.push(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces));
    }
    return { ...output, parts } satisfies Output;
  };
}

/** Rows of zeros in place of those that are lost: the rest would be no picture without. */
async function lostRows(layout: PngLayout, from: number, to: number) {
  const pieces: Uint8Array[] = [];
  let sum = EMPTY_SUM;
  // A palette is lost with what it stood in: levels of grey show what is there.
  if (from === 0) pieces.push(pngStart(layout, layout.type === PALETTE ? greyPalette(layout.depth) : Buffer.alloc(0)));
  const rowBytes = rowBytesOf(layout);
  const step = Math.max(1, Math.floor(GAP_BYTES / rowBytes));
  for (let top = from; top < to; top += step) {
    const rows = new Uint8Array(Math.min(step, to - top) * rowBytes);
    const part = await packBand({ layout, top, rows });
    pieces.push(part.bytesOf);
    sum = joinedSum(sum, part);
  }
  return { pieces, sum };
}

function greyPalette(depth: number): Buffer {
  const count = 2 ** depth;
  return pngChunk(
    'PLTE',
    Uint8Array.from({ length: 3 * count }, (_, at) => (Math.floor(at / 3) * 255) / (count - 1)),
  );
}
