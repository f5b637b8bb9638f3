/** The chunks of PNG files (ISO/IEC 15948, section 5). */
import { crc32 } from 'node:zlib';
import type { PngLayout } from './layout.js';

export const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Signature and IHDR. */
export const START_BYTES = 33;
/** No part of a file that is read into memory at once is longer. */
export const MOST_CHUNK_BYTES = 1 << 28;

/** A whole chunk: length, type, body, CRC. */
export function pngChunk(type: string, ...bodies: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), ...bodies]);
  const out = Buffer.alloc(8 + body.length);
  out.writeUInt32BE(body.length - 4, 0);
  out.set(body, 4);
  out.writeUInt32BE(crc32(body), 4 + body.length);
  return out;
}

export function headerChunk({ width, height, type, depth }: PngLayout): Buffer {
  const body = Buffer.alloc(13);
  body.writeUInt32BE(width, 0);
  body.writeUInt32BE(height, 4);
  body[8] = depth;
  body[9] = type;
  return pngChunk('IHDR', body);
}

/** What IHDR says, and whether the rows come in the seven passes of Adam7. @throws Error for bytes that do not begin a PNG. */
export function readStart(bytes: Uint8Array): PngLayout & { readonly interlaced: boolean } {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < START_BYTES || !view.subarray(0, 8).equals(SIGNATURE))
    throw new Error('it does not begin as a PNG');
  if (view.readUInt32BE(8) !== 13 || view.toString('latin1', 12, 16) !== 'IHDR')
    throw new Error('its first chunk is not IHDR');
  if (view.readUInt32BE(29) !== crc32(view.subarray(12, 29))) throw new Error('its header does not have its checksum');
  if (view[26] !== 0 || view[27] !== 0 || view[28]! > 1) throw new Error('its rows are packed in an unknown way');
  return {
    ...{ width: view.readUInt32BE(16), height: view.readUInt32BE(20), depth: view[24]!, type: view[25]! },
    interlaced: view[28] === 1,
  };
}

/** One chunk within bytes. */
export interface PngChunk {
  readonly type: string;
  /** Where it begins and ends, its frame with it. */
  readonly start: number;
  readonly end: number;
  readonly body: Buffer;
}

/** The chunks that bytes are made of, one after the other. @throws Error where they are not, or a CRC is wrong. */
export function* chunksIn(bytes: Uint8Array, from: number): Generator<PngChunk> {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = from; at < view.length; ) {
    const end = at + 12 <= view.length ? at + 12 + view.readUInt32BE(at) : Number.POSITIVE_INFINITY;
    if (end > view.length) throw new Error('it ends within a chunk');
    const type = view.toString('latin1', at + 4, at + 8);
    if (view.readUInt32BE(end - 4) !== crc32(view.subarray(at + 4, end - 4)))
      throw new Error(`its chunk ${type} does not have its checksum`);
    yield { type, start: at, end, body: view.subarray(at + 8, end - 4) };
    at = end;
  }
}
