/** The bytes of an archive, piece by piece; docs/archive-format.md is the specification. */
import { TextDecoder } from 'node:util';
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import { VaeError } from '../core/errors.js';

const ARCHIVE_VERSION = 2;
export const MAGIC = Buffer.from([0x89, 0x56, 0x41, 0x45, 0x5a, 0x0d, 0x0a, 0x1a]);
const END_MAGIC = Buffer.from('VAEZ-END', 'latin1');

/** Bytes before the header's JSON. */
export const PREFIX_BYTES = 16;
export const RECORD_BYTES = 48;
export const FOOTER_BYTES = 32;
export const CHECKSUM_BYTES = 16;
export const INDEX_ENTRY_BYTES = 16;

export const MAX_HEADER_BYTES = 1 << 20;
/** An index of this many chunks is 256 MiB; more are not believed. */
export const MAX_CHUNKS = 1 << 24;
export const MAX_CHUNK_ITEMS = 1 << 20;
/** A chunk decodes to no more than this. */
export const MAX_CHUNK_BYTES = 2 ** 30;
export const MAX_NAMES_BYTES = 1 << 26;
/** An embedded model's file has no more than this. */
export const MAX_MODEL_BYTES = 2 ** 30;

/**
 * What an archive says of itself. Every kind of archive has keys of its own beside these, which the kind checks
 * (src/codecs/kinds.ts).
 */
export interface Header {
  readonly kind: string;
  /** SHA-256 of the model, in hexadecimal. Absent where no chunk needs one. */
  readonly model?: string | undefined;
  readonly [key: string]: unknown;
}

export const headerSchema = z.looseObject({ kind: z.string().regex(/^[a-z]{1,32}$/) });

/** `files` holds parts of files as they are; `header` is the header a second time. */
export const RECORD_KINDS = { chunk: 1, index: 2, model: 3, files: 4, header: 5 } as const;
export type RecordKind = keyof typeof RECORD_KINDS;
export const METHODS = { coded: 1, brotli: 2, stored: 3 } as const;
export type Method = keyof typeof METHODS;

/** What stands before each record's payload. */
export interface RecordHeader {
  readonly kind: RecordKind;
  readonly method: Method;
  readonly items: number;
  /** Bytes of the compressed names at the payload's beginning, and what they decode to. */
  readonly namesBytes: number;
  readonly namesDecoded: number;
  readonly payloadBytes: number;
  /** First half of the SHA-256 of what the payload decodes to: items, then names. */
  readonly checksum: Uint8Array;
}

export interface IndexEntry {
  readonly offset: number;
  readonly items: number;
  /** CRC-32 that ends the chunk's record header: a stale index is noticed. */
  readonly recordCrc: number;
  /** Which kind of record it is. */
  readonly kind: IndexedKind;
}

/** Records that an index names, and how it marks their number of items. */
const INDEX_MARKS = { chunk: 0, files: 2 ** 31, header: 2 ** 30 } as const;
export type IndexedKind = keyof typeof INDEX_MARKS;

export interface Footer {
  readonly indexOffset: number;
  readonly totalItems: number;
  readonly chunks: number;
}

export function damaged(what: string, cause?: unknown): VaeError {
  return new VaeError('ERR_VAE_FORMAT', `The archive is damaged: ${what}.`, { cause });
}

export function encodeHeader(header: Header): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(PREFIX_BYTES);
  MAGIC.copy(prefix);
  prefix.writeUInt16LE(ARCHIVE_VERSION, 8);
  prefix.writeUInt32LE(json.length, 12);
  const body = Buffer.concat([prefix, json]);
  return Buffer.concat([body, crcOf(body)]);
}

/** Length of the JSON, from the first PREFIX_BYTES of a file. */
export function decodePrefix(bytes: Uint8Array): number {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < PREFIX_BYTES || !view.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new VaeError('ERR_VAE_FORMAT', 'This is not a node-vae archive: it does not begin as one.');
  }
  const version = view.readUInt16LE(8);
  if (version < 1 || version > ARCHIVE_VERSION) {
    throw new VaeError(
      'ERR_VAE_REPRODUCIBILITY',
      `The archive has format version ${version}, this node-vae reads versions 1 to ${ARCHIVE_VERSION}: use a newer one.`,
    );
  }
  const length = view.readUInt32LE(12);
  if (length < 2 || length > MAX_HEADER_BYTES) throw damaged(`its header claims ${length} bytes`);
  return length;
}

/** The whole header: prefix, JSON and CRC. */
export function decodeHeader(bytes: Uint8Array): Header {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = PREFIX_BYTES + decodePrefix(bytes);
  if (view.length !== end + 4 || view.readUInt32LE(end) !== crc32(view.subarray(0, end))) {
    throw damaged('its header does not have the checksum it names');
  }
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(view.subarray(PREFIX_BYTES, end)));
  } catch (cause) {
    throw damaged('its header is not JSON', cause);
  }
  return checkedHeader(headerSchema, value);
}

/** @throws VaeError ERR_VAE_FORMAT naming the key that is wrong. */
export function checkedHeader<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw damaged(`its header's "${issue?.path.join('.')}" is wrong: ${issue?.message}`);
}

export function encodeRecord(record: RecordHeader): Buffer {
  const bytes = Buffer.alloc(RECORD_BYTES);
  bytes.writeUInt8(RECORD_KINDS[record.kind], 0);
  bytes.writeUInt8(METHODS[record.method], 1);
  bytes.writeUInt32LE(record.items, 4);
  bytes.writeUInt32LE(record.namesBytes, 8);
  bytes.writeUInt32LE(record.namesDecoded, 12);
  bytes.writeBigUInt64LE(BigInt(record.payloadBytes), 16);
  bytes.set(record.checksum, 24);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, RECORD_BYTES - 4)), RECORD_BYTES - 4);
  return bytes;
}

/** CRC-32 that ends an encoded record header. */
export function recordCrc(bytes: Uint8Array): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).readUInt32LE(RECORD_BYTES - 4);
}

/** @throws VaeError ERR_VAE_FORMAT for bytes that are no record header. `itemSize` bounds the chunk. */
export function decodeRecord(bytes: Uint8Array, itemSize: number): RecordHeader {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < RECORD_BYTES || recordCrc(view) !== crc32(view.subarray(0, RECORD_BYTES - 4))) {
    throw damaged('a record does not begin with a header');
  }
  const kind = nameOf(RECORD_KINDS, view.readUInt8(0));
  const method = nameOf(METHODS, view.readUInt8(1));
  const payloadBytes = Number(view.readBigUInt64LE(16));
  const record = {
    kind,
    method,
    items: view.readUInt32LE(4),
    namesBytes: view.readUInt32LE(8),
    namesDecoded: view.readUInt32LE(12),
    payloadBytes,
    checksum: Uint8Array.from(view.subarray(24, 24 + CHECKSUM_BYTES)),
  };
  if (view.readUInt16LE(2) !== 0 || view.readUInt32LE(40) !== 0) throw damaged('a reserved field is not zero');
  if (record.payloadBytes > 2 * MAX_CHUNK_BYTES) throw damaged(`a record claims ${payloadBytes} bytes`);
  if (record.namesBytes > payloadBytes || record.namesDecoded > MAX_NAMES_BYTES) throw damaged('names are too long');
  const holdsItems = kind === 'chunk' || kind === 'files';
  if (holdsItems && (record.items < 1 || record.items > MAX_CHUNK_ITEMS)) {
    throw damaged(`a chunk claims ${record.items} items`);
  }
  if (kind === 'chunk' && record.items * itemSize > MAX_CHUNK_BYTES) {
    throw damaged(`a chunk claims ${record.items * itemSize} bytes, more than 1 GiB`);
  }
  if (!holdsItems && (record.items !== 0 || record.namesBytes !== 0 || method === 'coded')) {
    throw damaged('a record without items claims some');
  }
  return record;
}

export function encodeIndex(entries: readonly IndexEntry[]): Buffer {
  const bytes = Buffer.alloc(entries.length * INDEX_ENTRY_BYTES);
  entries.forEach((entry, index) => {
    bytes.writeBigUInt64LE(BigInt(entry.offset), index * INDEX_ENTRY_BYTES);
    bytes.writeUInt32LE(entry.items + INDEX_MARKS[entry.kind], index * INDEX_ENTRY_BYTES + 8);
    bytes.writeUInt32LE(entry.recordCrc, index * INDEX_ENTRY_BYTES + 12);
  });
  return bytes;
}

/** Offsets rise and lie within [first, end); item counts sum to what the footer says. */
export function decodeIndex(bytes: Uint8Array, footer: Footer, first: number): IndexEntry[] {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length !== footer.chunks * INDEX_ENTRY_BYTES)
    throw damaged('its index has another length than its footer says');
  const entries: IndexEntry[] = [];
  let least = first;
  let total = 0;
  for (let at = 0; at < view.length; at += INDEX_ENTRY_BYTES) {
    const offset = Number(view.readBigUInt64LE(at));
    const marked = view.readUInt32LE(at + 8);
    const kind: IndexedKind = marked >= INDEX_MARKS.files ? 'files' : marked >= INDEX_MARKS.header ? 'header' : 'chunk';
    const items = marked - INDEX_MARKS[kind];
    if (offset < least || offset + RECORD_BYTES > footer.indexOffset)
      throw damaged('its index points outside the chunks');
    if (kind === 'header' ? items !== 0 : items < 1 || items > MAX_CHUNK_ITEMS)
      throw damaged(`its index names a chunk of ${items} items`);
    entries.push({ offset, items, recordCrc: view.readUInt32LE(at + 12), kind });
    least = offset + RECORD_BYTES;
    if (kind === 'chunk') total += items;
  }
  if (total !== footer.totalItems) throw damaged('its index and its footer differ in the number of items');
  return entries;
}

export function encodeFooter(footer: Footer): Buffer {
  const bytes = Buffer.alloc(FOOTER_BYTES);
  bytes.writeBigUInt64LE(BigInt(footer.indexOffset), 0);
  bytes.writeBigUInt64LE(BigInt(footer.totalItems), 8);
  bytes.writeUInt32LE(footer.chunks, 16);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 20)), 20);
  END_MAGIC.copy(bytes, 24);
  return bytes;
}

/** Undefined where the bytes are no footer: the archive was not finished, or lost its end. */
export function decodeFooter(bytes: Uint8Array, fileBytes: number): Footer | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length !== FOOTER_BYTES || !view.subarray(24).equals(END_MAGIC)) return undefined;
  if (view.readUInt32LE(20) !== crc32(view.subarray(0, 20))) return undefined;
  const footer = {
    indexOffset: Number(view.readBigUInt64LE(0)),
    totalItems: Number(view.readBigUInt64LE(8)),
    chunks: view.readUInt32LE(16),
  };
  const end = footer.indexOffset + RECORD_BYTES + footer.chunks * INDEX_ENTRY_BYTES + FOOTER_BYTES;
  return footer.chunks <= MAX_CHUNKS && end === fileBytes ? footer : undefined;
}

function nameOf<T extends Readonly<Record<string, number>>>(table: T, code: number): keyof T & string {
  const found = Object.keys(table).find((name) => table[name] === code);
  if (found === undefined) throw damaged(`a record has the unknown kind or method ${code}`);
  return found;
}

function crcOf(bytes: Uint8Array): Buffer {
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(crc32(bytes));
  return crc;
}
