/**
 * The compact forms of a small archive of one record that the model did not code: some 30 bytes around it instead of
 * 400. They stand for a whole archive, and are read as the one that they expand to.
 */
import { crc32 } from 'node:zlib';
import { brotli, checksumOf, inflate } from './chunk.js';
import {
  checkedHeader,
  damaged,
  encodeFooter,
  encodeHeader,
  encodeIndex,
  encodeRecord,
  type Header,
  headerSchema,
  MAX_CHUNK_ITEMS,
  MAX_NAMES_BYTES,
  METHODS,
  recordCrc,
} from './format.js';
import { readVarint, varint } from './varint.js';

/** 0x89, `VZ`, SUB: items. 0x89, `VZ`, ESC: files. No other form begins like these. */
const ITEMS_MAGIC = Buffer.from([0x89, 0x56, 0x5a, 0x1a]);
const FILES_MAGIC = Buffer.from([0x89, 0x56, 0x5a, 0x1b]);
export const COMPACT_MAGIC_BYTES = ITEMS_MAGIC.length;
/** Larger archives gain nothing from it. */
export const MOST_COMPACT_BYTES = 1 << 16;
const MOST_SHAPE_AXES = 8;
const MOST_HEADER_BYTES = 1 << 12;

/** What the compact form keeps of a header. */
export interface CompactShape {
  readonly itemShape: readonly number[];
  readonly rowShape: readonly number[];
  readonly name: string;
}

/** A kind of archive whose items have a compact form. */
export interface CompactKind {
  readonly kind: string;
  /** 0 to 15; part of the format. */
  readonly code: number;
  toShape(header: Header, data: Uint8Array): CompactShape;
  fromShape(shape: CompactShape): Header;
}

export interface RecordContent {
  readonly count: number;
  /** The names block, decompressed. */
  readonly names: Buffer;
  readonly data: Uint8Array;
}

export function isCompact(start: Uint8Array): boolean {
  const magic = start.subarray(0, COMPACT_MAGIC_BYTES);
  return ITEMS_MAGIC.equals(magic) || FILES_MAGIC.equals(magic);
}

/** A chunk of items, or undefined where the kind has no such form. */
export async function encodeCompactItems(
  header: Header,
  { count, names, data }: RecordContent,
  kinds: readonly CompactKind[],
): Promise<Buffer | undefined> {
  const compact = kinds.find(({ kind }) => kind === header.kind);
  if (compact === undefined) return undefined;
  const [method, content] = await shorter(Buffer.concat([names, data]));
  const { itemShape, rowShape, name } = compact.toShape(header, data);
  const text = Buffer.from(name);
  return sealed([
    ITEMS_MAGIC,
    Buffer.of((method << 4) | compact.code),
    ...[count, itemShape.length, ...itemShape, rowShape.length, ...rowShape, text.length].map(varint),
    text,
    varint(names.length),
    content,
  ]);
}

/** A record of files: the header's JSON without its model, the record's names, the bytes. */
export async function encodeCompactFiles(
  { model: _, ...header }: Header,
  { count, names, data }: RecordContent,
): Promise<Buffer> {
  const json = Buffer.from(JSON.stringify(header));
  const [method, content] = await shorter(Buffer.concat([json, names, data]));
  return sealed([
    FILES_MAGIC,
    Buffer.of(method << 4),
    ...[count, json.length, names.length, data.length].map(varint),
    content,
  ]);
}

async function shorter(content: Buffer): Promise<[method: number, bytes: Buffer]> {
  const general = await brotli(content, 11);
  return general.length < content.length ? [METHODS.brotli, general] : [METHODS.stored, content];
}

function sealed(pieces: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(pieces);
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(crc32(body));
  return Buffer.concat([body, crc]);
}

/**
 * The archive that a compact one stands for. `model` is what it will say of itself, so that chunks of
 * that model can be added.
 *
 * @throws VaeError ERR_VAE_FORMAT
 */
export async function expandCompact(bytes: Uint8Array, kinds: readonly CompactKind[], model?: string): Promise<Buffer> {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!isCompact(view) || view.length < COMPACT_MAGIC_BYTES + 8) throw damaged('it ends too early');
  const end = view.length - 4;
  if (view.readUInt32LE(end) !== crc32(view.subarray(0, end))) throw damaged('it does not have the checksum it names');
  const method = view[COMPACT_MAGIC_BYTES]! >> 4;
  if (method !== METHODS.brotli && method !== METHODS.stored) throw damaged('it is of an unknown kind');
  const known = model === undefined ? {} : { model };
  const isItems = ITEMS_MAGIC.equals(view.subarray(0, COMPACT_MAGIC_BYTES));
  return isItems ? expandItems(view, end, method, kinds, known) : expandFiles(view, end, method, known);
}

async function expandItems(
  view: Buffer,
  end: number,
  method: number,
  kinds: readonly CompactKind[],
  known: { model?: string },
): Promise<Buffer> {
  const cursor = { at: COMPACT_MAGIC_BYTES + 1 };
  const next = (most: number): number => readVarint(view, cursor, end, most);
  const compact = kinds.find(({ code }) => code === (view[COMPACT_MAGIC_BYTES]! & 15));
  if (compact === undefined) throw damaged('it is of an unknown kind');
  const count = next(MAX_CHUNK_ITEMS);
  const shape = (): number[] => Array.from({ length: next(MOST_SHAPE_AXES) }, () => next(MOST_COMPACT_BYTES));
  const [itemShape, rowShape] = [shape(), shape()];
  const nameBytes = next(1024);
  const name = view.toString('utf8', cursor.at, cursor.at + nameBytes);
  cursor.at += nameBytes;
  const namesBytes = next(Math.min(MAX_NAMES_BYTES, 64 * MOST_COMPACT_BYTES));
  if (count < 1 || cursor.at > end) throw damaged('it ends too early');
  const size = count * itemShape.reduce((product, dim) => product * dim, 1);
  if (size > MOST_COMPACT_BYTES) throw damaged(`it claims ${size} bytes`);
  const content = await contentOf(view.subarray(cursor.at, end), method, namesBytes + size);
  const header = { ...known, ...compact.fromShape({ itemShape, rowShape, name }) };
  return wholeArchive(header, 'chunk', count, content.subarray(namesBytes), content.subarray(0, namesBytes));
}

async function expandFiles(view: Buffer, end: number, method: number, known: { model?: string }): Promise<Buffer> {
  const cursor = { at: COMPACT_MAGIC_BYTES + 1 };
  const next = (most: number): number => readVarint(view, cursor, end, most);
  const count = next(MAX_CHUNK_ITEMS);
  const jsonBytes = next(MOST_HEADER_BYTES);
  const namesBytes = next(Math.min(MAX_NAMES_BYTES, 64 * MOST_COMPACT_BYTES));
  const size = next(MOST_COMPACT_BYTES);
  if (count < 1 || cursor.at > end) throw damaged('it ends too early');
  const content = await contentOf(view.subarray(cursor.at, end), method, jsonBytes + namesBytes + size);
  let header: unknown;
  try {
    header = JSON.parse(content.toString('utf8', 0, jsonBytes));
  } catch (cause) {
    throw damaged('its header is not JSON', cause);
  }
  const names = content.subarray(jsonBytes, jsonBytes + namesBytes);
  const data = content.subarray(jsonBytes + namesBytes);
  return wholeArchive({ ...checkedHeader(headerSchema, header), ...known }, 'files', count, data, names);
}

async function contentOf(payload: Buffer, method: number, expected: number): Promise<Buffer> {
  const content = method === METHODS.brotli ? await inflate(payload, expected) : payload;
  if (content.length !== expected) throw damaged(`it holds ${content.length} bytes, not ${expected}`);
  return content;
}

/** Header, one stored record, index, footer. */
async function wholeArchive(
  header: Header,
  kind: 'chunk' | 'files',
  items: number,
  data: Buffer,
  names: Buffer,
): Promise<Buffer> {
  const begin = encodeHeader(header);
  const block = names.length === 0 ? names : await brotli(names);
  const record = encodeRecord({
    ...{ kind, method: 'stored', items, namesBytes: block.length, namesDecoded: names.length },
    payloadBytes: block.length + data.length,
    checksum: checksumOf(data, names),
  });
  const index = encodeIndex([{ offset: begin.length, items, recordCrc: recordCrc(record), kind }]);
  const indexRecord = encodeRecord({
    ...{ kind: 'index', method: 'stored', items: 0, namesBytes: 0, namesDecoded: 0 },
    payloadBytes: index.length,
    checksum: checksumOf(index),
  });
  const indexOffset = begin.length + record.length + block.length + data.length;
  const footer = encodeFooter({ indexOffset, totalItems: kind === 'chunk' ? items : 0, chunks: 1 });
  return Buffer.concat([begin, record, block, data, indexRecord, index, footer]);
}
