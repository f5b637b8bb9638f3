/**
 * The rows of a picture, or of a band of one, coded as tiles or as a whole: whichever is shorter. Tiles can be had one
 * by one; what a general compressor makes of all rows cannot, and is far shorter for drawings.
 */
import { promisify } from 'node:util';
import { brotliCompress, constants, crc32, inflate as inflateZlib } from 'node:zlib';
import { brotli, inflate } from '../../archive/chunk.js';
import { damaged } from '../../archive/format.js';
import { readVarint, varint } from '../../archive/varint.js';
import { VaeError } from '../../core/errors.js';
import { filterRows, unfilterRows } from '../../data/image/png/filters.js';
import { PALETTE, type PngLayout, rowBytesOf, samplesOf, stepOf } from '../../data/image/png/layout.js';
import { type Area, putSamples, samplesIn } from '../../data/image/png/samples.js';
import { bytesOfSamples, type CodeContext, decodeTile, encodeTile, needsModel } from './tile-coders.js';
import type { TileShape } from './tile-shape.js';

/** How a piece is coded: the byte that its data begin with. Numbers are part of the format. */
const CODES = { stored: 1, brotli: 2, filteredBrotli: 3, zlib: 4, tiles: 5, tile: 6 } as const;
const TILE_SIDE = 1024;
/** A tile may be a little wider than that before there are two. */
const TILE_SLACK = 1.25;
const QUICK = 5;
const STRONG = 11;
/** Beyond this Brotli at its slowest takes minutes. */
const STRONG_BYTES = 1 << 25;
/** Tiles that are so much shorter than what a quick general compressor makes are of a photograph. */
const PHOTOGRAPH = 0.6;
/** What Brotli's slowest makes of what its quick way makes, at the best; what is nearly nothing is left out of this. */
const HOPE = 0.65;
const NEARLY_NOTHING = 0.01;
const unpackZlib = promisify(inflateZlib);
const compressBrotli = promisify(brotliCompress);

/** Rows that are coded together. Their `layout.height` is how many there are. */
export interface Piece {
  readonly layout: PngLayout;
  readonly rows: Uint8Array;
  /** The very stream of a PNG file whose rows these are, all of them. */
  readonly stream?: Uint8Array | undefined;
}

export function pieceBytes(layout: PngLayout): number {
  return rowBytesOf(layout) * layout.height;
}

/** Tiles of a piece lie side by side, all as high as it is. */
function tileCountOf(width: number): number {
  return Math.max(1, Math.ceil(width / (TILE_SIDE * TILE_SLACK)));
}

function areasOf({ width, height }: PngLayout, tileWidth: number): Area[] {
  const areas: Area[] = [];
  for (let left = 0; left < width; left += tileWidth)
    areas.push({ left, top: 0, width: Math.min(tileWidth, width - left), height });
  return areas;
}

function shapeOf(layout: PngLayout, { width, height }: Area): TileShape {
  return { width, height, channels: samplesOf(layout) as TileShape['channels'], bits: layout.depth };
}

export async function encodePiece(piece: Piece, context: CodeContext): Promise<Uint8Array> {
  const { layout, rows, stream } = piece;
  const [tiles, quick] = await Promise.all([tilesOf(piece, context), brotli(rows, QUICK)]);
  const candidates = [coded(CODES.stored, rows), tiles, coded(CODES.brotli, quick)];
  if (stream !== undefined) candidates.push(coded(CODES.zlib, stream));
  const isPhotograph = layout.type !== PALETTE && tiles.length < PHOTOGRAPH * quick.length;
  if (!isPhotograph && rows.length <= STRONG_BYTES)
    candidates.push(...(await slowly(piece, quick, shortest(candidates))));
  return shortest(candidates);
}

/** The general compressor at its slowest, where it may come to less than what there is. */
async function slowly({ layout, rows }: Piece, quick: Uint8Array, best: Uint8Array): Promise<Uint8Array[]> {
  const hopeful = ({ length }: Uint8Array): boolean =>
    HOPE * length < best.length || length < NEARLY_NOTHING * rows.length;
  const found: Promise<Uint8Array>[] = [];
  if (hopeful(quick)) found.push(strong(rows).then((bytes) => coded(CODES.brotli, bytes)));
  if (layout.depth >= 8 && layout.type !== PALETTE) {
    const filtered = await filterRows(rows, rowBytesOf(layout), stepOf(layout), 'each');
    if (hopeful(await brotli(filtered, QUICK)))
      found.push(strong(filtered).then((bytes) => coded(CODES.filteredBrotli, bytes)));
  }
  return Promise.all(found);
}

/** Rows as they are. */
export function encodeStored(rows: Uint8Array): Uint8Array {
  return coded(CODES.stored, rows);
}

function shortest(candidates: readonly Uint8Array[]): Uint8Array {
  return candidates.reduce((best, next) => (next.length < best.length ? next : best));
}

/** Brotli at its slowest, with all of a piece in its window. */
function strong(bytes: Uint8Array): Promise<Buffer> {
  return compressBrotli(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: STRONG,
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
}

/** Width of a tile; of each its length and the CRC-32 of its samples; then the tiles. One alone needs none of that. */
async function tilesOf({ layout, rows }: Piece, context: CodeContext): Promise<Uint8Array> {
  const tileWidth = Math.ceil(layout.width / tileCountOf(layout.width));
  const natural = layout.type !== PALETTE && layout.depth >= 8;
  const made = await Promise.all(
    areasOf(layout, tileWidth).map(async (area) => {
      context.signal?.throwIfAborted();
      const samples = samplesIn(rows, layout, area);
      const data = await encodeTile(samples, shapeOf(layout, area), natural, context);
      return { data, check: checkBytes(crc32(bytesOfSamples(samples))) };
    }),
  );
  if (made.length === 1) return coded(CODES.tile, made[0]!.data);
  return Buffer.concat([
    Buffer.of(CODES.tiles),
    varint(tileWidth),
    ...made.flatMap(({ data, check }) => [varint(data.length), check]),
    ...made.map(({ data }) => data),
  ]);
}

/** A tile that is not decoded yet. */
interface CodedTile {
  readonly area: Area;
  readonly data: Uint8Array;
  /** CRC-32 of its samples; of one that is alone, that of the rows stands for it. */
  readonly check: number | undefined;
}

function hasTiles([code]: Uint8Array): boolean {
  return code === CODES.tiles || code === CODES.tile;
}

function readTiles(data: Uint8Array, layout: PngLayout): CodedTile[] {
  if (data[0] === CODES.tile) {
    const area = { left: 0, top: 0, width: layout.width, height: layout.height };
    return [{ area, data: data.subarray(1), check: undefined }];
  }
  const cursor = { at: 1 };
  const tileWidth = readVarint(data, cursor, data.length, layout.width);
  if (tileWidth < 1) throw damaged('tiles of a picture have no width');
  const areas = areasOf(layout, tileWidth);
  const view = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const table = areas.map((area) => {
    const length = readVarint(data, cursor, data.length, data.length);
    if (cursor.at + 4 > data.length) throw damaged('tiles of a picture end too early');
    cursor.at += 4;
    return { area, length, check: view.readUInt32LE(cursor.at - 4) };
  });
  let at = cursor.at;
  const tiles = table.map(({ area, length, check }) => {
    at += length;
    return { area, check, data: data.subarray(at - length, at) };
  });
  if (at !== data.length) throw damaged('tiles of a picture have another length than they say');
  return tiles;
}

/** Whether the network coded any of it. */
export function pieceNeedsModel(data: Uint8Array, layout: PngLayout): boolean {
  return hasTiles(data) && readTiles(data, layout).some((tile) => needsModel(tile.data));
}

export interface DecodePieceOptions extends CodeContext {
  /** Called with each tile that is damaged, whose samples are 0 then; without it, that is an error. */
  readonly onDamage?: ((area: Area, why: string) => void) | undefined;
}

/** All rows. @throws VaeError ERR_VAE_FORMAT where they are damaged. */
export async function decodePiece(
  data: Uint8Array,
  layout: PngLayout,
  options: DecodePieceOptions,
): Promise<Uint8Array> {
  if (!hasTiles(data)) return decodeWhole(data, layout);
  const rows = new Uint8Array(pieceBytes(layout));
  await Promise.all(
    readTiles(data, layout).map(async (tile) => {
      try {
        putSamples(rows, layout, tile.area, await tileSamples(tile, layout, options));
      } catch (error) {
        const { onDamage } = options;
        if (onDamage === undefined || !(error instanceof VaeError) || error.code !== 'ERR_VAE_FORMAT') throw error;
        onDamage(tile.area, error.message);
      }
    }),
  );
  return rows;
}

async function tileSamples(tile: CodedTile, layout: PngLayout, context: CodeContext) {
  context.signal?.throwIfAborted();
  const samples = await decodeTile(tile.data, shapeOf(layout, tile.area), context);
  if (tile.check !== undefined && crc32(bytesOfSamples(samples)) !== tile.check)
    throw damaged('a tile does not have its checksum');
  return samples;
}

/**
 * Samples of an area of a piece, whose tiles alone are decoded where it has any.
 *
 * @param piece its bytes, and the CRC-32 of all its rows.
 */
export async function decodeArea(
  { data, check }: { readonly data: Uint8Array; readonly check: number },
  layout: PngLayout,
  area: Area,
  context: CodeContext,
): Promise<Uint8Array | Uint16Array> {
  if (!hasTiles(data)) {
    const all = await decodeWhole(data, layout);
    refuseOther(all, check);
    return samplesIn(all, layout, area);
  }
  const tiles = readTiles(data, layout).filter(
    (tile) => tile.area.left < area.left + area.width && area.left < tile.area.left + tile.area.width,
  );
  const left = tiles[0]!.area.left;
  const width = tiles.reduce((sum, tile) => sum + tile.area.width, 0);
  const part = { ...layout, width };
  const rows = new Uint8Array(pieceBytes(part));
  await Promise.all(
    tiles.map(async (tile) => {
      const samples = await tileSamples(tile, layout, context);
      putSamples(rows, part, { ...tile.area, left: tile.area.left - left }, samples);
    }),
  );
  if (data[0] === CODES.tile) refuseOther(rows, check);
  return samplesIn(rows, part, { ...area, left: area.left - left });
}

function refuseOther(rows: Uint8Array, check: number): void {
  if (crc32(rows) !== check) throw damaged('the rows of a picture do not have their checksum');
}

async function decodeWhole(data: Uint8Array, layout: PngLayout): Promise<Uint8Array> {
  const [code] = data;
  const rest = data.subarray(1);
  const expected = pieceBytes(layout);
  const filtered = expected + layout.height;
  const rows = await (async () => {
    if (code === CODES.stored) return rest;
    if (code === CODES.brotli) return inflate(rest, expected);
    if (code === CODES.filteredBrotli) return unfiltered(await inflate(rest, filtered), layout);
    if (code === CODES.zlib) return unfiltered(await unzipped(rest, filtered), layout);
    if (code === undefined) throw damaged('a picture has no bytes');
    throw new VaeError(
      'ERR_VAE_REPRODUCIBILITY',
      `A picture of the archive is coded by method ${code}, which this node-vae does not know: use a newer one.`,
    );
  })();
  if (rows.length !== expected) throw damaged('the rows of a picture end too early');
  return rows;
}

async function unfiltered(bytes: Uint8Array, layout: PngLayout): Promise<Uint8Array> {
  try {
    return await unfilterRows(bytes, rowBytesOf(layout), stepOf(layout), layout.height);
  } catch (cause) {
    throw damaged('the rows of a picture are not as they were filtered', cause);
  }
}

async function unzipped(bytes: Uint8Array, most: number): Promise<Buffer> {
  try {
    return await unpackZlib(bytes, { maxOutputLength: most + 1 });
  } catch (cause) {
    throw damaged('the stream of a picture does not decompress', cause);
  }
}

function coded(code: number, data: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.of(code), data]);
}

function checkBytes(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
