/** Pictures of any size, without loss and without a model: what goes in comes out, whatever its kind. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { compress, decompress, inspectArchive, openArchive, type PhotographArchive } from '../../src/codecs/index.js';
import { temporaryFolder } from '../support/temporary.js';
import { CHANNELS, chunksOf, type MadePng, makePng, pattern } from './pngs.js';

const folder = temporaryFolder('photographs');
const at = (...names: string[]) => join(folder, ...names);

async function filled(name: string, files: Readonly<Record<string, Uint8Array>>): Promise<string> {
  for (const [file, bytes] of Object.entries(files)) {
    await mkdir(join(at(name), file, '..'), { recursive: true });
    await writeFile(at(name, file), bytes);
  }
  return at(name);
}

const PALETTE = Uint8Array.from({ length: 768 }, (_, index) => (index * 89) % 256);
const paletteOf = (depth: number): [string, Uint8Array] => ['PLTE', PALETTE.subarray(0, 3 * 2 ** depth)];

/** Every colour type with every depth, interlaced or not. */
const KINDS: MadePng[] = [
  [0, 1],
  [0, 2],
  [0, 4],
  [0, 8],
  [0, 16],
  [2, 8],
  [2, 16],
  [3, 1],
  [3, 2],
  [3, 4],
  [3, 8],
  [4, 8],
  [4, 16],
  [6, 8],
  [6, 16],
].flatMap(([type, depth]) =>
  [false, true].map((interlaced) => ({
    ...{ width: 61, height: 43, type: type!, depth: depth!, interlaced },
    before: type === 3 ? [paletteOf(depth!)] : [],
  })),
);

/** What a camera, a scanner and a browser put beside the pixels. */
const BESIDE: (readonly [string, Uint8Array])[] = [
  ['gAMA', Buffer.from('0000b18f', 'hex')],
  ['cHRM', Buffer.alloc(32, 7)],
  ['sBIT', Buffer.of(5, 6, 5)],
  ['iCCP', Buffer.concat([Buffer.from('mine\0\0'), Buffer.alloc(90, 3)])],
  ['cICP', Buffer.of(9, 16, 0, 1)],
  ['tRNS', Buffer.of(0, 1, 0, 2, 0, 3)],
  ['bKGD', Buffer.of(0, 9, 0, 8, 0, 7)],
  ['pHYs', Buffer.from('00000b1300000b1301', 'hex')],
  ['eXIf', Buffer.from('4d4d002a00000008000101120003000000010006000000000000', 'hex')],
  ['tEXt', Buffer.from('Title\0A hill')],
  ['zTXt', Buffer.concat([Buffer.from('Comment\0\0'), Buffer.alloc(20, 9)])],
  ['iTXt', Buffer.from('Author\0\0\0\0\0Jürgen')],
  ['tIME', Buffer.of(7, 234, 11, 28, 0, 30, 1)],
  ['prVt', Buffer.from('what no standard knows')],
];

describe('photographs', () => {
  it('gives back every kind of PNG with the same samples and chunks', { timeout: 120_000 }, async () => {
    const files = Object.fromEntries(
      KINDS.map((kind) => [`${kind.type}-${kind.depth}${kind.interlaced ? '-interlaced' : ''}.png`, makePng(kind)]),
    );
    files['deep/ü ö.png'] = makePng({
      ...{ width: 40, height: 30, type: 2, depth: 8, before: BESIDE, after: [['tEXt', Buffer.from('Late\0yes')]] },
    });
    files['dot.png'] = makePng({ width: 1, height: 1, type: 6, depth: 16 });
    files['line.png'] = makePng({ width: 3000, height: 1, type: 2, depth: 8 });
    files['column.png'] = makePng({ width: 1, height: 3000, type: 0, depth: 1 });
    files['solid.png'] = makePng({ width: 300, height: 200, type: 6, depth: 8, value: (_x, _y, k) => 50 * k });
    files['twice.png'] = makePng({
      width: 90,
      height: 60,
      type: 2,
      depth: 16,
      value: (x, y, k) => pattern(8, x, y, k) * 257,
    });
    const input = await filled('kinds', files);
    const result = await compress(input, { output: at('kinds.vaez') });
    expect(result).toMatchObject({
      items: Object.keys(files).length,
      storedFiles: 0,
      storedBecause: [],
      verified: true,
    });
    await decompress(at('kinds.vaez'), { output: at('kinds-out') });
    for (const [name, bytes] of Object.entries(files)) {
      const back = await readFile(at('kinds-out', name));
      expect(chunksOf(back), name).toEqual(chunksOf(bytes));
      const [was, is] = await Promise.all([bytes, back].map(pixels));
      expect(Buffer.compare(was!, is!), name).toBe(0);
    }
  });

  it('reads one picture or a region of it, as its samples are stored', async () => {
    const kinds = KINDS.filter(({ interlaced }) => !interlaced);
    const files = Object.fromEntries(kinds.map((kind) => [`${kind.type}-${kind.depth}.png`, makePng(kind)]));
    const { archive } = await compress(await filled('regions', files), {});
    await using opened = await openArchive<PhotographArchive>(archive!);
    expect(opened.pictures).toHaveLength(kinds.length);
    for (const { type, depth, width, height } of kinds) {
      const name = `${type}-${depth}.png`;
      const channels = CHANNELS[type]!;
      const region = { left: 13, top: 5, width: 20, height: 11 };
      const found = await opened.read(name, { region });
      expect(found).toMatchObject({ name, width: 20, height: 11, channels, bits: depth, palette: type === 3 });
      const expected = Array.from({ length: 20 * 11 * channels }, (_, index) => {
        const pixel = Math.floor(index / channels);
        return pattern(depth, 13 + (pixel % 20), 5 + Math.floor(pixel / 20), index % channels);
      });
      expect(Array.from(found.data), name).toEqual(expected);
      expect((await opened.read(name)).data).toHaveLength(width * height * channels);
    }
    await expect(opened.read('none.png')).rejects.toThrow(/there is no "none.png" in the archive; it holds 0-1.png/);
    await expect(opened.read('2-8.png', { region: { left: 60, width: 2 } })).rejects.toThrow(/has 61×43 pixels/);
    expect(chunksOf(Buffer.from(await opened.readFile('3-4.png')))).toEqual(chunksOf(files['3-4.png']!));
  });

  it('stores what is no whole picture as it is, and says why', async () => {
    const whole = makePng({ width: 50, height: 50, type: 2, depth: 8 });
    const flipped = Buffer.from(whole);
    flipped[flipped.length - 40]! ^= 1;
    const jpeg = await sharp(whole).jpeg().toBuffer();
    const files = {
      'animated.png': makePng({ width: 9, height: 9, type: 2, depth: 8, before: [['acTL', Buffer.alloc(8, 1)]] }),
      'behind.png': Buffer.concat([whole, Buffer.from('and more')]),
      'cut.png': whole.subarray(0, 900),
      'empty.png': Buffer.alloc(0),
      'flipped.png': flipped,
      'jpeg.png': jpeg,
      'photo.jpg': jpeg,
      'copy.jpg': jpeg,
      'signed.png': makePng({ width: 9, height: 9, type: 2, depth: 8, after: [['dSIG', Buffer.alloc(8)]] }),
      'text.png': Buffer.from('no picture at all'),
      'unknown.png': makePng({ width: 9, height: 9, type: 2, depth: 8, before: [['WHAT', Buffer.alloc(8)]] }),
      'notes.txt': Buffer.from('notes'),
      'whole.png': whole,
    };
    const input = await filled('odd', files);
    const result = await compress(input, { output: at('odd.vaez') });
    expect(result).toMatchObject({ items: 1, verified: true, leftOut: [] });
    const reasons = Object.fromEntries(result.storedBecause.map(({ name, reason }) => [name, reason]));
    expect(reasons).toMatchObject({
      'animated.png': expect.stringMatching(/several frames. It is stored as it is/),
      'behind.png': expect.stringMatching(/8 bytes stand behind its end/),
      'cut.png': expect.stringMatching(/ends too early|end of file/),
      'flipped.png': expect.stringMatching(/checksum|check/),
      'signed.png': expect.stringMatching(/signed/),
      'text.png': expect.stringMatching(/no picture/),
      'unknown.png': expect.stringMatching(/chunk WHAT/),
    });
    expect(result.notes.join()).toMatch(/1 JPEG file of [\d,]+ bytes is stored byte for byte/);
    await decompress(at('odd.vaez'), { output: at('odd-out') });
    expect((await readdir(at('odd-out'))).sort()).toEqual(Object.keys(files).sort());
    for (const [name, bytes] of Object.entries(files))
      if (name !== 'whole.png') expect(await readFile(at('odd-out', name)), name).toEqual(bytes);
    // Nothing but such files is an archive too.
    const only = await compress(await filled('only', { 'a.jpg': jpeg, 'cut.png': whole.subarray(0, 900) }), {});
    expect(only).toMatchObject({ items: 0, storedFiles: 2 });
  });

  it('says what no model is for', async () => {
    const input = await filled('none', { 'a.bin': Buffer.from('abc') });
    await expect(compress(input, {})).rejects.toThrow(/a.bin is no picture. Anything else needs a model/);
    await expect(compress({ data: Uint8Array.of(1), shape: [1, 1] }, {})).rejects.toThrow(/need option "model"/);
  });

  it('keeps later layouts and coders apart from damage', async () => {
    const value = (x: number, y: number) =>
      Math.imul(Math.imul(x * 7919 + y * 104729, 0x9e3779b1) ^ y, 0x85ebca6b) >>> 24;
    // Larger than what takes a compact form.
    const noise = makePng({ width: 600, height: 400, type: 0, depth: 8, value });
    const { archive } = await compress(await filled('later', { 'a.png': noise }), {});
    expect(await inspectArchive(archive!)).toMatchObject({ kind: 'photographs', items: 1, complete: true });
    const later = Buffer.from(archive!);
    const head = later.indexOf('"layout":1');
    later[head + 9] = 0x32;
    const { crc32 } = await import('node:zlib');
    const end = 16 + later.readUInt32LE(12);
    later.writeUInt32LE(crc32(later.subarray(0, end)), end);
    await expect(decompress(later, { output: at('later-out') })).rejects.toMatchObject({
      code: 'ERR_VAE_REPRODUCIBILITY',
      message: expect.stringMatching(/layout 2, this node-vae reads layouts up to 1/),
    });
  });
});

/** As libvips decodes them, 16 bits where they are. */
async function pixels(bytes: Buffer): Promise<Buffer> {
  const wide = bytes[24] === 16;
  const grey = bytes[25] === 0 || bytes[25] === 4;
  const image = sharp(bytes, { ignoreIcc: true }).pipelineColourspace(
    wide ? (grey ? 'grey16' : 'rgb16') : grey ? 'b-w' : 'srgb',
  );
  const out = await image
    .toColourspace(wide ? (grey ? 'grey16' : 'rgb16') : grey ? 'b-w' : 'srgb')
    .raw({ depth: wide ? 'ushort' : 'uchar' })
    .toBuffer();
  return out;
}
