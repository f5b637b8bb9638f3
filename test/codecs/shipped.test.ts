/** The codec models that come with the package, and archives that every later version must read. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { brotli, FALLBACK_QUALITY } from '../../src/archive/chunk.js';
import {
  Codec,
  compress,
  compressPictures,
  LossyCodec,
  openArchive,
  openPictures,
  openSounds,
  shippedCodecs,
} from '../../src/codecs/index.js';
import { DEFAULT_PHOTO_MODEL } from '../../src/codecs/photographs/models.js';
import { PhotoCodec } from '../../src/codecs/photographs/photo-codec.js';
import { encodePng } from '../../src/data/image/encode.js';
import { readIdx } from '../../src/data/index.js';
import { digits } from '../support/digits.js';
import { temporaryFolderOfTest } from '../support/temporary.js';
import { drawing } from './drawing.js';
import { wavOfTones } from './tones.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const FASHION = process.env['NODE_VAE_FASHION_MNIST'] ?? '/usr/share/datasets/fashion-mnist';
const SIZE = 784;

/** What test/golden/archives/make-written.ts wrote. */
const writtenToday = (name: string) => readFile(join(root, 'test', 'golden', 'archives', 'written', `${name}.vaez`));

it('are these three', async () => {
  expect(await shippedCodecs()).toEqual(['fashion-codec', 'mnist-codec', 'sound-codec']);
});

describe('sound-codec', () => {
  it('is the file its card describes', async () => {
    const card = JSON.parse(await readFile(join(root, 'models', 'sound-codec', 'card.json'), 'utf8'));
    await using codec = await Codec.load(join(root, 'models', 'sound-codec'));
    const { sha256, byteLength } = card.files['codec.safetensors'];
    expect(createHash('sha256').update(codec.file).digest('hex')).toBe(sha256);
    expect(codec.file.length).toBe(byteLength);
    const { floatNegativeElbo, codedOn1000TestItems } = card.bitsPerDim;
    expect(codedOn1000TestItems / floatNegativeElbo).toBeLessThan(1.01);
  });

  it("reads the archive of 0.1.0, and writes today's byte for byte", async () => {
    const golden = await readFile(join(root, 'test', 'golden', 'archives', 'sound-codec.vaez'));
    const wav = wavOfTones(3000);
    await using archive = await openSounds(new Uint8Array(golden));
    expect(Buffer.compare(await archive.read('tones.wav'), wav)).toBe(0);
    const folder = temporaryFolderOfTest('golden');
    await writeFile(join(folder, 'tones.wav'), wav);
    const again = await compress(join(folder, 'tones.wav'), { model: 'sound-codec' });
    expect(Buffer.compare(again.archive!, await writtenToday('sound-codec'))).toBe(0);
  });
});

describe.each([
  ['mnist-codec', 'models'],
  ['fashion-codec', 'packages/models/models'],
])('%s', (name, folder) => {
  it('is the file its card describes', async () => {
    const card = JSON.parse(await readFile(join(root, folder, name, 'card.json'), 'utf8'));
    await using codec = await Codec.load(join(root, folder, name));
    const { file } = codec;
    const { sha256, byteLength } = card.files['codec.safetensors'];
    expect(createHash('sha256').update(file).digest('hex')).toBe(sha256);
    expect(file.length).toBe(byteLength);
    // The integers may cost at most 1% over the network in floating point, and so the card says.
    const { floatNegativeElbo, codedOn1000TestImages } = card.bitsPerDim;
    expect(codedOn1000TestImages / floatNegativeElbo).toBeLessThan(1.01);
  });

  it('reads the archive of 0.1.0, and writes the same bytes', async () => {
    const golden = await readFile(join(root, 'test', 'golden', 'archives', `${name}.vaez`));
    const items = digits(12, 't10k').data;
    await using archive = await openArchive(new Uint8Array(golden));
    const { data } = await archive.read(0, archive.length);
    expect(Buffer.compare(data, items)).toBe(0);
    const again = await compress({ data: items, shape: [12, 1, 28, 28] }, { model: name, chunkItems: 10 });
    expect(Buffer.compare(again.archive!, await writtenToday(name))).toBe(0);
  });
});

it('mnist-codec reaches its rate on digits it has not seen', async () => {
  const { data, shape } = digits(1000, 't10k');
  const { bitsPerDim, archive } = await compress({ data, shape }, { model: 'mnist-codec' });
  expect(bitsPerDim).toBeLessThan(1.25);
  await using opened = await openArchive(archive!);
  expect(Buffer.compare((await opened.read(500, 3)).data, data.subarray(500 * SIZE, 503 * SIZE))).toBe(0);
});

it.skipIf(!existsSync(join(FASHION, 't10k-images-idx3-ubyte.gz')))(
  'fashion-codec reaches its rate on pictures it has not seen (needs the Fashion-MNIST files)',
  async () => {
    const test = (await readIdx(FASHION, { part: 'test' })).take(1000);
    const { bitsPerDim } = await compress(test, { model: 'fashion-codec' });
    expect(bitsPerDim).toBeLessThan(3.25);
  },
);

it('codes what the model was not made for, at worse rates', async () => {
  await using codec = await Codec.load(join(root, 'models', 'mnist-codec'));
  const noise = Uint8Array.from(
    { length: 200 * SIZE },
    (_, i) =>
      createHash('md5')
        .update(`${i >> 4}`)
        .digest()[i & 15]!,
  );
  const { archive, bitsPerDim } = await compress({ data: noise, shape: [200, 28, 28] }, { model: codec });
  expect(bitsPerDim).toBeLessThan(8.08);
  await using opened = await openArchive(archive!, { model: codec });
  expect(Buffer.compare((await opened.read(0, 200)).data, noise)).toBe(0);
});

it('leaves to a general compressor what that does better, however much of it', async () => {
  await using codec = await Codec.load(join(root, 'models', 'mnist-codec'));
  const pictures = digits(64).data;
  // Digits again and again cost the model what they always do.
  const same = new Uint8Array(256 * SIZE);
  for (let i = 0; i < 256; i += 1) same.set(pictures.subarray(0, SIZE), i * SIZE);
  const size = async (items: Uint8Array) => {
    const { archive } = await compress({ data: items, shape: [256, 28, 28] }, { model: codec });
    await using opened = await openArchive(archive!, { model: codec });
    expect(Buffer.compare((await opened.read(0, 256)).data, items)).toBe(0);
    return archive!.length;
  };
  expect(await size(same)).toBeLessThan(1500);
  for (const kinds of [2, 8, 32, 64]) {
    const some = new Uint8Array(256 * SIZE);
    for (let i = 0; i < 256; i += 1)
      some.set(pictures.subarray((i % kinds) * SIZE, ((i % kinds) + 1) * SIZE), i * SIZE);
    const general = (await brotli(some, FALLBACK_QUALITY)).length;
    expect(await size(some)).toBeLessThan(Math.min(general, (some.length * 1.2) / 8) + 700);
  }
});

describe('photo-lossy', () => {
  it('is the file its card describes, and small', async () => {
    const card = JSON.parse(await readFile(join(root, 'models', 'photo-lossy', 'card.json'), 'utf8'));
    await using codec = await LossyCodec.load(join(root, 'models', 'photo-lossy'));
    const { sha256, byteLength } = card.files['lossy.safetensors'];
    expect(codec.identity).toBe(sha256);
    expect(codec.file.length).toBe(byteLength);
    expect(codec.config.lambdas).toEqual(card.lambdas);
  });

  it('is what compresses pictures where no model is named', async () => {
    const picture = drawing(4, 192, 176);
    const { archive, psnr } = await compressPictures([picture], { quality: 50 });
    expect(archive!.length).toBeLessThan(picture.data.length / 8);
    expect(psnr).toBeGreaterThan(20);
    await using opened = await openPictures(archive!);
    expect(opened.codec.identity).toBe(opened.header.model);
    expect(await opened.read(0)).toMatchObject({ width: 192, height: 176, channels: 3 });
  });
});

describe('photo-lossless', () => {
  it('is the file its card describes, and codes with either effort', async () => {
    const card = JSON.parse(await readFile(join(root, 'models', DEFAULT_PHOTO_MODEL, 'card.json'), 'utf8'));
    await using codec = await PhotoCodec.load(join(root, 'models', DEFAULT_PHOTO_MODEL));
    const { sha256, byteLength } = card.files['photo.safetensors'];
    expect(codec.identity).toBe(sha256);
    expect(codec.file.length).toBe(byteLength);
    const { data, width, height } = drawing(4, 192, 176);
    const shape = { width, height, channels: 3, bits: 8 };
    // Not what it was made for, and still smaller.
    const png = await encodePng({ width, height, channels: 3, data }, { compressionLevel: 9 });
    for (const effort of ['fast', 'best'] as const) {
      const bytes = await codec.encodeTile(data, shape, { effort });
      expect(bytes.length).toBeLessThan(png.length);
      expect(await codec.decodeTile(bytes, shape)).toEqual(data);
    }
  });
});
