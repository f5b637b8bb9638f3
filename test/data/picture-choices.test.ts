/** What becomes of pictures where nobody says, what is told of it, and what is refused. */
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { compress, decompress, readPicture, readPictureBytes } from '../../src/codecs/index.js';
import { modelOptionsFor, readDataset, readImages } from '../../src/data/index.js';
import { Vae } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';

const golden = (name: string) => fileURLToPath(new URL(`../golden/reading/files/${name}`, import.meta.url));
const folder = temporaryFolder('choices');
const at = (...names: string[]) => join(folder, ...names);
const grey = (side: number, level = 9) =>
  sharp(new Uint8Array(side * side).fill(level), { raw: { width: side, height: side, channels: 1 } }).toColourspace(
    'b-w',
  );

beforeAll(async () => {
  for (const name of ['classes', 'elsewhere/cats', 'mixed', 'loop/inner', 'turned'])
    await mkdir(at(name), { recursive: true });
});

describe('values of a row', () => {
  it.each([
    ['uint16_12.tif', 16, [0, 4095], /12 bits \(the largest value is 4018/],
    ['uint16_full.tif', 16, [0, 65535], /16 bits/],
    ['grey16_sbit.png', 16, [0, 4095], /12 bits \(by their tags\)/],
    ['grey12.pgm', 16, [0, 4095], /12 bits \(by their tags\)/],
    ['int16.tif', 32, undefined, /kept as they are \(float32\), from -1024 to 2994/],
    ['float_neg.tif', 32, undefined, /kept as they are \(float32\), from -1 to/],
    ['uint32.tif', 32, undefined, /kept as they are/],
    ['colour.bmp', 8, undefined, undefined],
  ] as const)('of %s follow its data and tags, and are told', async (name, depth, range, note) => {
    const data = await readImages(golden(name));
    expect(data.recipe).toMatchObject({ depth, ...(range && { range }) });
    if (note) expect(data.notes.join('\n')).toMatch(note);
    else expect(data.notes).toEqual([]);
    expect(data.dtype).toBe(depth === 8 ? 'uint8' : 'float32');
  });

  it('of 12 bits in 16 keep all their levels', async () => {
    const data = await readImages(golden('uint16_12.tif'));
    expect(new Set(data.memory).size).toBe(99);
    expect(data.memory![1]).toBeCloseTo(41 / 4095, 7);
    expect(Math.max(...data.memory!)).toBeCloseTo(4018 / 4095, 7);
  });

  it('are those of a DICOM that begins as a TIFF, which scanners write', async () => {
    const bytes = await readFile(golden('ct.dcm'));
    const { memory } = await readImages(golden('ct.dcm'));
    bytes.set([0x49, 0x49, 0x2a, 0, 0x54, 0x18, 8, 0]);
    await writeFile(at('tiff-first.dcm'), bytes);
    expect((await readImages(at('tiff-first.dcm'))).memory).toEqual(memory);
    await writeFile(at('tiff-first.tif'), bytes);
    await expect(readImages(at('tiff-first.tif'))).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
  });

  it('are brought to a range where it is given, and cut to it', async () => {
    const data = await readImages(golden('int16.tif'), { range: [-1000, 1000] });
    const raw = await readImages(golden('int16.tif'));
    expect(raw.memory![1]).toBe(41 - 1024);
    for (const [index, value] of data.memory!.entries()) {
      expect(value).toBeCloseTo(Math.min(1, Math.max(0, (raw.memory![index]! + 1000) / 2000)), 6);
    }
    expect(data.recipe).toMatchObject({ depth: 16, range: [-1000, 1000], clip: true });
    const bytes = await readImages(golden('int16.tif'), { range: [-1000, 1000], depth: 8 });
    expect(bytes.memory![1]).toBe(Math.round(((41 - 24) / 2000) * 255));
    await expect(readImages(golden('int16.tif'), { depth: 8 })).rejects.toThrow(/no whole numbers from 0.*--range/);
  });

  it.each(['fill', 'cover', 'contain'] as const)('keep their size when they are resized: %s', async (fit) => {
    // A slope from −1000 at the left to 3000 at the right stays one.
    const values = Float32Array.from({ length: 40 * 30 }, (_, index) => -1000 + ((index % 40) * 4000) / 39);
    await writeFile(at('slope.tif'), floatTiff(values, 40));
    const data = await readImages(at('slope.tif'), { size: [15, 20], fit });
    for (let x = 2; x < 18; x += 1)
      expect(data.memory![7 * 20 + x]).toBeCloseTo(-1000 + ((2 * x + 0.5) * 4000) / 39, -1);
    const wide = await readImages(golden('grey16.png'), { size: 5 });
    const most = (await readImages(golden('grey16.png'))).memory!;
    expect(Math.abs(mean(wide.memory!) - mean(most))).toBeLessThan(0.05);
  });

  it('outside of the range that a model knows are refused by name', async () => {
    const { recipe } = await readImages(golden('uint16_12.tif'));
    await expect(readImages(golden('uint16_full.tif'), { recipe: recipe as never })).rejects.toThrow(
      /uint16_full\.tif: a value is \d+, and this data goes from 0 to 4095/,
    );
  });

  it('that are no numbers are refused by name and place', async () => {
    const values = new Float32Array(16).fill(0.5);
    values[6] = Number.NaN;
    await writeFile(at('nan.tif'), floatTiff(values, 4));
    await expect(readImages(at('nan.tif'))).rejects.toThrow(/nan\.tif: the value at column 2, row 1 is NaN/);
  });

  it('take a likelihood that fits: a model of kept values trains', async () => {
    const data = await readImages(golden('float_neg.tif'));
    expect((await modelOptionsFor(data)).likelihood).toMatchObject({ type: 'gaussian' });
    await using vae = await Vae.create({ ...(await modelOptionsFor(data)), architecture: 'mlp' });
    await vae.fit(data, { epochs: 1, batchSize: 1 });
    expect((await vae.encode(data)).mean.dims[0]).toBe(1);
  });
});

describe('pages and frames', () => {
  it('are rows, with names of their own, and are told', async () => {
    const data = await readDataset(golden('pages.tif'));
    expect(data.length).toBe(3);
    expect(data.names).toEqual([0, 1, 2].map((page) => `${golden('pages.tif')} page ${page}`));
    expect(data.notes.join()).toMatch(
      /every page or frame is a row .*has 3\): 3 rows of 1 file \(--page N takes one\)/,
    );
    const single = await readImages(golden('pages.tif'), { page: 2 });
    expect(single.memory).toEqual(data.memory!.subarray(2 * 99, 3 * 99));
    expect(single.notes).toEqual([]);
    await expect(readImages(golden('pages.tif'), { page: 3 })).rejects.toThrow(/has 3 pages.*no page 3/);
  });

  it('make volumes for conv3d', async () => {
    const data = await readImages(golden('pages.tif'), { volume: 2, size: 8 });
    expect([data.length, data.rowShape]).toEqual([2, [1, 2, 8, 8]]);
    expect(data.notes.join()).toMatch(/last row of a file ends with its last page/);
    expect(await modelOptionsFor(data)).toMatchObject({ architecture: 'conv3d', input: { kind: 'video', frames: 2 } });
  });

  it('of an animation are what they show', async () => {
    const frames = [10, 200].map((level) => new Uint8Array(16).fill(level));
    const stack = sharp(Buffer.concat(frames), { raw: { width: 4, height: 8, channels: 1, pageHeight: 4 } });
    await stack.gif({ delay: [50, 50] }).toFile(at('two.gif'));
    const data = await readImages(at('two.gif'), { colour: 'grey' });
    expect(data.length).toBe(2);
    expect([data.memory![0], data.memory![16]]).toEqual([10, 200]);
  });

  it('are not left out of an archive in silence', async () => {
    await expect(readPicture(golden('pages.tif'))).rejects.toThrow(/has 3 pages or frames/);
  });
});

describe('odd files', () => {
  it('with warnings are read and told, or refused when asked', async () => {
    const bytes = await grey(16).jpeg().toBuffer();
    // Bytes that do not belong there, before the second marker, as some cameras write them.
    const odd = Buffer.concat([bytes.subarray(0, 20), Buffer.from([0, 17, 34, 51]), bytes.subarray(20)]);
    await writeFile(at('odd.jpg'), odd);
    const data = await readImages(at('odd.jpg'));
    expect(data.memory).toEqual((await readImages(await written('even.jpg', bytes))).memory);
    expect(data.notes.join()).toMatch(/read all the same.*--strict.*odd\.jpg/);
    await expect(readImages(at('odd.jpg'), { strict: true })).rejects.toThrow(/odd\.jpg: .*Without strict/);
  });

  it('are told too where they are decoded when their rows are wanted', async () => {
    const bytes = await grey(16).jpeg().toBuffer();
    await mkdir(at('many'));
    for (const [name, file] of [
      ['a.jpg', bytes],
      ['b.jpg', Buffer.concat([bytes.subarray(0, 20), Buffer.from([0, 17, 34, 51]), bytes.subarray(20)])],
    ] as const)
      await writeFile(at('many', name), file);
    const data = await readImages(at('many'), { memoryBytes: 0 });
    const [first] = data.split([1, 1], 3);
    expect(data.notes).toEqual([]);
    await data.read([0]);
    expect(data.notes).toEqual([]);
    await data.read([0, 1]);
    for (const one of [data, first!]) expect(one.notes).toEqual([expect.stringMatching(/read all the same.*b\.jpg/)]);
    await data.read([1]);
    expect(data.notes).toHaveLength(1);
  });

  it('are called what they are', async () => {
    await writeFile(at('pointer.png'), 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n');
    await expect(readDataset(at('pointer.png'))).rejects.toThrow(/pointer\.png: a pointer of Git LFS.*git lfs pull/);
    await writeFile(at('page.jpg'), '<!DOCTYPE html><html></html>');
    await expect(readDataset(at('page.jpg'))).rejects.toThrow(/page\.jpg:.*it is a web page/);
    await writeFile(at('drawing.png'), '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    await expect(readDataset(at('drawing.png'))).rejects.toThrow(
      /format SVG, which is not read. Convert it: rsvg-convert/,
    );
    await writeFile(at('old.tga'), new Uint8Array(100));
    await expect(readDataset(at('old.tga'))).rejects.toThrow(/format TGA, which is not read/);
  });

  it('beside others are told', async () => {
    await grey(8).png().toFile(at('mixed/a.png'));
    await writeFile(at('mixed/b.psd'), '8BPS');
    await writeFile(at('mixed/notes.txt'), 'words');
    expect((await readDataset(at('mixed'))).notes).toEqual([
      expect.stringMatching(/left out, of the format Photoshop, which is not read: .*b\.psd/),
    ]);
  });
});

describe('files', () => {
  it('are found through links to folders, once where a link goes round', async () => {
    await grey(8, 1).png().toFile(at('elsewhere/cats/a.png'));
    await mkdir(at('classes/dogs'));
    await grey(8, 2).png().toFile(at('classes/dogs/b.png'));
    await symlink(at('elsewhere/cats'), at('classes/cats'));
    const data = await readImages(at('classes'));
    expect(data.labels).toMatchObject({ classes: ['cats', 'dogs'] });
    await grey(8).png().toFile(at('loop/inner/c.png'));
    await symlink(at('loop'), at('loop/inner/again'));
    expect((await readImages(at('loop'))).length).toBe(1);
  });

  it('that are links to nothing are named, or skipped', async () => {
    await symlink(at('nowhere.png'), at('mixed/broken.png'));
    await expect(readImages(at('mixed'))).rejects.toThrow(
      /broken\.png: a link to ".*nowhere\.png", which is not there/,
    );
    const skipped: string[] = [];
    const data = await readImages(at('mixed'), { skipBad: true, onSkip: (name) => skipped.push(name) });
    expect([data.length, skipped]).toEqual([1, [at('mixed/broken.png')]]);
    await rm(at('mixed/broken.png'));
  });

  it('mean the same to archives as to training: hidden ones, endings, orientation', async () => {
    const pixels = Uint8Array.from({ length: 28 * 28 }, (_, index) => index % 251);
    const picture = sharp(pixels, { raw: { width: 28, height: 28, channels: 1 } }).toColourspace('b-w');
    await picture.clone().withMetadata({ orientation: 6 }).png().toFile(at('turned/a.png'));
    await picture.clone().jpeg({ quality: 100 }).toFile(at('turned/b.jpe'));
    await picture.png().toFile(at('turned/c.png'));
    await writeFile(at('turned/._a.png'), 'resource fork');
    const data = await readImages(at('turned'), { colour: 'grey' });
    await compress(at('turned'), { model: 'mnist-codec', output: at('turned.vaez') });
    await decompress(at('turned.vaez'), { model: 'mnist-codec', output: at('back') });
    const back = await readImages(at('back'), { colour: 'grey' });
    expect(back.length).toBe(3);
    expect(back.memory).toEqual(data.memory);
    // Turned by a quarter: the first column from below is the first row.
    expect(Array.from(data.memory!.subarray(0, 3))).toEqual([pixels[27 * 28], pixels[26 * 28], pixels[25 * 28]]);
  });
});

describe('limits', () => {
  it('are on bytes that decoding holds, before anything is decoded, and can be raised', async () => {
    // 9,999 × 9,999 pixels, interlaced: all would have to be held.
    await writeFile(at('bomb.png'), emptyPng(9999, 9999, true));
    const before = process.memoryUsage().rss;
    await expect(readImages(at('bomb.png'), { maxDecodeBytes: 64 << 20 })).rejects.toMatchObject({
      code: 'ERR_VAE_DATA',
      message: expect.stringMatching(/bomb\.png: decoding 9999×9999 pixels would hold \d+ MB.*--max-pixels 99980001/),
    });
    expect(process.memoryUsage().rss - before).toBeLessThan(64 << 20);
    await expect(readImages(at('bomb.png'), { maxPixels: 1000 })).rejects.toThrow(
      /more than the 1000 that are allowed/,
    );
    // Raised, it is read, and found to be empty.
    await expect(readImages(at('bomb.png'), { maxPixels: 1e8 })).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
  });

  it('let large masks of one bit through, line by line', async () => {
    const mask = sharp({ create: { width: 6000, height: 6000, channels: 3, background: '#fff' } });
    await mask.toColourspace('b-w').png({ palette: true, colours: 2 }).toFile(at('mask.png'));
    const data = await readImages(at('mask.png'), { size: 32, maxDecodeBytes: 8 << 20 });
    expect(data.memory![0]).toBe(255);
  });

  it('hold for several pictures at once', async () => {
    await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        grey(600, index)
          .webp({ lossless: true })
          .toFile(at(`mixed/w${index}.webp`)),
      ),
    );
    // Room for one of them at a time.
    const data = await readImages(at('mixed/*.webp'), { size: 8, colour: 'grey', maxDecodeBytes: 2_000_000 });
    expect(data.length).toBe(12);
  });

  it('take paths and bytes under different names', async () => {
    const bytes = await grey(8).png().toBuffer();
    expect((await readPictureBytes(bytes)).width).toBe(8);
    await expect(readPictureBytes(at('mixed/a.png') as never)).rejects.toThrow(/expected the bytes.*readPicture\(\)/);
    await expect(readPicture(bytes as never)).rejects.toThrow(/expected a path.*readPictureBytes\(\)/);
    await expect(readPictureBytes(Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'))).rejects.toThrow(/SVG/);
  });
});

function mean(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}

async function written(name: string, bytes: Uint8Array): Promise<string> {
  await writeFile(at(name), bytes);
  return at(name);
}

function floatTiff(values: Float32Array, width: number): Buffer {
  const tags = [
    [256, 4, width],
    [257, 4, values.length / width],
    [258, 3, 32],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, 8],
    [277, 3, 1],
    [278, 4, values.length / width],
    [279, 4, values.byteLength],
    [339, 3, 3],
  ] as const;
  const data = Buffer.from(values.buffer);
  const head = Buffer.from([0x49, 0x49, 42, 0, 0, 0, 0, 0]);
  head.writeUInt32LE(8 + data.length, 4);
  const directory = Buffer.alloc(2 + 12 * tags.length + 4);
  directory.writeUInt16LE(tags.length, 0);
  for (const [index, [tag, type, value]] of tags.entries()) {
    directory.writeUInt16LE(tag, 2 + 12 * index);
    directory.writeUInt16LE(type, 4 + 12 * index);
    directory.writeUInt32LE(1, 6 + 12 * index);
    directory.writeUInt32LE(value, 10 + 12 * index);
  }
  return Buffer.concat([head, data, directory]);
}

/** A PNG that tells of pixels and has none. */
function emptyPng(width: number, height: number, interlaced: boolean): Buffer {
  const chunk = (kind: string, body: Buffer): Buffer => {
    const out = Buffer.alloc(12 + body.length);
    out.writeUInt32BE(body.length, 0);
    out.write(kind, 4, 'latin1');
    body.copy(out, 8);
    out.writeUInt32BE(crc32(out.subarray(4, 8 + body.length)), 8 + body.length);
    return out;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 6, 0, 0, interlaced ? 1 : 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
  return Buffer.concat([
    signature,
    chunk('IHDR', head),
    chunk('IDAT', Buffer.from([0x78, 0x9c])),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
