import { readdir, readFile, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readModel } from '../../src/graph/index.js';
import { type LabelledOptions, type QuantizationReport, Vae, type VaeOptions } from '../../src/index.js';
import { digits } from '../support/digits.js';
import { temporaryFolder } from '../support/temporary.js';

const train = digits(2000);
const held = digits(300, 't10k');
const folder = temporaryFolder('int8');
let vae: Vae;
let int8: Vae;
let report: QuantizationReport;

beforeAll(async () => {
  vae = await Vae.create({
    input: { kind: 'image', height: 28, width: 28 },
    latentDim: 8,
    architecture: { type: 'mlp', hidden: [128] },
    seed: 2,
  });
  await vae.fit(train, { epochs: 6, batchSize: 50 });
  ({ vae: int8, report } = await vae.quantize(held));
});
afterAll(async () => {
  await Promise.all([vae.close(), int8.close()]);
});

const data = (tensor: { data: unknown }) => tensor.data as Float32Array;
const rootMeanSquare = (values: Float32Array, other?: Float32Array) =>
  Math.sqrt(values.reduce((sum, value, index) => sum + (value - (other?.[index] ?? 0)) ** 2, 0) / values.length);

test('computes nearly what the model computes, and says what it loses', async () => {
  const [a, b] = [await vae.encode(held), await int8.encode(held)];
  expect(rootMeanSquare(data(a.mean), data(b.mean))).toBeLessThan(0.02 * rootMeanSquare(data(a.mean)));
  const [x, y] = [await vae.reconstruct(held), await int8.reconstruct(held)];
  expect(rootMeanSquare(data(x), data(y))).toBeLessThan(0.01);
  expect(data(y)).not.toEqual(data(x));
  expect(report.reconstruction.float32).toBeGreaterThan(50);
  expect(report.loss).toBeCloseTo(report.reconstruction.int8 - report.reconstruction.float32, 6);
  expect(Math.abs(report.loss)).toBeLessThan(0.01 * report.reconstruction.float32);
  expect(report.products).toBe(5);
  expect(report.bytes.int8).toBeLessThan(0.3 * report.bytes.float32);
  expect(int8.info.precision).toBe('int8');
});

test('a row comes out the same whatever batch it is in', async () => {
  const alone = await int8.encode({ data: held.data.subarray(0, 784), shape: [1, 784] });
  const bright = new Uint8Array(2 * 784).fill(255);
  bright.set(held.data.subarray(0, 784));
  const beside = await int8.encode({ data: bright, shape: [2, 784] });
  expect(data(beside.mean).subarray(0, 8)).toEqual(data(alone.mean));
});

test('its products are integer ones', async () => {
  const path = join(folder, 'trace.json');
  await int8.profile(path, (profiled) => profiled.reconstruct(held));
  const { traceEvents } = JSON.parse(await readFile(path, 'utf8'));
  const operators = new Set(traceEvents.map(({ args }: { args?: { op_name?: string } }) => args?.op_name));
  expect([...operators]).toContain('QGemm');
  expect([...operators]).not.toContain('Gemm');
});

test('saved as a pair it gives the same bits; it cannot be trained', async () => {
  await int8.save(join(folder, 'pair'));
  const pair = { encoder: join(folder, 'pair', 'encoder.onnx'), decoder: join(folder, 'pair', 'decoder.onnx') };
  await using again = await Vae.load(pair);
  expect(data((await again.encode({ data: held.data, shape: [300, 1, 28, 28] })).mean)).toEqual(
    data((await int8.encode(held)).mean),
  );
  const weights = [...(await readModel(pair.encoder)).graph.initializers.values()].filter(
    ({ dtype }) => dtype === 'int8',
  );
  expect(weights.length).toBeGreaterThan(0);
  // Two products of a weight and an activation must fit 16 bits.
  for (const { data } of weights)
    expect(Math.max(...new Int8Array((data as Uint8Array).slice().buffer).map(Math.abs))).toBeLessThanOrEqual(64);
  await expect(int8.fit(train)).rejects.toMatchObject({
    code: 'ERR_VAE_OPTION',
    message: expect.stringContaining('8-bit'),
  });
});

test('saved and loaded it is the same model, to the bit, without its float32 weights', async () => {
  const directory = join(folder, 'saved');
  await int8.save(directory);
  await using again = await Vae.load(directory);
  expect(again.info).toEqual({ ...int8.info, precision: 'int8', trainedEpochs: undefined });
  expect(again.info).toMatchObject({ latentDim: 8, layers: [{ name: 'z', size: 8 }], likelihood: vae.info.likelihood });
  expect(data((await again.encode(held)).mean)).toEqual(data((await int8.encode(held)).mean));
  expect(data(await again.sample(5, { seed: 3 }))).toEqual(data(await int8.sample(5, { seed: 3 })));
  const [a, b] = [await again.score(held), await int8.score(held)];
  expect(a).toEqual(b);
  expect(a.reconstruction.reduce((sum, value) => sum + value, 0) / 300).toBeCloseTo(report.reconstruction.int8, 3);
  expect((await again.latentStatistics(held)).activeUnits).toBeGreaterThan(2);
  const sizes = await Promise.all(
    (await readdir(directory)).map(async (name) => (await stat(join(directory, name))).size),
  );
  // Encoder, decoder and the bound, which holds both once more.
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(2.3 * report.bytes.int8);

  await expect(again.score(held, { importanceSamples: 5 })).rejects.toThrow(
    /saved in 8-bit integers, without the graphs of/,
  );
  for (const call of [again.fit(train), again.toCodec(train), again.save(directory, { training: true })]) {
    await expect(call).rejects.toMatchObject({ code: 'ERR_VAE_OPTION', message: expect.stringContaining('8-bit') });
  }
  expect(() => again.parameter('encoder.hidden.0.weight')).toThrow(/8-bit/);
  // Saved once more, from the loaded one, and loaded beside a clone.
  await again.save(join(folder, 'copy'));
  await using copy = await Vae.load(join(folder, 'copy'));
  await using clone = copy.clone();
  expect(data((await clone.encode(held)).mean)).toEqual(data((await int8.encode(held)).mean));

  await truncate(join(directory, 'objective.onnx'), 100);
  await expect(Vae.load(directory)).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
});

const image = { kind: 'image', height: 28, width: 28 } as const;
const wide: VaeOptions['architecture'] = { type: 'mlp', hidden: [64] };
const models: [name: string, options: VaeOptions][] = [
  ['labels', { input: image, architecture: wide, condition: { classes: 10 } }],
  ['a learned prior', { input: image, architecture: wide, prior: { type: 'vamp', components: 20 } }],
  ['a flow', { input: image, architecture: wide, posterior: { type: 'iaf', steps: 1, hidden: 64 } }],
  ['a ladder', { input: image, architecture: { type: 'ladder', latents: [8, 4], hidden: [64, 32] } }],
  [
    'latents that have places',
    { input: image, architecture: { type: 'conv', channels: [32, 64], latent: 'map' }, latentDim: 32 },
  ],
];
test.each(models)('a model with %s is quantized, saved and loaded', async (name, options) => {
  await using model = await Vae.create({ ...options, seed: 4 });
  const labels: LabelledOptions = name === 'labels' ? { labels: held.labels } : {};
  const one: LabelledOptions = name === 'labels' ? { labels: 7 } : {};
  const { vae: small, report: lost } = await model.quantize(held, labels);
  await using _ = small;
  expect(lost.products).toBeGreaterThan(1);
  expect(Math.abs(lost.loss)).toBeLessThan(0.02 * lost.reconstruction.float32);
  const directory = join(folder, name);
  await small.save(directory);
  await using again = await Vae.load(directory);
  expect(again.info).toEqual(small.info);
  expect(data((await again.encode(held, labels)).mean)).toEqual(data((await small.encode(held, labels)).mean));
  expect(data(await again.sample(3, { seed: 1, ...one }))).toEqual(data(await small.sample(3, { seed: 1, ...one })));
  const drawn = { sample: true, seed: 2, ...labels } as const;
  expect(data(await again.reconstruct(held, drawn))).toEqual(data(await small.reconstruct(held, drawn)));
  expect(await again.score(held, labels)).toEqual(await small.score(held, labels));
});

test('convolutions of imported models are quantized too', async () => {
  const golden = fileURLToPath(new URL('../golden/import/diffusion', import.meta.url));
  await using imported = await Vae.load(golden);
  const pictures = {
    data: Float32Array.from({ length: 2 * 3 * 32 * 32 }, (_, index) => Math.sin(index / 40)),
    shape: [2, 3, 32, 32],
  };
  const { vae: small, report } = await imported.quantize(pictures);
  await using _ = small;
  expect(report.products).toBeGreaterThan(10);
  const [a, b] = [await imported.encode(pictures), await small.encode(pictures)];
  expect(rootMeanSquare(data(a.mean), data(b.mean))).toBeLessThan(0.1 * rootMeanSquare(data(a.mean)));
});

test('what cannot gain is refused', async () => {
  await using tiny = await Vae.create({
    input: { kind: 'vector', length: 8 },
    latentDim: 2,
    architecture: { type: 'mlp', hidden: [8] },
  });
  const rows = { data: new Float32Array(80).fill(0.5), shape: [10, 8] };
  await expect(tiny.quantize(rows)).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
});
