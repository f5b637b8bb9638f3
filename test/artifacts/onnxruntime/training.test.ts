/** Directories of onnxruntime-training on the stock runtime: same losses, and back again. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { decodeOrtCheckpoint } from '../../../src/artifacts/onnxruntime/checkpoint.js';
import { encodeOrtCheckpoint } from '../../../src/artifacts/onnxruntime/encode-checkpoint.js';
import { TrainingSession } from '../../../src/index.js';
import { temporaryFolder } from '../../support/temporary.js';
import { batch, directory, golden, goldenPath, ROWS, train, worst } from './golden.js';

const NAMES = Object.keys(golden).filter((name) => !name.includes(' '));
/** Batch normalisation sums in another order than ONNX Runtime's training library does. */
const bound = (name: string) => (name.startsWith('convbn') ? 1e-4 : 1e-6);

const folder = temporaryFolder('ort');

describe.each(NAMES)('%s', (name) => {
  test('50 losses, the evaluation and the parameters are those of onnxruntime-training', async () => {
    const { learningRate, losses, evaluated, norms } = golden[name]!;
    const session = await TrainingSession.create(directory(name));
    session.setLearningRate(learningRate);
    expect(worst(await train(session, name, 0, losses.length), losses)).toBeLessThan(bound(name));
    if (evaluated !== null) {
      const [found] = Object.values(await session.evalStep(batch(name, 0)));
      expect(found).toHaveLength(1);
      expect(worst([found![0]!], [evaluated])).toBeLessThan(bound(name));
    }
    const flat = session.getParameters();
    let offset = 0;
    for (const { name: parameter, dims } of session.parameters) {
      const count = dims.reduce((product, dim) => product * dim, 1);
      const norm = Math.hypot(...flat.subarray(offset, offset + count));
      expect(Math.abs(norm - norms[parameter]!), parameter).toBeLessThan(1e-3 * Math.max(norm, 1e-2));
      offset += count;
    }
    await session.close();
  });
});

test('gradients are summed until lazyResetGrad(), whatever steps are taken', async () => {
  const { learningRate, losses } = golden['vae-sgd accumulated']!;
  const session = await TrainingSession.create(directory('vae-sgd'));
  session.setLearningRate(learningRate);
  expect(worst(await train(session, 'vae-sgd', 0, losses.length, 4), losses)).toBeLessThan(1e-6);

  // Without a reset the gradient stays, and is applied once more.
  const before = session.getParameters();
  session.lazyResetGrad();
  await session.trainStep(batch('vae', 0));
  await session.optimizerStep();
  const once = session.getParameters();
  await session.optimizerStep();
  const twice = session.getParameters();
  const moved = (a: Float32Array, b: Float32Array) => Math.hypot(...a.map((value, index) => value - b[index]!));
  expect(moved(twice, before) / moved(once, before)).toBeCloseTo(2, 4);
  session.lazyResetGrad();
  await session.close();
});

test('a checkpoint with moments is gone on from', async () => {
  const session = await TrainingSession.create({
    artifacts: goldenPath('conv-adamw'),
    checkpoint: goldenPath('conv-adamw.step25.checkpoint'),
  });
  expect(session.step).toBe(25);
  expect(session.learningRate).toBeCloseTo(1e-3, 9);
  const { losses } = golden['conv-adamw']!;
  expect(worst(await train(session, 'conv-adamw', 25, 50), losses.slice(25))).toBeLessThan(1e-6);
  // And loaded into a session that stands elsewhere.
  await session.loadCheckpoint(goldenPath('conv-adamw.step25.checkpoint'));
  expect(session.step).toBe(25);
  expect(worst(await train(session, 'conv-adamw', 25, 50), losses.slice(25))).toBeLessThan(1e-6);
  await session.close();
});

describe('writing back', () => {
  /**
   * test/golden/onnxruntime/conv-adamw.step25.node-vae.checkpoint was written by the code below, and onnxruntime-training
   * 1.19.2 went on from it with the losses of losses.json: make-onnxruntime-golden.py --resume shows it.
   */
  test('gives the bytes that onnxruntime-training was seen to go on from', async () => {
    const session = await TrainingSession.create(directory('conv-adamw'));
    session.setLearningRate(golden['conv-adamw']!.learningRate);
    await train(session, 'conv-adamw', 0, 25);
    const path = join(folder, 'checkpoint');
    await session.saveCheckpoint(path, { format: 'onnxruntime' });
    await session.close();
    const kept = new Uint8Array(await readFile(goldenPath('conv-adamw.step25.node-vae.checkpoint')));
    const [mine, theirs] = [new Uint8Array(await readFile(path)), kept].map((bytes) =>
      decodeOrtCheckpoint(bytes, 'it'),
    );
    expect(encodeOrtCheckpoint(theirs!)).toEqual(kept);
    expect(describeTensors(mine!)).toEqual(describeTensors(theirs!));
    const saved = decodeOrtCheckpoint(
      new Uint8Array(await readFile(goldenPath('conv-adamw.step25.checkpoint'))),
      'the file of onnxruntime-training',
    );
    expect(describeTensors(mine!)).toEqual(describeTensors(saved));
    for (const [index, tensor] of mine!.trainable.entries()) {
      const [a, b] = [tensor, saved.trainable[index]!].map(({ data }) => new Float32Array(data.slice().buffer));
      expect(Math.max(...a!.map((value, at) => Math.abs(value - b![at]!))), tensor.name).toBeLessThan(1e-6);
    }
  });

  test('what is written is read back whole', async () => {
    const session = await TrainingSession.create(directory('vae-adamw'));
    await train(session, 'vae-adamw', 0, 2);
    const path = join(folder, 'again');
    await session.saveCheckpoint(path, { format: 'onnxruntime' });
    const other = await TrainingSession.create({ artifacts: goldenPath('vae-adamw'), checkpoint: path });
    expect(other.step).toBe(2);
    expect(other.getParameters()).toEqual(session.getParameters());
    expect(await train(other, 'vae-adamw', 2, 4)).toEqual(await train(session, 'vae-adamw', 2, 4));

    await session.saveCheckpoint(path, { format: 'onnxruntime', optimizerState: false });
    const bare = await TrainingSession.create({ artifacts: goldenPath('vae-adamw'), checkpoint: path });
    expect(bare.step).toBe(0);
    expect(bare.getParameters()).toEqual(session.getParameters());
    await Promise.all([session, other, bare].map((each) => each.close()));
  });

  test('the format of this package does as well', async () => {
    const session = await TrainingSession.create(directory('convbn-adamw'));
    await train(session, 'convbn-adamw', 0, 2);
    const path = join(folder, 'ours.safetensors');
    await session.saveCheckpoint(path);
    const other = await TrainingSession.create(directory('convbn-adamw'));
    await other.loadCheckpoint(path);
    expect(await train(other, 'convbn-adamw', 2, 4)).toEqual(await train(session, 'convbn-adamw', 2, 4));
    await Promise.all([session.close(), other.close()]);
  });
});

function describeTensors({ trainable, frozen, groups }: ReturnType<typeof decodeOrtCheckpoint>) {
  const shape = ({ name, dtype, dims }: { name: string; dtype: string; dims: readonly number[] }) => [
    name,
    dtype,
    dims,
  ];
  return {
    trainable: trainable.map(shape),
    frozen: frozen.map(shape),
    groups: groups.map(({ name, step, initialLearningRate, states }) => ({
      name,
      step,
      initialLearningRate,
      states: states.map(({ parameter, moments }) => [parameter, moments.map(shape)]),
    })),
  };
}

test.each([
  ['vae-adamw', ['logits', 'mu'], { x: true, noise: true }],
  ['convbn-adamw', ['scores'], { x: true }],
])('%s is exported for inference by the names of its values', async (name, outputs, inputs) => {
  const session = await TrainingSession.create(directory(name));
  await train(session, name, 0, 3);
  const path = join(folder, `${name}.onnx`);
  await session.exportForInference(path, outputs);
  await expect(session.exportForInference(path, ['score'])).rejects.toThrow(/no output "score"/);
  await session.close();
  const exported = await InferenceSession.create(path);
  expect([...exported.inputNames].sort()).toEqual(Object.keys(inputs).sort());
  const feeds = Object.fromEntries(Object.entries(batch(name, 0)).filter(([input]) => input in inputs));
  const results = await exported.run(feeds as never);
  expect(Object.keys(results)).toEqual(outputs);
  expect(results[outputs[0]!]!.dims[0]).toBe(ROWS);
  await exported.release();
});

describe('what cannot be opened says why', () => {
  test('a nominal checkpoint', async () => {
    const source = { artifacts: goldenPath('conv-adamw'), checkpoint: goldenPath('conv-adamw/nominal_checkpoint') };
    await expect(TrainingSession.create(source)).rejects.toThrow(
      /nominal checkpoint.*no values.*nominal_checkpoint=False/s,
    );
  });

  test("another directory's checkpoint", async () => {
    const source = { artifacts: goldenPath('conv-adamw'), checkpoint: goldenPath('convbn-adamw/checkpoint') };
    await expect(TrainingSession.create(source)).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_VAE_REPRODUCIBILITY' }),
    );
  });

  test.each([
    ['eval_model.onnx', /eval_model\.onnx/],
    ['optimizer_model.onnx', /optimizer_model\.onnx/],
  ])('without %s', async (file, message) => {
    const copy = await mkdtemp(join(folder, 'part-'));
    await cp(goldenPath('conv-adamw'), copy, { recursive: true });
    await rm(join(copy, file));
    await expect(TrainingSession.create({ artifacts: copy })).rejects.toThrow(message);
  });

  test('graphs in ORT format', async () => {
    const copy = await mkdtemp(join(folder, 'ort-'));
    await writeFile(join(copy, 'training_model.ort'), 'ORTM');
    await expect(TrainingSession.create({ artifacts: copy })).rejects.toThrow(/ort_format=False/);
  });

  test('writing that format from other artifacts', async () => {
    const session = await TrainingSession.create(directory('vae-adamw'));
    await expect(session.saveCheckpoint(join(folder, 'x'), { format: 'onnx' } as never)).rejects.toThrow(/format/);
    await session.close();
  });
});
