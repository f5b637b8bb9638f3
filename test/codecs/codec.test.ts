import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Codec } from '../../src/codecs/lossless/codec.js';
import { Vae } from '../../src/vae/index.js';
import { digits } from '../support/digits.js';
import { temporaryFolder } from '../support/temporary.js';
import { digitCodec, expectFewBits, SIZE } from './digit-codec.js';
import { randomItems, randomSpec } from './random-spec.js';

describe('a codec made from a VAE', () => {
  let vae: Vae;
  let codec: Codec;
  const folder = temporaryFolder('codec');
  const test = digits(1000, 't10k');

  beforeAll(async () => {
    ({ vae, codec } = await digitCodec({ architecture: { type: 'mlp', hidden: [64] }, latentDim: 8 }, 1));
  });

  afterAll(async () => {
    await codec?.close();
    await vae?.close();
  });

  it('costs hardly more bits than the VAE says, start-up included', async () => {
    await expectFewBits({ vae, codec }, test.data);
  });

  it('is the same after saving and loading', async () => {
    await codec.save(folder);
    const again = await Codec.load(folder);
    expect(again.identity).toBe(codec.identity);
    expect(again.itemShape).toEqual([1, 28, 28]);
    const items = test.data.subarray(0, 30 * SIZE);
    const bytes = await codec.encode(items);
    expect(Buffer.compare(await again.encode(items), bytes)).toBe(0);
    expect(Buffer.compare(await again.decode(bytes, 30), items)).toBe(0);
    await again.close();
    await again.close();
    await expect(again.encode(items)).rejects.toMatchObject({ code: 'ERR_VAE_DISPOSED' });
  });

  it('refuses altered and truncated model files', async () => {
    const file = Buffer.from(codec.file);
    await expect(Codec.fromBytes(file.subarray(0, file.length - 1))).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
    await expect(Codec.fromBytes(new Uint8Array(0))).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
    const altered = Buffer.from(file);
    const at = altered.length - 2001;
    altered[at] = altered[at]! ^ 1;
    await expect(Codec.fromBytes(altered)).rejects.toThrowError(/damaged/);
    const text = file.toString('latin1');
    const other = text.replace(/fingerprint\\":\\"[0-9a-f]{8}/, 'fingerprint\\":\\"00000000');
    expect(other).not.toBe(text);
    await expect(Codec.fromBytes(Buffer.from(other, 'latin1'))).rejects.toMatchObject({
      code: 'ERR_VAE_REPRODUCIBILITY',
    });
    await writeFile(join(folder, 'x.safetensors'), file.subarray(100));
    await expect(Codec.load(join(folder, 'x.safetensors'))).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
    await expect(Codec.load(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'ERR_VAE_IO' });
    expect((await readFile(join(folder, 'codec.safetensors'))).equals(file)).toBe(true);
  });

  it('says why a VAE cannot be one', async () => {
    const { data, shape } = digits(8);
    await using plain = await Vae.create({ input: { kind: 'image', height: 28, width: 28 }, latentDim: 2, seed: 1 });
    await expect(plain.toCodec({ data, shape })).rejects.toThrowError(/bernoulli.*local-mixture/);
    await using tanh = await Vae.create({
      architecture: { type: 'mlp', hidden: [8], activation: 'tanh' },
      likelihood: 'local-mixture',
      input: { kind: 'image', height: 28, width: 28 },
      latentDim: 2,
    });
    await expect(tanh.toCodec({ data, shape })).rejects.toThrowError(/tanh.*relu/);
    const floats = Float32Array.from(data, (value) => value / 255);
    await expect(vae.toCodec({ data: floats, shape })).rejects.toMatchObject({ code: 'ERR_VAE_DATA' });
  });
});

it('codes anything, however badly the model fits', async () => {
  const codec = await Codec.make([6, 5], randomSpec(5));
  for (const density of [0, 0.01, 1]) {
    const items = randomItems(9, 50, 30, density);
    const bytes = await codec.encode(items);
    expect(Buffer.compare(await codec.decode(bytes, 50), items)).toBe(0);
  }
  await codec.close();
});

it('stops with the reason of its signal', async () => {
  const codec = await Codec.make([40, 40], randomSpec(5, 40, 40));
  const controller = new AbortController();
  const encoding = codec.encode(randomItems(1, 2000, 1600), { signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(encoding).rejects.toThrowError('enough');
  await expect(codec.encode(randomItems(1, 2, 1600), { signal: controller.signal })).rejects.toThrowError('enough');
  await codec.close();
});
