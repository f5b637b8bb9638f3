/** Exports run in another runtime, and give what the model gives as closely as their precision allows. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { exportModel, Vae, type VaeOptions } from '../../src/index.js';
import { digits } from '../support/digits.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('export');

const input = { kind: 'image', height: 28, width: 28, channels: 1 } as const;
const ROWS = 3;

/** Runs one network of an export by onnxruntime-node. */
async function run(path: string, name: string, data: Float32Array, dims: number[]): Promise<Map<string, Float32Array>> {
  const session = await InferenceSession.create(await readFile(path), { logSeverityLevel: 3 });
  const results = await session.run({ [name]: new Tensor('float32', data, dims) });
  await session.release();
  return new Map(Object.entries(results).map(([key, { data: values }]) => [key, values as Float32Array]));
}

function largestDifference(left: Float32Array, right: Float32Array): number {
  expect(left.length).toBe(right.length);
  return left.reduce((largest, value, index) => Math.max(largest, Math.abs(value - right[index]!)), 0);
}

test.each<[string, Partial<VaeOptions>]>([
  ['mlp', {}],
  ['conv', { architecture: { type: 'conv', channels: [8, 16] } }],
  ['resnet', { architecture: { type: 'resnet', channels: [8, 8], groups: 4 } }],
  ['ladder', { architecture: { type: 'ladder', latents: [6, 4], hidden: [32, 16] }, latentDim: 10 }],
  ['chain', { architecture: { type: 'chain', latents: [6, 4], hidden: [32, 16] }, latentDim: 10 }],
  ['iaf', { posterior: { type: 'iaf', steps: 2 } }],
  ['laplace', { likelihood: 'laplace' }],
])('%s, in half precision', { timeout: 60_000 }, async (name, options) => {
  await using vae = await Vae.create({ input, latentDim: 8, seed: 4, ...options });
  const directory = join(folder, name);
  const report = await exportModel(vae, directory, { precision: 'float16' });
  const { data } = digits(ROWS);
  const images = Float32Array.from(data, (value) => value / 255);
  const encoded = await run(join(directory, 'encoder.onnx'), 'input', images, [ROWS, 1, 28, 28]);
  const { mean } = await vae.encode({ data: images, shape: [ROWS, 1, 28, 28] });
  const expected = mean.data as Float32Array;
  const scale = Math.max(1, ...expected.map(Math.abs));
  expect(largestDifference(encoded.get('mean')!, expected) / scale).toBeLessThan(0.01);
  expect(largestDifference(encoded.get('mean')!, expected)).toBeGreaterThan(0);
  const latent = Float32Array.from({ length: ROWS * 10 }, (_, index) => Math.sin(index)).subarray(0, expected.length);
  const decoded = await run(join(directory, 'decoder.onnx'), 'latent', latent, [...mean.dims]);
  const ours = await vae.decode({ data: latent, shape: [...mean.dims] });
  expect(largestDifference(decoded.get('output')!, ours.data as Float32Array)).toBeLessThan(0.01);
  expect(report.difference!.largest).toBeLessThan(0.02);
  expect((await readdir(directory)).includes('prior.onnx')).toBe(name === 'ladder' || name === 'chain');
});

test('float32 is the model itself, int8 a quarter of it', { timeout: 60_000 }, async () => {
  await using vae = await Vae.load('mnist-mlp');
  const plain = await exportModel(vae, join(folder, 'plain'));
  expect(plain.difference).toEqual({ largest: 0, mean: 0 });
  const calibration = digits(200);
  const int8 = await exportModel(vae, join(folder, 'int8'), { precision: 'int8', calibration });
  expect(int8.quantization!.loss).toBeLessThan(1);
  expect(int8.difference!.mean).toBeLessThan(0.01);
  const size = async (name: string) => (await stat(join(folder, name, 'decoder.onnx'))).size;
  expect((await size('int8')) / (await size('plain'))).toBeLessThan(0.3);
  await using opened = await Vae.load({
    encoder: join(folder, 'int8', 'encoder.onnx'),
    decoder: join(folder, 'int8', 'decoder.onnx'),
  });
  expect((await opened.encode(calibration)).mean.dims).toEqual([200, vae.info.latentDim]);
});

test('what cannot be is refused, and nothing is written', async () => {
  await using vae = await Vae.create({ input, latentDim: 2 });
  const directory = join(folder, 'none');
  await expect(exportModel(vae, directory, { precision: 'int8' })).rejects.toThrow(/int8 needs examples/);
  await expect(exportModel(vae, directory, { precision: 'fp16' as never })).rejects.toMatchObject({
    code: 'ERR_VAE_OPTION',
  });
  expect(await readdir(folder)).not.toContain('none');
  await expect(exportModel(vae, '/dev/null/x')).rejects.toMatchObject({ code: 'ERR_VAE_IO' });
});
