import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { augmentImages, datasetFromTensor, readDataset, readImages } from '../../src/data/index.js';
import { Vae } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('images');
const at = (...names: string[]) => join(folder, ...names);

/** A picture of one colour. */
const plain = (width: number, height: number, [r, g, b]: readonly number[]) =>
  sharp({ create: { width, height, channels: 3, background: { r: r!, g: g!, b: b! } } });

/** A picture whose pixel (x, y) is x, y and 7. */
function ramp(width: number, height: number): Sharp {
  const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) =>
    i % 3 === 0 ? (i / 3) % width : i % 3 === 1 ? Math.floor(i / 3 / width) : 7,
  );
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

beforeAll(async () => {
  for (const name of ['sorted/red', 'sorted/green/deep', 'mixed', 'bad', 'empty', 'large'])
    await mkdir(at(name), { recursive: true });
  await plain(8, 8, [255, 0, 0]).png().toFile(at('sorted/red/a.png'));
  await plain(8, 8, [250, 0, 0]).webp({ lossless: true }).toFile(at('sorted/red/b.webp'));
  await plain(8, 8, [0, 255, 0]).tiff({ compression: 'lzw' }).toFile(at('sorted/green/deep/c.tiff'));
  await plain(8, 8, [0, 250, 0]).gif().toFile(at('sorted/green/d.GIF'));
  await writeFile(at('sorted/green/notes.txt'), 'not a picture, and not named like one');
  await plain(300, 200, [10, 20, 30]).jpeg().toFile(at('mixed/wide.jpg'));
  await plain(50, 90, [10, 20, 30]).avif().toFile(at('mixed/high.avif'));
  for (let index = 0; index < 6; index += 1)
    await ramp(16, 16)
      .png()
      .toFile(at(`bad/good${index}.png`));
  await writeFile(at('bad/empty.png'), '');
  await writeFile(at('bad/lies.png'), 'this is text');
  const noise = Uint8Array.from({ length: 64 * 64 * 3 }, (_, i) => (i * 7919) % 251);
  await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
    .jpeg({ quality: 95 })
    .toFile(at('bad/truncated.jpg'));
  await truncate(at('bad/truncated.jpg'), 2000);
  await ramp(200, 100).png().toFile(at('large/ramp.png'));
});

describe('readImages', () => {
  it('takes labels from sub-folders, rows in the order of names, and sides from the pictures', async () => {
    const data = await readImages(at('sorted'));
    expect(data.rowShape).toEqual([3, 8, 8]);
    expect(data.dtype).toBe('uint8');
    expect(data.names).toEqual(
      ['green/d.GIF', 'green/deep/c.tiff', 'red/a.png', 'red/b.webp'].map((name) => at('sorted', name)),
    );
    expect(data.labels).toEqual({ values: Int32Array.of(0, 0, 1, 1), classes: ['green', 'red'] });
    expect(Array.from(data.memory!.filter((_, i) => i % 64 === 0))).toEqual([
      0, 250, 0, 0, 255, 0, 255, 0, 0, 250, 0, 0,
    ]);
  });

  it('puts channels first and pixels in their place', async () => {
    const data = await readImages(at('large/ramp.png'), { size: [100, 200] });
    const pixel = (channel: number, y: number, x: number) => data.memory![(channel * 100 + y) * 200 + x];
    expect([pixel(0, 30, 150), pixel(1, 30, 150), pixel(2, 30, 150)]).toEqual([150, 30, 7]);
  });

  it('brings mixed sides to one size: cut, with bars, or stretched', async () => {
    const cover = await readImages(at('mixed'));
    expect(cover.rowShape).toEqual([3, 64, 64]);
    expect(cover.recipe).toEqual({
      kind: 'image',
      height: 64,
      width: 64,
      colour: 'rgb',
      depth: 8,
      fit: 'cover',
      anySize: false,
      pages: 'all',
      values: 'stored',
    });
    const corner = async (fit: 'cover' | 'contain' | 'fill') =>
      (await readImages(at('mixed/wide.jpg'), { size: 32, fit })).memory![0]!;
    expect(await corner('cover')).toBeCloseTo(10, -1);
    expect(await corner('contain')).toBe(0);
    expect(await corner('fill')).toBeCloseTo(10, -1);
  });

  it('finds files by globs and takes lists of files', async () => {
    expect((await readImages(at('sorted/**/*.{png,webp}'))).length).toBe(2);
    expect((await readDataset([at('sorted/red/a.png'), at('sorted/red/b.webp')])).length).toBe(2);
    await expect(readImages(at('sorted/*.png'))).rejects.toThrow(/found no pictures.*\.jpg/);
  });

  it('reads grey and 16-bit pictures', async () => {
    const ushort = Uint16Array.of(0, 1000, 40000, 65535);
    const wide = sharp(ushort, { raw: { width: 2, height: 2, channels: 1 } }).toColourspace('grey16');
    await wide.png().toFile(at('wide16.png'));
    const data = await readImages(at('wide16.png'), { depth: 16 });
    expect(data.rowShape).toEqual([1, 2, 2]);
    expect(data.dtype).toBe('float32');
    const expected = Array.from(ushort, (value) => value / 65535);
    for (const [i, value] of data.memory!.entries()) expect(value).toBeCloseTo(expected[i]!, 6);
    const grey = await readImages(at('sorted/red/a.png'), { colour: 'grey' });
    expect(grey.rowShape).toEqual([1, 8, 8]);
  });

  it('lays transparency on white, or keeps it', async () => {
    const clear = sharp(Uint8Array.of(9, 9, 9, 0), { raw: { width: 1, height: 1, channels: 4 } });
    await clear.png().toFile(at('clear.png'));
    expect(Array.from((await readImages(at('clear.png'))).memory!)).toEqual([255, 255, 255]);
    expect((await readImages(at('clear.png'), { colour: 'rgba' })).memory![3]).toBe(0);
  });

  it('turns pictures that say they lie on their side', async () => {
    await ramp(6, 4).withMetadata({ orientation: 6 }).png().toFile(at('turned.png'));
    const data = await readImages(at('turned.png'));
    expect(data.rowShape).toEqual([3, 6, 4]);
  });

  it('reads the same rows whether they are kept in memory or decoded when wanted', async () => {
    const kept = await readImages(at('sorted'));
    const streamed = await readImages(at('sorted'), { memoryBytes: 0 });
    expect(kept.memory).toBeDefined();
    expect(streamed.memory).toBeUndefined();
    expect(await streamed.read([2, 0, 3])).toEqual(await kept.read([2, 0, 3]));
    expect(streamed.labels).toEqual(kept.labels);
  });

  it.each([
    ['an empty file', 'empty.png', /empty\.png: the file is empty \(0 bytes\)/],
    ['a text file', 'lies.png', /lies\.png: damaged, truncated or no picture/],
    ['a truncated file', 'truncated.jpg', /truncated\.jpg: damaged, truncated or no picture/],
  ])('names %s', async (_, name, message) => {
    await expect(readImages(at('bad', name))).rejects.toMatchObject({
      code: 'ERR_VAE_FORMAT',
      message: expect.stringMatching(message),
    });
  });

  it('skips bad files when asked, tells of each, and keeps every good one in place', async () => {
    for (const memoryBytes of [2 ** 29, 0]) {
      const skipped: string[] = [];
      const data = await readImages(at('bad'), {
        skipBad: true,
        memoryBytes,
        size: 16,
        onSkip: (name) => skipped.push(name),
      });
      const rows = await data.read(Array.from({ length: data.length }, (_, row) => row));
      const good = (await readImages(at('bad/good0.png'))).memory!;
      for (let row = 0; row < 6; row += 1) {
        const name = data.names!.findIndex((found) => found.endsWith(`good${row}.png`));
        expect(rows.subarray(name * 768, (name + 1) * 768)).toEqual(good);
      }
      expect([...new Set(skipped.map((name) => name.slice(at('bad').length + 1)))].sort()).toEqual([
        'empty.png',
        'lies.png',
        'truncated.jpg',
      ]);
    }
    await expect(readImages(at('bad/lies.png'), { skipBad: true })).rejects.toThrow(/none of 1 files can be used/);
  });

  it('opens files whose names are not UTF-8, and names them readably', async () => {
    const name = Buffer.concat([Buffer.from(`${at('latin')}/caf`), Buffer.from([0xe9]), Buffer.from('.png')]);
    await mkdir(at('latin'));
    await writeFile(name, await plain(4, 4, [1, 2, 3]).png().toBuffer());
    const data = await readImages(at('latin'));
    expect(data.names![0]).toBe(at('latin', 'caf\\xe9.png'));
    expect(data.memory![0]).toBe(1);
  });

  it.each([
    ['an empty folder', () => readDataset(at('empty')), /folder ".*empty" holds no data of a known kind/],
    ['a missing path', () => readDataset(at('nowhere')), /no file or folder/],
    [
      'a misspelt option',
      () => readImages(at('mixed'), { sise: 3 } as object),
      /unknown option "sise"; did you mean "size"/,
    ],
  ])('refuses %s', async (_, read, message) => {
    await expect(read()).rejects.toThrow(message);
  });

  it('tells a picture by its bytes where its name says nothing', async () => {
    await plain(4, 4, [9, 9, 9]).png().toFile(at('unnamed'));
    expect((await readDataset(at('unnamed'))).rowShape).toEqual([3, 4, 4]);
  });
});

describe('random crops', () => {
  const crop = (seed = 0) => readImages(at('large'), { size: 16, crops: 40, seed });

  it('are pieces of the picture, at places all over it, others in every pass, the same for a seed', async () => {
    const data = await crop();
    expect(data.length).toBe(40);
    expect(data.recipe).toMatchObject({ anySize: true, height: 16, width: 16 });
    const all = Array.from({ length: 40 }, (_, row) => row);
    const first = await data.read(all);
    const corners = all.map((row) => [first[row * 768]!, first[row * 768 + 256]!] as const);
    for (const [row, [x, y]] of corners.entries()) {
      expect(first[row * 768 + 255]).toBe(x + 15);
      expect(first[row * 768 + 256 + 255]).toBe(y + 15);
    }
    expect(Math.min(...corners.map(([x]) => x))).toBeLessThan(40);
    expect(Math.max(...corners.map(([x]) => x))).toBeGreaterThan(140);
    expect(Math.max(...corners.map(([, y]) => y))).toBeGreaterThan(60);
    expect(await data.read(all)).not.toEqual(first);
    expect(await (await crop()).read(all)).toEqual(first);
    expect(await (await crop(1)).read(all)).not.toEqual(first);
  });

  it('refuses or skips pictures that are too small, by name', async () => {
    const paths = [at('large'), at('sorted/red/a.png')];
    await expect(readImages(paths, { size: 16, crops: 2 })).rejects.toThrow(/a\.png: 8×8 pixels are too few/);
    expect((await readImages(paths, { size: 16, crops: 2, skipBad: true })).length).toBe(2);
  });
});

describe('augmentImages', () => {
  const rows = datasetFromTensor(
    { data: Uint8Array.from({ length: 300 * 48 }, (_, i) => (i * 31) % 256), shape: [300, 3, 4, 4] },
    { labels: Array.from({ length: 300 }, (_, i) => i % 3) },
  );
  const all = Array.from({ length: 300 }, (_, row) => row);

  it('changes nothing when everything is off', async () => {
    expect(await augmentImages(rows, {}).read(all)).toEqual(await rows.read(all));
  });

  it('mirrors about half of the rows exactly, and leaves labels alone', async () => {
    const flipped = augmentImages(rows, { flip: true, seed: 3 });
    const before = await rows.read(all);
    const after = await flipped.read(all);
    let mirrored = 0;
    for (const row of all) {
      const original = before.subarray(row * 48, row * 48 + 48);
      const found = after.subarray(row * 48, row * 48 + 48);
      const mirror = original.map((_, i) => original[i - (i % 4) + 3 - (i % 4)]!);
      if (found.every((value, i) => value === mirror[i])) mirrored += 1;
      else expect(found).toEqual(original);
    }
    expect(mirrored).toBeGreaterThan(100);
    expect(mirrored).toBeLessThan(200);
    expect(flipped.labels).toEqual(rows.labels);
  });

  it('repeats itself for a seed, whatever the order rows are read in, and differs from pass to pass', async () => {
    const options = { flip: 'both', crop: 0.3, brightness: 0.2, contrast: 0.3, saturation: 0.3, seed: 5 } as const;
    const one = augmentImages(rows, options);
    const other = augmentImages(rows, options);
    const first = await one.read(all);
    const backwards = await other.read([...all].reverse());
    for (const row of all) {
      const back = 299 - row;
      expect(backwards.subarray(back * 48, back * 48 + 48)).toEqual(first.subarray(row * 48, row * 48 + 48));
    }
    expect(await one.read(all)).not.toEqual(first);
    expect(first).not.toEqual(await rows.read(all));
  });

  it('keeps floats between 0 and 1', async () => {
    const floats = rows.map((row) => Float32Array.from(row, (value) => value / 255));
    const changed = await augmentImages(floats, { brightness: 1, contrast: 1 }).read(all);
    expect(Math.min(...changed)).toBe(0);
    expect(Math.max(...changed)).toBe(1);
  });
});

describe('the recipe', () => {
  it('comes back with the model and reads other files as the training data were read', async () => {
    const data = await readImages(at('mixed'), { size: [12, 20], colour: 'grey' });
    await using vae = await Vae.create({ input: { kind: 'image', height: 12, width: 20 }, latentDim: 2 });
    expect(vae.recipe).toBeUndefined();
    await vae.fit(augmentImages(data, { flip: true }), { epochs: 1, batchSize: 2 });
    await vae.save(at('model'));
    await using again = await Vae.load(at('model'));
    expect(again.recipe).toEqual(data.recipe);
    const red = await again.read(at('sorted/red'));
    expect(red.rowShape).toEqual([1, 12, 20]);
    expect((await again.encode(red)).mean.dims).toEqual([2, 2]);
  });

  it('is not needed to know that a whole picture goes through a model of crops', async () => {
    const data = await readImages(at('large'), { size: 16, crops: 4 });
    await using vae = await Vae.create({
      architecture: { type: 'conv', channels: [8, 8], latent: 'map' },
      input: { kind: 'image', height: 16, width: 16, channels: 3 },
      latentDim: 3,
    });
    await vae.fit(data, { epochs: 1, batchSize: 4 });
    await using whole = vae.resized({ height: 100, width: 200 });
    const picture = await readImages(at('large/ramp.png'), { size: [100, 200] });
    const { mean } = await whole.encode(picture);
    expect(mean.dims).toEqual([1, 3, 25, 50]);
    expect((await whole.decode(mean)).dims).toEqual([1, 3, 100, 200]);
    // Far from the edges a place sees only its surroundings, whatever the picture's sides.
    await using crop = vae.resized({ height: 64, width: 64 });
    const part = new Uint8Array(3 * 64 * 64);
    for (let c = 0; c < 3; c += 1)
      for (let y = 0; y < 64; y += 1)
        part.set(
          picture.memory!.subarray((c * 100 + y + 16) * 200 + 32, (c * 100 + y + 16) * 200 + 96),
          (c * 64 + y) * 64,
        );
    const inner = await crop.encode({ data: part, shape: [1, 3, 64, 64] });
    for (let c = 0; c < 3; c += 1) {
      const fromWhole = (mean.data as Float32Array)[(c * 25 + 4 + 8) * 50 + 8 + 8]!;
      expect((inner.mean.data as Float32Array)[(c * 16 + 8) * 16 + 8]).toBeCloseTo(fromWhole, 4);
    }
  });

  it('says why a model with dense layers cannot be resized', async () => {
    await using vae = await Vae.create({
      architecture: 'conv',
      input: { kind: 'image', height: 16, width: 16 },
      latentDim: 2,
    });
    expect(() => vae.resized({ height: 32, width: 32 })).toThrow(
      /parameters depend on the size of its data.*latent: 'map'/,
    );
  });
});
