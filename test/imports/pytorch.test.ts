/** Small VAEs as PyTorch 2.13 exports them: what they encode and decode, and how their losses fall by SGD, beside PyTorch's own. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test, vi } from 'vitest';
import { type ImportOptions, importOnnx } from '../../src/artifacts/import-onnx.js';
import { artifactsOf } from '../../src/artifacts/model-io.js';
import { readModel, writeModel } from '../../src/graph/index.js';
import { type FromOnnxOptions, Vae } from '../../src/index.js';
import { runGraph } from '../../src/inference/imported/run-graph.js';
import { temporaryFolder } from '../support/temporary.js';

interface Golden {
  readonly x: number[];
  readonly mean: number[];
  readonly logVariance: number[];
  readonly decoded: number[];
  readonly opset: number;
  readonly losses: readonly (readonly [reconstruction: number, kl: number])[];
}

const home = fileURLToPath(new URL('../golden/imports/', import.meta.url));
const golden = JSON.parse(readFileSync(join(home, 'golden.json'), 'utf8')) as Record<string, Golden>;
const folder = temporaryFolder('pytorch');

const [ROWS, DATA, LATENT, RATE] = [8, 6, 2, 0.02];
const SGD = { type: 'sgd', learningRate: RATE, momentum: 0, dampening: 0, nesterov: false, weightDecay: 0 } as const;
const filesOf = (name: string) => ({
  encoder: join(home, `${name}-encoder.onnx`),
  decoder: join(home, `${name}-decoder.onnx`),
});
const worst = (found: ArrayLike<number>, wanted: readonly number[]): number => {
  expect(found.length).toBe(wanted.length);
  return Math.max(...wanted.map((value, index) => Math.abs(value - found[index]!)));
};

describe.each(Object.keys(golden))('%s', (name) => {
  const one = golden[name]!;
  const batch = { data: Float32Array.from(one.x), shape: [ROWS, DATA] };

  test('encodes and decodes as PyTorch does, and so do its files once saved', async () => {
    await using vae = await Vae.fromOnnx({ ...filesOf(name), untie: true });
    // ONNX Runtime 1.30 has no kernel for RandomNormalLike of opset 22.
    const runs = one.opset < 22 || !name.includes('drawn');
    await using run = runs ? await Vae.load(filesOf(name)) : vae.clone();
    for (const each of [vae, run]) {
      const { mean, logVariance } = await each.encode(batch);
      expect(worst(mean.data as Float32Array, one.mean)).toBeLessThan(1e-6);
      expect(worst(logVariance.data as Float32Array, one.logVariance)).toBeLessThan(1e-5);
    }
    const z = { data: Float32Array.from(one.mean), shape: [ROWS, LATENT] };
    expect(worst((await vae.decode(z)).data as Float32Array, one.decoded)).toBeLessThan(1e-6);
    await vae.fit(batch, { epochs: 2, batchSize: 4 });
    await vae.save(folder);
    const session = await InferenceSession.create(join(folder, 'decoder.onnx'));
    const outputs = await session.run({ [session.inputNames[0]!]: new Tensor('float32', z.data, z.shape) });
    await session.release();
    const decoded = (await vae.decode(z)).data as Float32Array;
    expect(worst(decoded, [...(outputs['y']!.data as Float32Array)])).toBeLessThan(1e-6);
    for (const half of ['encoder', 'decoder']) {
      const saved = await readModel(join(folder, `${half}.onnx`), { keepOpset: true });
      expect(saved.opsets.get('')).toBe(one.opset);
    }
  });

  test('its losses fall by SGD as PyTorch’s do', async () => {
    const options = {
      ...filesOf(name),
      likelihood: { type: 'bernoulli' },
      objective: { type: 'elbo' },
      freeze: [],
      seed: 0,
    };
    const parts = await importOnnx({ ...options, untie: true } as unknown as ImportOptions, runGraph);
    const { trainingModel } = artifactsOf(parts, SGD, undefined);
    const session = await InferenceSession.create(writeModel(trainingModel), { logSeverityLevel: 3 });
    for (const [step, [reconstruction, kl]] of one.losses.entries()) {
      const feeds: Record<string, Tensor> = {
        input: new Tensor('float32', batch.data, batch.shape),
        // Without noise, which each library draws for itself.
        epsilon: new Tensor('float32', new Float32Array(ROWS * LATENT), [ROWS, LATENT]),
        kl_weight: new Tensor('float32', [1], []),
      };
      for (const spec of parts.parameters.specs)
        feeds[spec.name] = new Tensor('float32', parts.parameters.view(spec), spec.dims);
      const outputs = await session.run(feeds);
      expect(Math.abs((outputs['reconstruction']!.data[0] as number) - reconstruction), `step ${step}`).toBeLessThan(
        3e-6,
      );
      expect(Math.abs((outputs['kl']!.data[0] as number) - kl), `step ${step}`).toBeLessThan(3e-6);
      for (const spec of parts.parameters.specs) {
        const gradient = outputs[`${spec.name}_grad`]!.data as Float32Array;
        const values = parts.parameters.view(spec);
        for (let index = 0; index < values.length; index += 1) values[index]! -= RATE * gradient[index]!;
      }
    }
    await session.release();
  });
});

test.each(['torchscript-chunked-hard', 'dynamo-std-clamped'])(
  'merged weights of %s are told of, and have one each with untie',
  async (name) => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const open = (options: Partial<FromOnnxOptions>) =>
      Vae.fromOnnx({ ...filesOf(name), ...options } as FromOnnxOptions);
    await using tied = await open({});
    expect(warned.mock.calls.map(([message]) => message)).toEqual([
      expect.stringMatching(/^Vae\.fromOnnx\(\): the exporter merged 2 weights .*untie: true/),
    ]);
    warned.mockClear();
    await using apart = await open({ untie: true });
    expect(warned).not.toHaveBeenCalled();
    expect(apart.info.parameterCount).toBe(tied.info.parameterCount + 16);
    warned.mockRestore();
  },
);
