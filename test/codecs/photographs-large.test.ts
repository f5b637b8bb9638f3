/** Pictures of many bands: read in parts, damaged in parts, interrupted. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  compress,
  decompress,
  listArchive,
  mergeArchives,
  openArchive,
  type PhotographArchive,
  readArchived,
  removeFromArchive,
} from '../../src/codecs/index.js';
import { VaeError } from '../../src/core/errors.js';
import { temporaryFolder } from '../support/temporary.js';
import { chunksOf, makePng } from './pngs.js';

const folder = temporaryFolder('photographs-large');
const at = (...names: string[]) => join(folder, ...names);
/** Three bands, two tiles each. */
const [WIDTH, HEIGHT, BAND] = [1500, 3840, 1280];
/**
 * Smooth, with so much that no coder finds a rule for that every tile has some bytes, and that all of them are too many
 * for the compact form, whose records do not lie where they are read from.
 */
const value = (x: number, y: number, channel: number): number =>
  (((x >> 3) + (y >> 2) * (channel + 1)) & 255) ^
  (x % 13 === 0 && y % 11 === 0 ? (Math.imul(x * y, 0x9e3779b1) >>> 28) & 7 : 0);
const text: [string, Uint8Array] = ['tEXt', Buffer.from('Title\0Large')];

beforeAll(async () => {
  await mkdir(at('in'));
  const large = { width: WIDTH, height: HEIGHT, type: 2, depth: 8, value, idat: 1 << 16 };
  await writeFile(at('in/large.png'), makePng({ ...large, before: [text], after: [['tIME', Buffer.alloc(7, 1)]] }));
  for (let index = 0; index < 5; index += 1)
    await writeFile(at(`in/small${index}.png`), makePng({ width: 100 + index, height: 80, type: 6, depth: 8 }));
}, 120_000);

const rawOf = (path: string | Buffer) => sharp(path).raw().toBuffer();

describe('a picture of many bands', () => {
  it('comes out as one PNG file, is found to be there, and is not written over', { timeout: 180_000 }, async () => {
    const result = await compress(at('in'), { output: at('a.vaez'), threads: 2 });
    expect(result).toMatchObject({ items: 6, verified: true });
    const out = await decompress(at('a.vaez'), { output: at('out') });
    expect(out).toMatchObject({ items: 6, files: 6, damaged: [] });
    const [was, is] = [await readFile(at('in/large.png')), await readFile(at('out/large.png'))];
    expect(chunksOf(is)).toEqual(chunksOf(was));
    expect(Buffer.compare(await rawOf(was), await rawOf(is))).toBe(0);
    // The same samples in another file: the original, packed in its own way, is as good.
    await writeFile(at('out/large.png'), was);
    const again = await decompress(at('a.vaez'), { output: at('out') });
    expect(again.resumedChunks).toBeGreaterThan(3);
    expect(await readFile(at('out/large.png'))).toEqual(was);
    const other = Buffer.from(makePng({ width: 3, height: 3, type: 2, depth: 8 }));
    await writeFile(at('out/large.png'), other);
    await expect(decompress(at('a.vaez'), { output: at('out') })).rejects.toThrow(/large.png with other bytes/);
    await decompress(at('a.vaez'), { output: at('out'), force: true });
    expect(await readFile(at('out/large.png'))).toEqual(is);
  });

  it('reads a region from the tiles it lies in, whatever became of the others', { timeout: 60_000 }, async () => {
    const bytes = await readFile(at('a.vaez'));
    await using whole = await openArchive<PhotographArchive>(bytes);
    const region = { left: 600, top: 1200, width: 300, height: 300 };
    const { data } = await whole.read('large.png', { region });
    const expected = Array.from({ length: 300 * 300 * 3 }, (_, index) => {
      const pixel = Math.floor(index / 3);
      return value(600 + (pixel % 300), 1200 + Math.floor(pixel / 300), index % 3);
    });
    expect(Buffer.compare(data as Uint8Array, Buffer.from(expected))).toBe(0);
    // The last byte of the last band's record is of its last tile.
    const { chunkCount } = whole;
    const last = [...Array(chunkCount).keys()].filter((chunk) => whole.chunk(chunk).items === 1).length - 1;
    const end = last + 1 < whole.recordCount ? whole.offsetOf(last + 1) : bytes.length;
    bytes[end - 20]! ^= 0x55;
    await using hurt = await openArchive<PhotographArchive>(bytes);
    expect(Buffer.compare((await hurt.read('large.png', { region })).data as Uint8Array, data as Uint8Array)).toBe(0);
    const corner = { left: 0, top: HEIGHT - 100, width: 500, height: 100 };
    await expect(hurt.read('large.png', { region: corner })).resolves.toMatchObject({ width: 500 });
    await expect(
      hurt.read('large.png', { region: { left: WIDTH - 100, top: HEIGHT - 100, width: 100, height: 100 } }),
    ).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
    await expect(decompress(bytes, { output: at('hurt') })).rejects.toThrow(/chunks of the archive are damaged/);
    const saved = await decompress(bytes, { output: at('saved'), salvage: true });
    expect(saved.damaged).toHaveLength(1);
    const [was, is] = [await rawOf(at('in/large.png')), await rawOf(at('saved/large.png'))];
    // All but the tile at the lower right corner.
    let [wrong, leftmost, topmost] = [0, WIDTH, HEIGHT];
    for (let index = 0; index < was.length; index += 1) {
      if (was[index] === is[index]) continue;
      wrong += 1;
      leftmost = Math.min(leftmost, Math.floor(index / 3) % WIDTH);
      topmost = Math.min(topmost, Math.floor(index / 3 / WIDTH));
    }
    expect(wrong).toBeGreaterThan(0);
    expect(leftmost).toBe(WIDTH / 2);
    expect(topmost).toBe(2 * BAND);
  });

  it('puts zeros in place of a band that is lost altogether', { timeout: 60_000 }, async () => {
    const bytes = await readFile(at('a.vaez'));
    await using whole = await openArchive<PhotographArchive>(bytes);
    bytes[whole.offsetOf(1) + 5]! ^= 1;
    await decompress(bytes, { output: at('lost'), salvage: true });
    const [was, is] = [await rawOf(at('in/large.png')), await rawOf(at('lost/large.png'))];
    const band = BAND * WIDTH * 3;
    expect(Buffer.compare(was.subarray(0, band), is.subarray(0, band))).toBe(0);
    expect(is.subarray(band, 2 * band).every((each) => each === 0)).toBe(true);
    expect(Buffer.compare(was.subarray(2 * band), is.subarray(2 * band))).toBe(0);
  });

  it('is gone on from after an interruption, to the same bytes', { timeout: 180_000 }, async () => {
    const control = new AbortController();
    const interrupted = compress(at('in'), {
      output: at('b.vaez'),
      threads: 1,
      signal: control.signal,
      onProgress: ({ bytesOut }) => {
        if (bytesOut > 5000) control.abort();
      },
    });
    await expect(interrupted).rejects.toMatchObject({ name: 'AbortError' });
    const resumed = await compress(at('in'), { output: at('b.vaez'), threads: 2 });
    expect(resumed.resumedChunks).toBeGreaterThan(0);
    expect(await readFile(at('b.vaez'))).toEqual(await readFile(at('a.vaez')));
  });

  it('drops the bands of a file that turns out to be damaged, and stores it as it is', {
    timeout: 180_000,
  }, async () => {
    const bytes = await readFile(at('in/large.png'));
    // The checksum of the last IDAT: only tIME and IEND follow.
    bytes[bytes.length - 12 - 19 - 4]! ^= 1;
    await mkdir(at('late'));
    await writeFile(at('late/large.png'), bytes);
    await writeFile(at('late/small.png'), await readFile(at('in/small0.png')));
    const result = await compress(at('late'), { output: at('late.vaez') });
    expect(result).toMatchObject({ items: 1, storedFiles: 1, verified: true });
    expect(result.storedBecause).toMatchObject([
      { name: 'large.png', reason: expect.stringMatching(/checksum|check/) },
    ]);
    await decompress(at('late.vaez'), { output: at('late-out') });
    expect(await readFile(at('late-out/large.png'))).toEqual(bytes);
    const added = await compress(at('in/small1.png'), { output: at('late.vaez'), append: true });
    expect(added).toMatchObject({ items: 1, verified: true });
    await using opened = await openArchive<PhotographArchive>(at('late.vaez'));
    expect(opened.pictures.map(({ name }) => name)).toEqual(['small.png', 'small1.png']);
  });

  it('is listed, read, merged and left out', { timeout: 120_000 }, async () => {
    const listed = await listArchive(at('a.vaez'));
    expect(listed.map(({ name }) => name)).toEqual([
      'large.png',
      ...[0, 1, 2, 3, 4].map((index) => `small${index}.png`),
    ]);
    const pieces: Uint8Array[] = [];
    for await (const bytes of readArchived(at('a.vaez'), 'large.png')) pieces.push(bytes);
    expect(pieces).toHaveLength(3);
    expect(Buffer.compare(await rawOf(Buffer.concat(pieces)), await rawOf(at('in/large.png')))).toBe(0);
    const numbered: Uint8Array[] = [];
    for await (const bytes of readArchived(at('a.vaez'), 3)) numbered.push(bytes);
    expect(Buffer.compare(await rawOf(Buffer.concat(numbered)), await rawOf(at('in/small0.png')))).toBe(0);
    await removeFromArchive(at('a.vaez'), { names: ['large.png', 'small2.png'], output: at('fewer.vaez') });
    await mergeArchives([at('fewer.vaez'), at('b.vaez')], { output: at('both.vaez'), clash: 'folder' });
    await using both = await openArchive<PhotographArchive>(at('both.vaez'));
    expect(both.pictures).toHaveLength(10);
    expect((await both.read('fewer/small3.png')).data).toEqual((await both.read('b/small3.png')).data);
    expect(await both.verify()).toEqual([]);
  });

  it('decodes any bytes, or says that they are damaged', { timeout: 180_000 }, async () => {
    const { archive } = await compress([at('in/small0.png'), at('in/small1.png')], {});
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    let refused = 0;
    for (let round = 0; round < 300; round += 1) {
      const bytes = Buffer.from(archive!);
      for (let change = 0; change <= round % 4; change += 1) bytes[random(bytes.length)] = random(256);
      const cut = round % 5 === 0 ? bytes.subarray(0, random(bytes.length)) : bytes;
      try {
        await using opened = await openArchive<PhotographArchive>(cut);
        for (const { name } of opened.pictures) await opened.read(name);
        await opened.verify();
      } catch (error) {
        expect(error).toBeInstanceOf(VaeError);
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});
