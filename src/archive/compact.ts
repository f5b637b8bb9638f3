/**
 * The compact forms of small archives: some 30 bytes around one record that the model did not code, some 100 around any,
 * instead of 400 and more. They stand for a whole archive, and are read as the one that they expand to.
 */
import { crc32 } from 'node:zlib';
import { brotli, checksumOf, inflate } from './chunk.js';
import {
  CHECKSUM_BYTES,
  checkedHeader,
  damaged,
  decodeRecord,
  encodeFooter,
  encodeHeader,
  encodeIndex,
  encodeRecord,
  type Header,
  headerSchema,
  type IndexEntry,
  MAX_CHUNK_ITEMS,
  MAX_NAMES_BYTES,
  METHODS,
  type Method,
  RECORD_BYTES,
  RECORD_KINDS,
  type RecordHeader,
  recordCrc,
} from './format.js';
import { readVarint, varint } from './varint.js';

/** What all forms begin with; the byte that follows tells which it is. */
const START = [0x89, 0x56, 0x5a] as const;
const FORMS = { items: 0x1a, files: 0x1b, few: 0x1c } as const;
/** Forms that a kind of archive has for itself: from this one on, up to 15 more. */
export const OWN_FORMS = 0x20;
const ITEMS_MAGIC = magicOf(FORMS.items);
const FILES_MAGIC = magicOf(FORMS.files);
export const COMPACT_MAGIC_BYTES = START.length + 1;
/** Larger archives gain nothing from it. */
export const MOST_COMPACT_BYTES = 1 << 16;
const MOST_SHAPE_AXES = 8;
const MOST_HEADER_BYTES = 1 << 12;
/** Records of an archive of several; more have little to gain. */
const MOST_FEW = 64;
const MOST_CODING = 1 << 16;

/** What the compact form keeps of a header. */
export interface CompactShape {
  readonly itemShape: readonly number[];
  readonly rowShape: readonly number[];
  readonly name: string;
}

/** A kind of archive that has compact forms. */
export type CompactKind = CompactItems | CompactRecords;

/** One whose items have a compact form. */
export interface CompactItems {
  readonly kind: string;
  /** 0 to 15; part of the format. */
  readonly code: number;
  toShape(header: Header, data: Uint8Array): CompactShape;
  fromShape(shape: CompactShape): Header;
}

/** One whose records have compact forms. */
export interface CompactRecords {
  readonly kind: string;
  /** Forms of its own, from OWN_FORMS on; part of the format. */
  readonly forms: readonly number[];
  /** Of an archive of one record, in a form of its own; undefined where there is none, or none that is shorter. */
  encode(header: Header, record: StoredRecord): Promise<Buffer | undefined>;
  /** @throws VaeError ERR_VAE_FORMAT */
  expand(bytes: Buffer): Promise<{ readonly header: Header; readonly record: StoredRecord }>;
  /** A header that names no model where no record needs one. */
  withoutModel(header: Header): Header;
}

/** A record as it stands in an archive. */
export interface StoredRecord {
  readonly header: RecordHeader;
  readonly payload: Uint8Array;
}

export interface RecordContent {
  readonly count: number;
  /** The names block, decompressed. */
  readonly names: Buffer;
  readonly data: Uint8Array;
}

export function isCompact(start: Uint8Array): boolean {
  if (start.length < COMPACT_MAGIC_BYTES || START.some((byte, at) => start[at] !== byte)) return false;
  const form = start[START.length]!;
  return (form & 0xf0) === OWN_FORMS || Object.values(FORMS).some((known) => known === form);
}

export function magicOf(form: number): Buffer {
  return Buffer.from([...START, form]);
}

/** A chunk of items, or undefined where the kind has no such form. */
export async function encodeCompactItems(
  header: Header,
  { count, names, data }: RecordContent,
  kinds: readonly CompactKind[],
): Promise<Buffer | undefined> {
  const compact = kinds.find(({ kind }) => kind === header.kind);
  if (compact === undefined || 'forms' in compact) return undefined;
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

/** A record of files: the header's JSON without what it says of a model, the record's names, the bytes. */
export async function encodeCompactFiles(
  { model: _, coding: __, ...header }: Header,
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

/** What an archive will say of its model, so that chunks of that can be added: keys of its header. */
export type KnownModel = Readonly<Record<string, string | number>>;

/**
 * The archive that a compact one stands for.
 *
 * @param known what it will say of its model where it names none.
 * @throws VaeError ERR_VAE_FORMAT
 */
export async function expandCompact(
  bytes: Uint8Array,
  kinds: readonly CompactKind[],
  known: KnownModel = {},
): Promise<Buffer> {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!isCompact(view) || view.length < COMPACT_MAGIC_BYTES + 8) throw damaged('it ends too early');
  const form = view[START.length]!;
  if (form === FORMS.few) return expandFew(view, known);
  if ((form & 0xf0) === OWN_FORMS) {
    const own = kinds.find((kind) => 'forms' in kind && kind.forms.includes(form)) as CompactRecords | undefined;
    if (own === undefined) throw damaged('it is of an unknown kind');
    const { header, record } = await own.expand(view);
    return archiveOf({ ...header, ...known }, [record]);
  }
  const end = view.length - 4;
  if (view.readUInt32LE(end) !== crc32(view.subarray(0, end))) throw damaged('it does not have the checksum it names');
  const method = view[COMPACT_MAGIC_BYTES]! >> 4;
  if (method !== METHODS.brotli && method !== METHODS.stored) throw damaged('it is of an unknown kind');
  const isItems = ITEMS_MAGIC.equals(view.subarray(0, COMPACT_MAGIC_BYTES));
  return isItems ? expandItems(view, end, method, kinds, known) : expandFiles(view, end, method, known);
}

async function expandItems(
  view: Buffer,
  end: number,
  method: number,
  kinds: readonly CompactKind[],
  known: KnownModel,
): Promise<Buffer> {
  const cursor = { at: COMPACT_MAGIC_BYTES + 1 };
  const next = (most: number): number => readVarint(view, cursor, end, most);
  const code = view[COMPACT_MAGIC_BYTES]! & 15;
  const compact = kinds.find((kind) => 'code' in kind && kind.code === code) as CompactItems | undefined;
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

async function expandFiles(view: Buffer, end: number, method: number, known: KnownModel): Promise<Buffer> {
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
  const block = names.length === 0 ? names : await brotli(names);
  const record: RecordHeader = {
    ...{ kind, method: 'stored', items, namesBytes: block.length, namesDecoded: names.length },
    payloadBytes: block.length + data.length,
    checksum: checksumOf(data, names),
  };
  return archiveOf(header, [{ header: record, payload: Buffer.concat([block, data]) }]);
}

/** Header, records, index, footer; without the end where the last record is cut off. */
function archiveOf(header: Header, records: readonly StoredRecord[]): Buffer {
  const pieces: Uint8Array[] = [encodeHeader(header)];
  const entries: IndexEntry[] = [];
  let at = pieces[0]!.length;
  for (const { header: record, payload } of records) {
    const encoded = encodeRecord(record);
    const kind = record.kind === 'files' ? 'files' : 'chunk';
    entries.push({ offset: at, items: record.items, recordCrc: recordCrc(encoded), kind });
    pieces.push(encoded, payload);
    if (payload.length < record.payloadBytes) return Buffer.concat(pieces);
    at += encoded.length + payload.length;
  }
  const index = encodeIndex(entries);
  const indexRecord = encodeRecord({
    ...{ kind: 'index', method: 'stored', items: 0, namesBytes: 0, namesDecoded: 0 },
    payloadBytes: index.length,
    checksum: checksumOf(index),
  });
  const totalItems = entries.reduce((sum, { kind, items }) => (kind === 'chunk' ? sum + items : sum), 0);
  return Buffer.concat([
    ...pieces,
    indexRecord,
    index,
    encodeFooter({ indexOffset: at, totalItems, chunks: entries.length }),
  ]);
}

/**
 * An archive of a few records: what is said of the model stands apart from the rest of the header. Records may be damaged
 * one by one: checksum is that of what stands before them.
 */
function encodeFew({ model, coding, ...header }: Header, records: readonly StoredRecord[]): Buffer {
  const json = Buffer.from(JSON.stringify(header));
  const identity = Buffer.from(model ?? '', 'hex');
  const head = sealed([
    magicOf(FORMS.few),
    ...[varint(json.length), json, varint(identity.length), identity],
    ...[varint(typeof coding === 'number' ? coding : 0), varint(records.length)],
    ...records.flatMap(({ header: { kind, method, items, namesBytes, namesDecoded, payloadBytes, checksum } }) => [
      Buffer.of((METHODS[method] << 4) | RECORD_KINDS[kind]),
      ...[items, namesBytes, namesDecoded, payloadBytes].map(varint),
      checksum,
    ]),
  ]);
  return Buffer.concat([head, ...records.map(({ payload }) => payload)]);
}

function expandFew(view: Buffer, known: KnownModel): Buffer {
  const cursor = { at: COMPACT_MAGIC_BYTES };
  const next = (most: number): number => readVarint(view, cursor, view.length, most);
  const take = (length: number): Buffer => {
    if (cursor.at + length > view.length) throw damaged('it ends too early');
    cursor.at += length;
    return view.subarray(cursor.at - length, cursor.at);
  };
  const json = take(next(MOST_HEADER_BYTES));
  const identity = take(next(64)).toString('hex');
  const coding = next(MOST_CODING);
  const headers = Array.from({ length: next(MOST_FEW) }, (): RecordHeader => {
    const [first] = take(1);
    const kind = first! & 15;
    const method = Object.entries(METHODS).find(([, code]) => code === first! >> 4)?.[0] as Method | undefined;
    if ((kind !== RECORD_KINDS.chunk && kind !== RECORD_KINDS.files) || method === undefined)
      throw damaged('it has a record of an unknown kind');
    return {
      ...{ kind: kind === RECORD_KINDS.files ? 'files' : 'chunk', method, items: next(MAX_CHUNK_ITEMS) },
      ...{ namesBytes: next(MOST_COMPACT_BYTES), namesDecoded: next(MAX_NAMES_BYTES) },
      ...{ payloadBytes: next(MOST_COMPACT_BYTES), checksum: Uint8Array.from(take(CHECKSUM_BYTES)) },
    };
  });
  const end = cursor.at;
  if (take(4).readUInt32LE(0) !== crc32(view.subarray(0, end))) throw damaged('it does not have the checksum it names');
  let header: unknown;
  try {
    header = JSON.parse(json.toString('utf8'));
  } catch (cause) {
    throw damaged('its header is not JSON', cause);
  }
  const records = headers.map((record) => {
    const payload = view.subarray(cursor.at, cursor.at + record.payloadBytes);
    cursor.at += payload.length;
    return { header: record, payload };
  });
  if (cursor.at < view.length) throw damaged('something stands behind its end');
  const model = identity === '' ? known : { model: identity, ...(coding > 0 && { coding }) };
  return archiveOf({ ...checkedHeader(headerSchema, header), ...model }, records);
}

/** The shortest form of a small archive that is whole, of a kind whose records have one; undefined where that is no gain. */
export async function compactRecords(
  archive: Uint8Array,
  entries: readonly IndexEntry[],
  header: Header,
  kinds: readonly CompactKind[],
): Promise<Buffer | undefined> {
  const own = kinds.find((kind) => kind.kind === header.kind);
  if (own === undefined || !('forms' in own) || entries.length === 0 || entries.length > MOST_FEW) return undefined;
  const records = entries.map(({ offset }) => {
    const record = decodeRecord(archive.subarray(offset, offset + RECORD_BYTES), 0);
    const start = offset + RECORD_BYTES;
    return { header: record, payload: archive.subarray(start, start + record.payloadBytes) };
  });
  const free = records.every((record) => record.header.method !== 'coded') ? own.withoutModel(header) : header;
  const sole = records.length === 1 && free.model === undefined ? await own.encode(free, records[0]!) : undefined;
  const few = encodeFew(free, records);
  return sole !== undefined && sole.length < few.length ? sole : few;
}
