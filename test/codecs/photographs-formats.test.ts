/** Files of other formats come out as PNG files with the same samples and what stood beside them, or as they are. */
import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { expect, it } from 'vitest';
import { compress, decompress, openArchive, type PhotographArchive } from '../../src/codecs/index.js';
import { OneAtATime } from '../../src/codecs/photographs/one-at-a-time.js';
import { temporaryFolder } from '../support/temporary.js';
import { chunksOf, pattern } from './pngs.js';

const folder = temporaryFolder('photographs-formats');
const at = (...names: string[]) => join(folder, ...names);
const [WIDTH, HEIGHT] = [70, 50];

const bytes = (channels: number): Uint8Array =>
  Uint8Array.from({ length: WIDTH * HEIGHT * channels }, (_, index) => {
    const pixel = Math.floor(index / channels);
    return pattern(8, pixel % WIDTH, Math.floor(pixel / WIDTH), index % channels);
  });
const wide = (channels: number): Uint16Array =>
  Uint16Array.from(bytes(channels), (value, index) => value * 13 + (index % 7));
const raw = (data: Uint8Array | Uint16Array, channels: 1 | 2 | 3 | 4): Sharp =>
  sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels } });

/** 24 bits, 72 points an inch. */
function bmp(pixels: Uint8Array): Buffer {
  const row = Math.ceil((WIDTH * 3) / 4) * 4;
  const out = Buffer.alloc(54 + row * HEIGHT);
  out.write('BM', 0, 'latin1');
  out.writeUInt32LE(out.length, 2);
  out.writeUInt32LE(54, 10);
  out.writeUInt32LE(40, 14);
  out.writeInt32LE(WIDTH, 18);
  out.writeInt32LE(HEIGHT, 22);
  out.writeUInt16LE(1, 26);
  out.writeUInt16LE(24, 28);
  out.writeInt32LE(2835, 38);
  out.writeInt32LE(2835, 42);
  for (let y = 0; y < HEIGHT; y += 1)
    for (let x = 0; x < WIDTH; x += 1)
      for (let k = 0; k < 3; k += 1)
        out[54 + (HEIGHT - 1 - y) * row + 3 * x + 2 - k] = pixels[(y * WIDTH + x) * 3 + k]!;
  return out;
}

it('makes PNG files of pictures without loss', { timeout: 60_000 }, async () => {
  const rgb = bytes(3);
  const few = Uint8Array.from(rgb, (value) => value & 0xc0);
  const grey16 = wide(1);
  const profile = (await sharp(await raw(rgb, 3).withIccProfile('p3').png().toBuffer()).metadata()).icc!;
  const files: Record<string, { file: Buffer; data: Uint8Array | Uint16Array; as?: string }> = {
    'a.bmp': { file: bmp(rgb), data: rgb },
    'b.ppm': { file: Buffer.concat([Buffer.from(`P6\n# by hand\n${WIDTH} ${HEIGHT}\n255\n`), rgb]), data: rgb },
    'c.pgm': {
      file: Buffer.concat([Buffer.from(`P5 ${WIDTH} ${HEIGHT} 65535\n`), Buffer.from(grey16.slice().buffer).swap16()]),
      data: grey16,
    },
    'd.webp': {
      file: await raw(rgb, 3)
        .webp({ lossless: true })
        .withIccProfile('p3')
        .withExif({ IFD0: { Copyright: 'me' } })
        .toBuffer(),
      data: rgb,
    },
    'e.gif': { file: await raw(few, 3).gif({ dither: 0 }).toBuffer(), data: few },
    'f.tif': {
      file: await raw(rgb, 3)
        .withMetadata({ orientation: 6, density: 300 })
        .withIccProfile('p3')
        .tiff({ compression: 'lzw', predictor: 'horizontal' })
        .toBuffer(),
      data: rgb,
    },
    'g.tiff': {
      file: await raw(grey16, 1).toColourspace('grey16').tiff({ compression: 'none' }).toBuffer(),
      data: grey16,
    },
    'h.tif': {
      file: await raw(bytes(1), 1).toColourspace('b-w').tiff({ compression: 'deflate' }).toBuffer(),
      data: bytes(1),
    },
    'h.png': { file: await raw(bytes(1), 1).toColourspace('b-w').png().toBuffer(), data: bytes(1) },
    'rgba.webp': { file: await raw(bytes(4), 4).webp({ lossless: true, exact: true }).toBuffer(), data: bytes(4) },
  };
  await mkdir(at('in'));
  for (const [name, { file }] of Object.entries(files)) await writeFile(at('in', name), file);
  const result = await compress(at('in'), { output: at('a.vaez') });
  expect(result.storedBecause).toEqual([]);
  expect(result).toMatchObject({ items: 10, storedFiles: 0, verified: true });
  await decompress(at('a.vaez'), { output: at('out') });
  const out = ['a.png', 'b.png', 'c.png', 'd.png', 'e.png', 'f.png', 'g.png', 'h.png', 'h.tif.png', 'rgba.png'];
  expect((await readdir(at('out'))).sort()).toEqual(out);
  await using archive = await openArchive<PhotographArchive>(at('a.vaez'));
  for (const [name, { data, file }] of Object.entries(files)) {
    const png = name === 'h.tif' ? 'h.tif.png' : name.replace(/\.\w+$/, '.png');
    const found = await archive.read(png);
    expect(found, name).toMatchObject({ width: WIDTH, height: HEIGHT });
    if (found.palette) {
      const image = sharp(await readFile(at('out', png)), { ignoreIcc: true });
      expect(Buffer.compare(await image.raw().toBuffer(), await sharp(file).removeAlpha().raw().toBuffer()), name).toBe(
        0,
      );
    } else {
      // A profile changes the values that sharp stores: what it stored is what counts.
      const wanted = /^[df]/.test(name) ? await sharp(file, { ignoreIcc: true }).raw().toBuffer() : data;
      expect(
        Buffer.compare(
          Buffer.from(found.data.buffer),
          Buffer.from(wanted.buffer, wanted.byteOffset, wanted.byteLength),
        ),
        name,
      ).toBe(0);
    }
  }
  const chunks = async (name: string) => Object.fromEntries(chunksOf(await readFile(at('out', name))));
  expect(await chunks('a.png')).toMatchObject({ pHYs: '00000b1300000b1301' });
  expect(Buffer.from((await chunks('b.png'))['tEXt']!, 'hex').toString()).toBe('Comment\0by hand');
  const turned = await sharp(at('out/f.png')).metadata();
  expect(turned).toMatchObject({ orientation: 6, density: 300 });
  expect(turned.icc).toEqual(profile);
  const [profileName, packed] = Buffer.from((await chunks('d.png'))['iCCP']!, 'hex')
    .toString('latin1')
    .split('\0\0');
  expect(profileName).toBe('ICC profile');
  expect(inflateSync(Buffer.from(packed!, 'latin1'))).toEqual(profile);
  expect(Buffer.from((await chunks('d.png'))['eXIf']!, 'hex').toString('latin1')).toContain('me');
});

it('keeps what a PNG could not carry as it is, and says why', { timeout: 60_000 }, async () => {
  const rgb = bytes(3);
  const frames = sharp(Buffer.concat([rgb, rgb.map((value) => 255 - value)]), {
    raw: { width: WIDTH, height: 2 * HEIGHT, channels: 3, pageHeight: HEIGHT },
  });
  const files: Record<string, Buffer> = {
    'animated.gif': await frames.clone().gif().toBuffer(),
    'animated.webp': await frames.clone().webp({ lossless: true }).toBuffer(),
    'cmyk.tif': await raw(rgb, 3).toColourspace('cmyk').tiff({ compression: 'lzw' }).toBuffer(),
    'cut.tif': (await raw(rgb, 3).tiff({ compression: 'none' }).toBuffer()).subarray(0, 700),
    'deep.pgm': Buffer.from('P5 2 2 1023\n\0\x01\0\x02\0\x03\0\x04', 'latin1'),
    'float.tif': await raw(rgb, 3)
      .tiff({ compression: 'none' })
      .pipelineColourspace('scrgb')
      .raw({ depth: 'float' })
      .toBuffer(),
    'lossy.webp': await raw(rgb, 3).webp({ quality: 80 }).toBuffer(),
    'lab.tif': await raw(rgb, 3).toColourspace('lab').tiff({ compression: 'none' }).toBuffer(),
  };
  await mkdir(at('odd'));
  for (const [name, file] of Object.entries(files)) await writeFile(at('odd', name), file);
  const result = await compress(at('odd'), { output: at('odd.vaez') });
  expect(result).toMatchObject({ items: 0, storedFiles: 8, verified: true, leftOut: [] });
  const reasons = Object.fromEntries(result.storedBecause.map(({ name, reason }) => [name, reason]));
  expect(reasons).toMatchObject({
    'animated.gif': expect.stringMatching(/2 frames/),
    'animated.webp': expect.stringMatching(/several frames/),
    'cmyk.tif': expect.stringMatching(/CMYK/),
    'deep.pgm': expect.stringMatching(/up to 1023/),
    'lab.tif': expect.stringMatching(/Lab|CMYK/),
  });
  expect(result.notes.join()).toMatch(/1 WebP file of [\d,]+ bytes is stored byte for byte/);
  await decompress(at('odd.vaez'), { output: at('odd-out') });
  for (const [name, file] of Object.entries(files)) expect(await readFile(at('odd-out', name)), name).toEqual(file);
});

it('names files that are too large to be read as a whole', async () => {
  await mkdir(at('large'));
  const bmp = Buffer.alloc(54);
  bmp.write('BM', 0, 'latin1');
  bmp.writeUInt32LE(40, 14);
  await writeFile(at('large/scan.bmp'), bmp);
  await truncate(at('large/scan.bmp'), 3 * 2 ** 27 + 1);
  await writeFile(at('large/small.png'), await raw(bytes(3), 3).png().toBuffer());
  const result = await compress(at('large'), { others: 'skip' });
  expect(result).toMatchObject({ items: 1, storedFiles: 0 });
  expect(result.leftOut).toMatchObject([
    { name: 'scan.bmp', reason: expect.stringMatching(/402653185 bytes, and BMP files of at most 402653184 are read/) },
  ]);
});

it('lets large pictures in one at a time, and small ones beside them', async () => {
  const gate = new OneAtATime();
  const events: string[] = [];
  const first = await gate.enter(2 ** 26);
  const second = gate.enter(2 ** 26).then((leave) => {
    events.push('second');
    return leave;
  });
  (await gate.enter(1000))();
  events.push('small');
  events.push('first leaves');
  first();
  (await second)();
  expect(events).toEqual(['small', 'first leaves', 'second']);
});
