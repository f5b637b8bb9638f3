/** Packed rows to single samples and back. */
import { type PngLayout, rowBytesOf, samplesOf } from './layout.js';

type RowLayout = Pick<PngLayout, 'width' | 'type' | 'depth'>;

/** A rectangle of a picture. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** The samples of an area, interleaved: bytes for up to 8 bits, else 16-bit numbers; as they are stored. */
export function samplesIn(rows: Uint8Array, layout: RowLayout, area: Area): Uint8Array | Uint16Array {
  const { depth } = layout;
  const samples = samplesOf(layout);
  const rowBytes = rowBytesOf(layout);
  const perRow = area.width * samples;
  const first = area.left * samples;
  if (depth === 8) {
    const out = new Uint8Array(perRow * area.height);
    for (let y = 0; y < area.height; y += 1) {
      const from = (area.top + y) * rowBytes + first;
      out.set(rows.subarray(from, from + perRow), y * perRow);
    }
    return out;
  }
  if (depth === 16) {
    const out = new Uint16Array(perRow * area.height);
    for (let y = 0, to = 0; y < area.height; y += 1) {
      let from = (area.top + y) * rowBytes + 2 * first;
      for (let x = 0; x < perRow; x += 1, from += 2) out[to++] = (rows[from]! << 8) | rows[from + 1]!;
    }
    return out;
  }
  const out = new Uint8Array(perRow * area.height);
  const mask = (1 << depth) - 1;
  for (let y = 0, to = 0; y < area.height; y += 1) {
    const from = (area.top + y) * rowBytes;
    for (let x = first; x < first + perRow; x += 1) {
      const bit = x * depth;
      out[to++] = (rows[from + (bit >> 3)]! >> (8 - depth - (bit & 7))) & mask;
    }
  }
  return out;
}

/** Puts the samples of an area into rows, which are zero there. */
export function putSamples(rows: Uint8Array, layout: RowLayout, area: Area, values: Uint8Array | Uint16Array): void {
  const { depth } = layout;
  const samples = samplesOf(layout);
  const rowBytes = rowBytesOf(layout);
  const perRow = area.width * samples;
  const first = area.left * samples;
  for (let y = 0, at = 0; y < area.height; y += 1) {
    const row = (area.top + y) * rowBytes;
    if (depth === 8) {
      rows.set(values.subarray(at, at + perRow) as Uint8Array, row + first);
      at += perRow;
    } else if (depth === 16) {
      let to = row + 2 * first;
      for (let x = 0; x < perRow; x += 1, to += 2) {
        const value = values[at++]!;
        rows[to] = value >> 8;
        rows[to + 1] = value & 255;
      }
    } else {
      for (let x = first; x < first + perRow; x += 1) {
        const bit = x * depth;
        const place = row + (bit >> 3);
        rows[place] = rows[place]! | (values[at++]! << (8 - depth - (bit & 7)));
      }
    }
  }
}
