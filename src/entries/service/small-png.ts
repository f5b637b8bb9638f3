/**
 * Small plain PNG files: 8-bit grey or colour, not interlaced, with nothing in them that changes a value. Starting the
 * general decoder takes many times as long as reading such a file does. Whatever is otherwise is left to that.
 */
import { crc32, deflateSync, inflateSync } from 'node:zlib';

export interface PlainPixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  /** [height, width, channels] */
  readonly data: Uint8Array;
}

/** More than this is decoded elsewhere, off the JavaScript thread. */
const MOST_BYTES = 1 << 16;
const SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
/** Chunks that say nothing of values or of which way is up. */
const HARMLESS = new Set(['tEXt', 'zTXt', 'iTXt', 'pHYs', 'tIME', 'sRGB', 'gAMA', 'cHRM']);

/** Undefined for what is not such a file, or damaged: the general decoder then says what is wrong. */
export function decodeSmallPng(file: Uint8Array): PlainPixels | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.length < 57 || bytes.length > 2 * MOST_BYTES || bytes.compare(SIGNATURE, 0, 8, 0, 8) !== 0)
    return undefined;
  if (bytes.toString('latin1', 12, 16) !== 'IHDR' || bytes.readUInt32BE(8) !== 13) return undefined;
  const width = bytes.readUInt32BE(16);
  const height = bytes.readUInt32BE(20);
  const colour = bytes[25];
  if (bytes[24] !== 8 || (colour !== 0 && colour !== 2) || bytes[26] !== 0 || bytes[27] !== 0 || bytes[28] !== 0)
    return undefined;
  const channels = colour === 0 ? 1 : 3;
  const line = width * channels;
  if (width === 0 || height === 0 || line * height > MOST_BYTES) return undefined;
  const parts: Buffer[] = [];
  let at = 8;
  for (;;) {
    if (at + 12 > bytes.length) return undefined;
    const length = bytes.readUInt32BE(at);
    const end = at + 8 + length;
    if (end + 4 > bytes.length) return undefined;
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (crc32(bytes.subarray(at + 4, end)) !== bytes.readUInt32BE(end)) return undefined;
    if (type === 'IDAT') parts.push(bytes.subarray(at + 8, end));
    else if (type === 'IEND') break;
    else if (type !== 'IHDR' && !HARMLESS.has(type)) return undefined;
    at = end + 4;
  }
  const wanted = (line + 1) * height;
  let filtered: Buffer;
  try {
    filtered = inflateSync(parts.length === 1 ? parts[0]! : Buffer.concat(parts), { maxOutputLength: wanted });
  } catch {
    return undefined;
  }
  if (filtered.length !== wanted) return undefined;
  const data = unfilter(filtered, line, height, channels);
  return data && { width, height, channels, data };
}

function unfilter(from: Uint8Array, line: number, height: number, step: number): Uint8Array | undefined {
  const data = new Uint8Array(line * height);
  for (let y = 0; y < height; y += 1) {
    const source = y * (line + 1) + 1;
    const row = y * line;
    const filter = from[source - 1]!;
    if (filter > 4) return undefined;
    for (let x = 0; x < line; x += 1) {
      const left = x >= step ? data[row + x - step]! : 0;
      const above = y > 0 ? data[row - line + x]! : 0;
      const corner = x >= step && y > 0 ? data[row - line + x - step]! : 0;
      data[row + x] = from[source + x]! + prediction(filter, left, above, corner);
    }
  }
  return data;
}

function prediction(filter: number, left: number, above: number, corner: number): number {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return above;
  if (filter === 3) return (left + above) >> 1;
  const estimate = left + above - corner;
  const toLeft = Math.abs(estimate - left);
  const toAbove = Math.abs(estimate - above);
  const toCorner = Math.abs(estimate - corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

/** Undefined for what is not small enough. */
export function encodeSmallPng({ width, height, channels, data }: PlainPixels): Buffer | undefined {
  const line = width * channels;
  if (line * height > MOST_BYTES) return undefined;
  const lines = Buffer.alloc((line + 1) * height);
  for (let y = 0; y < height; y += 1) lines.set(data.subarray(y * line, (y + 1) * line), y * (line + 1) + 1);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = 8;
  header[9] = channels === 1 ? 0 : 2;
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(lines)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Uint8Array): Buffer {
  const out = Buffer.alloc(data.length + 12);
  out.writeUInt32BE(data.length, 0);
  out.write(type, 4, 'latin1');
  out.set(data, 8);
  out.writeUInt32BE(crc32(out.subarray(4, data.length + 8)), data.length + 8);
  return out;
}
