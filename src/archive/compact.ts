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
  MAX_CHUNK_ITEMS,
  MAX_NAMES_BYTES,
  METHODS,
  recordCrc,
  SOURCE_KINDS,
  type SoundArchiveHeader,
} from './format.js';
import { readVarint, varint } from './varint.js';

/** 0x89, `VZ`, SUB: no other form begins like this. */
const MAGIC = Buffer.from([0x89, 0x56, 0x5a, 0x1a]);
export const COMPACT_MAGIC_BYTES = MAGIC.length;
/** Larger archives gain nothing from it. */
export const MOST_COMPACT_BYTES = 1 << 16;
const MOST_SHAPE_AXES = 8;
const KINDS = [...SOURCE_KINDS, 'sounds'] as const;

export function isCompact(start: Uint8Array): boolean {
  return MAGIC.equals(start.subarray(0, MAGIC.length));
}

/** Items and names, compressed by Brotli where that helps. The shape of a sound is the length of its file. */
export async function encodeCompact(
  header: ArchiveHeader | SoundArchiveHeader,
  { items, count, names }: ChunkItems,
): Promise<Buffer> {
  const decoded = encodeNames(names);
  const content = Buffer.concat([decoded, items]);
  const general = await brotli(content, 11);
  const short = general.length < content.length;
  const {
    kind,
    name = '',
    itemShape,
    rowShape = [],
  } = header.kind === 'sounds' ? { ...header, ...soundShape(items) } : header;
  const text = Buffer.from(name);
  const head = Buffer.concat([
    MAGIC,
    Buffer.of((METHODS[short ? 'brotli' : 'stored'] << 4) | KINDS.indexOf(kind)),
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
  const kind = KINDS[kindCode];
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
  const known = model === undefined ? {} : { model };
  const header: ArchiveHeader | SoundArchiveHeader =
    kind === 'sounds'
      ? { ...known, kind }
      : {
          ...known,
          ...{ itemShape, dtype: 'uint8', kind },
          ...(nameBytes > 0 && { name }),
          ...(kind !== 'images' && { rowShape }),
        };
  const size = count * itemShape.reduce((product, dim) => product * dim, 1);
  if (size > MOST_COMPACT_BYTES) throw damaged(`it claims ${size} bytes`);
  const payload = view.subarray(cursor.at, end);
  const content = methodCode === METHODS.brotli ? await inflate(payload, namesBytes + size) : payload;
  if (content.length !== namesBytes + size) throw damaged(`it holds ${content.length} bytes, not ${namesBytes + size}`);
  return wholeArchive(header, count, content.subarray(namesBytes), content.subarray(0, namesBytes));
}

/** Header, one stored chunk, index, footer. */
async function wholeArchive(
  header: ArchiveHeader | SoundArchiveHeader,
  items: number,
  data: Buffer,
  names: Buffer,
): Promise<Buffer> {
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

function soundShape(items: Uint8Array): { itemShape: number[]; name?: string; rowShape?: number[] } {
  return { itemShape: [items.length] };
}
