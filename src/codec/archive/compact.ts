/**
 * The compact form of a small archive whose items the model did not code: some 30 bytes around them
 * instead of 350. It stands for a whole archive, and is read as the one that it expands to.
 */
import { crc32 } from 'node:zlib';
import { brotli, type ChunkItems, checksumOf, encodeNames, inflate } from './chunk.js';
import {
  type ArchiveHeader,
  damaged,
  encodeFooter,
  encodeHeader,
  encodeIndex,
  encodeRecord,
  itemSizeOf,
  MAX_CHUNK_ITEMS,
  MAX_NAMES_BYTES,
  METHODS,
  recordCrc,
  SOURCE_KINDS,
} from './format.js';

/** 0x89, `VZ`, SUB: no other form begins like this. */
const MAGIC = Buffer.from([0x89, 0x56, 0x5a, 0x1a]);
export const COMPACT_MAGIC_BYTES = MAGIC.length;
/** Larger archives gain nothing from it. */
export const MOST_COMPACT_BYTES = 1 << 16;
const MOST_SHAPE_AXES = 8;

export function isCompact(start: Uint8Array): boolean {
  return MAGIC.equals(start.subarray(0, MAGIC.length));
}

/** Items and names, compressed by Brotli where that helps. */
export async function encodeCompact(header: ArchiveHeader, { items, count, names }: ChunkItems): Promise<Buffer> {
  const decoded = encodeNames(names);
  const content = Buffer.concat([decoded, items]);
  const general = await brotli(content, 11);
  const short = general.length < content.length;
  const { kind, name, itemShape, rowShape = [] } = header;
  const text = Buffer.from(name ?? '');
  const head = Buffer.concat([
    MAGIC,
    Buffer.of((METHODS[short ? 'brotli' : 'stored'] << 4) | SOURCE_KINDS.indexOf(kind)),
    ...[count, itemShape.length, ...itemShape, rowShape.length, ...rowShape, text.length].map(varint),
    text,
    varint(decoded.length),
  ]);
  const body = Buffer.concat([head, short ? general : content]);
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
export async function expandCompact(bytes: Uint8Array, model?: string): Promise<Buffer> {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!isCompact(view) || view.length < MAGIC.length + 8) throw damaged('it ends too early');
  const end = view.length - 4;
  if (view.readUInt32LE(end) !== crc32(view.subarray(0, end))) throw damaged('it does not have the checksum it names');
  const cursor = { at: MAGIC.length + 1 };
  const next = (most: number): number => readVarint(view, cursor, end, most);
  const [methodCode, kindCode] = [view[MAGIC.length]! >> 4, view[MAGIC.length]! & 15];
  const kind = SOURCE_KINDS[kindCode];
  if (kind === undefined || (methodCode !== METHODS.brotli && methodCode !== METHODS.stored)) {
    throw damaged('it is of an unknown kind');
  }
  const count = next(MAX_CHUNK_ITEMS);
  const shape = (): number[] => Array.from({ length: next(MOST_SHAPE_AXES) }, () => next(MOST_COMPACT_BYTES));
  const [itemShape, rowShape] = [shape(), shape()];
  const nameBytes = next(1024);
  const name = view.toString('utf8', cursor.at, cursor.at + nameBytes);
  cursor.at += nameBytes;
  const namesBytes = next(Math.min(MAX_NAMES_BYTES, 64 * MOST_COMPACT_BYTES));
  if (count < 1 || cursor.at > end) throw damaged('it ends too early');
  const header: ArchiveHeader = {
    ...(model !== undefined && { model }),
    ...{ itemShape, dtype: 'uint8', kind },
    ...(nameBytes > 0 && { name }),
    ...(kind !== 'images' && { rowShape }),
  };
  const size = count * itemSizeOf(header);
  if (size > MOST_COMPACT_BYTES) throw damaged(`it claims ${size} bytes`);
  const payload = view.subarray(cursor.at, end);
  const content = methodCode === METHODS.brotli ? await inflate(payload, namesBytes + size) : payload;
  if (content.length !== namesBytes + size) throw damaged(`it holds ${content.length} bytes, not ${namesBytes + size}`);
  return wholeArchive(header, count, content.subarray(namesBytes), content.subarray(0, namesBytes));
}

/** Header, one stored chunk, index, footer. */
async function wholeArchive(header: ArchiveHeader, items: number, data: Buffer, names: Buffer): Promise<Buffer> {
  const begin = encodeHeader(header);
  const block = names.length === 0 ? names : await brotli(names);
  const record = encodeRecord({
    ...{ kind: 'chunk', method: 'stored', items, namesBytes: block.length, namesDecoded: names.length },
    payloadBytes: block.length + data.length,
    checksum: checksumOf(data, names),
  });
  const index = encodeIndex([{ offset: begin.length, items, recordCrc: recordCrc(record) }]);
  const indexRecord = encodeRecord({
    ...{ kind: 'index', method: 'stored', items: 0, namesBytes: 0, namesDecoded: 0 },
    payloadBytes: index.length,
    checksum: checksumOf(index),
  });
  const indexOffset = begin.length + record.length + block.length + data.length;
  const footer = encodeFooter({ indexOffset, totalItems: items, chunks: 1 });
  return Buffer.concat([begin, record, block, data, indexRecord, index, footer]);
}

/** Seven bits a byte, the low ones first; the highest bit says that more follow. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

function readVarint(view: Buffer, cursor: { at: number }, end: number, most: number): number {
  let value = 0;
  for (let unit = 1; ; unit *= 128) {
    if (cursor.at >= end || unit > 2 ** 28) throw damaged('a number in it is cut off');
    const byte = view[cursor.at]!;
    cursor.at += 1;
    value += (byte & 127) * unit;
    if (value > most) throw damaged(`a number in it is ${value}, at most ${most} can be`);
    if (byte < 128) return value;
  }
}
