import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { beforeEach, describe, expect, test } from 'vitest';
import { constantOf, GraphBuilder } from '../../src/graph/index.js';
import { type Artifacts, generateArtifacts, TrainingSession, writeArtifacts } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('session');

/** Least squares: loss = mean (x w + b − y)², with a prediction output. */
function regression(): Artifacts {
  const g = new GraphBuilder();
  const x = g.input('x', 'float32', ['N', 3]);
  const y = g.input('y', 'float32', ['N', 1]);
  const w = g.initializer('w', constantOf([0.1, -0.2, 0.3], 'float32', [3, 1]));
  const b = g.initializer('b', constantOf([0], 'float32', [1]));
  const prediction = g.output('prediction', g.op('Add', [g.op('MatMul', [x, w]), b]));
  const error = g.op('Sub', [prediction, y]);
  g.output('loss', g.op('ReduceMean', [g.op('Mul', [error, error])], { keepdims: 0 }));
  return generateArtifacts({
    model: g.model,
    perExample: ['prediction'],
    optimizer: { type: 'sgd', learningRate: 0.1, momentum: 0.5, dampening: 0, nesterov: false, weightDecay: 0 },
  });
}

/** y = 1 x₀ + 2 x₁ − x₂ + 0.5, rows from a fixed sequence. */
function batch(rows: number, seed = 1) {
  let state = seed;
  const random = (): number => {
    state = (state * 48271) % 2147483647;
    return (state / 2147483647) * 2 - 1;
  };
  const x = Float32Array.from({ length: rows * 3 }, random);
  const y = Float32Array.from({ length: rows }, (_, i) => x[3 * i]! + 2 * x[3 * i + 1]! - x[3 * i + 2]! + 0.5);
  return { x: { data: x, shape: [rows, 3] }, y: { data: y, shape: [rows, 1] } };
}

describe('TrainingSession', () => {
  let session: TrainingSession;
  beforeEach(async () => {
    session = await TrainingSession.create(regression());
    return () => session.close();
  });

  test('finds the line', async () => {
    for (let step = 0; step < 300; step += 1) {
      await session.trainStep(batch(32, step + 1));
      await session.optimizerStep();
      session.lazyResetGrad();
    }
    const expected = [1, 2, -1, 0.5];
    session.getParameters().forEach((value, index) => {
      expect(value).toBeCloseTo(expected[index]!, 3);
    });
    expect(session.step).toBe(300);
  });

  test('accumulating two halves is training on the whole', async () => {
    const whole = batch(8);
    const half = (from: number) => ({
      x: { data: whole.x.data.subarray(from * 3, from * 3 + 12), shape: [4, 3] },
      y: { data: whole.y.data.subarray(from, from + 4), shape: [4, 1] },
    });
    await session.trainStep(half(0));
    await session.trainStep(half(4));
    await session.optimizerStep();
    await using other = await TrainingSession.create(regression());
    await other.trainStep(whole);
    await other.optimizerStep();
    const theirs = other.getParameters();
    session.getParameters().forEach((value, index) => {
      expect(value).toBeCloseTo(theirs[index]!, 6);
    });
  });

  test('a reset is lazy: the gradient goes when the next step begins', async () => {
    const before = session.getParameters();
    await session.trainStep(batch(8, 5));
    session.lazyResetGrad();
    await session.trainStep(batch(8, 6));
    await session.optimizerStep();
    await using other = await TrainingSession.create(regression());
    await other.trainStep(batch(8, 6));
    await other.optimizerStep();
    expect(session.getParameters()).toEqual(other.getParameters());
    expect(session.getParameters()).not.toEqual(before);
  });

  test('a checkpoint brings back parameters, moments and step', async () => {
    const advance = async (target: TrainingSession, seed: number) => {
      await target.trainStep(batch(8, seed));
      await target.optimizerStep();
      target.lazyResetGrad();
    };
    for (const seed of [1, 2, 3]) await advance(session, seed);
    const path = join(folder, 'checkpoint.safetensors');
    await session.saveCheckpoint(path);
    await using other = await TrainingSession.create(regression());
    await other.loadCheckpoint(path);
    await advance(session, 4);
    await advance(other, 4);
    expect(other.getParameters()).toEqual(session.getParameters());
    expect(other.step).toBe(4);
  });

  test('opens a directory of artifacts', async () => {
    const directory = join(folder, 'artifacts');
    await writeArtifacts(directory, regression());
    await using opened = await TrainingSession.create(directory);
    expect(opened.inputNames).toEqual(['x', 'y']);
    const { loss } = await opened.trainStep(batch(8));
    expect(loss).toBe((await session.trainStep(batch(8)))['loss']);
  });

  test('evaluates and exports what it has learned', async () => {
    await session.trainStep(batch(8));
    await session.optimizerStep();
    const feeds = batch(5, 9);
    const { prediction } = await session.evalStep(feeds);
    const path = join(folder, 'exported.onnx');
    await session.exportForInference(path, ['prediction']);
    const exported = await InferenceSession.create(path);
    expect(exported.inputNames).toEqual(['x']);
    const outputs = await exported.run({ x: new Tensor('float32', feeds.x.data, feeds.x.shape) });
    expect(outputs['prediction']!.data).toEqual(prediction);
  });

  test('schedules set the rate, and so can its owner', async () => {
    session.setScheduler({ type: 'linear', from: 1, to: 0 }, 11);
    expect(session.learningRate).toBe(1);
    for (let step = 0; step < 5; step += 1) {
      await session.trainStep(batch(4));
      await session.optimizerStep();
    }
    session.schedulerStep();
    expect(session.learningRate).toBeCloseTo(0.5, 12);
    session.setLearningRate(0.25);
    expect(session.learningRate).toBe(0.25);
  });

  test('refuses what does not fit', async () => {
    const { x, y } = batch(4);
    await expect(session.trainStep({ x })).rejects.toMatchObject({
      code: 'ERR_VAE_SHAPE',
      message: expect.stringMatching(/"y" is missing/),
    });
    await expect(session.trainStep({ x, y, z: y })).rejects.toThrow(/no input "z"/);
    await expect(session.trainStep({ x: { data: x.data, shape: [3, 4] }, y })).rejects.toMatchObject({
      code: 'ERR_VAE_SHAPE',
    });
    await expect(session.optimizerStep()).rejects.toThrow(/no gradient/);
    expect(() => session.setParameters(new Float32Array(3))).toThrow(/expected 4 values/);
    expect(() => session.setLearningRate(Number.NaN)).toThrow(/learningRate/);
    await expect(session.exportForInference(join(folder, 'x.onnx'), ['nothing'])).rejects.toThrow(
      /no output "nothing"; it has/,
    );
    await session.close();
    await expect(session.trainStep({ x, y })).rejects.toMatchObject({ code: 'ERR_VAE_DISPOSED' });
  });
});
