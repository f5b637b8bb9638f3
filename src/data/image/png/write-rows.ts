/**
 * PNG files in parts, each made by itself: the rows of a band become one stretch of the stream, which begins with
 * nothing known, so that bands can be packed at once and in any order. What ends the stream needs a sum of all of it.
 */
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { constants, deflateRaw, deflateRawSync, inflateRaw } from 'node:zlib';
import { chunksIn, headerChunk, MOST_CHUNK_BYTES, pngChunk, readStart, SIGNATURE, START_BYTES } from './chunks.js';
import { filterRows, unfilterRows } from './filters.js';
import { PALETTE, type PngLayout, rowBytesOf, stepOf } from './layout.js';

const packRaw = promisify(deflateRaw);
const unpackRaw = promisify(inflateRaw);

/** CM 8, window of 32 KiB, default level (RFC 1950). */
const ZLIB_START = Buffer.from([0x78, 0x9c]);
const IDAT_BYTES = 1 << 20;
const NONE = 0;
const PAETH = 4;
/** Rows that are tried to choose a filter. */
const TRIED = 24;

/** Rows of a picture, and where they stand in it. */
export interface Band {
  readonly layout: PngLayout;
  readonly top: number;
  readonly rows: Uint8Array;
}

/** What a sum of a stream is made of. */
export interface StreamSum {
  readonly adler: number;
  readonly bytes: number;
}

export interface PngPart extends StreamSum {
  readonly bytesOf: Buffer;
}

/** Adler-32 of RFC 1950; on an empty stretch it is 1. */
const BASE = 65521;

async function adler32(bytes: Uint8Array): Promise<number> {
  let [a, b] = [1, 0];
  for (let at = 0; at < bytes.length; ) {
    // So many sums stay below 2^32.
    const end = Math.min(bytes.length, at + 5552);
    for (; at < end; at += 1) {
      a += bytes[at]!;
      b += a;
    }
    a %= BASE;
    b %= BASE;
    if (at % (5552 * 512) === 0) await setImmediate();
  }
  return b * 65536 + a;
}

/** The sum of two stretches, one behind the other. */
export function joinedSum(first: StreamSum, second: StreamSum): StreamSum {
  const [a1, b1] = [first.adler % 65536, Math.floor(first.adler / 65536)];
  const [a2, b2] = [second.adler % 65536, Math.floor(second.adler / 65536)];
  const a = (a1 + a2 + BASE - 1) % BASE;
  const b = (b1 + b2 + (second.bytes % BASE) * ((a1 + BASE - 1) % BASE)) % BASE;
  return { adler: b * 65536 + a, bytes: first.bytes + second.bytes };
}

export const EMPTY_SUM: StreamSum = { adler: 1, bytes: 0 };

/** One filter for all rows of a band: the one by which some of them become shorter. */
function filterOf({ layout, rows }: Band): number {
  if (layout.depth < 8 || layout.type === PALETTE) return NONE;
  const rowBytes = rowBytesOf(layout);
  const height = rows.length / rowBytes;
  const count = Math.min(height, TRIED, Math.max(2, Math.floor((1 << 17) / rowBytes)));
  const first = Math.floor((height - count) / 2);
  const some = rows.subarray(first * rowBytes, (first + count) * rowBytes);
  const step = stepOf(layout);
  const filtered = new Uint8Array(some.length);
  for (let at = 0; at < some.length; at += 1) {
    const [left, up] = [at < step ? 0 : some[at - step]!, at < rowBytes ? 0 : some[at - rowBytes]!];
    const corner = at < rowBytes + step ? 0 : some[at - rowBytes - step]!;
    const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
    filtered[at] = some[at]! - (a <= b && a <= c ? left : b <= c ? up : corner);
  }
  const size = (bytes: Uint8Array): number => deflateRawSync(bytes, { level: 1 }).length;
  return size(filtered) < size(some) ? PAETH : NONE;
}

/** The rows as a stretch of the stream, in IDAT chunks: what comes before and behind them is added by whoever joins. */
export async function packBand(band: Band): Promise<PngPart> {
  const { layout, top, rows } = band;
  const rowBytes = rowBytesOf(layout);
  const height = rows.length / rowBytes;
  const filtered = await filterRows(rows, rowBytes, stepOf(layout), filtersOf(filterOf(band), height));
  const last = top + height === layout.height;
  const finish = last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH;
  const [packed, adler] = await Promise.all([packRaw(filtered, { finishFlush: finish }), adler32(filtered)]);
  const stream = top === 0 ? Buffer.concat([ZLIB_START, packed]) : packed;
  const chunks: Buffer[] = [];
  for (let at = 0; at < stream.length; at += IDAT_BYTES)
    chunks.push(pngChunk('IDAT', stream.subarray(at, at + IDAT_BYTES)));
  return { bytesOf: Buffer.concat(chunks), adler, bytes: filtered.length };
}

/** Nothing stands above the first row of a band as far as its reader knows: it looks to its left only. */
function filtersOf(filter: number, height: number): Uint8Array {
  const filters = new Uint8Array(height).fill(filter);
  if (filter === PAETH) filters[0] = 1;
  return filters;
}

/** What stands in front of the rows. */
export function pngStart(layout: PngLayout, before: Uint8Array): Buffer {
  return Buffer.concat([SIGNATURE, headerChunk(layout), before]);
}

/** What stands behind them. */
export function pngEnd({ adler }: StreamSum, after: Uint8Array): Buffer {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(adler);
  return Buffer.concat([pngChunk('IDAT', sum), after, pngChunk('IEND')]);
}

/** What a part of a PNG file holds, found from its bytes alone, and where its band lies. */
export interface ReadPart {
  readonly before: Uint8Array;
  readonly after: Uint8Array;
  readonly rows: Uint8Array;
}

/**
 * Reads what packBand(), pngStart() and pngEnd() made.
 *
 * @throws Error for anything else.
 */
export async function readPart(bytes: Uint8Array, layout: PngLayout, top: number, height: number): Promise<ReadPart> {
  let from = 0;
  if (top === 0) {
    const start = readStart(bytes);
    const same = (['width', 'height', 'type', 'depth'] as const).every((key) => start[key] === layout[key]);
    if (!same || start.interlaced) throw new Error('its header is of another picture');
    from = START_BYTES;
  }
  const [before, stream, after]: Uint8Array[][] = [[], [], []];
  let ended = false;
  for (const { type, start, end, body } of chunksIn(bytes, from)) {
    if (ended) throw new Error('something stands behind its end');
    if (type === 'IEND') ended = true;
    else if (type === 'IDAT') stream!.push(body);
    else (stream!.length === 0 ? before : after)!.push(bytes.subarray(start, end));
  }
  const last = top + height === layout.height;
  if (ended !== last) throw new Error('its end is not where it should be');
  const whole = Buffer.concat(stream!);
  const packed = whole.subarray(top === 0 ? ZLIB_START.length : 0, last ? whole.length - 4 : whole.length);
  const rowBytes = rowBytesOf(layout);
  const wanted = height * (rowBytes + 1);
  if (wanted > MOST_CHUNK_BYTES * 2) throw new Error('it is too large');
  const filtered = await unpackRaw(packed, {
    maxOutputLength: wanted + 1,
    finishFlush: last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
  });
  if (last && top === 0 && whole.readUInt32BE(whole.length - 4) !== (await adler32(filtered)))
    throw new Error('its stream does not have its sum');
  const rows = await unfilterRows(filtered, rowBytes, stepOf(layout), height);
  return { before: Buffer.concat(before!), after: Buffer.concat(after!), rows };
}
