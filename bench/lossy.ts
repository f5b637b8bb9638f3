import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp, { type Sharp } from 'sharp';
import { LossyCodec, type Picture, PictureMetrics } from '../src/codecs/index.js';
import { findFiles } from '../src/data/find-files.js';
import { figureToPng, figureToSvg } from '../src/report/index.js';
import { type Curve, type CurvePoint, rateDistortion, rateRatio } from './lib/rate-distortion.js';
import { figure } from './lib/report.js';
import type { Bench, BenchResult, Metrics } from './lib/types.js';

const MODEL = fileURLToPath(new URL('../models/photo-lossy', import.meta.url));
const OUT = fileURLToPath(new URL('../build/bench', import.meta.url));
/** Debian's plasma-workspace-wallpapers, mate-backgrounds, lomiri-wallpapers-16.04 and -20.04; python3-skimage. */
const FOLDERS = ['/usr/share/wallpapers', '/usr/share/backgrounds', '/usr/lib/python3/dist-packages/skimage/data'];
/** Photographs of python3-skimage: of another kind than those trained on. */
const OTHERS = ['astronaut.png', 'coffee.png', 'chelsea.png', 'motorcycle_left.png', 'camera.png'];
/** Halved at least, as in training: what JPEG did to them is gone. */
const LONGEST = 768;

interface Contender {
  readonly name: string;
  readonly qualities: readonly number[];
  encode(picture: Picture, quality: number): Promise<Uint8Array>;
  decode(bytes: Uint8Array, picture: Picture): Promise<Picture>;
}

const withSharp = (name: string, qualities: number[], to: (image: Sharp, quality: number) => Sharp): Contender => ({
  name,
  qualities,
  async encode({ data, width, height, channels }, quality) {
    const image = sharp(data, { raw: { width, height, channels } });
    return to(channels === 1 ? image.toColourspace('b-w') : image, quality).toBuffer();
  },
  async decode(bytes, { channels }) {
    const space = channels === 1 ? 'b-w' : 'srgb';
    const { data, info } = await sharp(bytes).toColourspace(space).raw().toBuffer({ resolveWithObject: true });
    return { data, width: info.width, height: info.height, channels: info.channels as 1 | 3 };
  },
});

/**
 * Held-out photographs of the kind the model was trained on, and others of another source, through each
 * codec at several qualities: bits for each pixel against PSNR and MS-SSIM, means over the pictures.
 * A ratio is how many more bits the other takes for the same quality, over the qualities that both reach.
 */
export const bench: Bench = {
  question: 'How small do photographs get at which quality, beside JPEG, WebP and AVIF?',
  packages: ['sharp'],
  async run({ threads, log }): Promise<BenchResult> {
    const card = JSON.parse(await readFile(join(MODEL, 'card.json'), 'utf8')) as { heldOut: string[] };
    const folders = process.env['NODE_VAE_PHOTOGRAPHS']?.split(':') ?? FOLDERS;
    const files = (await Promise.all(folders.map(filesOf))).flat();
    const sets = {
      'held-out photographs': files.filter((path) => card.heldOut.some((word) => path.includes(word))),
      'other photographs': files.filter((path) => OTHERS.includes(basename(path))),
    };
    await using codec = await LossyCodec.load(MODEL, { threads });
    await using metrics = new PictureMetrics();
    const cases = [];
    const missing: Record<string, string> = {};
    const sections = [];
    for (const [name, paths] of Object.entries(sets)) {
      if (paths.length === 0) {
        missing[name] = `none in ${folders.join(', ')}; NODE_VAE_PHOTOGRAPHS names other folders`;
        continue;
      }
      const pictures = await Promise.all(paths.map(read));
      const curves: Curve[] = [];
      const table = [['', 'quality', 'bits/pixel', 'PSNR dB', 'MS-SSIM', 'encode Mpixel/s', 'decode Mpixel/s']];
      for (const contender of [ours(codec), ...PEERS]) {
        log(`${name}: ${contender.name}`);
        const points = [];
        for (const quality of contender.qualities) {
          const point = await measure(contender, quality, pictures, metrics);
          points.push(point);
          const { bitsPerPixel, psnr, msSsim, encodeSpeed, decodeSpeed } = point;
          table.push([
            ...[contender.name, String(quality), bitsPerPixel.toFixed(3), psnr.toFixed(2), msSsim.toFixed(4)],
            ...[figure(encodeSpeed), figure(decodeSpeed)],
          ]);
        }
        curves.push({ name: contender.name, points });
      }
      const drawn = rateDistortion(`lossy-${name.split(' ')[0]}`, `${pictures.length} ${name}`, curves);
      await mkdir(OUT, { recursive: true });
      await writeFile(join(OUT, `${drawn.id}.png`), await figureToPng(drawn));
      await writeFile(join(OUT, `${drawn.id}.svg`), await figureToSvg(drawn));
      sections.push({ title: `${name}: ${paths.map((path) => nameOf(path)).join(', ')}`, table });
      const [own, ...others] = curves as [Curve, ...Curve[]];
      cases.push({
        name,
        ours: summaryOf(own.points),
        peers: Object.fromEntries(others.map((curve) => [curve.name, summaryOf(curve.points)])),
        ratios: Object.fromEntries(
          others.flatMap((curve) => [
            [`${curve.name} at equal PSNR`, rateRatio(curve.points, own.points, 'psnr')],
            [`${curve.name} at equal MS-SSIM`, rateRatio(curve.points, own.points, 'msSsim')],
          ]),
        ),
      });
    }
    return { cases, missing, sections };
  },
};

function ours(codec: LossyCodec): Contender {
  return {
    name: 'node-vae',
    qualities: [0, 25, 50, 75, 100],
    encode: (picture, quality) => codec.encode(picture, { quality, verify: false }),
    decode: (bytes) => codec.decode(bytes),
  };
}

const PEERS: readonly Contender[] = [
  withSharp('JPEG', [5, 10, 20, 40, 60, 75, 85, 92], (image, quality) => image.jpeg({ quality, mozjpeg: true })),
  withSharp('WebP', [1, 10, 25, 45, 65, 80, 90, 96], (image, quality) => image.webp({ quality, effort: 6 })),
  withSharp('AVIF', [8, 20, 32, 45, 57, 68, 78, 86], (image, quality) => image.avif({ quality, effort: 4 })),
];

async function measure(
  { encode, decode }: Contender,
  quality: number,
  pictures: readonly Picture[],
  metrics: PictureMetrics,
): Promise<CurvePoint & { encodeSpeed: number; decodeSpeed: number }> {
  const sums = { bitsPerPixel: 0, psnr: 0, msSsim: 0, pixels: 0, encodeMs: 0, decodeMs: 0 };
  for (const picture of pictures) {
    const pixels = picture.width * picture.height;
    const started = performance.now();
    const bytes = await encode(picture, quality);
    const between = performance.now();
    const decoded = await decode(bytes, picture);
    sums.decodeMs += performance.now() - between;
    sums.encodeMs += between - started;
    const { psnr, msSsim } = await metrics.compare(picture, decoded);
    sums.bitsPerPixel += (bytes.length * 8) / pixels;
    sums.psnr += psnr;
    sums.msSsim += msSsim!;
    sums.pixels += pixels;
  }
  const count = pictures.length;
  return {
    ...{ bitsPerPixel: sums.bitsPerPixel / count, psnr: sums.psnr / count, msSsim: sums.msSsim / count },
    ...{ encodeSpeed: sums.pixels / 1000 / sums.encodeMs, decodeSpeed: sums.pixels / 1000 / sums.decodeMs },
  };
}

function summaryOf(points: readonly CurvePoint[]): Metrics {
  return Object.fromEntries(
    points.map(({ bitsPerPixel, psnr, msSsim }, index) => [
      `point${index}`,
      `${bitsPerPixel.toFixed(3)} bits/pixel, ${psnr.toFixed(2)} dB, MS-SSIM ${msSsim.toFixed(4)}`,
    ]),
  );
}

async function filesOf(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return [];
  const files = await findFiles([folder], { plural: 'photographs', endings: ['.jpg', '.jpeg', '.png'] });
  return files.map(({ name }) => name).filter((path) => !/screenshot/.test(path));
}

/** Wallpapers are called by their size, and their folder by their name. */
function nameOf(path: string): string {
  return /\d+x\d+/.test(basename(path)) ? path.split('/').slice(-4)[0]! : basename(path);
}

async function read(path: string): Promise<Picture> {
  const image = sharp(path).rotate().flatten();
  const { width, height, space } = await image.metadata();
  const resized = Math.max(width, height) >= 1.5 * LONGEST ? image.resize(LONGEST, LONGEST, { fit: 'inside' }) : image;
  const { data, info } = await resized
    .toColourspace(space === 'b-w' ? 'b-w' : 'srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height, channels: info.channels as 1 | 3 };
}
