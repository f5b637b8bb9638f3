/** Folders of files with awkward names, kinds, links and sizes, the same for the same seed. */
import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { encodePng } from '../../src/codecs/lossless/image-files.js';

export type Random = () => number;

/** 0 to 1: mulberry32, by Tommy Ettinger. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const NAMES = [
  ...[
    'plain',
    'Photo',
    'photo',
    'a b',
    'what?',
    'a|b',
    '[x]*',
    'say "hi"',
    '<tag>',
    'two\nlines',
    'a\tb',
    'a\\b',
    'aux',
  ],
  ...[
    'con',
    '-o',
    '.hidden',
    'caf\u00e9',
    'cafe\u0301',
    '\u{1f600}',
    '12:30:05',
    'dot.',
    'space ',
    'x'.repeat(240),
    '\u4e2d'.repeat(80),
  ],
];
const SIDE = [6, 5] as const;

export interface Made {
  /** Every file by its name, as a reader of the folder would find it through links. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** Names that are no files: links that lead nowhere. */
  readonly odd: ReadonlySet<string>;
  /** Folders that hold nothing. */
  readonly empty: readonly string[];
}

/** Makes a tree; `kind` says which files are frequent. */
export async function makeTree(
  root: string,
  random: Random,
  kind: 'png' | 'wav',
  beside = `${root}-outside`,
): Promise<Made> {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const odd = new Set<string>();
  const taken = new Set<string>();
  const count = 2 + Math.floor(random() * 14);
  let last: Buffer | undefined;
  await mkdir(root, { recursive: true });
  for (let index = 0; index < count; index += 1) {
    const folder = random() < 0.5 ? '' : `${pick(['deep', 'Vol. 1.', 'a/b', 'prn'])}/`;
    const ending =
      random() < 0.7 || index === 0 ? `.${kind}` : pick(['.txt', '.jpg', '', '.mp3', '.png', '.wav', '.PNG']);
    const name = `${folder}${pick(NAMES)}${random() < 0.5 ? index : ''}${ending}`;
    if (taken.has(name)) continue;
    taken.add(name);
    const path = join(root, name);
    await mkdir(dirname(path), { recursive: true });
    const roll = random();
    if (roll < 0.06 && index > 0) {
      await symlink('nowhere-at-all', path);
      odd.add(name);
      continue;
    }
    last = random() < 0.15 && last !== undefined ? last : await content(ending, random);
    await writeFile(path, last);
  }
  if (random() < 0.3) await symlink('.', join(root, 'loop')).then(() => odd.add('loop'));
  if (random() < 0.3) await symlink(await outside(beside, random), join(root, 'linked')).catch(() => {});
  const empty = random() < 0.3 ? ['nothing', 'deep/nothing here.'] : [];
  for (const name of empty) await mkdir(join(root, name), { recursive: true });
  return { files: await read(root), odd, empty };
}

/** A folder that a link leads to. */
async function outside(folder: string, random: Random): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'within.txt'), bytes(random, 300));
  return folder;
}

async function content(ending: string, random: Random): Promise<Buffer> {
  if (random() < 0.05) return Buffer.alloc(0);
  if (ending.toLowerCase() === '.png' && random() < 0.85) {
    const noisy = random() < 0.3;
    const pixels = Uint8Array.from({ length: SIDE[0] * SIDE[1] }, (_, at) => (noisy ? 256 * random() : at * 5) & 255);
    if (random() < 0.15) {
      return sharp(pixels, { raw: { height: SIDE[0], width: SIDE[1], channels: 1 } })
        .withMetadata({ orientation: 6 })
        .png()
        .toBuffer();
    }
    return encodePng(pixels, [1, ...SIDE]);
  }
  if (ending === '.wav' && random() < 0.9) return wav(random);
  return bytes(random, Math.floor(random() ** 4 * 400_000));
}

function bytes(random: Random, length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, () => 256 * random()));
}

function wav(random: Random): Buffer {
  const frames = Math.floor(random() ** 3 * 200_000);
  const data = Buffer.alloc(2 * frames);
  const [step, noise] = [random() * 0.2, random() * 300];
  for (let at = 0; at < frames; at += 1)
    data.writeInt16LE(Math.round(9000 * Math.sin(at * step) + noise * (random() - 0.5)), 2 * at);
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + data.length, 4);
  head.write('WAVEfmt ', 8);
  for (const [value, at, size] of [
    [16, 16, 4],
    [1, 20, 2],
    [1, 22, 2],
    [8000, 24, 4],
    [16_000, 28, 4],
    [2, 32, 2],
    [16, 34, 2],
  ] as const) {
    head.writeUIntLE(value, at, size);
  }
  head.write('data', 36);
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
}

/** All files of a folder, through links but no loops. */
export async function read(root: string, within = '', depth = 0): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  if (depth > 8) return found;
  for (const entry of await readdir(join(root, within))) {
    const name = within === '' ? entry : `${within}/${entry}`;
    if (entry === 'loop') continue;
    const info = await stat(join(root, name)).catch(() => undefined);
    if (info?.isDirectory())
      for (const [inner, content_] of await read(root, name, depth + 1)) found.set(inner, content_);
    else if (info?.isFile()) found.set(name, await readFile(join(root, name)));
  }
  return found;
}

/** Whether what came out is what went in: the bytes, or of a picture the pixels. */
export async function isSame(name: string, was: Buffer, is: Buffer): Promise<boolean> {
  if (was.equals(is)) return true;
  if (!/\.png$/i.test(name)) return false;
  const [before, after] = await Promise.all(
    [was, is].map((each) => sharp(each).raw().toBuffer({ resolveWithObject: true })),
  );
  return before!.data.equals(after!.data) && before!.info.width === after!.info.width;
}
