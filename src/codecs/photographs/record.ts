/** A record of an archive of photographs: small pictures together, or a band of one, and what stands beside them. */
import { crc32 } from 'node:zlib';
import { z } from 'zod';
import {
  brotli,
  checkDecoded,
  type EncodedRecord,
  inflate,
  makeRecord,
  parseNames,
  splitPayload,
} from '../../archive/chunk.js';
import { damaged, type RecordHeader } from '../../archive/format.js';
import { readVarint, varint } from '../../archive/varint.js';
import { isLayout, MOST_SIDE, type PngLayout } from '../../data/image/png/layout.js';
import { encodePiece, pieceBytes, pieceNeedsModel } from './piece.js';
import type { CodeContext } from './tile-coders.js';

/** What a record decodes to at the most, rows and chunks. */
const MOST_RECORD_BYTES = 1 << 28;
/** Of one picture: what stands beside its rows. */
const MOST_EXTRAS_BYTES = 1 << 26;

/** A picture in a record, or a band of one. */
export interface Entry {
  /** The name of the PNG file that comes out. */
  readonly name: string;
  readonly layout: PngLayout;
  /** The first row, and how many there are: all of the picture where it is small. */
  readonly top: number;
  readonly height: number;
  /** Bytes of the chunks before the rows, with the first of them, and of those behind, with the last. */
  readonly before: number;
  readonly after: number;
  /** What the picture was, where that is no PNG file. */
  readonly format?: string | undefined;
}

export interface EntryContent {
  readonly rows: Uint8Array;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

const bytes = z.int().min(0).max(MOST_EXTRAS_BYTES);
const side = z.int().min(1).max(MOST_SIDE);
/** n: name, w and h: sides, t and d: colour type and bits of IHDR, y: first row, r: rows, b and a: bytes of chunks before and after, f: format. */
const schema = z
  .array(
    z.strictObject({
      n: z.string().min(1),
      ...{ w: side, h: side, t: z.int().min(0).max(6), d: z.int().min(1).max(16) },
      ...{ y: z.int().min(0).optional(), r: side.optional(), b: bytes.optional(), a: bytes.optional() },
      f: z.string().min(1).max(32).optional(),
    }),
  )
  .min(1);

export function encodeEntries(entries: readonly Entry[]): Buffer {
  return Buffer.from(
    JSON.stringify(
      entries.map(({ name, layout: { width, height, type, depth }, top, height: rows, before, after, format }) => ({
        ...{ n: name, w: width, h: height, t: type, d: depth },
        ...(top > 0 && { y: top }),
        ...(rows < height && { r: rows }),
        ...(before > 0 && { b: before }),
        ...(after > 0 && { a: after }),
        ...(format !== undefined && { f: format }),
      })),
    ),
  );
}

/** @throws VaeError ERR_VAE_FORMAT */
export function decodeEntries(names: Buffer, count: number): Entry[] {
  const parsed = schema.safeParse(parseNames(names));
  if (!parsed.success || parsed.data.length !== count) throw damaged(`expected ${count} pictures in a record`);
  let total = 0;
  return parsed.data.map(({ n, w, h, t, d, y = 0, r = h, b = 0, a = 0, f }) => {
    const layout = { width: w, height: h, type: t, depth: d };
    if (!isLayout(layout)) throw damaged(`a picture in it is of colour type ${t} with ${d} bits`);
    if (y + r > h) throw damaged('a band of a picture is beyond its end');
    total += pieceBytes({ ...layout, height: r }) + a + b;
    if (total > MOST_RECORD_BYTES) throw damaged(`a record of pictures claims more than ${MOST_RECORD_BYTES} bytes`);
    return { name: n, layout, top: y, height: r, before: b, after: a, format: f };
  });
}

/** The layout of the rows of an entry alone. */
export function bandLayout({ layout, height }: Entry): PngLayout {
  return { ...layout, height };
}

/** What the checksum of a record covers before the names. */
export function checkedOf(contents: readonly EntryContent[]): Uint8Array[] {
  return contents.flatMap(({ before, rows, after }) => [before, rows, after]);
}

export interface CodedEntry extends EntryContent {
  readonly entry: Entry;
  readonly stream?: Uint8Array | undefined;
}

interface EncodedPicture {
  readonly entry: Entry;
  /** What its rows are coded to. */
  readonly piece: Uint8Array;
}

/** 0: nothing stands beside the rows; else how that is packed. */
const EXTRAS = { none: 0, brotli: 1, stored: 2 } as const;

export async function encodeRecord(pictures: readonly CodedEntry[], context: CodeContext): Promise<EncodedRecord> {
  return assembleRecord(
    await Promise.all(
      pictures.map(async (picture) => {
        const { entry, rows, stream } = picture;
        return { ...picture, piece: await encodePiece({ layout: bandLayout(entry), rows, stream }, context) };
      }),
    ),
  );
}

/**
 * How the extras are packed, and their length there; of each piece its length and the CRC-32 of its rows; the extras;
 * the pieces.
 */
export async function assembleRecord(pictures: readonly (EncodedPicture & EntryContent)[]): Promise<EncodedRecord> {
  const extras = Buffer.concat(pictures.flatMap(({ before, after }) => [before, after]));
  const packed = extras.length === 0 ? extras : await brotli(extras);
  const shorter = packed.length < extras.length ? packed : extras;
  const how = extras.length === 0 ? EXTRAS.none : shorter === packed ? EXTRAS.brotli : EXTRAS.stored;
  const pieces = pictures.map(({ piece }) => piece);
  const byModel = pieces.some((piece, index) => pieceNeedsModel(piece, bandLayout(pictures[index]!.entry)));
  const data = Buffer.concat([
    Buffer.of(how),
    ...(how === EXTRAS.none ? [] : [varint(shorter.length)]),
    ...pieces.flatMap((piece, index) => [varint(piece.length), checkBytes(crc32(pictures[index]!.rows))]),
    shorter,
    ...pieces,
  ]);
  return makeRecord({
    ...{ kind: 'chunk', items: pictures.length, names: encodeEntries(pictures.map(({ entry }) => entry)) },
    checked: checkedOf(pictures),
    // What no model coded can be had without one.
    candidates: [[byModel ? 'coded' : 'stored', data]],
  });
}

/** A record that is taken apart and not decoded yet. */
export interface OpenRecord {
  readonly entries: readonly Entry[];
  readonly pictures: readonly {
    readonly entry: Entry;
    readonly data: Uint8Array;
    /** CRC-32 of the rows. */
    readonly check: number;
    readonly before: Uint8Array;
    readonly after: Uint8Array;
  }[];
  readonly names: Buffer;
}

/** @throws VaeError ERR_VAE_FORMAT */
export async function openRecord(header: RecordHeader, payload: Uint8Array): Promise<OpenRecord> {
  if (header.method === 'brotli') throw damaged('a record of pictures is packed in a way that none is');
  const { names, data } = await splitPayload(header, payload);
  const entries = decodeEntries(names, header.items);
  const view = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const cursor = { at: 1 };
  const [how] = view;
  if (how === undefined || how > EXTRAS.stored) throw damaged('what stands beside its pictures is packed unknown');
  const packed = how === EXTRAS.none ? 0 : readVarint(view, cursor, view.length, view.length);
  const table = entries.map(() => {
    const length = readVarint(view, cursor, view.length, view.length);
    if (cursor.at + 4 > view.length) throw damaged('its pictures end too early');
    cursor.at += 4;
    return { length, check: view.readUInt32LE(cursor.at - 4) };
  });
  const expected = entries.reduce((sum, { before, after }) => sum + before + after, 0);
  const block = view.subarray(cursor.at, cursor.at + packed);
  const extras = how === EXTRAS.brotli ? await inflate(block, expected) : block;
  if (extras.length !== expected) throw damaged('what stands beside its pictures has another length than it says');
  let at = cursor.at + packed;
  let beside = 0;
  const cut = (length: number): Uint8Array => {
    beside += length;
    return extras.subarray(beside - length, beside);
  };
  const pictures = table.map(({ length, check }, index) => {
    const entry = entries[index]!;
    at += length;
    return { entry, data: view.subarray(at - length, at), check, before: cut(entry.before), after: cut(entry.after) };
  });
  if (at !== view.length) throw damaged('its pictures have another length than they say');
  return { entries, pictures, names };
}

/** @throws VaeError ERR_VAE_FORMAT where what was decoded is not what was written. */
export function checkRecord(header: RecordHeader, { names }: OpenRecord, contents: readonly EntryContent[]): void {
  checkDecoded(header, ...checkedOf(contents), names);
}

function checkBytes(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value);
  return out;
}
