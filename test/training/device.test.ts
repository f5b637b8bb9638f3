/** Training where parameters and optimizer live in a provider's own memory: a Vulkan driver in software (.ci/run). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateArtifacts } from '../../src/artifacts/generate.js';
import { constantOf, GraphBuilder } from '../../src/graph/index.js';
import { type History, Vae, type VaeOptions } from '../../src/index.js';
import { fitOptionsSchema } from '../../src/training/fit-options.js';
import { openSession } from '../../src/training/open-session.js';
import { canRunWebGpu, PLUGIN, useSwiftShader, WEBGPU_NEEDS } from '../support/swiftshader.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('device');
let restore: () => void;
beforeAll(() => {
  restore = useSwiftShader(folder);
});
afterAll(() => restore());

type FitOptions = NonNullable<Parameters<Vae['fit']>[1]>;

const MODELS = {
  mlp: { architecture: { type: 'mlp', hidden: [16] }, input: { kind: 'vector', length: 48 }, latentDim: 3 },
  conv: {
    architecture: { type: 'conv', channels: [4] },
    input: { kind: 'image', height: 8, width: 8, channels: 1 },
    latentDim: 3,
  },
  resnet: {
    architecture: { type: 'resnet', channels: [8] },
    input: { kind: 'image', height: 4, width: 4, channels: 1 },
    latentDim: 2,
  },
} as const satisfies Record<string, VaeOptions>;
type Name = keyof typeof MODELS;

function rows(name: Name, count: number): { data: Float32Array; shape: number[] } {
  const { input } = MODELS[name];
  const shape = input.kind === 'vector' ? [input.length] : [input.channels, input.height, input.width];
  const size = shape.reduce<number>((product, dim) => product * dim, 1);
  const data = Float32Array.from({ length: count * size }, (_, at) => ((at * 7 + (at >> 5)) % 13) / 13);
  return { data, shape: [count, ...shape] };
}

interface Trained {
  readonly losses: readonly number[];
  readonly history: History;
  readonly parameters: readonly Float32Array[];
}

async function train(name: Name, provider: 'cpu' | 'webgpu', options: FitOptions): Promise<Trained> {
  await using vae = await Vae.create({ ...MODELS[name], seed: 1, provider });
  const history = await vae.fit(rows(name, 16), { batchSize: 8, ...options });
  return {
    history,
    losses: history.epochs.map(({ train: { loss } }) => loss),
    parameters: vae.info.parameters.map((parameter) => vae.parameter(parameter.name).slice()),
  };
}

function furthest(left: readonly Float32Array[], right: readonly Float32Array[]): number {
  let most = 0;
  for (const [index, values] of left.entries()) {
    for (const [at, value] of values.entries()) most = Math.max(most, Math.abs(value - right[index]![at]!));
  }
  return most;
}

const OPTIONS: Record<string, FitOptions> = {
  adam: {},
  'adamw, clipped, with an average and validation': {
    optimizer: { type: 'adamw', learningRate: 1e-3, weightDecay: 0.05 },
    clipGradientNorm: 0.5,
    emaDecay: 0.9,
    validation: rows('mlp', 5),
  },
  'sgd with momentum': {
    optimizer: { type: 'sgd', learningRate: 1e-4, momentum: 0.9, nesterov: true, weightDecay: 0.01 },
  },
  'sgd without': { optimizer: { type: 'sgd', learningRate: 1e-4 } },
  'several batches a step': { accumulate: 3 },
  'the sum of several batches': { accumulate: 2, accumulation: 'sum', clipGradientNorm: 1 },
};

describe.skipIf(!canRunWebGpu)(`WebGPU on SwiftShader (${WEBGPU_NEEDS})`, { timeout: 600_000 }, () => {
  test.each(Object.entries(OPTIONS))('an mlp by %s for 50 steps as on the processor', async (_, options) => {
    const [cpu, device] = [
      await train('mlp', 'cpu', { epochs: 25, ...options }),
      await train('mlp', 'webgpu', { epochs: 25, ...options }),
    ];
    for (const [index, loss] of cpu.losses.entries()) expect(device.losses[index]! / loss).toBeCloseTo(1, 5);
    expect(furthest(cpu.parameters, device.parameters)).toBeLessThan(1e-5);
    for (const [index, epoch] of cpu.history.epochs.entries()) {
      const other = device.history.epochs[index]!;
      for (const norm of ['gradientNorm', 'updateNorm'] as const) {
        // An epoch may end between two steps.
        expect(Number.isFinite(other[norm])).toBe(Number.isFinite(epoch[norm]));
        if (Number.isFinite(epoch[norm])) expect(other[norm]! / epoch[norm]!).toBeCloseTo(1, 4);
      }
      if (epoch.validation) expect(other.validation!.loss / epoch.validation.loss).toBeCloseTo(1, 5);
    }
  });

  test.each(['conv', 'resnet'] as const)('a %s for 50 steps as on the processor', async (name) => {
    const [cpu, device] = [await train(name, 'cpu', { epochs: 25 }), await train(name, 'webgpu', { epochs: 25 })];
    for (const [index, loss] of cpu.losses.entries())
      expect(Math.abs(device.losses[index]! / loss - 1)).toBeLessThan(1e-4);
  });

  test('a run that is resumed in the middle of an epoch has the bits of one that was not interrupted', async () => {
    const options: FitOptions = { epochs: 4, accumulate: 2, batchSize: 4, emaDecay: 0.9 };
    const whole = await train('mlp', 'webgpu', options);
    const checkpoint = { directory: `${folder}/checkpoints`, everySteps: 1 };
    const stop = new AbortController();
    await using first = await Vae.create({ ...MODELS.mlp, seed: 1, provider: 'webgpu' });
    const run = first.fit(rows('mlp', 16), {
      ...options,
      checkpoint,
      signal: stop.signal,
      onProgress: ({ step = 0 }) => void (step >= 3 && stop.abort()),
    });
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    await using second = await Vae.create({ ...MODELS.mlp, seed: 1, provider: 'webgpu' });
    const history = await second.fit(rows('mlp', 16), { ...options, checkpoint, resume: true });
    expect(history.epochs.at(-1)!.train.loss).toBe(whole.losses.at(-1));
    const parameters = second.info.parameters.map(({ name }) => second.parameter(name));
    expect(furthest(parameters, whole.parameters)).toBe(0);
  });

  test('what is not finite ends training as on the processor', async () => {
    for (const provider of ['cpu', 'webgpu'] as const) {
      await using vae = await Vae.create({ ...MODELS.mlp, likelihood: 'gaussian', seed: 1, provider });
      const { data, shape } = rows('mlp', 16);
      const options: FitOptions = { epochs: 3, batchSize: 4, optimizer: { type: 'sgd', learningRate: 10 } };
      const run = vae.fit({ data: data.map((value) => value * 1000), shape }, options);
      await expect(run).rejects.toThrow(
        /^Training diverged in epoch 1, batch \d+: .* is not finite\. .*standardise it/,
      );
      for (const { name } of vae.info.parameters) expect(vae.parameter(name).every(Number.isFinite)).toBe(true);
    }
  });

  test('a session says that its optimizer is on the device; values go up and come down as they are', async () => {
    const g = new GraphBuilder();
    const w = g.initializer('w', constantOf([1, 2, 3, 4, 5, 6], 'float32', [2, 3]));
    const total = g.initializer('total', constantOf([0], 'float32', [1]));
    const product = g.op('MatMul', [g.input('x', 'float32', ['N', 2]), w]);
    g.output('loss', g.op('ReduceMean', [g.op('Mul', [product, product])], { keepdims: 0 }));
    g.output('seen', g.op('Add', [total, g.constant([1], 'float32', [1])]));
    const optimizer = {
      type: 'adam',
      learningRate: 0.1,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
    } as const;
    const states = { total: 'seen' };
    const artifacts = generateArtifacts({ model: g.model, trainable: ['w'], states, optimizer });
    const options = fitOptionsSchema.parse({ emaDecay: 0.5, optimizer });
    const providers = [{ name: 'webgpu', library: PLUGIN, device: 0, options: {} }];
    const feeds = [{ kind: 'given', name: 'x' }] as const;
    const native = await openSession({ artifacts, feeds }, { options, session: { providers } }, 1n);
    expect(() => native.setOptimizer({ ...optimizer, type: 'adamw' })).toThrow(/a graph of its provider/);
    expect([...native.getParameters()]).toEqual([1, 2, 3, 4, 5, 6]);
    for (const slot of ['moment1', 'moment2', 'ema', 'accumulator'] as const) {
      native.setSlot(slot, Float32Array.from([6, 5, 4, 3, 2, 1]));
      expect([...native.getSlot(slot)!]).toEqual([6, 5, 4, 3, 2, 1]);
    }
    const x = { dtype: 'float32', dims: [1, 2], data: Float32Array.from([1, -1]) } as const;
    const request = {
      ...{ indices: new Uint32Array(), batchSizes: Uint32Array.from([1]), firstMicroBatch: 0, scalars: {} },
      ...{ learningRates: Float64Array.from([0.1]), accumulate: 1, given: { x } },
    };
    native.resetGradient();
    expect(await native.accumulate(request)).toMatchObject({ completed: 1, scalars: { loss: Float32Array.of(9) } });
    expect([...native.getGradients()]).toEqual([-2, -2, -2, 2, 2, 2]);
    expect(native.getStates()).toEqual({ total: Float32Array.of(1) });
    native.setStates({ total: Float32Array.of(7) });
    await native.accumulate(request);
    expect(native.getStates()).toEqual({ total: Float32Array.of(8) });
    expect([native.pendingMicroBatches, native.step]).toEqual([2, 0]);
    const { gradientNorm } = await native.optimizerStep(0.1);
    expect(gradientNorm).toBeCloseTo(Math.sqrt(6 * 4), 4);
    expect([native.pendingMicroBatches, native.step]).toEqual([0, 1]);
    // A batch that is not finite leaves parameters, moments and states as they were.
    const before = [native.getParameters(), native.getSlot('moment1'), native.getStates()];
    const bad = { ...request, given: { x: { ...x, data: Float32Array.from([Number.NaN, 1]) } } };
    expect(await native.train(bad)).toMatchObject({ completed: 0, nonFinite: { where: 'loss' } });
    expect([native.getParameters(), native.getSlot('moment1'), native.getStates()]).toEqual(before);
    expect(await native.train(request)).toMatchObject({ completed: 1 });
    await native.close();
  });
});
