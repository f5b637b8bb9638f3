/** The compact forms of an archive of a few small pictures that no model coded: docs/archive-format.md has their bytes. */
import { crc32 } from 'node:zlib';
import { brotli, inflate } from '../../archive/chunk.js';
import { type CompactRecords, magicOf, OWN_FORMS, type StoredRecord } from '../../archive/compact.js';
import { damaged, type Header } from '../../archive/format.js';
import { readVarint, varint } from '../../archive/varint.js';
import { nameFromBytes, nameToBytes } from '../../core/byte-names.js';
import { isLayout, MOST_SIDE } from '../../data/image/png/layout.js';
import { LAYOUT, PHOTOGRAPHS } from './header.js';
import { decodePiece, encodeStored, pieceBytes } from './piece.js';
import { assembleRecord, bandLayout, type Entry, type EntryContent, openRecord } from './record.js';

/**
 * `plain`: what is told of the pictures, what stands beside their rows, the pieces. `text`: the first two in Brotli.
 * `solid`: the first two and all rows in Brotli.
 */
const FORMS = { plain: OWN_FORMS, text: OWN_FORMS + 1, solid: OWN_FORMS + 2 } as const;
/** Rows of all pictures, which are decoded when such an archive is opened. */
const MOST_ROW_BYTES = 1 << 22;
/** Beyond this, rows are not packed all together as well: it takes long, and drawings have a shorter way. */
const MOST_SOLID_BYTES = 1 << 20;
const MOST_PICTURES = 512;
/** What is told of pictures, and what stands beside their rows. */
const MOST_TEXT_BYTES = 1 << 18;
const SUFFIX = Buffer.from('.png');

/** Bits of the byte that tells of a picture; the others are its colour type and the bits of a sample. */
const BEFORE = 0x20;
const ENDS_SO = 0x40;
const MORE = 0x80;
/** Bits of the byte behind it. */
const AFTER = 1;
const FORMAT = 2;
const TYPES = [0, 2, 3, 4, 6];
const DEPTHS = 5;

export const compactPhotographs: CompactRecords = {
  ...{ kind: PHOTOGRAPHS, forms: Object.values(FORMS), encode, expand },
  withoutModel: ({ model: _, coding: __, ...header }) => header,
};

interface Held extends EntryContent {
  readonly entry: Entry;
  readonly piece: Uint8Array;
}

async function encode(_: Header, record: StoredRecord): Promise<Buffer | undefined> {
  if (record.header.kind !== 'chunk') return undefined;
  const opened = await openRecord(record.header, record.payload);
  const size = opened.entries.reduce((sum, entry) => sum + pieceBytes(entry.layout), 0);
  const whole = opened.entries.every(({ layout, height }) => height === layout.height);
  if (!whole || size > MOST_ROW_BYTES || opened.entries.length > MOST_PICTURES) return undefined;
  const pictures = await Promise.all(
    opened.pictures.map(async ({ data, ...picture }): Promise<Held> => {
      const rows = await decodePiece(data, bandLayout(picture.entry), { codec: undefined });
      return { ...picture, piece: data, rows };
    }),
  );
  const table = Buffer.concat([varint(pictures.length), ...pictures.map(({ entry }) => describe(entry))]);
  const beside = pictures.flatMap(({ before, after }) => [before, after]);
  const text = Buffer.concat([table, ...beside]);
  if (text.length > MOST_TEXT_BYTES) return undefined;
  const rows = pictures.map((picture) => picture.rows);
  // The last piece ends where the archive does.
  const lengths = pictures.slice(0, -1).map(({ piece }) => varint(piece.length));
  const pieces = [...lengths, ...pictures.map(({ piece }) => piece)];
  const packed = await brotli(text, 11);
  const candidates = [
    sealed([magicOf(FORMS.plain), text, ...pieces], rows),
    sealed([magicOf(FORMS.text), varint(packed.length), packed, ...pieces], rows),
  ];
  if (size <= MOST_SOLID_BYTES)
    candidates.push(sealed([magicOf(FORMS.solid), await brotli(Buffer.concat([text, ...rows]), 11)], rows));
  const shortest = candidates.reduce((best, next) => (next.length < best.length ? next : best));
  // Names that no file has, say, have no compact form.
  const back = await expand(shortest).catch(() => undefined);
  return back !== undefined && Buffer.compare(back.record.header.checksum, record.header.checksum) === 0
    ? shortest
    : undefined;
}

/** The CRC-32 of all bytes before, and of the rows that they stand for. */
function sealed(pieces: readonly Uint8Array[], rows: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(pieces);
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(checkOf(body, rows));
  return Buffer.concat([body, crc]);
}

function checkOf(body: Uint8Array, rows: readonly Uint8Array[]): number {
  return rows.reduce((sum, each) => crc32(each, sum), crc32(body));
}

function describe({ name, layout, before, after, format }: Entry): Buffer {
  const bytes = nameToBytes(name);
  const endsSo = bytes.length > SUFFIX.length && bytes.subarray(-SUFFIX.length).equals(SUFFIX);
  const short = endsSo ? bytes.subarray(0, -SUFFIX.length) : bytes;
  const more = (after > 0 ? AFTER : 0) | (format !== undefined ? FORMAT : 0);
  const first = TYPES.indexOf(layout.type) * DEPTHS + Math.log2(layout.depth);
  const flags = (before > 0 ? BEFORE : 0) | (endsSo ? ENDS_SO : 0) | (more > 0 ? MORE : 0);
  const text = Buffer.from(format ?? '');
  return Buffer.concat([
    Buffer.of(first | flags),
    ...(more > 0 ? [Buffer.of(more)] : []),
    ...[layout.width, layout.height].map(varint),
    ...(before > 0 ? [varint(before)] : []),
    ...(after > 0 ? [varint(after)] : []),
    ...(format !== undefined ? [varint(text.length), text] : []),
    ...[varint(short.length), short],
  ]);
}

interface Reader {
  next(most: number): number;
  take(length: number): Buffer;
  rest(): Buffer;
}

function readerOf(bytes: Buffer): Reader {
  const cursor = { at: 0 };
  const take = (length: number): Buffer => {
    if (cursor.at + length > bytes.length) throw damaged('it ends too early');
    cursor.at += length;
    return bytes.subarray(cursor.at - length, cursor.at);
  };
  return {
    next: (most) => readVarint(bytes, cursor, bytes.length, most),
    take,
    rest: () => take(bytes.length - cursor.at),
  };
}

function readEntry({ next, take }: Reader): Entry {
  const [flags] = take(1);
  const more = (flags! & MORE) === 0 ? 0 : take(1)[0]!;
  const code = flags! & 31;
  const [width, height] = [next(MOST_SIDE), next(MOST_SIDE)];
  const layout = { width, height, type: TYPES[Math.floor(code / DEPTHS)] ?? -1, depth: 2 ** (code % DEPTHS) };
  if (!isLayout(layout)) throw damaged('a picture in it is of an unknown kind');
  const before = (flags! & BEFORE) === 0 ? 0 : next(MOST_TEXT_BYTES);
  const after = (more & AFTER) === 0 ? 0 : next(MOST_TEXT_BYTES);
  const format = (more & FORMAT) === 0 ? undefined : take(next(32)).toString('utf8');
  const short = take(next(1 << 15));
  const name = nameFromBytes((flags! & ENDS_SO) === 0 ? short : Buffer.concat([short, SUFFIX]));
  return { name, layout, top: 0, height, before, after, format };
}

async function expand(bytes: Buffer): Promise<{ header: Header; record: StoredRecord }> {
  const end = bytes.length - 4;
  const body = bytes.subarray(4, end);
  const form = bytes[3];
  const all = readerOf(form === FORMS.solid ? await inflate(body, MOST_TEXT_BYTES + MOST_ROW_BYTES) : body);
  const text = form === FORMS.text ? readerOf(await inflate(all.take(all.next(body.length)), MOST_TEXT_BYTES)) : all;
  const entries = Array.from({ length: text.next(MOST_PICTURES) }, () => readEntry(text));
  const size = entries.reduce((sum, { layout }) => sum + pieceBytes(layout), 0);
  if (entries.length === 0) throw damaged('there is nothing in it');
  if (size > MOST_ROW_BYTES) throw damaged(`it claims ${size} bytes`);
  const beside = entries.map(({ before, after }) => ({ before: text.take(before), after: text.take(after) }));
  const lengths = form === FORMS.solid ? [] : entries.slice(0, -1).map(() => all.next(body.length));
  const pictures: Held[] = [];
  for (const [index, entry] of entries.entries()) {
    const layout = bandLayout(entry);
    const length = lengths[index];
    const piece =
      form === FORMS.solid
        ? encodeStored(all.take(pieceBytes(layout)))
        : length === undefined
          ? all.rest()
          : all.take(length);
    const rows = await decodePiece(piece, layout, { codec: undefined });
    pictures.push({ entry, piece, rows, ...beside[index]! });
  }
  if (all.rest().length > 0 || text.rest().length > 0) throw damaged('something stands behind its end');
  const rows = pictures.map((picture) => picture.rows);
  if (bytes.readUInt32LE(end) !== checkOf(bytes.subarray(0, end), rows))
    throw damaged('it does not have the checksum it names');
  const { header, bytes: encoded } = await assembleRecord(pictures);
  return {
    header: { kind: PHOTOGRAPHS, layout: LAYOUT },
    record: { header, payload: encoded.subarray(-header.payloadBytes) },
  };
}
