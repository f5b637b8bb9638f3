/**
 * Samples as differences from a prediction, packed by Brotli: for what WebP cannot hold. The prediction is the median of
 * left, above and left + above - corner (LOCO-I; Weinberger, Seroussi, Sapiro 2000). Differences are folded (0, -1, 1,
 * -2, …); of 16-bit samples the high bytes stand before the low ones.
 */
import { setImmediate } from 'node:timers/promises';
import { brotli, inflate } from '../../archive/chunk.js';
import { damaged } from '../../archive/format.js';
import type { TileSamples, TileShape } from './tile-shape.js';

const SLICE = 1 << 19;

function predicted(values: TileSamples, at: number, x: number, y: number, channels: number, perRow: number): number {
  if (x < channels) return y === 0 ? 0 : values[at - perRow]!;
  const left = values[at - channels]!;
  if (y === 0) return left;
  const up = values[at - perRow]!;
  const corner = values[at - perRow - channels]!;
  const [low, high] = left < up ? [left, up] : [up, left];
  return corner >= high ? low : corner <= low ? high : left + up - corner;
}

export async function encodeDifferences(
  samples: TileSamples,
  { width, height, channels, bits }: TileShape,
  quality: number,
): Promise<Uint8Array> {
  const perRow = width * channels;
  const count = perRow * height;
  const wide = bits > 8;
  const mask = 2 ** bits - 1;
  const half = 2 ** (bits - 1);
  const out = new Uint8Array(wide ? 2 * count : count);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < perRow; x += 1, at += 1) {
      const difference = (samples[at]! - predicted(samples, at, x, y, channels, perRow)) & mask;
      const folded = difference < half ? 2 * difference : 2 * (mask - difference) + 1;
      if (wide) out[at] = folded >> 8;
      out[wide ? count + at : at] = folded & 255;
    }
    if (at % SLICE < perRow) await setImmediate();
  }
  return brotli(out, quality);
}

export async function decodeDifferences(data: Uint8Array, shape: TileShape): Promise<TileSamples> {
  const { width, height, channels, bits } = shape;
  const perRow = width * channels;
  const count = perRow * height;
  const wide = bits > 8;
  const bytes = await inflate(data, wide ? 2 * count : count);
  if (bytes.length !== (wide ? 2 * count : count)) throw damaged('differences of a tile end too early');
  const mask = 2 ** bits - 1;
  const out = wide ? new Uint16Array(count) : new Uint8Array(count);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < perRow; x += 1, at += 1) {
      const folded = wide ? bytes[at]! * 256 + bytes[count + at]! : bytes[at]!;
      const difference = folded & 1 ? mask - (folded >> 1) : folded >> 1;
      out[at] = (predicted(out, at, x, y, channels, perRow) + difference) & mask;
    }
    if (at % SLICE < perRow) await setImmediate();
  }
  return out;
}
