import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readModel } from '../../src/graph/index.js';
import { type QuantizationReport, Vae } from '../../src/index.js';
import { digits } from '../support/digits.js';

const train = digits(2000);
const held = digits(300, 't10k');
const folder = await mkdtemp(join(tmpdir(), 'node-vae-int8-'));
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
  await rm(folder, { recursive: true, force: true });
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

test('convolutions of imported models are quantised too', async () => {
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
