/** A model of crops and whole pictures: what is learned on the one holds for the other. */
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, expect, it } from 'vitest';
import { psnrOfValues } from '../../src/data/image/psnr.js';
import { cutTo, mirroredTo, readPicture } from '../../src/data/image/rebuild.js';
import { modelOptionsFor, readImages } from '../../src/data/index.js';
import { decodePicture, encodePicture, Vae } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';

const WIDTH = 121;
const HEIGHT = 90;
const CROP = 32;

const folder = temporaryFolder('textures');
beforeAll(async () => {
  const stripes = Uint8Array.from(
    { length: WIDTH * HEIGHT },
    (_, i) => 128 + 90 * Math.sin((i % WIDTH) / 3 + Math.floor(i / WIDTH) / 5),
  );
  await sharp(stripes, { raw: { width: WIDTH, height: HEIGHT, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toFile(join(folder, 'stripes.png'));
});

it('rebuilds whole pictures as well as the crops it learned', { timeout: 180_000 }, async () => {
  const picture = join(folder, 'stripes.png');
  const data = await readImages(picture, { size: CROP, crops: 300, seed: 1 });
  await using vae = await Vae.create({ ...(await modelOptionsFor(data)), seed: 1 });
  await vae.fit(data, { epochs: 16, batchSize: 32, optimizer: { type: 'adam', learningRate: 0.002 } });

  const crops = (await data.take(100).toMemory()).memory!;
  const rebuilt = await vae.reconstruct({ data: crops, shape: [100, 1, CROP, CROP] });
  const ofCrops = psnrOfValues(crops, rebuilt.data as Float32Array, 255, 1);
  // The mean of the picture alone comes to 12 dB.
  expect(ofCrops).toBeGreaterThan(26);

  // Neither side of the picture is a multiple of the model's stride.
  const to = join(folder, 'rebuilt.png');
  const whole = await vae.reconstructFile(picture, to);
  expect(whole).toMatchObject({ kind: 'image', width: WIDTH, height: HEIGHT });
  expect((whole as { psnr: number }).psnr).toBeGreaterThan(ofCrops - 1);

  const [original, written] = await Promise.all([picture, to].map((path) => readPicture(path, GREY)));
  expect(written).toMatchObject({ width: WIDTH, height: HEIGHT });
  for (const rows of [
    [0, 30],
    [30, 60],
    [60, HEIGHT],
  ] as const) {
    const [a, b] = [original!, written!].map(({ data }) => data.subarray(rows[0] * WIDTH, rows[1] * WIDTH));
    expect(psnrOfValues(a!, b!, 255), `rows ${rows.join(' to ')}`).toBeGreaterThan(ofCrops - 2.5);
  }
});

it('encodes and decodes whole pictures', { timeout: 60_000 }, async () => {
  const picture = join(folder, 'stripes.png');
  const data = await readImages(picture, { size: CROP, crops: 20, seed: 1 });
  await using vae = await Vae.create({ ...(await modelOptionsFor(data)), seed: 1 });
  await vae.fit(data, { epochs: 2 });
  const encoded = await encodePicture(vae, picture);
  expect(encoded).toMatchObject({ width: WIDTH, height: HEIGHT });
  expect(encoded.mean.dims).toEqual([1, 8, 23, 31]);
  const decoded = await decodePicture(vae, encoded.mean);
  expect(decoded.dims).toEqual([1, 1, 92, 124]);
  // What reconstructFile() does in one.
  const to = join(folder, 'again.png');
  await vae.reconstructFile(picture, to);
  const written = await readPicture(to, GREY);
  const cut = cutTo({ channels: 1, height: HEIGHT, width: WIDTH }, decoded.data as Float32Array, {
    channels: 1,
    height: 92,
    width: 124,
  });
  expect(psnrOfValues(written.data, cut, 255, 1)).toBeGreaterThan(50);

  await expect(decodePicture(vae, { data: new Float32Array(9), shape: [1, 1, 3, 3] })).rejects.toThrow(
    /expected latents/,
  );
  await using dense = await Vae.create({ input: { kind: 'vector', length: 4 }, latentDim: 1 });
  await expect(encodePicture(dense, picture)).rejects.toThrow(/trained on crops/);
});

const GREY = { colour: 'grey', depth: 8 } as const;

it('mirrors the last rows and columns to a multiple, and cuts them off again', () => {
  const picture = { data: Uint8Array.of(1, 2, 3, 4, 5, 6), channels: 1, height: 2, width: 3 };
  const padded = mirroredTo(4, picture);
  expect(padded).toMatchObject({ height: 4, width: 4 });
  expect(Array.from(padded.data)).toEqual([1, 2, 3, 3, 4, 5, 6, 6, 4, 5, 6, 6, 1, 2, 3, 3]);
  expect(Array.from(cutTo(picture, Float32Array.from(padded.data), padded))).toEqual([1, 2, 3, 4, 5, 6]);
  expect(mirroredTo(1, picture)).toBe(picture);
  const narrow = mirroredTo(8, { data: Uint8Array.of(9, 8), channels: 2, height: 1, width: 1 });
  expect(new Set(narrow.data.subarray(0, 64))).toEqual(new Set([9]));
});
