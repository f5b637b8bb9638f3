import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { compress, decompress, inspectArchive } from '../src/codecs/index.js';
import { findFiles } from '../src/data/find-files.js';
import { decodePicture } from '../src/data/image/decode.js';
import { PICTURES } from '../src/data/image/formats.js';
import { readPictureHeader } from '../src/data/image/pixels.js';
import { figure } from './lib/report.js';
import type { Bench, BenchCase, BenchResult, Metrics } from './lib/types.js';

const run = promisify(execFile);
/** scripts/photographs/fetch.sh puts the pictures there. */
const SOURCES = process.env['NODE_VAE_PHOTOGRAPHS'] ?? fileURLToPath(new URL('../build/photographs', import.meta.url));

interface PictureSet {
  readonly folder: string;
  readonly title: string;
  /** Longest side. */
  readonly longest?: number;
  /** What JPEG did to a photograph is gone where it is halved: those that are JPEG files are. */
  readonly halved?: boolean;
  /** The middle of it alone, of so many pixels each way: what is drawn is drawn for its own size. */
  readonly middle?: number;
  /**
   * Bits of a sample. 12: made of 8-bit photographs, halved in linear light, as sensors have them. 16: scans, whose least
   * value becomes 0; of a volume the slice in the middle.
   */
  readonly bits: 8 | 12 | 16;
  readonly most?: number;
}

const SETS: readonly PictureSet[] = [
  { folder: 'held-out', title: 'held-out photographs at 768 pixels', longest: 768, bits: 8 },
  { folder: 'others', title: 'photographs of another source, JPEG files halved', halved: true, bits: 8 },
  { folder: 'others', title: 'photographs of another source as they are', bits: 8 },
  { folder: 'held-out', title: '12 bits in 16, made of the held-out photographs', longest: 768, bits: 12 },
  { folder: 'scans', title: 'scans of 16 bits: computed tomography, magnetic resonance', bits: 16 },
  { folder: 'drawings', title: 'drawings and screenshots', middle: 1024, bits: 8, most: 12 },
];

interface Contender {
  readonly name: string;
  /** Bytes of one picture, and the seconds that took. */
  pack(path: string, work: string): Promise<number>;
  unpack?(work: string): Promise<unknown>;
}

const byCjxl = (effort: number): Contender => ({
  name: `JPEG XL e${effort}`,
  async pack(path, work) {
    const out = join(work, 'x.jxl');
    await run('cjxl', ['-d', '0', '-e', String(effort), '--num_threads=2', path, out]);
    return (await stat(out)).size;
  },
  unpack: (work) => run('djxl', ['--num_threads=2', join(work, 'x.jxl'), join(work, 'x.png')]),
});

const PEERS: readonly Contender[] = [
  {
    // The shorter of one filter for all rows and one for each. (Sharp's "effort" would make a palette of the colours.)
    name: 'PNG',
    async pack(path) {
      const { depth, channels } = await samplesOf(path).metadata();
      const deep = channels === 1 ? 'grey16' : 'rgb16';
      const sizes = [true, false].map(async (adaptiveFiltering) => {
        const image = depth === 'ushort' ? samplesOf(path).toColourspace(deep) : samplesOf(path);
        return (await image.png({ compressionLevel: 9, adaptiveFiltering }).toBuffer()).length;
      });
      return Math.min(...(await Promise.all(sizes)));
    },
  },
  {
    name: 'WebP',
    pack: async (path) => (await sharp(path).webp({ lossless: true, effort: 6, exact: true }).toBuffer()).length,
  },
  byCjxl(7),
  byCjxl(9),
];

/** Samples as they are, 16 bits where they are. */
function samplesOf(path: string) {
  const opened = sharp(path, { limitInputPixels: false });
  return path.includes('-16.') ? opened.toColourspace('rgb16') : opened;
}

/**
 * Pictures without loss, each by itself: bits for each sample, mean over the pictures of a set. Ours is a whole archive of
 * each, without the model; its speed is that of all of a set in one archive.
 */
export const bench: Bench = {
  question: 'How small do pictures get without loss, and how fast, beside PNG, WebP and JPEG XL?',
  packages: ['sharp'],
  async run({ threads, log }): Promise<BenchResult> {
    const cases: BenchCase[] = [];
    const missing: Record<string, string> = {};
    const sections: BenchResult['sections'][number][] = [];
    const hasCjxl = await run('cjxl', ['--version']).then(
      () => true,
      () => false,
    );
    if (!hasCjxl) missing['JPEG XL'] = 'cjxl is not installed (apt-get install libjxl-tools)';
    for (const set of SETS) {
      const source = join(SOURCES, set.folder);
      const found = existsSync(source) ? some((await readdir(source)).sort(), set.most) : [];
      if (found.length === 0) {
        missing[set.title] = `there is nothing in ${source}; scripts/photographs/fetch.sh fetches it`;
        continue;
      }
      const work = await mkdtemp(join(tmpdir(), 'node-vae-bench-'));
      try {
        log(`${set.title}: ${found.length} pictures`);
        const peers = PEERS.filter(
          ({ name }) => (hasCjxl || !name.startsWith('JPEG XL')) && (set.bits === 8 || name !== 'WebP'),
        );
        const { result, table } = await measure(
          set,
          found.map((name) => join(source, name)),
          peers,
          work,
          threads || 2,
        );
        cases.push(result);
        sections.push({ title: set.title, table });
      } finally {
        await rm(work, { recursive: true, force: true });
      }
    }
    return { cases, missing, sections };
  },
};

/** So many of a list, from all over it. */
function some<T>(list: readonly T[], most = list.length): readonly T[] {
  const count = Math.min(most, list.length);
  return Array.from({ length: count }, (_, index) => list[Math.floor((index * list.length) / count)]!);
}

async function measure(
  set: PictureSet,
  files: readonly string[],
  peers: readonly Contender[],
  work: string,
  threads: number,
) {
  const bits = new Map<string, number[]>();
  const packed = new Map<string, number>();
  const seconds = new Map<string, number>();
  const add = (name: string, bytes: number, samples: number, took: number): void => {
    bits.set(name, [...(bits.get(name) ?? []), (8 * bytes) / samples]);
    packed.set(name, (packed.get(name) ?? 0) + bytes);
    seconds.set(name, (seconds.get(name) ?? 0) + took);
  };
  let [total, all] = [0, 0];
  const folder = join(work, 'in');
  const rows: string[][] = [['', 'node-vae', ...peers.map(({ name }) => name)]];
  for (const file of files) {
    const path = join(folder, `${basename(file).replace(/\.\w+$/, '')}${set.bits === 8 ? '' : '-16'}.png`);
    const { samples, bytes } = await prepare(file, path, set);
    total += bytes;
    all += samples;
    const { archive } = await compress(path, { threads, verify: false });
    add('node-vae', archive!.length, samples, 0);
    for (const peer of peers) {
      const started = performance.now();
      add(peer.name, await peer.pack(path, work), samples, (performance.now() - started) / 1000);
    }
    rows.push([
      basename(file),
      ...['node-vae', ...peers.map(({ name }) => name)].map((name) => bits.get(name)!.at(-1)!.toFixed(3)),
    ]);
  }
  const speed: Record<string, number> = {};
  for (const [name, verify] of [
    ['compressMbPerSecond', false],
    ['verifiedMbPerSecond', true],
  ] as const) {
    const started = performance.now();
    await compress(folder, { output: join(work, `${name}.vaez`), threads, verify });
    speed[name] = total / 1e3 / (performance.now() - started);
  }
  const archive = join(work, 'verifiedMbPerSecond.vaez');
  const started = performance.now();
  await inspectArchive(archive, { decode: true });
  speed['decodeMbPerSecond'] = total / 1e3 / (performance.now() - started);
  const unpacking = performance.now();
  await decompress(archive, { output: join(work, 'out'), threads });
  speed['decompressMbPerSecond'] = total / 1e3 / (performance.now() - unpacking);
  // What an archive has once counts for little in one of many pictures.
  packed.set('node-vae', (await stat(archive)).size);
  const names = ['node-vae', ...peers.map(({ name }) => name)];
  const mean = (name: string): number => bits.get(name)!.reduce((sum, each) => sum + each, 0) / files.length;
  rows.push(['mean', ...names.map((name) => mean(name).toFixed(3))]);
  rows.push(['all together', ...names.map((name) => ((8 * packed.get(name)!) / all).toFixed(3))]);
  rows.push([
    'MB/s',
    `${figure(speed['compressMbPerSecond']!)} packed, ${figure(speed['decompressMbPerSecond']!)} unpacked`,
    ...peers.map(({ name }) => figure(total / 1e6 / seconds.get(name)!)),
  ]);
  const result: BenchCase = {
    name: set.title,
    ours: { bitsPerSample: mean('node-vae'), ...speed },
    peers: Object.fromEntries(
      peers.map(({ name }): [string, Metrics] => [
        name,
        { bitsPerSample: mean(name), compressMbPerSecond: total / 1e6 / seconds.get(name)! },
      ]),
    ),
    ratios: Object.fromEntries(peers.map(({ name }) => [name, mean(name) / mean('node-vae')])),
  };
  return { result, table: rows };
}

/** The picture as an uncompressed PNG: samples alone, so that all have the same to do. */
async function prepare(
  file: string,
  path: string,
  { longest, halved, middle, bits }: PictureSet,
): Promise<{ samples: number; bytes: number }> {
  const { mkdir } = await import('node:fs/promises');
  await mkdir(join(path, '..'), { recursive: true });
  if (bits === 16) return prepareScan(file, path);
  const opened = sharp(file, { limitInputPixels: false });
  // Averages of many 8-bit samples have more bits than those: made smaller in 16 bits they keep them.
  let image = bits === 8 ? opened.toColourspace('srgb') : opened.pipelineColourspace('rgb16');
  if (longest !== undefined)
    image = image.resize({ width: longest, height: longest, fit: 'inside', withoutEnlargement: true });
  const { width, height, format } = await opened.metadata();
  if (halved && format === 'jpeg') image = image.resize({ width: Math.round(width / 2) });
  if (middle !== undefined) {
    const [across, down] = [Math.min(width, middle), Math.min(height, middle)];
    image = image.extract({ left: (width - across) >> 1, top: (height - down) >> 1, width: across, height: down });
  }
  if (bits === 8) {
    await image.png({ compressionLevel: 1 }).toFile(path);
    const made = await sharp(path).metadata();
    const samples = made.width * made.height * made.channels;
    return { samples, bytes: samples };
  }
  const { data, info } = await image
    .removeAlpha()
    .toColourspace('rgb16')
    .raw({ depth: 'ushort' })
    .toBuffer({ resolveWithObject: true });
  const values = new Uint16Array(data.buffer, data.byteOffset, data.length / 2);
  for (let at = 0; at < values.length; at += 1) values[at] = values[at]! >> 4;
  await writeFile(path, await wide16(values, { width: info.width, height: info.height, type: 2 }));
  return { samples: values.length, bytes: 2 * values.length };
}

async function prepareScan(file: string, path: string): Promise<{ samples: number; bytes: number }> {
  const [found] = await findFiles([file], PICTURES);
  const { pages } = await readPictureHeader(found!);
  const form = { colour: 'grey', depth: 32, values: 'stored', page: pages >> 1 } as const;
  const { data, width, height } = await decodePicture(found!, form);
  let least = 0;
  for (const value of data) least = Math.min(least, value);
  const values = Uint16Array.from(data, (value) => value - least);
  await writeFile(path, await wide16(values, { width, height, type: 0 }));
  return { samples: values.length, bytes: 2 * values.length };
}

/** @param picture `type` is PNG's of its colour. */
async function wide16(
  values: Uint16Array,
  picture: { readonly width: number; readonly height: number; readonly type: 0 | 2 },
): Promise<Buffer> {
  const { pngStart, packBand, pngEnd } = await import('../src/data/image/png/write-rows.js');
  const layout = { ...picture, depth: 16 };
  const rows = Buffer.from(values.buffer, values.byteOffset, values.byteLength).swap16();
  const part = await packBand({ layout, top: 0, rows });
  return Buffer.concat([pngStart(layout, Buffer.alloc(0)), part.bytesOf, pngEnd(part, Buffer.alloc(0))]);
}
