/** A VAE that onnxruntime-training made, as a Vae and from the command line. */
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { formatNpy, TrainingSession, toDataset, trainArtifacts, Vae } from '../../../src/index.js';
import { runCli } from '../../cli/run-cli.js';
import { temporaryFolder } from '../../support/temporary.js';
import { batch, directory, golden, goldenPath, ROWS } from './golden.js';

const STEPS = 10;
const folder = temporaryFolder('ort-vae');
let rows: Float32Array;
beforeAll(async () => {
  rows = new Float32Array(STEPS * ROWS * 784);
  for (let step = 0; step < STEPS; step += 1) {
    rows.set(batch('vae', step)['x']!.data as Float32Array, step * ROWS * 784);
  }
  await writeFile(join(folder, 'rows.npy'), formatNpy({ data: rows, shape: [STEPS * ROWS, 784] }));
});
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('Vae.fromOnnx({ artifacts })', () => {
  test('finds encoder and decoder, and goes on with optimizer and moments', async () => {
    const data = { data: rows, shape: [STEPS * ROWS, 784] };
    const source = await TrainingSession.create(directory('vae-adamw-clip'));
    for (let step = 0; step < 3; step += 1) {
      await source.trainStep(batch('vae', step));
      await source.optimizerStep();
      source.lazyResetGrad();
    }
    const checkpoint = join(folder, 'three');
    await source.saveCheckpoint(checkpoint, { format: 'onnxruntime' });

    const vae = await Vae.fromOnnx({ artifacts: goldenPath('vae-adamw-clip'), checkpoint });
    expect([vae.dataShape, vae.latentShape]).toEqual([[784], [8]]);
    expect(vae.info.parameterCount).toBe(source.parameterCount);
    await source.exportForInference(join(folder, 'mu.onnx'), ['mu']);
    const { mean: mu } = await vae.encode(batch('vae', 0)['x']!);
    expect(mu.dims).toEqual([ROWS, 8]);

    // The rest of the golden steps, with noise of our own: the mean loss is the same within a thousandth.
    const history = await vae.fit(data, { resume: true, epochs: 1, batchSize: ROWS, shuffle: false });
    const { loss } = history.epochs[0]!.train;
    const session = await TrainingSession.create({ artifacts: goldenPath('vae-adamw-clip'), checkpoint });
    const losses: number[] = [];
    for (let step = 0; step < STEPS; step += 1) {
      losses.push(Object.values(await session.trainStep(batch('vae', step)))[0]!);
      await session.optimizerStep();
      session.lazyResetGrad();
    }
    expect(Math.abs(loss / mean(losses) - 1)).toBeLessThan(2e-3);

    const saved = join(folder, 'saved');
    await vae.save(saved, { training: true });
    const again = await Vae.load(saved);
    await again.fit(data, { resume: true, epochs: 2, batchSize: ROWS });
    expect(again.info.trainedEpochs).toBe(2);
    await Promise.all([vae, again, source, session].map((each) => each.close()));
  });

  test('refuses what is no VAE, and half of two sources', async () => {
    await expect(Vae.fromOnnx({ artifacts: goldenPath('conv-adamw') })).rejects.toThrow(
      /is no VAE whose loss takes data/,
    );
    await expect(Vae.fromOnnx({ artifacts: goldenPath('vae-adamw'), encoder: 'encoder.onnx' })).rejects.toThrow(
      /either encoder and decoder, or artifacts/,
    );
  });
});

test('trainArtifacts() trains on data alone and writes a directory that goes on', async () => {
  const out = join(folder, 'trained');
  const data = await toDataset({ data: rows, shape: [STEPS * ROWS, 784] });
  const options = { artifacts: goldenPath('vae-adamw'), out, batchSize: ROWS, shuffle: false };
  const told: number[] = [];
  const { epochs, step } = await trainArtifacts(data, {
    ...options,
    epochs: 2,
    onEpoch: ({ loss }) => told.push(loss),
  });
  expect(step).toBe(2 * STEPS);
  expect(told).toEqual(epochs.map(({ loss }) => loss));
  const [first, second] = told as [number, number];
  expect(Math.abs(first / mean(golden['vae-adamw']!.losses.slice(0, STEPS)) - 1)).toBeLessThan(2e-3);
  expect(second).toBeLessThan(first);

  // Stopped and gone on with is the same as never stopped.
  const halves = join(folder, 'halves');
  await trainArtifacts(data, { ...options, out: halves, epochs: 1 });
  const rest = await trainArtifacts(data, { ...options, artifacts: halves, out: halves, epochs: 1 });
  expect(rest.epochs[0]!.loss).toBe(second);
  await expect(trainArtifacts(data, { artifacts: goldenPath('gru-adamw') })).rejects.toThrow(
    /cannot be trained on data alone/,
  );
});

describe('the command line', () => {
  test('info, train and export', { timeout: 120_000 }, async () => {
    const source = goldenPath('vae-adamw');
    const about = JSON.parse((await runCli(['info', source, '--json'])).stdout);
    expect(about).toMatchObject({
      format: 'onnxruntime',
      parameterCount: 102816,
      step: 0,
      vae: { data: 'x', noise: 'noise' },
    });
    const out = join(folder, 'cli');
    const args = ['train', join(folder, 'rows.npy'), '--artifacts', source, '-o', out, '--epochs', '1', '--json'];
    const trained = await runCli(args);
    expect(trained.code, trained.stderr).toBe(0);
    expect(JSON.parse(trained.stdout)).toMatchObject({ step: STEPS, interrupted: false });
    expect((await runCli(args)).stderr).toMatch(/Replace it by --overwrite/);
    expect((await runCli([...args, '--report'])).stderr).toMatch(/--report has no meaning with --artifacts/);
    const exported = await runCli(['export', out, '-o', join(folder, 'exported'), '--json']);
    expect(exported.code, exported.stderr).toBe(0);
    const scores = await runCli([
      'export',
      goldenPath('conv-adamw'),
      '-o',
      join(folder, 'conv'),
      '--outputs',
      'scores',
    ]);
    expect(scores.code, scores.stderr).toBe(0);
  });

  test('says why a directory cannot be trained', async () => {
    const nominal = join(folder, 'nominal');
    await cp(goldenPath('conv-adamw'), nominal, { recursive: true });
    await cp(join(nominal, 'nominal_checkpoint'), join(nominal, 'checkpoint'));
    const { stdout } = await runCli(['info', nominal]);
    expect(stdout).toMatch(/nominal: names without values/);
    expect(stdout).toMatch(/Cannot be trained/);
  });
});
