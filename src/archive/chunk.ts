/** Records of archives: names, the choice of method, the checksum. */
import { createHash } from 'node:crypto';
import { promisify, TextDecoder } from 'node:util';
import { brotliCompress, brotliDecompress, constants } from 'node:zlib';
import { refuseOutOfMemory } from '../core/memory.js';
import { CHECKSUM_BYTES, damaged, encodeRecord, MAX_NAMES_BYTES, type Method, type RecordHeader } from './format.js';

const compressBrotli = promisify(brotliCompress);
const decompressBrotli = promisify(brotliDecompress);

/** Quick, and enough to notice data that the model does not fit at all. */
export const FALLBACK_QUALITY = 5;
const TEXT_QUALITY = 9;
/** Two to three times as fast as the usual quality, and rarely a fifth longer. */
const LOOK_QUALITY = 3;
/** What the usual way makes of what the quick look makes, at the best; what is nearly nothing is left out of this. */
const HOPE = 0.71;
const NEARLY_NOTHING = 0.05;

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

/** Whether bytes have this checksum. */
export function hasChecksum(checksum: Uint8Array, ...parts: readonly Uint8Array[]): boolean {
  return Buffer.from(checksumOf(...parts)).equals(checksum);
}

/** What a record is made of. */
export interface RecordParts {
  readonly kind: 'chunk' | 'files';
  readonly items: number;
  /** The names block when it is decompressed. */
  readonly names: Buffer;
  /** What the checksum covers before the names. */
  readonly checked: readonly Uint8Array[];
  /** The payload by each method that was tried: the shortest is taken, the first of equals. */
  readonly candidates: readonly (readonly [Method, Uint8Array])[];
}

export async function makeRecord({ kind, items, names, checked, candidates }: RecordParts): Promise<EncodedRecord> {
  const block = names.length === 0 ? names : await brotli(names);
  const [method, data] = candidates.reduce((best, next) => (next[1].length < best[1].length ? next : best));
  const header: RecordHeader = {
    ...{ kind, method, items, namesBytes: block.length, namesDecoded: names.length },
    payloadBytes: block.length + data.length,
    checksum: checksumOf(...checked, names),
  };
  return { header, bytes: Buffer.concat([encodeRecord(header), block, data]) };
}

/** The decompressed names block of a record, and what follows it. */
export async function splitPayload(
  { namesBytes, namesDecoded }: RecordHeader,
  payload: Uint8Array,
): Promise<{ names: Buffer; data: Uint8Array }> {
  const names = namesBytes === 0 ? Buffer.alloc(0) : await inflate(payload.subarray(0, namesBytes), namesDecoded);
  if (names.length !== namesDecoded) throw damaged('names have another length than they say');
  return { names, data: payload.subarray(namesBytes) };
}

/** What a payload that no model coded decodes to, of exactly so many bytes. */
export async function plainData(method: Method, data: Uint8Array, expected: number): Promise<Uint8Array> {
  const decoded = method === 'brotli' ? await inflate(data, expected) : data;
  if (decoded.length !== expected) throw damaged(`a chunk holds ${decoded.length} bytes, expected ${expected}`);
  return decoded;
}

/** @throws VaeError ERR_VAE_FORMAT unless what was decoded is what was written. */
export function checkDecoded({ checksum }: RecordHeader, ...parts: readonly Uint8Array[]): void {
  if (hasChecksum(checksum, ...parts)) return;
  throw damaged('decoded bytes do not have the checksum that was written with them');
}

export function brotli(bytes: Uint8Array, quality = TEXT_QUALITY): Promise<Buffer> {
  return compressBrotli(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: quality, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  });
}

/** Bytes by the usual quality; undefined where a quick look shows that they would not come to less than `best`. */
export async function hopefulBrotli(bytes: Uint8Array, best: number): Promise<Buffer | undefined> {
  const look = await brotli(bytes, LOOK_QUALITY);
  const hopeless = look.length > NEARLY_NOTHING * bytes.length && HOPE * look.length > best;
  return hopeless ? undefined : brotli(bytes, FALLBACK_QUALITY);
}

/** Stops at `most` bytes, whatever the compressed bytes would become. */
export async function inflate(bytes: Uint8Array, most: number): Promise<Buffer> {
  try {
    // One byte more than wanted shows that there would be more; 0 is not a valid limit.
    return await decompressBrotli(bytes, { maxOutputLength: most + 1 });
  } catch (cause) {
    refuseOutOfMemory(cause, 'Decompressing a chunk');
    throw damaged('compressed bytes do not decompress to what they should', cause);
  }
}

export function encodeNames(names: readonly string[] | undefined): Buffer {
  return names === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(names));
}

export function decodeNames(bytes: Buffer, count: number): string[] | undefined {
  if (bytes.length === 0) return undefined;
  const names = parseNames(bytes);
  if (!Array.isArray(names) || names.length !== count || !names.every((name) => typeof name === 'string')) {
    throw damaged(`expected ${count} names`);
  }
  return names;
}

/** The JSON of a names block. */
export function parseNames(bytes: Buffer): unknown {
  if (bytes.length > MAX_NAMES_BYTES) throw damaged('names are too long');
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw damaged('names are not JSON', cause);
  }
}
