/** Memory of thousands of steps and runs: the slope after the first, not the amount. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { loadAddon } from '../../src/binding/index.js';
import { denseModel, LINEAR, linearEvalModel, linearTrainingModel } from './models.js';

const addon = loadAddon();
setFlagsFromString('--expose-gc');
const gc: () => void = runInNewContext('gc');

async function residentAfter(rounds: number, round: (index: number) => Promise<void>): Promise<number> {
  for (let index = 0; index < rounds; index += 1) await round(index);
  for (let i = 0; i < 3; i += 1) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return process.memoryUsage.rss();
}

/**
 * A leak of 100 bytes a call would show. Collecting often keeps the JavaScript heap from hiding it by growing. What takes
 * its time to become flat, threads' own memory on a busy machine above all, has several times; a leak never does.
 */
async function expectFlat(callsPerRound: number, round: (index: number) => Promise<void>): Promise<void> {
  const rounds = 30;
  for (let sample = 0; sample < 4; sample += 1) await residentAfter(rounds, round);
  const samples = 10;
  let slope = Number.POSITIVE_INFINITY;
  for (let time = 0; time < 4 && slope >= 100; time += 1) {
    const warm = await residentAfter(rounds, round);
    let last = warm;
    for (let sample = 0; sample < samples; sample += 1) last = await residentAfter(rounds, round);
    slope = (last - warm) / (samples * rounds * callsPerRound);
  }
  expect(slope).toBeLessThan(100);
}

test('training steps, requests and evaluations', async () => {
  const session = await addon.createTrainingSession({
    trainingModel: linearTrainingModel(),
    evalModel: linearEvalModel(),
    parameters: [
      { name: 'W', dims: [LINEAR.inputs, LINEAR.outputs], trainable: true, gradient: 'W_grad' },
      { name: 'gain', dims: [LINEAR.outputs], trainable: false },
      { name: 'b', dims: [LINEAR.outputs], trainable: true, gradient: 'b_grad' },
    ],
    states: [{ name: 'running', dims: [LINEAR.inputs], output: 'running_next' }],
    feeds: [
      { kind: 'rows', name: 'x', dims: [LINEAR.inputs], dtype: 'float32' },
      { kind: 'rows', name: 'target', dims: [LINEAR.outputs], dtype: 'float32' },
      { kind: 'normal', name: 'noise', dims: [LINEAR.outputs], stream: LINEAR.noiseStream },
      { kind: 'scalar', name: 'weight' },
    ],
    scalars: ['loss'],
    perExample: ['loss_each'],
    optimizer: { type: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
    seed: 1n,
  });
  const plain = { scale: 1, offset: 0, binarise: 'none' } as const;
  await expectFlat(60, async (index) => {
    // New rows, sizes that vary and tensors given: everything that a request can make the session keep.
    session.attachRows('x', new Float32Array(50 * LINEAR.inputs).fill(0.5), 50, plain);
    session.attachRows('target', new Float32Array(50 * LINEAR.outputs), 50, plain);
    const sizes = Uint32Array.from({ length: 60 }, (_, i) => 1 + ((i + index) % 40));
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const request = {
      indices: Uint32Array.from({ length: total }, (_, i) => i % 50),
      batchSizes: sizes,
      firstMicroBatch: index * 60,
      scalars: { weight: new Float32Array(60).fill(1) },
      learningRates: new Float64Array(60).fill(1e-3),
      accumulate: 2,
    };
    await session.train(request);
    await session.evaluate(request);
    const given = {
      noise: { dtype: 'float32' as const, dims: [4, LINEAR.outputs], data: new Float32Array(4 * LINEAR.outputs) },
    };
    await session.train({
      ...request,
      indices: Uint32Array.of(1, 2, 3, 4),
      batchSizes: Uint32Array.of(4),
      scalars: { weight: Float32Array.of(1) },
      learningRates: Float64Array.of(1e-3),
      given,
    });
  });
  expect(addon.nativeBytes()).toBeGreaterThan(0);
  await session.close();
  expect(addon.nativeBytes()).toBe(0);
});

test('runs of an inference session, with fresh and with given arrays, of many shapes', async () => {
  const session = await addon.createInferenceSession(denseModel(16, 8), { intraOpThreads: 1 });
  const into = new Float32Array(50 * 8);
  await expectFlat(200, async () => {
    for (let i = 0; i < 100; i += 1) {
      const rows = 1 + (i % 50);
      const x = { dtype: 'float32' as const, dims: [rows, 16], data: new Float32Array(rows * 16) };
      await Promise.all([
        session.run({ x }, [{ name: 'y' }, { name: 'sum' }]),
        session.run({ x }, [{ name: 'y', into: into.subarray(0, rows * 8) }]),
      ]);
    }
  });
  await session.close();
});

test('sessions opened and closed', async () => {
  const model = denseModel(16, 8);
  const x = { dtype: 'float32' as const, dims: [2, 16], data: new Float32Array(32) };
  const slopeOf = async () => {
    const cycle = async () => {
      const session = await addon.createInferenceSession(model, { intraOpThreads: 2 });
      await session.run({ x }, [{ name: 'y' }]);
      await session.close();
    };
    const warm = await residentAfter(60, cycle);
    return ((await residentAfter(240, cycle)) - warm) / 240;
  };
  // A session of this model holds some 100 KiB.
  expect(await slopeOf()).toBeLessThan(10_000);
});
