/** PNG files of every kind, written by other code than that under test. */
import { crc32, deflateSync } from 'node:zlib';

export interface MadePng {
  readonly width: number;
  readonly height: number;
  /** Colour type and bits of IHDR. */
  readonly type: number;
  readonly depth: number;
  readonly interlaced?: boolean;
  /** Chunks before the rows and behind them: type and body. */
  readonly before?: readonly (readonly [string, Uint8Array])[];
  readonly after?: readonly (readonly [string, Uint8Array])[];
  /** Bits of a sample at x, y. Default: a pattern with some noise. */
  readonly value?: (x: number, y: number, channel: number) => number;
  /** Bytes of an IDAT chunk. */
  readonly idat?: number;
}

export const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

function chunk(type: string, body: Uint8Array = Buffer.alloc(0)): Buffer {
  const out = Buffer.alloc(12 + body.length);
  out.writeUInt32BE(body.length, 0);
  out.write(type, 4, 'latin1');
  out.set(body, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + body.length)), 8 + body.length);
  return out;
}

const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

export function pattern(depth: number, x: number, y: number, channel: number): number {
  const noise = (Math.imul(x * 7919 + y * 104729 + channel * 31, 0x9e3779b1) >>> 28) & 15;
  return Math.floor((x * 5 + y * 3 + channel * 40 + noise) * (depth > 8 ? 97 : 1)) & (2 ** depth - 1);
}

export function makePng(png: MadePng): Buffer {
  const { width, height, type, depth, interlaced = false, before = [], after = [], idat = 1 << 13 } = png;
  const { value = (x, y, channel) => pattern(depth, x, y, channel) } = png;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, type, 0, 0, interlaced ? 1 : 0], 8);
  const passes = interlaced ? ADAM7 : ([[0, 0, 1, 1]] as const);
  const lines: Buffer[] = [];
  for (const [left, top, across, down] of passes) {
    const columns = Math.ceil((width - left) / across);
    if (columns <= 0) continue;
    let above: Buffer | undefined;
    for (let y = top, line = 0; y < height; y += down, line += 1) {
      const row = packed(columns, type, depth, (x, channel) => value(left + x * across, y, channel));
      lines.push(filtered(row, above, line % 5, Math.max(1, (CHANNELS[type]! * depth) >> 3)));
      above = row;
    }
  }
  const stream = deflateSync(Buffer.concat(lines));
  const pieces: Buffer[] = [];
  for (let at = 0; at < stream.length; at += idat) pieces.push(chunk('IDAT', stream.subarray(at, at + idat)));
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    ...before.map(([name, body]) => chunk(name, body)),
    ...pieces,
    ...after.map(([name, body]) => chunk(name, body)),
    chunk('IEND'),
  ]);
}

function packed(columns: number, type: number, depth: number, value: (x: number, channel: number) => number): Buffer {
  const channels = CHANNELS[type]!;
  const bytes = Buffer.alloc(Math.ceil((columns * channels * depth) / 8));
  for (let x = 0, bit = 0; x < columns; x += 1) {
    for (let channel = 0; channel < channels; channel += 1, bit += depth) {
      const sample = value(x, channel);
      if (depth === 16) bytes.writeUInt16BE(sample, bit / 8);
      else bytes[bit >> 3]! |= sample << (8 - depth - (bit & 7));
    }
  }
  return bytes;
}

function filtered(row: Buffer, above: Buffer | undefined, filter: number, step: number): Buffer {
  const out = Buffer.alloc(row.length + 1);
  out[0] = filter;
  for (let x = 0; x < row.length; x += 1) {
    const left = x < step ? 0 : row[x - step]!;
    const up = above?.[x] ?? 0;
    const corner = x < step ? 0 : (above?.[x - step] ?? 0);
    const estimate = left + up - corner;
    const [a, b, c] = [left, up, corner].map((each) => Math.abs(estimate - each)) as [number, number, number];
    const nearest = a <= b && a <= c ? left : b <= c ? up : corner;
    out[x + 1] = (row[x]! - [0, left, up, (left + up) >> 1, nearest][filter]!) & 255;
  }
  return out;
}

/** Chunks of a PNG file but those that hold its rows: type and body. */
export function chunksOf(bytes: Buffer): [string, string][] {
  const found: [string, string][] = [];
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (bytes.readUInt32BE(at + 8 + length) !== crc32(bytes.subarray(at + 4, at + 8 + length)))
      throw new Error(`${type} has a wrong CRC`);
    // Whether rows are interlaced is how they lie in the file.
    const body = type === 'IHDR' ? bytes.subarray(at + 8, at + 8 + 12) : bytes.subarray(at + 8, at + 8 + length);
    if (type !== 'IDAT') found.push([type, body.toString('hex')]);
    at += 12 + length;
  }
  return found;
}
