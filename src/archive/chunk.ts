/** One chunk to a record and back: names, items, the choice of method, the checksum. */

import { createHash } from 'node:crypto';
import { promisify, TextDecoder } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';
import type { Codec } from '../codecs/lossless/codec.js';
import { CHECKSUM_BYTES, damaged, encodeRecord, MAX_NAMES_BYTES, type Method, type RecordHeader } from './format.js';

const compressBrotli = promisify(brotliCompress);
const decompressBrotli = promisify(brotliDecompress);

/** Quick, and enough to notice data that the model does not fit at all. */
const FALLBACK_QUALITY = 5;
const TEXT_QUALITY = 9;

export interface ChunkItems {
  /** [count, ...itemShape] */
  readonly items: Uint8Array;
  readonly count: number;
  readonly names?: readonly string[] | undefined;
}

export interface EncodedRecord {
  readonly header: RecordHeader;
  /** The record header and the payload, as they are written. */
  readonly bytes: Buffer;
}

export function checksumOf(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return Uint8Array.from(hash.digest().subarray(0, CHECKSUM_BYTES));
}

/** The checksum a chunk of these items has, without coding it. */
export function chunkChecksum({ items, names }: ChunkItems): Uint8Array {
  return checksumOf(items, encodeNames(names));
}

/** Codes a chunk by the model, or by brotli, or not at all: whichever is shortest. */
export async function encodeChunk(
  codec: Codec,
  chunk: ChunkItems,
  options: { readonly verify: boolean; readonly signal?: AbortSignal | undefined },
): Promise<EncodedRecord> {
  const [coded, general, names] = await Promise.all([
    codec.encode(chunk.items, options),
    brotli(chunk.items, FALLBACK_QUALITY),
    encodeNamesBlock(chunk.names),
  ]);
  const candidates: [Method, Uint8Array][] = [
    ['coded', coded],
    ['brotli', general],
    ['stored', chunk.items],
  ];
  const [method, data] = candidates.reduce((best, next) => (next[1].length < best[1].length ? next : best));
  const header: RecordHeader = {
    kind: 'chunk',
    method,
    items: chunk.count,
    namesBytes: names.block.length,
    namesDecoded: names.decoded.length,
    payloadBytes: names.block.length + data.length,
    checksum: checksumOf(chunk.items, names.decoded),
  };
  return { header, bytes: Buffer.concat([encodeRecord(header), names.block, data]) };
}

/** @throws VaeError ERR_VAE_FORMAT when the payload is damaged or is not what its checksum says. */
export async function decodeChunk(
  codec: Codec | undefined,
  header: RecordHeader,
  payload: Uint8Array,
  itemSize: number,
  signal?: AbortSignal,
): Promise<ChunkItems> {
  const expected = header.items * itemSize;
  const namesBlock = payload.subarray(0, header.namesBytes);
  const data = payload.subarray(header.namesBytes);
  const items = await decodeItems(codec, header, data, expected, signal);
  const decodedNames = header.namesBytes === 0 ? Buffer.alloc(0) : await inflate(namesBlock, header.namesDecoded);
  if (decodedNames.length !== header.namesDecoded) throw damaged('names have another length than they say');
  if (!Buffer.from(checksumOf(items, decodedNames)).equals(header.checksum)) {
    throw damaged('decoded bytes do not have the checksum that was written with them');
  }
  return { items, count: header.items, names: decodeNames(decodedNames, header.items) };
}

async function decodeItems(
  codec: Codec | undefined,
  { method, items }: RecordHeader,
  data: Uint8Array,
  expected: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  if (method === 'coded') {
    if (codec === undefined) throw damaged('a chunk needs a model');
    return codec.decode(data, items, { signal });
  }
  const decoded = method === 'brotli' ? await inflate(data, expected) : data;
  if (decoded.length !== expected) throw damaged(`a chunk holds ${decoded.length} bytes, expected ${expected}`);
  return decoded;
}

export function brotli(bytes: Uint8Array, quality = TEXT_QUALITY): Promise<Buffer> {
  return compressBrotli(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  });
}

/** Stops at `most` bytes, whatever the compressed bytes would become. */
export async function inflate(bytes: Uint8Array, most: number): Promise<Buffer> {
  try {
    // One byte more than wanted shows that there would be more; 0 is not a valid limit.
    return await decompressBrotli(bytes, { maxOutputLength: most + 1 });
  } catch (cause) {
    throw damaged('compressed bytes do not decompress to what they should', cause);
  }
}

export async function encodeNamesBlock(
  names: readonly string[] | undefined,
): Promise<{ block: Buffer; decoded: Buffer }> {
  const decoded = encodeNames(names);
  return { block: decoded.length === 0 ? decoded : await brotli(decoded), decoded };
}

export function encodeNames(names: readonly string[] | undefined): Buffer {
  return names === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(names));
}

export function decodeNames(bytes: Buffer, count: number): string[] | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes.length > MAX_NAMES_BYTES) throw damaged('names are too long');
  let names: unknown;
  try {
    names = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw damaged('names are not JSON', cause);
  }
  if (!Array.isArray(names) || names.length !== count || !names.every((name) => typeof name === 'string')) {
    throw damaged(`expected ${count} names`);
  }
  return names;
}
