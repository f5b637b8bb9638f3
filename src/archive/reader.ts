/** Reads an archive: header, index, any record by its place. */

import { VaeError } from '../core/errors.js';
import type { ByteSource } from './bytes.js';
import { checksumOf, hasChecksum, inflate } from './chunk.js';
import {
  damaged,
  decodeFooter,
  decodeHeader,
  decodeIndex,
  decodePrefix,
  decodeRecord,
  FOOTER_BYTES,
  type Footer,
  type Header,
  INDEX_ENTRY_BYTES,
  type IndexEntry,
  MAGIC,
  MAX_CHUNKS,
  MAX_HEADER_BYTES,
  MAX_MODEL_BYTES,
  PREFIX_BYTES,
  RECORD_BYTES,
  type RecordHeader,
  recordCrc,
} from './format.js';

/** What a kind of archive makes of its header: checks it, and tells the size of an item (0 where that differs). */
export type HeaderReader<H extends Header = Header> = (header: Header) => {
  readonly header: H;
  readonly itemSize: number;
};

export interface ArchiveLayout<H extends Header = Header> {
  readonly header: H;
  readonly itemSize: number;
  readonly chunks: readonly IndexEntry[];
  /** Records of files that are kept as they are. */
  readonly files: readonly IndexEntry[];
  /** False for an archive without its end: interrupted, or cut off. The chunks are those found whole. */
  readonly complete: boolean;
  /** Where the last whole record ends: what follows may be overwritten. */
  readonly end: number;
  /** Where an embedded model's record begins. */
  readonly modelOffset: number | undefined;
  /** Why the header could not be read where it stands first; it is the copy from the archive's end then. */
  readonly headerLost: string | undefined;
  /** Where another archive begins: two were written one behind the other. */
  readonly next: number | undefined;
}

export interface ReadOptions {
  /** Read what can be read: the header's copy, and records behind damage. Default false. */
  readonly salvage?: boolean | undefined;
}

/** The header, and where the first record begins. */
async function readHeader(
  source: ByteSource,
  { salvage = false }: ReadOptions = {},
): Promise<{ header: Header; first: number; headerLost: string | undefined }> {
  try {
    const jsonBytes = decodePrefix(await source.read(0, Math.min(PREFIX_BYTES, source.length)));
    const first = PREFIX_BYTES + jsonBytes + 4;
    return { header: decodeHeader(await source.read(0, first)), first, headerLost: undefined };
  } catch (error) {
    if (!(error instanceof VaeError) || error.code === 'ERR_VAE_IO') throw error;
    const copy = await headerCopy(source).catch(() => undefined);
    if (copy === undefined) throw error;
    if (salvage) return { header: decodeHeader(copy), first: copy.length, headerLost: error.message };
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `The beginning of the archive is damaged (${error.message.replace(/\.$/, '')}); its end has a whole copy of the header. Use salvage (--salvage) to unpack by that.`,
      { cause: error },
    );
  }
}

/** Reads the header and the index; without an index, looks for whole chunks from the beginning. */
export async function readLayout<H extends Header>(
  source: ByteSource,
  read: HeaderReader<H>,
  options: ReadOptions = {},
): Promise<ArchiveLayout<H>> {
  const found = await readHeader(source, options);
  const { first, headerLost } = found;
  const { header, itemSize } = read(found.header);
  const known = { header, itemSize, headerLost };
  const footer = await readFooter(source);
  const index = footer && footer.indexOffset >= first ? await readIndex(source, footer, first) : undefined;
  if (footer === undefined || index === undefined)
    return { ...known, ...(await scan(source, itemSize, first, options)) };
  return {
    ...known,
    chunks: index.filter(({ kind }) => kind === 'chunk'),
    files: index.filter(({ kind }) => kind === 'files'),
    complete: true,
    end: source.length,
    modelOffset: await findModel(source, first, footer.indexOffset, itemSize),
    next: undefined,
  };
}

async function readFooter(source: ByteSource): Promise<Footer | undefined> {
  if (source.length < PREFIX_BYTES + FOOTER_BYTES) return undefined;
  return decodeFooter(await source.read(source.length - FOOTER_BYTES, FOOTER_BYTES), source.length);
}

/** Undefined where it is damaged. */
async function readIndex(source: ByteSource, footer: Footer, first: number): Promise<IndexEntry[] | undefined> {
  let record: RecordHeader;
  try {
    record = decodeRecord(await source.read(footer.indexOffset, RECORD_BYTES), 0);
  } catch (error) {
    if (error instanceof VaeError && error.code === 'ERR_VAE_FORMAT') return undefined;
    throw error;
  }
  const payload = await source.read(footer.indexOffset + RECORD_BYTES, footer.chunks * INDEX_ENTRY_BYTES);
  if (record.kind !== 'index' || !hasChecksum(record.checksum, payload)) return undefined;
  return decodeIndex(payload, footer, first);
}

/** The header's bytes from its second place. */
async function headerCopy(source: ByteSource): Promise<Uint8Array | undefined> {
  const footer = await readFooter(source);
  if (footer === undefined) return undefined;
  const entry = (await readIndex(source, footer, 0))?.findLast(({ kind }) => kind === 'header');
  if (entry === undefined) return undefined;
  const record = await readRecordHeader(source, 0, entry);
  const header = await inflate(await source.read(entry.offset + RECORD_BYTES, record.payloadBytes), MAX_HEADER_BYTES);
  return hasChecksum(record.checksum, header) ? header : undefined;
}

/** Whole records from the beginning, until something else comes. */
async function scan(source: ByteSource, itemSize: number, first: number, { salvage = false }: ReadOptions) {
  const chunks: IndexEntry[] = [];
  const files: IndexEntry[] = [];
  let modelOffset: number | undefined;
  let next: number | undefined;
  let offset = first;
  let end = first;
  let closed = false;
  while (offset + RECORD_BYTES <= source.length && chunks.length + files.length < MAX_CHUNKS) {
    const bytes = await source.read(offset, RECORD_BYTES);
    if (MAGIC.equals(bytes.subarray(0, MAGIC.length))) {
      next = offset;
      break;
    }
    const record = tryRecord(bytes, itemSize);
    const behind = record && offset + RECORD_BYTES + record.payloadBytes + (record.kind === 'index' ? FOOTER_BYTES : 0);
    if (record === undefined || behind === undefined || behind > source.length) {
      const found = salvage ? await nextRecord(source, itemSize, offset + 1) : undefined;
      if (found === undefined) break;
      offset = found;
      continue;
    }
    closed = record.kind === 'index';
    const entry = { offset, items: record.items, recordCrc: recordCrc(bytes) };
    if (record.kind === 'chunk') chunks.push({ ...entry, kind: 'chunk' });
    if (record.kind === 'files') files.push({ ...entry, kind: 'files' });
    if (record.kind === 'model') modelOffset ??= offset;
    offset = behind;
    end = behind;
  }
  // One that ends where another begins was finished.
  return { chunks, files, complete: next !== undefined && closed, end, modelOffset, next };
}

function tryRecord(bytes: Uint8Array, itemSize: number): RecordHeader | undefined {
  try {
    return decodeRecord(bytes, itemSize);
  } catch {
    return undefined;
  }
}

/** Where the next record begins behind damage. */
async function nextRecord(source: ByteSource, itemSize: number, from: number): Promise<number | undefined> {
  const step = 1 << 20;
  for (let start = from; start + RECORD_BYTES <= source.length; start += step) {
    const bytes = await source.read(start, Math.min(step + RECORD_BYTES - 1, source.length - start));
    for (let at = 0; at + RECORD_BYTES <= bytes.length; at += 1) {
      // Most places are passed over by bytes that are zero in every record header.
      if (bytes[at + 2] !== 0 || bytes[at + 3] !== 0 || bytes[at + 40] !== 0 || bytes[at + 41] !== 0) continue;
      const record = tryRecord(bytes.subarray(at, at + RECORD_BYTES), itemSize);
      if (record !== undefined && start + at + RECORD_BYTES + record.payloadBytes <= source.length) return start + at;
    }
  }
  return undefined;
}

/** An embedded model is the first record. */
async function findModel(
  source: ByteSource,
  first: number,
  end: number,
  itemSize: number,
): Promise<number | undefined> {
  if (first + RECORD_BYTES > end) return undefined;
  // Where it is damaged, reading the first chunk will say so.
  return tryRecord(await source.read(first, RECORD_BYTES), itemSize)?.kind === 'model' ? first : undefined;
}

/** The embedded model's file. */
export async function readModel(source: ByteSource, offset: number): Promise<Uint8Array> {
  const record = decodeRecord(await source.read(offset, RECORD_BYTES), 1);
  const payload = await source.read(offset + RECORD_BYTES, record.payloadBytes);
  const file = await inflate(payload, MAX_MODEL_BYTES);
  if (!Buffer.from(checksumOf(file)).equals(record.checksum)) throw damaged('the model within it is damaged');
  return file;
}

/** A record's names block, decompressed, and its header: what is known of it without decoding what it holds. */
export async function readNames(
  source: ByteSource,
  itemSize: number,
  entry: IndexEntry,
): Promise<{ record: RecordHeader; names: Buffer }> {
  const record = await readRecordHeader(source, itemSize, entry);
  const { namesBytes, namesDecoded } = record;
  if (namesBytes === 0) return { record, names: Buffer.alloc(0) };
  const block = await source.read(entry.offset + RECORD_BYTES, namesBytes);
  const names = await inflate(block, namesDecoded);
  if (names.length !== namesDecoded) throw damaged('names have another length than they say');
  return { record, names };
}

/** A record as it is stored. */
export async function readRecord(
  source: ByteSource,
  itemSize: number,
  entry: IndexEntry,
): Promise<{ record: RecordHeader; payload: Uint8Array }> {
  const record = await readRecordHeader(source, itemSize, entry);
  return { record, payload: await source.read(entry.offset + RECORD_BYTES, record.payloadBytes) };
}

async function readRecordHeader(source: ByteSource, itemSize: number, entry: IndexEntry): Promise<RecordHeader> {
  const bytes = await source.read(entry.offset, RECORD_BYTES);
  const record = decodeRecord(bytes, itemSize);
  if (record.kind !== entry.kind || record.items !== entry.items || recordCrc(bytes) !== entry.recordCrc) {
    throw damaged('a chunk is not the one its index names');
  }
  return record;
}
