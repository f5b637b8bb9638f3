/** Archives of photographs as fuzz targets: their tiles, their pieces, whole archives in every form. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compress, inspectArchive, openArchive, type PhotographArchive } from '../../src/codecs/index.js';
import { decodeColours, encodeColours } from '../../src/codecs/photographs/colours.js';
import { PhotoCodec } from '../../src/codecs/photographs/photo-codec.js';
import { decodePiece, encodePiece } from '../../src/codecs/photographs/piece.js';
import { decodeTile, encodeTile } from '../../src/codecs/photographs/tile-coders.js';
import type { TileSamples, TileShape } from '../../src/codecs/photographs/tile-shape.js';
import type { VaeErrorCode } from '../../src/core/errors.js';
import type { PngLayout } from '../../src/data/image/png/layout.js';
import { makePng, pattern } from '../codecs/pngs.js';
import type { FuzzTarget } from './target.js';

const MODEL = fileURLToPath(new URL('../../models/photo-lossless', import.meta.url));
/** A way of coding that a damaged byte names may be one that is not known, or need a model that is not there. */
const ERRORS: readonly VaeErrorCode[] = ['ERR_VAE_FORMAT', 'ERR_VAE_REPRODUCIBILITY'];

/** Two colours with edges, as letters have them. */
const letters = (x: number, y: number): number => (((x * 5) ^ (y * 3)) & 24 ? 20 : (x ^ y) & 1 ? 120 : 240);

function samples({ width, height, channels, bits }: TileShape, value: typeof pattern): TileSamples {
  const values = Array.from({ length: width * height * channels }, (_, index) => {
    const pixel = Math.floor(index / channels);
    return value(bits, pixel % width, Math.floor(pixel / width), index % channels) & (2 ** bits - 1);
  });
  return bits > 8 ? Uint16Array.from(values) : Uint8Array.from(values);
}

export async function photographs(folder: string): Promise<FuzzTarget[]> {
  const codec = await PhotoCodec.load(MODEL);
  return [await colours(), await tiles(codec), await pieces(codec), ...(await archives(folder))];
}

async function colours(): Promise<FuzzTarget> {
  const shape = (channels: 1 | 3 | 4): TileShape => ({ width: 40, height: 30, channels, bits: 8 });
  return {
    ...{ name: 'tile of few colours', layout: 'binary', head: 200, rounds: 600, errors: ['ERR_VAE_FORMAT'] },
    seeds: await Promise.all(
      ([1, 3, 4] as const).map((channels) =>
        encodeColours(samples(shape(channels), pattern) as Uint8Array, shape(channels)),
      ),
    ),
    parse: async (bytes) => {
      const of = shape(([1, 3, 4] as const)[bytes.length % 3]!);
      const made = await decodeColours(bytes, of);
      // Whatever decodes is a tile, which comes back.
      const back = await decodeColours(await encodeColours(made, of), of);
      if (Buffer.compare(back, made) !== 0) throw new Error('came back as other samples');
    },
  };
}

const TILE_SHAPES: readonly TileShape[] = [
  { width: 24, height: 20, channels: 3, bits: 8 },
  { width: 24, height: 20, channels: 4, bits: 8 },
  { width: 30, height: 17, channels: 1, bits: 16 },
  { width: 60, height: 31, channels: 1, bits: 1 },
];

/** A tile behind a byte that says its shape. */
async function tiles(codec: PhotoCodec): Promise<FuzzTarget> {
  const values = [pattern, (_: number, x: number, y: number) => letters(x, y), () => 7];
  const seeds: Uint8Array[] = [];
  for (const [index, shape] of TILE_SHAPES.entries()) {
    for (const value of values) {
      for (const context of [{ codec }, { codec: undefined }]) {
        const data = await encodeTile(samples(shape, value), shape, true, context);
        seeds.push(Buffer.concat([Buffer.of(index), data]));
      }
    }
  }
  return {
    ...{ name: 'tile of a photograph', layout: 'binary', head: 60, rounds: 1200, errors: ERRORS, seeds },
    parse: async (bytes) => {
      const shape = TILE_SHAPES[(bytes[0] ?? 0) % TILE_SHAPES.length]!;
      const made = await decodeTile(bytes.subarray(1), shape, { codec });
      if (made.length !== shape.width * shape.height * shape.channels) throw new Error('has another size');
    },
  };
}

/** Rows as a piece: wide enough for two tiles. */
async function pieces(codec: PhotoCodec): Promise<FuzzTarget> {
  const layout: PngLayout = { width: 1400, height: 6, type: 0, depth: 8 };
  const values = [pattern, (_: number, x: number, y: number) => letters(x, y)];
  const rows = values.map((value) => samples({ width: 1400, height: 6, channels: 1, bits: 8 }, value) as Uint8Array);
  return {
    ...{ name: 'rows of a photograph', layout: 'binary', head: 60, rounds: 600, errors: ERRORS },
    seeds: await Promise.all(rows.map((each) => encodePiece({ layout, rows: each }, { codec }))),
    parse: async (bytes) => {
      const { length } = await decodePiece(bytes, layout, { codec });
      if (length !== 1400 * 6) throw new Error('has another size');
    },
  };
}

/** Archives in every form: bare pictures, a few records with a model, a whole archive. */
async function archives(folder: string): Promise<FuzzTarget[]> {
  const make = async (name: string, files: Readonly<Record<string, Uint8Array>>): Promise<Uint8Array> => {
    const at = join(folder, `photographs-${name}`);
    await mkdir(at);
    for (const [file, bytes] of Object.entries(files)) await writeFile(join(at, file), bytes);
    return (await compress(at, { threads: 1 })).archive!;
  };
  const drawn = makePng({ width: 40, height: 30, type: 2, depth: 8, value: letters });
  const noisy = makePng({ width: 60, height: 50, type: 2, depth: 8 });
  const one = await make('one', { 'one.png': drawn });
  const some = await make('some', {
    'drawn.png': drawn,
    'grey.png': makePng({ width: 20, height: 30, type: 0, depth: 4 }),
    'text.png': makePng({ width: 9, height: 9, type: 6, depth: 8, before: [['tEXt', Buffer.from('a\0b')]] }),
  });
  const few = await make('few', { 'noisy.png': noisy, 'notes.txt': Buffer.from('beside') });
  const large = makePng({ width: 400, height: 200, type: 2, depth: 8, value: (x, y, k) => pattern(8, x * y, y, k) });
  const whole = await make('whole', { 'large.png': large, 'drawn.png': drawn, 'notes.txt': Buffer.from('beside') });
  const target = (name: string, seeds: readonly Uint8Array[], rounds: number): FuzzTarget => ({
    ...{ name, layout: 'binary', head: 120, rounds, seeds, errors: ERRORS },
    parse: async (bytes) => {
      await using opened = await openArchive<PhotographArchive>(bytes);
      for (const { name: picture, width, height, channels } of opened.pictures) {
        const { data } = await opened.read(picture);
        if (data.length !== width * height * channels) throw new Error(`"${picture}" has another size`);
      }
      const report = await inspectArchive(bytes, { decode: true });
      if (report.bytes !== bytes.length) throw new Error(`says that it has ${report.bytes} bytes`);
    },
  });
  return [
    target('archive of photographs in compact form', [one, some, few], 600),
    target('archive of photographs', [whole], 150),
  ];
}
