/** Other lossless compressors on the same items: of Node, WebP, and programs where installed. */
import { spawn } from 'node:child_process';
import { access, constants as fsConstants, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { encodeLosslessWebp } from '../../data/image/encode.js';
import { decodePixels } from '../../data/image/pixels.js';
import { imageShape } from '../lossless/image-files.js';

export interface PeerInput {
  /** [count, ...itemShape] */
  readonly items: Uint8Array;
  readonly count: number;
  readonly itemShape: readonly number[];
  readonly signal?: AbortSignal | undefined;
}

/** A compressor: what it makes of the items, and those items again. */
export interface Peer {
  readonly name: string;
  /** Why it cannot take part, or undefined. */
  obstacle(input: PeerInput): Promise<string | undefined>;
  compress(input: PeerInput): Promise<Buffer>;
  decompress(bytes: Buffer, input: PeerInput): Promise<Buffer>;
}

const [gzip, gunzip] = [promisify(zlib.gzip), promisify(zlib.gunzip)];
const [brotli, unbrotli] = [promisify(zlib.brotliCompress), promisify(zlib.brotliDecompress)];

/** In one picture, the form most favourable to image formats: items side by side, rows of a square. */
interface Mosaic {
  readonly columns: number;
  readonly rows: number;
  readonly channels: number;
  readonly width: number;
  readonly height: number;
}

function mosaicOf({ count, itemShape }: PeerInput): Mosaic {
  const [channels, height, width] = imageShape(itemShape);
  const columns = Math.max(1, Math.round(Math.sqrt((count * height) / width)));
  return { columns, rows: Math.ceil(count / columns), channels, width, height };
}

/** Where value `index` of an item lies in the picture, channels last. */
function* places({ columns, channels, width, height }: Mosaic, count: number): Generator<[number, number]> {
  const stride = columns * width * channels;
  let from = 0;
  for (let item = 0; item < count; item += 1) {
    const corner = Math.floor(item / columns) * height * stride + (item % columns) * width * channels;
    for (let channel = 0; channel < channels; channel += 1) {
      for (let y = 0; y < height; y += 1) {
        for (let x = 0; x < width; x += 1) yield [from++, corner + y * stride + x * channels + channel];
      }
    }
  }
}

function toPicture(input: PeerInput): { data: Buffer; width: number; height: number; channels: number } {
  const mosaic = mosaicOf(input);
  const [width, height] = [mosaic.columns * mosaic.width, mosaic.rows * mosaic.height];
  const data = Buffer.alloc(width * height * mosaic.channels);
  for (const [from, to] of places(mosaic, input.count)) data[to] = input.items[from]!;
  return { data, width, height, channels: mosaic.channels };
}

function fromPicture(data: Uint8Array, input: PeerInput): Buffer {
  const items = Buffer.alloc(input.items.length);
  for (const [to, from] of places(mosaicOf(input), input.count)) items[to] = data[from]!;
  return items;
}

function noPicture(input: PeerInput): string | undefined {
  try {
    const { channels, columns, rows, width, height } = mosaicOf(input);
    if (channels === 4) return 'items have transparency';
    if (columns * width > 16383 || rows * height > 16383) return 'the items do not fit in one picture';
    return undefined;
  } catch {
    return 'items are not pictures';
  }
}

const webp: Peer = {
  name: 'WebP lossless',
  obstacle: async (input) => noPicture(input),
  async compress(input) {
    const { data, width, height, channels } = toPicture(input);
    return encodeLosslessWebp({ data, width, height, channels: channels as 1 | 3 });
  },
  async decompress(bytes, input) {
    const pixels = await decodePixels({ bytes, name: 'WebP' }, { maxPixels: Number.MAX_SAFE_INTEGER });
    const data = pixels.data as Uint8Array;
    const { channels } = mosaicOf(input);
    // WebP has no grey: one of the three equal colours is what went in.
    if (pixels.channels === channels) return fromPicture(data, input);
    const grey = Buffer.alloc(data.length / pixels.channels);
    for (let i = 0; i < grey.length; i += 1) grey[i] = data[i * pixels.channels]!;
    return fromPicture(grey, input);
  },
};

/** A program that reads and writes files. */
function program(
  name: string,
  command: string,
  files: { readonly plain: string; readonly packed: string },
  commands: { readonly pack: readonly string[]; readonly unpack: readonly string[]; readonly unpacker?: string },
  picture: boolean,
): Peer {
  const run = async (
    tool: string,
    args: readonly string[],
    input: Buffer,
    [from, to]: [string, string],
    signal?: AbortSignal,
  ) => {
    const folder = await mkdtemp(join(tmpdir(), 'node-vae-peer-'));
    try {
      await writeFile(join(folder, from), input);
      await execute(tool, args, folder, signal);
      return await readFile(join(folder, to));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
  return {
    name,
    async obstacle(input) {
      for (const tool of [command, commands.unpacker ?? command]) {
        if (!(await isInstalled(tool))) return `${tool} is not installed`;
      }
      return picture ? noPicture(input) : undefined;
    },
    compress: (input) =>
      run(
        command,
        commands.pack,
        picture ? toPnm(input) : Buffer.from(input.items),
        [files.plain, files.packed],
        input.signal,
      ),
    async decompress(bytes, input) {
      const plain = await run(
        commands.unpacker ?? command,
        commands.unpack,
        bytes,
        [files.packed, files.plain],
        input.signal,
      );
      return picture ? fromPicture(plain.subarray(plain.length - toPicture(input).data.length), input) : plain;
    },
  };
}

/** PGM or PPM: the picture behind a header of three lines. */
function toPnm(input: PeerInput): Buffer {
  const { data, width, height, channels } = toPicture(input);
  return Buffer.concat([Buffer.from(`${channels === 1 ? 'P5' : 'P6'}\n${width} ${height}\n255\n`), data]);
}

async function isInstalled(command: string): Promise<boolean> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const found = await access(join(folder, command), fsConstants.X_OK).then(
      async () => (await stat(join(folder, command))).isFile(),
      () => false,
    );
    if (found) return true;
  }
  return false;
}

function execute(command: string, args: readonly string[], cwd: string, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: 'ignore', ...(signal && { signal }) });
    child.on('error', reject);
    child.on('exit', (status) =>
      status === 0 ? resolve() : reject(new Error(`${command} failed with status ${status}`)),
    );
  });
}

const packed = (extension: string) => ({ plain: 'items', packed: `items.${extension}` });
const jpegXl = (effort: number): Peer =>
  program(
    `JPEG XL effort ${effort}`,
    'cjxl',
    { plain: 'items.ppm', packed: 'items.jxl' },
    {
      pack: ['-q', '100', '-e', String(effort), 'items.ppm', 'items.jxl'],
      unpack: ['items.jxl', 'items.ppm'],
      unpacker: 'djxl',
    },
    true,
  );

export const PEERS: readonly Peer[] = [
  {
    name: 'gzip -9',
    obstacle: async () => undefined,
    compress: ({ items }) => gzip(items, { level: 9 }),
    decompress: (bytes) => gunzip(bytes),
  },
  {
    name: 'brotli -11',
    obstacle: async () => undefined,
    compress: ({ items }) =>
      brotli(items, {
        params: {
          [zlib.constants.BROTLI_PARAM_QUALITY]: 11,
          [zlib.constants.BROTLI_PARAM_LGWIN]: 24,
          [zlib.constants.BROTLI_PARAM_SIZE_HINT]: items.length,
        },
      }),
    decompress: (bytes) => unbrotli(bytes),
  },
  program('bzip2 -9', 'bzip2', packed('bz2'), { pack: ['-9', 'items'], unpack: ['-d', 'items.bz2'] }, false),
  program('xz -9e', 'xz', packed('xz'), { pack: ['-9e', 'items'], unpack: ['-d', 'items.xz'] }, false),
  program(
    'zstd -19',
    'zstd',
    packed('zst'),
    { pack: ['-q', '-19', 'items'], unpack: ['-q', '-d', 'items.zst'] },
    false,
  ),
  webp,
  jpegXl(7),
  jpegXl(9),
];
