/** The coder of tiles by a network: a small one is trained here. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadAddon } from '../../../src/binding/index.js';
import { PHOTO_CODECS } from '../../../src/codecs/photographs/models.js';
import { ROLES } from '../../../src/codecs/photographs/network/config.js';
import { EXTRA } from '../../../src/codecs/photographs/network/objective.js';
import { FEATURE_UNITS, MOST_FEATURE } from '../../../src/codecs/photographs/network/to-integers.js';
import { trainPhotoCodec } from '../../../src/codecs/photographs/network/train.js';
import { PhotoCodec } from '../../../src/codecs/photographs/photo-codec.js';
import { temporaryFolder } from '../../support/temporary.js';
import { drawing } from '../drawing.js';
import { randomNumbers } from '../random-spec.js';

const folder = temporaryFolder('photographs');
const pictures = [1, 2, 3, 4].map((seed) => drawing(seed, 160, 128));
const options = {
  config: { components: 3, hidden: [[8], [12, 8]] },
  ...{ steps: 500, batchSize: 128, every: 10, seed: 1 },
};

let codec: PhotoCodec;
beforeAll(async () => {
  codec = await trainPhotoCodec(pictures, options);
});
afterAll(async () => {
  await codec?.close();
});

/** Slopes with noise, of any depth. */
function tile(width: number, height: number, channels: number, bits: number, seed: number) {
  const random = randomNumbers(seed);
  const top = 2 ** bits - 1;
  const samples = Array.from({ length: width * height * channels }, (_, index) => {
    const [x, y] = [Math.floor(index / channels) % width, Math.floor(index / channels / width)];
    const value = top * (0.3 + 0.3 * Math.sin(x / 9 + (index % channels)) + 0.2 * (y / height)) + top * 0.02 * random();
    return Math.max(0, Math.min(top, Math.round(value)));
  });
  return {
    shape: { width, height, channels, bits },
    samples: bits > 8 ? Uint16Array.from(samples) : Uint8Array.from(samples),
  };
}

describe('a trained codec of photographs', () => {
  it('gives back every kind of tile exactly, with every effort', async () => {
    for (const [index, [width, height, channels, bits]] of [
      [1, 1, 3, 8],
      [1, 90, 1, 8],
      [200, 1, 4, 8],
      [33, 47, 2, 8],
      [64, 50, 3, 1],
      [64, 50, 1, 5],
      [70, 40, 3, 12],
      [40, 70, 4, 16],
      [50, 20, 1, 10],
    ].entries()) {
      const { samples, shape } = tile(width!, height!, channels!, bits!, index);
      for (const effort of ['fast', 'best'] as const) {
        const bytes = await codec.encodeTile(samples, shape, { effort });
        const back = await codec.decodeTile(bytes, shape);
        expect(back.constructor, `${width}x${height}x${channels}, ${bits} bits`).toBe(samples.constructor);
        expect(
          Buffer.compare(Buffer.from(back.buffer, back.byteOffset, back.byteLength), Buffer.from(samples.buffer)),
        ).toBe(0);
      }
    }
  });

  it('is smaller than the plain samples, and a better effort than the other', async () => {
    const { data, width, height } = drawing(9, 200, 150);
    const shape = { width, height, channels: 3, bits: 8 };
    const [fast, best] = await Promise.all([
      codec.encodeTile(data, shape, { effort: 'fast' }),
      codec.encodeTile(data, shape, { effort: 'best' }),
    ]);
    expect(best.length).toBeLessThan(data.length / 2);
    expect(Math.abs(best.length - fast.length)).toBeLessThan(data.length / 10);
  });

  it('spends next to nothing on what does not change, and uses that few values occur', async () => {
    const shape = { width: 100, height: 80, channels: 4, bits: 16 };
    const flat = new Uint16Array(100 * 80 * 4).fill(4711);
    expect((await codec.encodeTile(flat, shape)).length).toBeLessThan(40);
    // 8 bits in 16, as many programs write them, with a constant alpha.
    const { samples } = tile(100, 80, 3, 8, 3);
    const wide = Uint16Array.from({ length: 100 * 80 * 4 }, (_, index) =>
      index % 4 === 3 ? 65_535 : samples[Math.floor(index / 4) * 3 + (index % 4)]! * 257,
    );
    const narrow = await codec.encodeTile(samples, { ...shape, channels: 3, bits: 8 });
    expect((await codec.encodeTile(wide, shape)).length).toBeLessThan(narrow.length * 1.02 + 400);
  });

  it('does not take what its shape does not say', async () => {
    const { samples, shape } = tile(20, 10, 3, 8, 1);
    const refused = (code: string) => ({ code, message: expect.stringMatching(/tile|samples|shape|bits/i) });
    await expect(codec.encodeTile(samples.subarray(1), shape)).rejects.toMatchObject(refused('ERR_VAE_SHAPE'));
    await expect(codec.encodeTile(Uint16Array.from(samples), shape)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_VAE_/),
    });
    await expect(codec.encodeTile(samples, { ...shape, channels: 5 })).rejects.toMatchObject(refused('ERR_VAE_SHAPE'));
    await expect(codec.encodeTile(samples, { ...shape, bits: 17 })).rejects.toMatchObject(refused('ERR_VAE_SHAPE'));
    await expect(codec.encodeTile(samples, { ...shape, bits: 3 })).rejects.toMatchObject(refused('ERR_VAE_DATA'));
    await expect(codec.encodeTile(samples, { ...shape, width: 2 ** 30, height: 2 ** 30 })).rejects.toMatchObject(
      refused('ERR_VAE_SHAPE'),
    );
    await expect(codec.encodeTile(samples, shape, { effort: 'slow' as 'fast' })).rejects.toMatchObject({
      code: 'ERR_VAE_OPTION',
    });
  });

  it('refuses damaged bytes and other shapes, or gives something without harm', async () => {
    const { samples, shape } = tile(60, 40, 3, 8, 2);
    const bytes = await codec.encodeTile(samples, shape);
    for (const length of [0, 3, 8, 12, bytes.length - 4, bytes.length - 1]) {
      await expect(codec.decodeTile(bytes.subarray(0, length), shape)).rejects.toMatchObject({
        code: 'ERR_VAE_FORMAT',
      });
    }
    for (const at of [0, 5, 9, bytes.length >> 1, bytes.length - 1]) {
      const changed = Uint8Array.from(bytes);
      changed[at]! ^= 0x10;
      const back = await codec.decodeTile(changed, shape).catch((error: unknown) => error);
      if (back instanceof Error) expect(back).toMatchObject({ code: 'ERR_VAE_FORMAT' });
      else expect(Buffer.compare(back as Uint8Array, samples as Uint8Array)).not.toBe(0);
    }
    await expect(codec.decodeTile(bytes, { ...shape, height: 41 })).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
  });

  it('stops when it is told to', async () => {
    const { samples, shape } = tile(1200, 900, 3, 8, 5);
    const controller = new AbortController();
    const reason = new Error('enough');
    const coding = codec.encodeTile(samples, shape, { signal: controller.signal });
    controller.abort(reason);
    await expect(coding).rejects.toBe(reason);
  });

  it('is the same after it was saved and opened, and names damage', async () => {
    await codec.save(folder);
    const again = await PhotoCodec.load(folder);
    const { samples, shape } = tile(30, 30, 4, 8, 7);
    expect(again.identity).toBe(codec.identity);
    expect(PHOTO_CODECS.is(again)).toBe(true);
    expect(await again.decodeTile(await codec.encodeTile(samples, shape), shape)).toEqual(samples);
    await again.close();
    const path = join(folder, PHOTO_CODECS.file);
    const file = await readFile(path);
    file[file.length - 100]! ^= 1;
    await writeFile(path, file);
    await expect(PhotoCodec.load(path)).rejects.toMatchObject({
      code: 'ERR_VAE_FORMAT',
      message: expect.stringContaining('damaged'),
    });
  });
});

it('training that was interrupted ends where it would have ended', async () => {
  const checkpoints = join(folder, 'checkpoints');
  const controller = new AbortController();
  const interrupted = trainPhotoCodec(pictures, {
    ...{ ...options, checkpoints, signal: controller.signal },
    // Two networks of eight are done.
    onProgress: ({ role }) => role === 1 && controller.abort(),
  });
  await expect(interrupted).rejects.toMatchObject({ name: 'AbortError' });
  await using resumed = await trainPhotoCodec(pictures, { ...options, checkpoints, resume: true });
  expect(resumed.identity).toBe(codec.identity);
});

it('models are made in the units of the coder', () => {
  const { roles, extra, mostFeature } = loadAddon().photoConstants;
  expect([roles.length, extra, mostFeature, FEATURE_UNITS]).toEqual([ROLES, EXTRA, MOST_FEATURE, 256]);
});
