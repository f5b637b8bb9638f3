/** Execution providers as plugins; with devices where a plugin and a Vulkan driver in software are there (.ci/run). */
import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listProviders, Vae } from '../../src/index.js';
import { findProviderLibraries } from '../../src/inference/sessions/plugins.js';
import { runCli } from '../cli/run-cli.js';
import { PACKAGE_ROOT } from '../support/project.js';
import { canRunWebGpu, PLUGIN, useSwiftShader, WEBGPU_NEEDS } from '../support/swiftshader.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('plugins');
let saved: NodeJS.ProcessEnv;
beforeEach(() => {
  saved = { ...process.env };
  for (const name of ['NODE_VAE_PROVIDER_LIBRARIES', 'VIRTUAL_ENV', 'CONDA_PREFIX']) delete process.env[name];
});
afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in saved)) delete process.env[name];
  Object.assign(process.env, saved);
});

const BINDING = (message: RegExp) =>
  expect.objectContaining({ code: 'ERR_VAE_BINDING', message: expect.stringMatching(message) });

describe('finding', () => {
  test('in the environment, in a Python environment, and each file once', async () => {
    const python = join(folder, 'env');
    const site = join(python, 'lib', 'python3.11', 'site-packages');
    await mkdir(join(site, 'onnxruntime_ep_webgpu'), { recursive: true });
    await mkdir(join(site, 'onnxruntime_ep_webgpu-0.4.0.dist-info'), { recursive: true });
    const wheel = join(site, 'onnxruntime_ep_webgpu', 'libonnxruntime_providers_webgpu.so');
    const own = join(folder, 'libonnxruntime_providers_mine.so');
    for (const path of [wheel, own]) await writeFile(path, 'no library');
    process.env['VIRTUAL_ENV'] = python;
    process.env['NODE_VAE_PROVIDER_LIBRARIES'] = [own, wheel].join(delimiter);
    expect(findProviderLibraries()).toEqual([
      { name: 'mine', path: own, origin: 'environment' },
      { name: 'webgpu', path: wheel, origin: 'environment' },
    ]);
    delete process.env['NODE_VAE_PROVIDER_LIBRARIES'];
    expect(findProviderLibraries()).toEqual([{ name: 'webgpu', path: wheel, origin: 'python' }]);
  });

  test('a path that leads nowhere is named with the variable', () => {
    process.env['NODE_VAE_PROVIDER_LIBRARIES'] = '/nowhere/libonnxruntime_providers_webgpu.so';
    expect(() => findProviderLibraries()).toThrow(BINDING(/NODE_VAE_PROVIDER_LIBRARIES names \/nowhere.*no file/));
  });
});

describe('what cannot be used says why, and the processor goes on', () => {
  test('a file that is no library', async () => {
    const path = join(folder, 'libonnxruntime_providers_broken.so');
    await writeFile(path, 'no library');
    await expect(Vae.load('mnist-mlp', { provider: { name: 'broken', library: path } })).rejects.toEqual(
      BINDING(/could not be registered with ONNX Runtime .*plugin for this ONNX Runtime/),
    );
    process.env['NODE_VAE_PROVIDER_LIBRARIES'] = path;
    expect(listProviders().find(({ name }) => name === 'broken')).toMatchObject({ available: false, source: 'plugin' });
    const vae = await Vae.load('mnist-mlp', { provider: 'auto' });
    expect(vae.provider).toBe('cpu');
    await vae.close();
  });

  test('a path without a file, an unknown name, a device of a provider that is no plugin', async () => {
    const open = (provider: unknown) => Vae.load('mnist-mlp', { provider: provider as never });
    await expect(open({ name: 'webgpu', library: '/nowhere.so' })).rejects.toEqual(BINDING(/no provider library at/));
    await expect(open({ name: 'openvino' })).rejects.toEqual(BINDING(/onnxruntime-ep-openvino/));
    await expect(open({ name: 'webgpux' })).rejects.toThrow(/expected one of/);
    await expect(open({ name: 'cpu', device: 1 })).rejects.toThrow(/no plugin/);
  });
});

test('the command line lists them', async () => {
  const { stdout, code } = await runCli(['providers', '--json']);
  expect(code).toBe(0);
  const { providers } = JSON.parse(stdout) as { providers: { name: string; available: boolean; remedy?: string }[] };
  expect(providers.find(({ name }) => name === 'cpu')).toMatchObject({ available: true, source: 'built-in' });
  for (const { available, remedy } of providers) if (!available) expect(remedy).toBeTruthy();
});

describe.skipIf(!canRunWebGpu)(`WebGPU on SwiftShader (${WEBGPU_NEEDS})`, () => {
  beforeEach(() => void useSwiftShader(folder));
  const data = { data: Float32Array.from({ length: 8 * 784 }, (_, i) => ((i * 7) % 13) / 13), shape: [8, 784] };
  const far = (a: { data: unknown }, b: { data: unknown }) => {
    const other = b.data as Float32Array;
    return Math.max(...(a.data as Float32Array).map((value, index) => Math.abs(value - other[index]!)));
  };

  test('encodes, decodes, samples and scores as the processor does, on the device and off it', {
    timeout: 300_000,
  }, async () => {
    expect(listProviders().find(({ source }) => source === 'plugin')).toMatchObject({
      name: 'webgpu',
      available: true,
      devices: [{ provider: 'WebGpuExecutionProvider', software: true }],
    });
    const cpu = await Vae.load('mnist-mlp');
    const device = await Vae.load('mnist-mlp', { provider: 'webgpu' });
    // One registration, whatever names lead to the file.
    const again = await Vae.load('mnist-mlp', { provider: { name: 'mine', library: PLUGIN, device: 0 } });
    expect([device.provider, again.provider]).toEqual(['webgpu', 'mine']);
    const [wanted, found] = [await cpu.encode(data), await device.encode(data)];
    expect(far(found.mean, wanted.mean)).toBeLessThan(1e-5);
    expect(far(await device.decode(wanted.mean), await cpu.decode(wanted.mean))).toBeLessThan(1e-5);
    expect(far(await again.sample(4, { seed: 3 }), await cpu.sample(4, { seed: 3 }))).toBeLessThan(1e-5);
    const [a, b] = [await device.score(data, { seed: 1 }), await cpu.score(data, { seed: 1 })];
    expect(Math.abs(a.elbo[0]! / b.elbo[0]! - 1)).toBeLessThan(1e-5);
    const kept = await device.encodeOnDevice(data);
    expect(kept.mean.location).toBe('webgpu');
    const decoded = await device.decodeOnDevice(kept.mean);
    expect(far(await decoded.download(), await cpu.decode(wanted.mean))).toBeLessThan(1e-5);
    for (const tensor of [kept.mean, kept.logVariance, decoded]) tensor.dispose();
    await expect(Vae.load('mnist-mlp', { provider: { name: 'webgpu', device: 7 } })).rejects.toThrow(
      /device 7 is not among the 1/,
    );
    await Promise.all([cpu, device, again].map((vae) => vae.close()));
  });

  test('batches requests, streams, tiles and interpolates as the processor does', { timeout: 300_000 }, async () => {
    const cpu = await Vae.load('mnist-mlp');
    const device = await Vae.load('mnist-mlp', { provider: 'webgpu' });
    const row = (at: number) => ({ data: data.data.slice(at * 784, (at + 1) * 784), shape: [1, 784] });
    const wanted = (await cpu.encode(data)).mean.data as Float32Array;
    const batcher = device.batcher({ maxBatch: 4 });
    const single = await Promise.all(Array.from({ length: 8 }, (_, at) => batcher.encode(row(at))));
    await batcher.close();
    const streamed: Float32Array[] = [];
    async function* each() {
      for (let at = 0; at < 8; at += 1) yield row(at);
    }
    for await (const { mean } of device.stream('encode').over(each())) streamed.push(mean.data as Float32Array);
    for (const found of [single.map(({ mean }) => mean.data as Float32Array), streamed]) {
      const all = Float32Array.from(found.flatMap((values) => [...values]));
      expect(far({ data: all }, { data: wanted })).toBeLessThan(1e-5);
    }
    await Promise.all([cpu.close(), device.close()]);
    const diffusion = join(PACKAGE_ROOT, 'test', 'golden', 'import', 'diffusion');
    const [small, there] = [await Vae.load(diffusion), await Vae.load(diffusion, { provider: 'webgpu' })];
    const picture = { data: Float32Array.from({ length: 3072 }, (_, i) => ((i * 5) % 17) / 17), shape: [1, 3, 32, 32] };
    const tiling = { size: 16, overlap: 0.25 };
    const tiled = await small.encode(picture, { tiling });
    expect(far((await there.encode(picture, { tiling })).mean, tiled.mean)).toBeLessThan(1e-5);
    expect(far(await there.decode(tiled.mean, { tiling }), await small.decode(tiled.mean, { tiling }))).toBeLessThan(
      1e-5,
    );
    await Promise.all([small.close(), there.close()]);
  });

  test('a driver that is not there is told with what to do, and the processor goes on', async () => {
    const env = { VK_DRIVER_FILES: join(folder, 'no-driver.json') };
    const sample = (...provider: string[]) =>
      runCli(['sample', 'mnist-mlp', '-n', '1', ...provider], { cwd: folder, env });
    const { code, stderr } = await sample('-o', 'device.npy', '--provider', 'webgpu');
    expect(code).toBe(1);
    expect(stderr).toMatch(/ERR_VAE_BINDING: .*found no device that it can use\. Install the driver.*provider 'cpu'/);
    expect(await sample('-o', 'processor.npy')).toMatchObject({ code: 0 });
  });

  test('what is too large for the device says so, and the model goes on', { timeout: 120_000 }, async () => {
    const vae = await Vae.load('mnist-mlp', { provider: 'webgpu' });
    const latents = (count: number) => ({ data: new Float32Array(count * 20), shape: [count, 20] });
    await expect(vae.decodeOnDevice(latents(800_000))).rejects.toEqual(
      expect.objectContaining({
        code: 'ERR_VAE_RUNTIME',
        message: expect.stringMatching(/too little memory: use smaller batches/),
      }),
    );
    expect((await vae.decode(latents(1))).dims).toEqual([1, 1, 28, 28]);
    await vae.close();
  });

  test('auto never takes a software device', async () => {
    const vae = await Vae.load('mnist-mlp', { provider: 'auto' });
    expect(vae.provider).toBe('cpu');
    await vae.close();
  });

  test('in a worker thread beside the main one', { timeout: 300_000 }, async () => {
    const main = await Vae.load('mnist-mlp', { provider: 'webgpu' });
    const code = `
      const { Vae } = await import(${JSON.stringify(pathToFileURL(join(PACKAGE_ROOT, 'dist/main/index.js')).href)});
      const { parentPort } = await import('node:worker_threads');
      const vae = await Vae.load('mnist-mlp', { provider: 'webgpu' });
      const { mean } = await vae.encode({ data: new Float32Array(784), shape: [1, 784] });
      await vae.close();
      parentPort.postMessage(mean.dims);
    `;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
    const dims = await new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    expect(dims).toEqual([1, 20]);
    await main.close();
    await worker.terminate();
  });
});
