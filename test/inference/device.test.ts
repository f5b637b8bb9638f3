/**
 * Tensors that stay with the execution provider, held against encode() and decode() of the same model. Here
 * the provider is the processor: that results do not leave it is shown by what they are, not by where.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Tensor } from 'onnxruntime-common';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DeviceTensor, modelOptionsFor, toDataset, Vae } from '../../src/index.js';
import { hashedUniform } from '../golden/formula.js';

const GOLDEN = fileURLToPath(new URL('../golden/import/', import.meta.url));
const batch = {
  data: Float32Array.from(hashedUniform(3, 5 * 784, 0.5), (value) => value + 0.5),
  shape: [5, 1, 28, 28],
};
let vae: Vae;
beforeAll(async () => {
  vae = await Vae.load('mnist-mlp');
});
afterAll(() => vae.close());

function expectSame(actual: Tensor, expected: Tensor, tolerance = 1e-5): void {
  expect(actual.dims).toEqual(expected.dims);
  const values = expected.data as Float32Array;
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const worst = (actual.data as Float32Array).reduce(
    (most, value, index) => Math.max(most, Math.abs(value - values[index]!)),
    0,
  );
  expect(worst).toBeLessThanOrEqual(tolerance * largest);
}

async function expectLikeMemory(model: Vae, input: { data: Float32Array; shape: number[] }, tolerance?: number) {
  const inMemory = await model.encode(input);
  const { mean, logVariance } = await model.encodeOnDevice(input);
  expectSame(await mean.download(), inMemory.mean, tolerance);
  expectSame(await logVariance.download(), inMemory.logVariance, tolerance);
  const decoded = await model.decodeOnDevice(mean);
  expectSame(await decoded.download(), await model.decode(inMemory.mean), tolerance);
  for (const tensor of [mean, logVariance, decoded]) tensor.dispose();
}

describe('encodes and decodes as in memory', () => {
  test('a model of ours', async () => {
    await expectLikeMemory(vae, batch);
    const { mean } = await vae.encodeOnDevice(batch);
    expect(mean).toMatchObject({ type: 'float32', location: 'cpu', dims: [5, 20], disposed: false });
    mean.dispose();
  });

  test('a model that standardises its data', async () => {
    for (const shape of [
      [64, 6],
      [16, 2, 16, 16],
    ]) {
      const size = shape.reduce((product, dim) => product * dim, 1);
      const data = Float32Array.from(hashedUniform(5, size, 0.5), (value, index) => 1000 * (index % 2) + 300 * value);
      const rows = await toDataset({ data, shape }, { standardise: true });
      await using model = await Vae.create(await modelOptionsFor(rows));
      await model.fit(rows, { epochs: 1 });
      await expectLikeMemory(model, { data, shape });
    }
  });

  test('latents that lie in memory', async () => {
    const { mean } = await vae.encode(batch);
    const decoded = await vae.decodeOnDevice(mean);
    expectSame(await decoded.download(), await vae.decode(mean));
    decoded.dispose();
  });

  test.each([
    ['moments, scaled and shifted', 'diffusion', 2, 2e-5],
    ['half precision, statistics by channel', 'diffusion-fp16', 1, 5e-3],
    ['a latent instead of a distribution', 'diffusion-old', 2, 2e-5],
  ])('autoencoders of diffusion models: %s', async (_, name, rows, tolerance) => {
    await using model = await Vae.load(join(GOLDEN, name));
    const golden = JSON.parse(await readFile(join(GOLDEN, `${name}.json`), 'utf8'));
    const { data, shape } = (golden.plain ?? golden).input;
    const size = data.length / shape[0];
    const input = { data: Float32Array.from(data.slice(0, rows * size)), shape: [rows, ...shape.slice(1)] };
    await expectLikeMemory(model, input, tolerance);
  });

  test('a conditional model', async () => {
    await using model = await Vae.create({
      input: { kind: 'vector', length: 6 },
      latentDim: 2,
      condition: { classes: 3 },
    });
    const rows = { data: Float32Array.from(hashedUniform(5, 12, 0.5), (value) => value + 0.5), shape: [2, 6] };
    const { mean } = await model.encodeOnDevice(rows, { labels: [2, 0] });
    const decoded = await model.decodeOnDevice(mean, { labels: [2, 0] });
    expectSame(await decoded.download(), await model.reconstruct(rows, { labels: [2, 0] }));
    await expect(model.decodeOnDevice(mean)).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
    for (const tensor of [mean, decoded]) tensor.dispose();
  });
});

test('a tensor outlives its model, and a second model takes it', async () => {
  const first = await Vae.load('mnist-mlp');
  const { mean, logVariance } = await first.encodeOnDevice(batch);
  await first.close();
  const decoded = await vae.decodeOnDevice(mean);
  expectSame(await decoded.download(), await vae.reconstruct(batch));
  expectSame(await mean.download(), (await vae.encode(batch)).mean);
  for (const tensor of [mean, logVariance, decoded]) tensor.dispose();
});

test('a run that reads a tensor is not hurt by its disposal', async () => {
  const expected = await vae.reconstruct(batch);
  for (let round = 0; round < 50; round += 1) {
    const { mean, logVariance } = await vae.encodeOnDevice(batch);
    const running = vae.decodeOnDevice(mean);
    mean.dispose();
    logVariance.dispose();
    const decoded = await running;
    expectSame(await decoded.download(), expected);
    decoded.dispose();
  }
});

test('memory is given back', async () => {
  const rows = { data: new Float32Array(512 * 784).fill(0.5), shape: [512, 1, 28, 28] };
  const pass = async () => {
    const { mean, logVariance } = await vae.encodeOnDevice(rows);
    const decoded = await vae.decodeOnDevice(mean);
    for (const tensor of [mean, logVariance, decoded]) tensor.dispose();
  };
  for (let round = 0; round < 30; round += 1) await pass();
  const before = process.memoryUsage().rss;
  for (let round = 0; round < 200; round += 1) await pass();
  // Kept, the results alone would take 320 MB.
  expect(process.memoryUsage().rss - before).toBeLessThan(60e6);
});

describe('refuses', () => {
  test('a tensor that was disposed of', async () => {
    const { mean } = await vae.encodeOnDevice(batch);
    mean.dispose();
    mean.dispose();
    expect(mean.disposed).toBe(true);
    await expect(mean.download()).rejects.toMatchObject({ code: 'ERR_VAE_DISPOSED' });
    await expect(vae.decodeOnDevice(mean)).rejects.toMatchObject({ code: 'ERR_VAE_DISPOSED' });
  });

  test('another shape, values that are not finite, a batch the graph does not take', async () => {
    const { mean } = await vae.encodeOnDevice(batch);
    const decoded = await vae.decodeOnDevice(mean);
    await expect(vae.decodeOnDevice(decoded)).rejects.toMatchObject({
      code: 'ERR_VAE_SHAPE',
      message: expect.stringContaining('expected shape [N, 20], received [N, 1, 28, 28]'),
    });
    const broken = { ...batch, data: batch.data.map((value, index) => (index === 9 ? Number.NaN : value)) };
    await expect(vae.encodeOnDevice(broken)).rejects.toMatchObject({ code: 'ERR_VAE_DATA' });
    await using fixed = await Vae.load(join(GOLDEN, 'diffusion-old'));
    const one = { data: new Float32Array(3 * 16 * 16), shape: [1, 3, 16, 16] };
    await expect(fixed.encodeOnDevice(one)).rejects.toMatchObject({
      code: 'ERR_VAE_SHAPE',
      message: expect.stringContaining('take 2 rows at once, received 1'),
    });
  });

  test('options of calls in memory, tiles, an aborted signal, a closed model', async () => {
    await expect(vae.encodeOnDevice(batch, { into: {} } as never)).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
    await using tiled = await Vae.load(join(GOLDEN, 'diffusion'), { tiling: true });
    const picture = { data: new Float32Array(3 * 32 * 32), shape: [1, 3, 32, 32] };
    await expect(tiled.encodeOnDevice(picture)).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
    await expect(vae.encodeOnDevice(batch, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    });
    const closed = await Vae.load('mnist-mlp');
    await closed.close();
    await expect(closed.encodeOnDevice(batch)).rejects.toMatchObject({ code: 'ERR_VAE_DISPOSED' });
    expect(() => new DeviceTensor({} as never, () => Promise.reject())).toThrow();
  });
});
