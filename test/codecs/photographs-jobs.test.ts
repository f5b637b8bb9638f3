/** Archives of photographs as jobs see them: added to, killed, limited, and asked for what they cannot do. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { ArchiveWriter } from '../../src/archive/writer.js';
import {
  type CompressOptions,
  compress,
  compressPictures,
  decompress,
  inspectArchive,
  openArchive,
  type PhotographArchive,
} from '../../src/codecs/index.js';
import { encodeRecord } from '../../src/codecs/photographs/record.js';
import { packageFiles } from '../../src/core/package-files.js';
import { headerChunk, pngChunk, SIGNATURE } from '../../src/data/image/png/chunks.js';
import { temporaryFolder } from '../support/temporary.js';
import { killedAfter } from './killed-after.js';
import { chunksOf, makePng } from './pngs.js';

const folder = temporaryFolder('photographs-jobs');
const at = (...names: string[]) => join(folder, ...names);
const NOISY = (x: number, y: number, channel: number): number =>
  ((x >> 2) + (y >> 1) * (channel + 1) + ((Math.imul(x * 7919 + y * 104729, 0x9e3779b1) >>> 29) & 7)) & 255;
/** What the model is for. */
const WAVES = (x: number, y: number, channel: number): number =>
  Math.round(128 + 60 * Math.sin(x / 9 + channel) + 50 * Math.cos((x + y) / 13)) +
  (Math.imul(x * 7919 + y * 104729, 0x9e3779b1) >>> 28);
/** What nothing makes smaller: an archive of it is beyond the compact forms. */
const NOISE = (x: number, y: number, channel: number): number =>
  Math.imul(Math.imul(x * 7919 + y * 104729 + channel * 1299709, 0x9e3779b1) ^ 0x5bd1e995, 0x85ebca6b) >>> 24;
/** Five bands of a few strokes each, which are quick to code. */
const LARGE = {
  ...{ width: 3000, height: 6000, type: 0, depth: 8 },
  value: (x: number, y: number): number => (y % 1200 < 40 && x < 400 ? NOISY(x, y, 0) : Math.floor(y / 1200)),
};
const photograph = (width: number, value = NOISY, height = 60) => makePng({ width, height, type: 2, depth: 8, value });

beforeAll(async () => {
  for (const each of ['first', 'second', 'large', 'waves', 'noise']) await mkdir(at(each));
  await writeFile(at('first/a.png'), photograph(90));
  await writeFile(at('second/b.png'), photograph(120));
  await writeFile(at('second/c.jpg'), await sharp(photograph(50)).jpeg().toBuffer());
  await writeFile(at('waves/waves.png'), photograph(150, WAVES, 100));
  await writeFile(at('noise/noise.png'), photograph(200, NOISE, 150));
  await writeFile(at('large/large.png'), makePng(LARGE));
  await writeFile(at('large/small.png'), photograph(64));
  await writeFile(at('large/text.txt'), 'beside them');
}, 60_000);
afterEach(() => void vi.restoreAllMocks());

/** As where no models are installed. */
const withoutModels = () => vi.spyOn(packageFiles(), 'modelFolders').mockReturnValue([]);

async function expectSame(out: string, input: string): Promise<void> {
  for (const name of await readdir(at(input))) {
    const [was, is] = await Promise.all([readFile(at(input, name)), readFile(at(out, name))]);
    if (!name.endsWith('.png')) expect(is, name).toEqual(was);
    else {
      expect(chunksOf(is), name).toEqual(chunksOf(was));
      const raw = await Promise.all([was, is].map((bytes) => sharp(bytes).raw().toBuffer()));
      expect(Buffer.compare(raw[0]!, raw[1]!), name).toBe(0);
    }
  }
}

describe('adding to an archive of photographs', () => {
  it('takes the model that it has, none being named', async () => {
    await compress(at('waves'), { output: at('a.vaez') });
    const added = await compress(at('second'), { output: at('a.vaez'), append: true });
    expect(added).toMatchObject({ items: 1, storedFiles: 1, verified: true });
    expect(added.notes.join()).toMatch(/1 JPEG file/);
    await decompress(at('a.vaez'), { output: at('a-out') });
    await expectSame('a-out', 'waves');
    await expectSame('a-out', 'second');
    await expect(compress(at('second'), { output: at('a.vaez'), append: true })).rejects.toThrow(/holds "b.png"/);
  });

  it('codes without a model where it needs none, and says so', async () => {
    const models = withoutModels();
    await compress(at('noise'), { output: at('free.vaez') });
    models.mockRestore();
    const added = await compress(at('second'), { output: at('free.vaez'), append: true });
    expect(added).toMatchObject({ items: 1, storedFiles: 1, verified: true });
    expect(added.notes.join()).toMatch(/needs no model, and what was added to it was coded without one/);
    withoutModels();
    expect(await inspectArchive(at('free.vaez'), { decode: true })).toMatchObject({ damaged: [] });
    await decompress(at('free.vaez'), { output: at('free-out') });
    await expectSame('free-out', 'noise');
    await expectSame('free-out', 'second');
  });

  it('takes the model for what is added to a compact archive, which names none', async () => {
    await compress(at('first'), { output: at('small.vaez') });
    expect((await readFile(at('small.vaez')))[1]).toBe(0x56);
    expect((await readFile(at('small.vaez')))[2]).toBe(0x5a);
    await compress(at('waves'), { output: at('small.vaez'), append: true });
    await compress(at('second'), { output: at('small.vaez'), append: true });
    expect(await inspectArchive(at('small.vaez'), { decode: true })).toMatchObject({ items: 3, damaged: [] });
    withoutModels();
    await expect(decompress(at('small.vaez'), { output: at('small-not') })).rejects.toMatchObject({
      code: 'ERR_VAE_REPRODUCIBILITY',
    });
    vi.restoreAllMocks();
    await decompress(at('small.vaez'), { output: at('small-out') });
    for (const input of ['first', 'waves', 'second']) await expectSame('small-out', input);
  });

  it('refuses where the model of the archive is not here', async () => {
    await compress(at('waves'), { output: at('model.vaez') });
    withoutModels();
    await expect(compress(at('second'), { output: at('model.vaez'), append: true })).rejects.toMatchObject({
      code: 'ERR_VAE_REPRODUCIBILITY',
    });
  });
});

describe('a job that was killed', () => {
  const options: CompressOptions = { threads: 1, verify: false };

  it('goes on where it was, to the bytes that it would have had', { timeout: 180_000 }, async () => {
    await compress(at('large'), { ...options, output: at('whole.vaez') });
    const whole = await readFile(at('whole.vaez'));
    const call = [at('large'), { ...options, output: at('killed.vaez') }];
    const after = { count: Math.floor(whole.length / 3), measure: 'bytesOut' };
    expect(await killedAfter(folder, after, 'compress', call)).toBe('SIGKILL');
    const left = await readdir(folder);
    expect(left).toContain('.killed.vaez.partial');
    expect(left).not.toContain('killed.vaez');
    const resumed = await compress(at('large'), { ...options, verify: true, output: at('killed.vaez') });
    expect(resumed.resumedChunks).toBeGreaterThan(0);
    expect(resumed).toMatchObject({ items: 2, storedFiles: 1, verified: true });
    expect(await readFile(at('killed.vaez'))).toEqual(whole);
    expect((await readdir(folder)).filter((name) => name.includes('partial'))).toEqual([]);
  });

  it('leaves the archive that it added to as it was, and goes on', { timeout: 180_000 }, async () => {
    await compress(at('first'), { ...options, output: at('grown.vaez') });
    const before = await readFile(at('grown.vaez'));
    await compress(at('first'), { ...options, output: at('grown-whole.vaez') });
    await compress(at('large'), { ...options, output: at('grown-whole.vaez'), append: true });
    const whole = await readFile(at('grown-whole.vaez'));
    const call = [at('large'), { ...options, output: at('grown.vaez'), append: true }];
    const after = { count: Math.floor(whole.length / 2), measure: 'bytesOut' };
    expect(await killedAfter(folder, after, 'compress', call)).toBe('SIGKILL');
    expect(await readFile(at('grown.vaez'))).toEqual(before);
    const resumed = await compress(at('large'), { ...options, output: at('grown.vaez'), append: true });
    expect(resumed.resumedChunks).toBeGreaterThan(0);
    expect(await readFile(at('grown.vaez'))).toEqual(whole);
    await decompress(at('grown.vaez'), { output: at('grown-out') });
    await expectSame('grown-out', 'first');
    await expectSame('grown-out', 'large');
  });
});

describe('pictures that claim very much', () => {
  /** A PNG file of a few hundred bytes that claims any number of pixels. */
  const claims = (width: number, height: number) =>
    Buffer.concat([
      SIGNATURE,
      headerChunk({ width, height, type: 0, depth: 8 }),
      pngChunk('IDAT', deflateSync(Buffer.alloc(4096))),
      pngChunk('IEND'),
    ]);

  it('are stored as they are beyond a limit, and named', async () => {
    await mkdir(at('bombs'));
    const bombs = {
      'tall.png': claims(1, 2 ** 31 - 1),
      'wide.png': claims(2 ** 31 - 1, 1),
      'big.png': claims(60_000, 90_000),
    };
    for (const [name, bytes] of Object.entries(bombs)) await writeFile(at('bombs', name), bytes);
    await writeFile(at('bombs/a.png'), photograph(90));
    const result = await compress(at('bombs'), { output: at('bombs.vaez') });
    expect(result).toMatchObject({ items: 1, storedFiles: 3, leftOut: [], verified: true });
    const reasons = Object.fromEntries(result.storedBecause.map(({ name, reason }) => [name, reason]));
    expect(reasons).toMatchObject({
      'big.png': expect.stringMatching(
        /would decode to 5400000000 bytes.*maxPictureBytes, --max-picture.*stored as it is/,
      ),
      'tall.png': expect.stringMatching(/pixels end too early/),
      'wide.png': expect.stringMatching(/its rows have 2147483647 bytes/),
    });
    await decompress(at('bombs.vaez'), { output: at('bombs-out') });
    for (const [name, bytes] of Object.entries(bombs)) expect(await readFile(at('bombs-out', name))).toEqual(bytes);
    const small = await compress(at('first'), { maxPictureBytes: 90 * 60 * 3 - 1 });
    expect(small).toMatchObject({ items: 0, storedFiles: 1 });
    expect(small.storedBecause).toMatchObject([{ name: 'a.png', reason: expect.stringMatching(/16200 bytes/) }]);
    expect(await compress(at('first'), { maxPictureBytes: 90 * 60 * 3 })).toMatchObject({ items: 1 });
    await expect(compress(at('first'), { maxPictureBytes: 1, others: 'fail' })).rejects.toMatchObject({
      code: 'ERR_VAE_DATA',
    });
    const without = await compress(at('bombs'), { others: 'skip' });
    expect(without.leftOut.map(({ name }) => name).sort()).toEqual(['big.png', 'tall.png', 'wide.png']);
  });

  it('are not made room for before they are read', async () => {
    const layout = { width: 60_000, height: 2 ** 31 - 1, type: 2, depth: 8 };
    const rows = new Uint8Array(180_000);
    const entry = { name: 'huge.png', layout, top: 0, height: 1, before: 0, after: 0 };
    const pieces: Uint8Array[] = [];
    const writer = new ArchiveWriter(async (bytes) => void pieces.push(Uint8Array.from(bytes)));
    await writer.header({ kind: 'photographs', layout: 1 });
    const contents = [{ entry, rows, before: new Uint8Array(), after: new Uint8Array() }];
    await writer.chunk(await encodeRecord(contents, { codec: undefined }));
    await writer.end();
    await using opened = await openArchive<PhotographArchive>(Buffer.concat(pieces));
    expect(opened.pictures).toMatchObject([{ name: 'huge.png', height: 2 ** 31 - 1 }]);
    await expect(opened.read('huge.png')).rejects.toMatchObject({
      code: 'ERR_VAE_FORMAT',
      message: expect.stringMatching(/rows of "huge.png" from 1 on are missing/),
    });
    const region = { top: 0, height: 1, left: 7, width: 5 };
    expect((await opened.read('huge.png', { region })).data).toHaveLength(15);
    await expect(decompress(Buffer.concat(pieces), { output: at('huge-out') })).rejects.toMatchObject({
      code: 'ERR_VAE_FORMAT',
    });
  });
});

describe('options that do nothing', () => {
  it('are refused by name, with what they are for', async () => {
    const refused: [CompressOptions, RegExp][] = [
      [
        { pixelsOnly: true },
        /"pixelsOnly" \(--pixels-only\) does nothing where no model is named: it is for pictures of one shape/,
      ],
      [{ chunkItems: 7 }, /"chunkItems" \(--chunk\) does nothing where no model is named/],
      [{ model: 'mnist-codec', keepFiles: true }, /"keepFiles" \(--keep-files\) does nothing with this model/],
      [{ model: 'mnist-codec', effort: 'best' }, /"effort" \(--effort\) does nothing with this model/],
      [
        { model: 'sound-codec', maxPictureBytes: 9 },
        /"maxPictureBytes" \(--max-picture\) does nothing with this model/,
      ],
    ];
    for (const [options, message] of refused) {
      await expect(compress(at('first'), options)).rejects.toMatchObject({
        code: 'ERR_VAE_OPTION',
        message: expect.stringMatching(message),
      });
    }
    const named = await compress(at('first'), {
      model: 'photo-lossless',
      effort: 'fast',
      keepFiles: false,
      pixelsOnly: false,
    });
    expect(named).toMatchObject({ items: 1 });
  });
});

it('takes the models of the package, whatever is called so in the folder at hand', { timeout: 60_000 }, async () => {
  const here = process.cwd();
  await mkdir(at('here/photo-lossy'), { recursive: true });
  await writeFile(at('here/photo-lossy/lossy.safetensors'), 'no model');
  await mkdir(at('here/photo-lossless'), { recursive: true });
  await writeFile(at('here/photo-lossless/photo.safetensors'), 'no model');
  process.chdir(at('here'));
  try {
    expect(await compressPictures(at('first'), { quality: 50, metrics: false })).toMatchObject({ verified: true });
    expect(await compress(at('first'), {})).toMatchObject({ items: 1 });
  } finally {
    process.chdir(here);
  }
});
