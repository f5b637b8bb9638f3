/** What stands in a TIFF beside its pixels: tags that say nothing of how those are stored become the EXIF data of a PNG. */
import { pngChunk } from '../../../data/image/png/chunks.js';
import type { Beside } from './beside.js';
import { profileChunk, resolutionChunk, xmpChunk } from './rows.js';

interface Entry {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  readonly bytes: Buffer;
  /** Of a tag that points to another directory. */
  readonly entries?: readonly Entry[];
}

const SIZES: Readonly<Record<number, number>> = {
  ...{ 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8 },
};
/** How the pixels lie in the file: new file or subfile types, sides, bits, compression, strips, tiles, planes, palettes, predictors. */
const OF_PIXELS: ReadonlySet<number> = new Set([
  ...[254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 277, 278, 279, 284, 288, 289, 290, 291, 317, 320],
  ...[322, 323, 324, 325, 338, 339],
]);
const PHOTOMETRIC = 262;
const BITS = 258;
const COMPRESSION = 259;
const SAMPLES = 277;
const COLOURS = 320;
const EXTRA = 338;
const UNASSOCIATED = 2;
const XMP = 700;
const PROFILE = 34675;
const POINTERS: ReadonlySet<number> = new Set([34665, 34853, 40965]);
/** What points to places in the file that are not known here: other directories, thumbnails, notes of makers. */
const REFUSED: Readonly<Record<number, string>> = {
  330: 'it has further pictures',
  513: 'it has a thumbnail',
  37500: "it has a maker's note",
};
const PLAIN: ReadonlySet<number> = new Set([1, 5, 8, 32773, 32946]);
const MOST_ENTRIES = 4096;

/** Undefined for one that is compressed with loss. @throws Error for what a PNG could not carry. */
export function tiffBeside(bytes: Buffer): Beside | undefined {
  const little = bytes.toString('latin1', 0, 2) === 'II';
  const u16 = (at: number): number => (little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const u32 = (at: number): number => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  if (u16(2) !== 42) throw new Error('it is a BigTIFF');
  const directory = (start: number, depth: number): { entries: Entry[]; next: number } => {
    if (start + 2 > bytes.length || depth > 3) throw new Error('a directory lies outside of the file');
    const count = u16(start);
    if (count > MOST_ENTRIES || start + 2 + 12 * count + 4 > bytes.length)
      throw new Error('a directory lies outside of the file');
    const entries = Array.from({ length: count }, (_, index): Entry => {
      const at = start + 2 + 12 * index;
      const [tag, type, values] = [u16(at), u16(at + 2), u32(at + 4)];
      const size = SIZES[type];
      if (size === undefined) throw new Error(`its tag ${tag} is of type ${type}`);
      if (POINTERS.has(tag)) {
        return { tag, type: 4, count: 1, bytes: Buffer.alloc(4), entries: directory(u32(at + 8), depth + 1).entries };
      }
      const length = size * values;
      const from = length <= 4 ? at + 8 : u32(at + 8);
      if (from + length > bytes.length) throw new Error(`its tag ${tag} lies outside of the file`);
      return { tag, type, count: values, bytes: bytes.subarray(from, from + length) };
    });
    return { entries, next: u32(start + 2 + 12 * count) };
  };
  const { entries, next } = directory(u32(4), 0);
  if (next !== 0) throw new Error('it has several pages');
  for (const { tag } of [...entries, ...entries.flatMap((entry) => entry.entries ?? [])])
    if (REFUSED[tag] !== undefined) throw new Error(REFUSED[tag]);
  const first = (tag: number, otherwise: number): number => {
    const found = entries.find((entry) => entry.tag === tag);
    if (found === undefined || found.count < 1) return otherwise;
    const { type, bytes: value } = found;
    if (type === 3) return little ? value.readUInt16LE(0) : value.readUInt16BE(0);
    if (type === 4) return little ? value.readUInt32LE(0) : value.readUInt32BE(0);
    return type === 1 ? value[0]! : otherwise;
  };
  const compression = first(COMPRESSION, 1);
  if (compression === 6 || compression === 7) return undefined;
  if (!PLAIN.has(compression)) throw new Error(`its pixels are packed by method ${compression}`);
  const photometric = first(PHOTOMETRIC, 1);
  if (photometric !== 1 && photometric !== 2 && photometric !== 3)
    throw new Error(`its colours are of kind ${photometric}: CMYK, Lab and others are not changed`);
  const bits = first(BITS, 1);
  const samples = first(SAMPLES, 1);
  if (bits < 8 && photometric !== 3 && (samples !== 1 || ![1, 2, 4].includes(bits)))
    throw new Error(`it has ${bits} bits a value`);
  const colours = photometric === 2 ? 3 : 1;
  if (samples > colours && (samples !== colours + 1 || first(EXTRA, 0) !== UNASSOCIATED))
    throw new Error('it has values beside its colours that are no plain alpha');
  const find = (tag: number): Entry | undefined => entries.find((entry) => entry.tag === tag);
  if (photometric === 3) checkColours(find(COLOURS));
  if (bits > 8 && bits < 16) throw new Error(`it has ${bits} bits a value`);
  const chunks: Buffer[] = [];
  const profile = find(PROFILE);
  if (profile) chunks.push(profileChunk(profile.bytes));
  const resolution = resolutionOf(find(282), find(283), first(296, 2), little);
  if (resolution) chunks.push(resolution);
  const xmp = find(XMP);
  if (xmp) chunks.push(xmpChunk(xmp.bytes));
  const kept = entries.filter(({ tag }) => !OF_PIXELS.has(tag) && tag !== PROFILE && tag !== XMP);
  if (kept.length > 0) chunks.push(pngChunk('eXIf', exifOf(kept, little)));
  const palette = photometric === 3;
  return { chunks, ...(bits < 8 && !palette && { depth: bits }), ...(palette && { palette }) };
}

/** @throws Error for a palette whose colours have more than 8 bits. */
function checkColours(map: Entry | undefined): void {
  for (let at = 0; map !== undefined && at + 1 < map.bytes.length; at += 2) {
    const [one, two] = [map.bytes[at]!, map.bytes[at + 1]!];
    if (one !== two && one !== 0 && two !== 0) throw new Error('its palette has colours of 16 bits');
  }
}

function resolutionOf(across: Entry | undefined, down: Entry | undefined, unit: number, little: boolean) {
  const value = (entry: Entry | undefined): number => {
    if (entry === undefined || entry.type !== 5 || entry.bytes.length < 8) return 0;
    const read = (at: number): number => (little ? entry.bytes.readUInt32LE(at) : entry.bytes.readUInt32BE(at));
    return read(4) === 0 ? 0 : read(0) / read(4);
  };
  const scale = unit === 3 ? 100 : unit === 2 ? 100 / 2.54 : 1;
  const [x, y] = [Math.round(value(across) * scale), Math.round(value(down) * scale)];
  if (!(x > 0 && y > 0 && x < 2 ** 31 && y < 2 ** 31)) return undefined;
  return resolutionChunk(x, y, unit === 1 ? 0 : 1);
}

/** A TIFF of these tags and no pixels: what EXIF data are. */
function exifOf(entries: readonly Entry[], little: boolean): Buffer {
  const pieces: { at: number; bytes: Buffer }[] = [];
  const start = Buffer.from(little ? '49492a0008000000' : '4d4d002a00000008', 'hex');
  pieces.push({ at: 0, bytes: start });
  let end = start.length;
  const put16 = (buffer: Buffer, value: number, at: number) =>
    little ? buffer.writeUInt16LE(value, at) : buffer.writeUInt16BE(value, at);
  const put32 = (buffer: Buffer, value: number, at: number) =>
    little ? buffer.writeUInt32LE(value, at) : buffer.writeUInt32BE(value, at);
  const write = (list: readonly Entry[]): number => {
    const place = end;
    const table = Buffer.alloc(2 + 12 * list.length + 4);
    end += table.length;
    put16(table, list.length, 0);
    for (const [index, { tag, type, count, bytes, entries: below }] of list.entries()) {
      const at = 2 + 12 * index;
      put16(table, tag, at);
      put16(table, type, at + 2);
      put32(table, count, at + 4);
      if (below) put32(table, write(below), at + 8);
      else if (bytes.length <= 4) bytes.copy(table, at + 8);
      else {
        end += end % 2;
        pieces.push({ at: end, bytes });
        put32(table, end, at + 8);
        end += bytes.length;
      }
    }
    pieces.push({ at: place, bytes: table });
    end += end % 2;
    return place;
  };
  write(entries);
  const out = Buffer.alloc(end);
  for (const { at, bytes } of pieces) bytes.copy(out, at);
  return out;
}
