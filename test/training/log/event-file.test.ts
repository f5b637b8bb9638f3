/** Event files hold what TensorBoard's own writer would have written, and its own reader reads them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EpochProgress, type StepProgress, Vae } from '../../../src/index.js';
import { crc32c } from '../../../src/training/log/crc32c.js';
import { record, restartEvent, summaryEvent, versionEvent } from '../../../src/training/log/event-file.js';
import { digits } from '../../support/digits.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('CRC-32C of the examples in RFC 3720', () => {
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index))).toBe(0x46dd794e);
  expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
});

// Written by tensorboard 2.21.0: RecordWriter over event_pb2.Event.
test('records are the bytes of TensorBoard’s own writer', () => {
  const summary = summaryEvent(1700000000.5, 7, [
    { tag: 'train/loss', value: 1.25 },
    { tag: 'train/kl', value: -3.5 },
  ]);
  expect(hex(record(summary)) + hex(record(versionEvent(1700000000.5)))).toBe(
    '31000000000000009d8383e90900002040fc54d94110072a240a110a0a747261696e2f6c6f7373150000a03f' +
      '0a0f0a08747261696e2f6b6c15000060c0970107e9' +
      '1800000000000000a37f4b220900002040fc54d9411a0d627261696e2e4576656e743a322b353110',
  );
  expect(hex(restartEvent(1700000000.5, 7))).toBe('0900002040fc54d94110073a020801');
});

const python = process.env['NODE_VAE_PEER_PYTHON'] ?? 'python3';
const hasTensorBoard = spawnSync(python, ['-c', 'import tensorboard']).status === 0;

const READ = `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0, 'histograms': 0, 'tensors': 0})
events.Reload()
scalars = {tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in events.Tags()['scalars']}
histograms = {tag: [[e.step, e.histogram_value.num, e.histogram_value.sum, sum(e.histogram_value.bucket)]
  for e in events.Histograms(tag)] for tag in events.Tags()['histograms']}
print(json.dumps({'scalars': scalars, 'histograms': histograms}))
`;

type Points = Record<string, [step: number, value: number][]>;

describe('with the reader of TensorBoard', () => {
  let folder: string;
  const steps: StepProgress[] = [];
  const epochs: EpochProgress[] = [];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'node-vae-events-'));
    if (!hasTensorBoard) return;
    await using vae = await Vae.create({
      architecture: { type: 'mlp', hidden: [16] },
      input: { kind: 'image', height: 28, width: 28, channels: 1 },
      latentDim: 3,
      seed: 2,
    });
    const record = (event: { kind: string }): void => {
      if (event.kind === 'step') steps.push(event as StepProgress);
      if (event.kind === 'epoch') epochs.push(event as EpochProgress);
    };
    const options = { batchSize: 64, log: { tensorBoard: join(folder, 'run'), everySeconds: 0 }, onProgress: record };
    await vae.fit(digits(640), { ...options, epochs: 2 });
    await vae.fit(digits(640), { ...options, epochs: 3, resume: true });
  });
  afterAll(() => rm(folder, { recursive: true }));

  test.skipIf(!hasTensorBoard)(`every value comes back (skipped where ${python} has no tensorboard)`, async () => {
    expect((await readdir(join(folder, 'run'))).every((name) => name.startsWith('events.out.tfevents.'))).toBe(true);
    const text = execFileSync(python, ['-c', READ, join(folder, 'run')], { encoding: 'utf8' });
    const { scalars, histograms } = JSON.parse(text) as { scalars: Points; histograms: Record<string, number[][]> };
    const near = (points: Points[string], expected: [number, number][]): void => {
      expect(points.map(([step]) => step)).toEqual(expected.map(([step]) => step));
      expect(points.map(([, value]) => value)).toEqual(expected.map(([, value]) => Math.fround(value)));
    };
    near(
      scalars['step/gradient_norm']!,
      steps.map(({ step, gradientNorm }) => [step, gradientNorm]),
    );
    near(
      scalars['train/loss']!,
      epochs.map(({ step, train }) => [step!, train.loss]),
    );
    near(
      scalars['latents/active_units']!,
      epochs.map(({ step, latents }) => [step!, latents!.activeUnits]),
    );
    expect(Object.keys(scalars).sort()).toEqual([
      'latents/active_units',
      'latents/collapsed',
      'step/examples_per_second',
      'step/gradient_norm',
      'step/kl',
      'step/kl_weight',
      'step/learning_rate',
      'step/loss',
      'step/reconstruction',
      'step/update_norm',
      'train/kl',
      'train/loss',
      'train/reconstruction',
    ]);
    const spread = histograms['latents/kl_per_dimension']!;
    expect(spread.map(([step, count]) => [step, count])).toEqual(epochs.map(({ step }) => [step, 3]));
    epochs.forEach(({ latents }, index) => {
      const total = latents!.klPerDimension!.reduce((sum, value) => sum + value, 0);
      expect(spread[index]![2]).toBeCloseTo(total, 8);
      expect(spread[index]![3]).toBe(3);
    });
  });
});
