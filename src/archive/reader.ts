/** Reads an archive: header, index, any chunk by its number. */

import type { Codec } from '../codecs/lossless/codec.js';
import { MAX_CODEC_BYTES } from '../codecs/lossless/codec-model.js';
import { VaeError } from '../core/errors.js';
import type { ByteSource } from './bytes.js';
import { type ChunkItems, checksumOf, decodeChunk, inflate } from './chunk.js';
import {
  type AnyHeader,
  type ArchiveHeader,
  damaged,
  decodeFooter,
  decodeHeader,
  decodeIndex,
  decodePrefix,
  decodeRecord,
  FOOTER_BYTES,
  INDEX_ENTRY_BYTES,
  type IndexEntry,
  itemSizeOf,
  MAX_CHUNKS,
  PREFIX_BYTES,
  RECORD_BYTES,
  type RecordHeader,
  recordCrc,
} from './format.js';

export interface ArchiveLayout<Header extends AnyHeader = AnyHeader> {
  readonly header: Header;
  readonly chunks: readonly IndexEntry[];
  /** False for an archive without its end: interrupted, or cut off. The chunks are those found whole. */
  readonly complete: boolean;
  /** Where the last whole record ends: what follows may be overwritten. */
  readonly end: number;
  /** Where an embedded model's record begins. */
  readonly modelOffset: number | undefined;
}

/** The header, and where the first record begins. */
export async function readHeader(source: ByteSource): Promise<{ header: AnyHeader; first: number }> {
  const jsonBytes = decodePrefix(await source.read(0, Math.min(PREFIX_BYTES, source.length)));
  const first = PREFIX_BYTES + jsonBytes + 4;
  return { header: decodeHeader(await source.read(0, first)), first };
}

/** Reads the header and the index; without an index, looks for whole chunks from the beginning. */
export async function readLayout(source: ByteSource): Promise<ArchiveLayout> {
  const { header, first } = await readHeader(source);
  const itemSize = itemSizeOf(header);
  const footer =
    source.length >= first + FOOTER_BYTES
      ? decodeFooter(await source.read(source.length - FOOTER_BYTES, FOOTER_BYTES), source.length)
      : undefined;
  if (footer === undefined || footer.indexOffset < first) return scan(source, header, first);
  const modelOffset = await findModel(source, first, footer.indexOffset, itemSize);
  const record = decodeRecord(await source.read(footer.indexOffset, RECORD_BYTES), itemSize);
  const payload = await source.read(footer.indexOffset + RECORD_BYTES, footer.chunks * INDEX_ENTRY_BYTES);
  if (record.kind !== 'index' || !Buffer.from(checksumOf(payload)).equals(record.checksum)) {
    return scan(source, header, first);
  }
  const chunks = decodeIndex(payload, footer, first);
  return { header, chunks, complete: true, end: source.length, modelOffset };
}

/** @throws VaeError ERR_VAE_FORMAT for an archive of pictures with loss, or of sounds. */
export function itemsLayout(layout: ArchiveLayout): ArchiveLayout<ArchiveHeader> {
  const { header } = layout;
  if (header.kind !== 'pictures' && header.kind !== 'sounds') return { ...layout, header };
  const [what, how] =
    header.kind === 'sounds' ? ['sounds', 'openSounds()'] : ['pictures compressed with loss', 'openPictures()'];
  throw new VaeError(
    'ERR_VAE_FORMAT',
    `The archive holds ${what}: open it with ${how}, or unpack it with decompress().`,
  );
}

/** Whole records from the beginning, until something else comes. */
async function scan(source: ByteSource, header: AnyHeader, first: number): Promise<ArchiveLayout> {
  const chunks: IndexEntry[] = [];
  let modelOffset: number | undefined;
  let offset = first;
  while (offset + RECORD_BYTES <= source.length && chunks.length < MAX_CHUNKS) {
    const bytes = await source.read(offset, RECORD_BYTES);
    let record: RecordHeader;
    try {
      record = decodeRecord(bytes, itemSizeOf(header));
    } catch {
      break;
    }
    const next = offset + RECORD_BYTES + record.payloadBytes + (record.kind === 'index' ? FOOTER_BYTES : 0);
    if (next > source.length) break;
    if (record.kind === 'chunk') chunks.push({ offset, items: record.items, recordCrc: recordCrc(bytes) });
    if (record.kind === 'model') modelOffset ??= offset;
    offset = next;
  }
  return { header, chunks, complete: false, end: offset, modelOffset };
}

/** An embedded model is the first record. */
async function findModel(
  source: ByteSource,
  first: number,
  end: number,
  itemSize: number,
): Promise<number | undefined> {
  if (first + RECORD_BYTES > end) return undefined;
  try {
    return decodeRecord(await source.read(first, RECORD_BYTES), itemSize).kind === 'model' ? first : undefined;
  } catch {
    return undefined; // the first chunk is damaged; reading it will say so
  }
}

/** The embedded model's file. */
export async function readModel(source: ByteSource, offset: number): Promise<Uint8Array> {
  const record = decodeRecord(await source.read(offset, RECORD_BYTES), 1);
  const payload = await source.read(offset + RECORD_BYTES, record.payloadBytes);
  const file = await inflate(payload, MAX_CODEC_BYTES);
  if (!Buffer.from(checksumOf(file)).equals(record.checksum)) throw damaged('the model within it is damaged');
  return file;
}

/** @throws VaeError ERR_VAE_FORMAT when the chunk is damaged. */
export async function readChunk(
  source: ByteSource,
  header: ArchiveHeader,
  entry: IndexEntry,
  codec: Codec | undefined,
  signal?: AbortSignal,
): Promise<ChunkItems> {
  const itemSize = itemSizeOf(header);
  const { record, payload } = await readChunkRecord(source, itemSize, entry);
  return decodeChunk(codec, record, payload, itemSize, signal);
}

/** What a chunk decodes to, told without decoding its items: their checksum, and the names it covers. */
export async function readChunkChecksum(
  source: ByteSource,
  itemSize: number,
  entry: IndexEntry,
): Promise<{ checksum: Uint8Array; names: Uint8Array }> {
  const record = await readChunkHeader(source, itemSize, entry);
  const { checksum, namesBytes, namesDecoded } = record;
  if (namesBytes === 0) return { checksum, names: new Uint8Array(0) };
  const block = await source.read(entry.offset + RECORD_BYTES, namesBytes);
  return { checksum, names: await inflate(block, namesDecoded) };
}

/** A chunk as it is stored. */
export async function readChunkRecord(
  source: ByteSource,
  itemSize: number,
  entry: IndexEntry,
): Promise<{ record: RecordHeader; payload: Uint8Array }> {
  const record = await readChunkHeader(source, itemSize, entry);
  return { record, payload: await source.read(entry.offset + RECORD_BYTES, record.payloadBytes) };
}

async function readChunkHeader(source: ByteSource, itemSize: number, entry: IndexEntry): Promise<RecordHeader> {
  const bytes = await source.read(entry.offset, RECORD_BYTES);
  const record = decodeRecord(bytes, itemSize);
  if (record.kind !== 'chunk' || record.items !== entry.items || recordCrc(bytes) !== entry.recordCrc) {
    throw damaged('a chunk is not the one its index names');
  }
  return record;
}
