/** Small archives of pictures: their compact forms, as every reader takes them, and damaged in every way. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brotliCompressSync, constants, crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { varint } from '../../src/archive/varint.js';
import {
  type CompressProgress,
  compress,
  decompress,
  inspectArchive,
  listArchive,
  mergeArchives,
  openArchive,
  type PhotographArchive,
  readArchived,
  removeFromArchive,
  splitArchive,
} from '../../src/codecs/index.js';
import { VaeError } from '../../src/core/errors.js';
import { PngRows, rangesOf } from '../../src/data/image/png/read-rows.js';
import { temporaryFolder } from '../support/temporary.js';
import { CHANNELS, type MadePng, makePng } from './pngs.js';

const folder = temporaryFolder('photographs-compact');
const at = (...names: string[]) => join(folder, ...names);

/** A disc on nothing, as icons have them. */
const disc = (side: number) => (x: number, y: number, channel: number) => {
  const inside = (x - side / 2) ** 2 + (y - side / 2) ** 2 < (side / 2.5) ** 2;
  return inside ? [40, 90 + y, 200, 255][channel]! : 0;
};
const WAVES = (x: number, y: number, channel: number): number =>
  Math.round(128 + 60 * Math.sin(x / 9 + channel) + 50 * Math.cos((x + y) / 13)) +
  (Math.imul(x * 7919 + y * 104729, 0x9e3779b1) >>> 28);
const text = (value: string): [string, Uint8Array] => ['tEXt', Buffer.from(`Software\0${value}`, 'latin1')];
const icon = (side: number, more: Partial<MadePng> = {}) =>
  makePng({ width: side, height: side, type: 6, depth: 8, value: disc(side), ...more });

const ICONS: Readonly<Record<string, Buffer>> = {
  'one.png': icon(16, { before: [text('gnome')] }),
  'two.png': icon(22, { after: [text('after')] }),
  'grey.PNG': icon(48, { type: 0, value: (x, y) => (x + y) & 255 }),
  'sub/palette.png': icon(32, {
    ...{ type: 3, depth: 4, value: (x: number, y: number) => (x >> 3) ^ (y >> 4) },
    before: [['PLTE', Buffer.from(Array.from({ length: 48 }, (_, index) => index * 5))]],
  }),
  'bits.png': icon(24, { type: 0, depth: 1, value: (x, y) => Number(x > y) }),
  'deep.png': icon(20, { type: 2, depth: 16, value: (x, y, channel) => x * 1000 + y * 10 + channel }),
};

beforeAll(async () => {
  await mkdir(at('icons/sub'), { recursive: true });
  await mkdir(at('waves'));
  for (const [name, bytes] of Object.entries(ICONS)) await writeFile(at('icons', name), bytes);
  await writeFile(at('waves/waves.png'), makePng({ width: 150, height: 100, type: 2, depth: 8, value: WAVES }));
});

/** Layout, rows and chunks of a PNG file. */
async function contentOf(bytes: Uint8Array) {
  const rows = await PngRows.open(rangesOf(bytes));
  const { layout } = rows;
  return { layout, rows: Buffer.from(await rows.read(layout.height)), before: rows.before, after: await rows.end() };
}

async function expectIcons(out: string, names = Object.keys(ICONS)): Promise<void> {
  for (const name of names)
    expect(await contentOf(await readFile(at(out, name))), name).toEqual(await contentOf(ICONS[name]!));
}

const brotli = (bytes: Uint8Array) =>
  brotliCompressSync(bytes, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length },
  }).length;
/** The fourth byte: 0x1c few records, from 0x20 on bare pictures; undefined where the archive is whole. */
const formOf = (archive: Uint8Array) => (archive[1] === 0x56 && archive[2] === 0x5a ? archive[3] : undefined);

describe('a small archive of pictures', () => {
  it('is never larger than PNG -9, nor than Brotli of the file', async () => {
    for (const type of [0, 2, 3, 4, 6]) {
      for (const side of [1, 3, 8, 16, 24, 48, 64]) {
        for (const [kind, value] of Object.entries({ disc: disc(side), waves: WAVES, noise: undefined })) {
          const spread = (x: number, y: number, channel: number) => (value?.(x, y, channel) ?? 0) & 255;
          const before: [string, Uint8Array][] = type === 3 ? [['PLTE', Buffer.alloc(768, 7)]] : [];
          const made = { width: side, height: side, type, depth: 8, before, ...(value && { value: spread }) };
          const png = makePng(made);
          const { rows, layout } = await contentOf(png);
          const row = side * CHANNELS[type]!;
          const plain = Buffer.concat(
            Array.from({ length: layout.height }, (_, y) => [
              Buffer.of(0),
              rows.subarray(y * row, (y + 1) * row),
            ]).flat(),
          );
          const nine =
            png.length < 100 ? png.length : 57 + deflateSync(plain, { level: 9 }).length + (type === 3 ? 780 : 0);
          await writeFile(at('a.png'), png);
          const { bytesOut, archive } = await compress(at('a.png'), {});
          const most = Math.min(nine, png.length, brotli(png));
          expect(bytesOut, `${kind} ${side} ${type}`).toBeLessThanOrEqual(most * 1.01);
          expect(archive).toHaveLength(bytesOut);
        }
      }
    }
  }, 120_000);

  it('is read by everything that reads archives', { timeout: 60_000 }, async () => {
    const { archive, bytesOut } = await compress(at('icons'), { output: at('icons.vaez') });
    expect(archive).toBeUndefined();
    const bytes = await readFile(at('icons.vaez'));
    expect(bytes).toHaveLength(bytesOut);
    expect(formOf(bytes)).toBeGreaterThanOrEqual(0x20);
    await decompress(at('icons.vaez'), { output: at('icons-out') });
    await expectIcons('icons-out');
    expect(await inspectArchive(bytes, { decode: true })).toMatchObject({
      ...{ kind: 'photographs', items: 6, complete: true, damaged: [], bytes: bytes.length },
    });
    expect((await listArchive(at('icons.vaez'))).map(({ name }) => name).sort()).toEqual(Object.keys(ICONS).sort());
    const pieces: Uint8Array[] = [];
    for await (const piece of readArchived(at('icons.vaez'), 'sub/palette.png')) pieces.push(piece);
    expect(await contentOf(Buffer.concat(pieces))).toEqual(await contentOf(ICONS['sub/palette.png']!));
    await using open = await openArchive<PhotographArchive>(bytes);
    const region = { left: 3, top: 2, width: 5, height: 4 };
    const { data } = await open.read('one.png', { region });
    const expected = [];
    for (let y = 2; y < 6; y += 1)
      for (let x = 3; x < 8; x += 1)
        for (let channel = 0; channel < 4; channel += 1) expected.push(disc(16)(x, y, channel));
    expect([...data]).toEqual(expected);
  });

  it('is there already when the same is compressed again', { timeout: 60_000 }, async () => {
    await mkdir(at('plain'));
    await writeFile(at('plain/a.jpg'), await sharp(ICONS['one.png']!).jpeg().toBuffer());
    for (const input of ['icons', 'waves', 'plain']) {
      const output = at(`again-${input}.vaez`);
      await compress(at(input), { output });
      const bytes = await readFile(output);
      expect(formOf(bytes), input).toBeDefined();
      expect(await compress(at(input), { output }), input).toMatchObject({ already: true });
      expect(await readFile(output), input).toEqual(bytes);
    }
  });

  it('tells of a large picture how much of it is done', { timeout: 180_000 }, async () => {
    const value = (x: number, y: number) => (y % 1200 < 40 && x < 400 ? WAVES(x, y, 0) & 255 : Math.floor(y / 1200));
    await writeFile(at('large.png'), makePng({ width: 3000, height: 6000, type: 0, depth: 8, value }));
    const told: CompressProgress[] = [];
    await compress(at('large.png'), { verify: false, onProgress: (each) => void told.push(each) });
    const shares = told.map(({ share }) => share);
    expect(told.length).toBeGreaterThan(3);
    expect(shares).toEqual([...shares].sort((a, b) => a - b));
    expect(shares[0]).toBeGreaterThan(0);
    expect(shares[0]).toBeLessThan(0.5);
    expect(told.at(-2)).toMatchObject({ items: 0, totalItems: 1 });
    expect(told.at(-1)).toMatchObject({ items: 1, totalItems: 1, share: 1 });
  });

  it('is split, merged with one that has a model, and taken from', { timeout: 60_000 }, async () => {
    await compress(at('icons'), { output: at('edit.vaez') });
    await compress(at('waves'), { output: at('waves.vaez') });
    expect(formOf(await readFile(at('waves.vaez')))).toBe(0x1c);
    for (const [index, pair] of [
      ['edit.vaez', 'waves.vaez'],
      ['waves.vaez', 'edit.vaez'],
    ].entries()) {
      const output = at(`both-${index}.vaez`);
      await mergeArchives(
        pair.map((name) => at(name)),
        { output },
      );
      await decompress(output, { output: at(`both-${index}`) });
      await expectIcons(`both-${index}`);
      const { rows } = await contentOf(await readFile(at(`both-${index}/waves.png`)));
      expect(rows).toEqual((await contentOf(await readFile(at('waves/waves.png')))).rows);
    }
    const { archives } = await splitArchive(at('both-0.vaez'), { output: at('parts'), bytes: 1 });
    for (const { path } of archives) await decompress(path, { output: at('parts-out'), force: true });
    await expectIcons('parts-out');
    await removeFromArchive(at('both-0.vaez'), { names: ['waves.png'] });
    await removeFromArchive(at('both-0.vaez'), { names: ['one.png', 'sub/palette.png'] });
    const left = await readFile(at('both-0.vaez'));
    expect(formOf(left)).toBeGreaterThanOrEqual(0x20);
    await decompress(left, { output: at('left-out') });
    await expectIcons('left-out', ['two.png', 'grey.PNG', 'bits.png', 'deep.png']);
  });

  it('holds other files beside the pictures, and confines damage to a record', { timeout: 60_000 }, async () => {
    await mkdir(at('mixed'));
    await writeFile(at('mixed/one.png'), ICONS['one.png']!);
    await writeFile(at('mixed/note.txt'), 'a note beside it');
    const { archive, bytesOut } = await compress(at('mixed'), {});
    expect(formOf(archive!)).toBe(0x1c);
    expect(bytesOut).toBeLessThan(ICONS['one.png']!.length + 250);
    await decompress(archive!, { output: at('mixed-out') });
    await expectIcons('mixed-out', ['one.png']);
    expect(await readFile(at('mixed-out/note.txt'), 'utf8')).toBe('a note beside it');
    const damaged = Buffer.from(archive!);
    damaged[damaged.length - 3]! ^= 1;
    expect((await inspectArchive(damaged, { decode: true })).damaged).toHaveLength(1);
    const salvaged = await decompress(damaged, { output: at('salvaged'), salvage: true });
    expect(salvaged).toBeDefined();
    await expectIcons('salvaged', ['one.png']);
    // Cut off within the last record: what is before it is there.
    const cut = Buffer.from(archive!.subarray(0, archive!.length - 5));
    await decompress(cut, { output: at('cut-out'), salvage: true });
    await expectIcons('cut-out', ['one.png']);
  });
});

describe('compact forms that are damaged', () => {
  const attempt = async (bytes: Uint8Array): Promise<Uint8Array | undefined> => {
    try {
      await using open = await openArchive<PhotographArchive>(bytes);
      const damaged = await open.verify();
      return damaged.length > 0 || !open.complete ? undefined : await open.readFile(open.pictures[0]!.name);
    } catch (error) {
      expect(error).toBeInstanceOf(VaeError);
      expect(['ERR_VAE_FORMAT', 'ERR_VAE_REPRODUCIBILITY']).toContain((error as VaeError).code);
      return undefined;
    }
  };

  it.each(['one', 'icons', 'waves'])(
    'are told by every byte and every length: %s',
    { timeout: 120_000 },
    async (what) => {
      const input = what === 'one' ? at('icons/one.png') : at(what);
      const { archive } = await compress(input, {});
      expect(formOf(archive!)).toBeDefined();
      const whole = await attempt(archive!);
      expect(whole).toBeDefined();
      // What the model coded takes its time to be read.
      const [each, some] = what === 'waves' ? [130, 20] : [200, 150];
      const step = Math.max(1, Math.floor(archive!.length / some));
      for (let index = 0; index < archive!.length; index += index < each ? 1 : step) {
        const wrong = Buffer.from(archive!);
        wrong[index]! ^= 1 << (index % 8);
        // Brotli has bits that mean nothing.
        const read = await attempt(wrong);
        if (read !== undefined) expect(Buffer.compare(read, whole!), `byte ${index}`).toBe(0);
        expect((await attempt(archive!.subarray(0, index)))?.length, `length ${index}`).toBeUndefined();
      }
    },
  );

  it('make no room for what they claim', { timeout: 60_000 }, async () => {
    const sealed = (...pieces: Uint8Array[]) => {
      const body = Buffer.concat([Buffer.from([0x89, 0x56, 0x5a]), ...pieces]);
      const crc = Buffer.alloc(4);
      crc.writeUInt32LE(crc32(body));
      return Buffer.concat([body, crc]);
    };
    const rgba = 4 * 5 + 3;
    const claims = (width: number, height: number) =>
      Buffer.concat([varint(1), Buffer.of(rgba), varint(width), varint(height), varint(1), Buffer.from('a')]);
    const bomb = brotliCompressSync(Buffer.concat([claims(1024, 1024), Buffer.alloc(1 << 24)]));
    const cases: [Buffer, RegExp][] = [
      [sealed(Buffer.of(0x20), claims(2 ** 31 - 1, 2 ** 31 - 1), Buffer.of(1)), /claims/],
      [sealed(Buffer.of(0x20), claims(1025, 1025), Buffer.of(1)), /claims/],
      [sealed(Buffer.of(0x20), claims(0, 5), Buffer.of(1)), /unknown kind/],
      [sealed(Buffer.of(0x20), varint(100_000), Buffer.alloc(9)), /at most 512/],
      [sealed(Buffer.of(0x20), varint(0), Buffer.alloc(9)), /nothing in it/],
      [sealed(Buffer.of(0x22), bomb), /do not decompress/],
      [sealed(Buffer.of(0x21), varint(bomb.length), bomb), /do not decompress/],
      [sealed(Buffer.of(0x20), claims(1024, 1024), Buffer.of(2), bomb), /do not decompress/],
      [sealed(Buffer.of(0x2f), claims(5, 5), Buffer.of(1)), /unknown kind/],
      [sealed(Buffer.of(0x1c), varint(2 ** 27), Buffer.alloc(9)), /at most/],
      [sealed(Buffer.of(0x1c), varint(2), Buffer.from('{}'), Buffer.alloc(3)), /"kind" is wrong/],
    ];
    for (const [bytes, message] of cases) {
      await expect(openArchive(bytes), String(message)).rejects.toMatchObject({
        ...{ code: 'ERR_VAE_FORMAT', message: expect.stringMatching(message) },
      });
    }
  });
});
