/** Event files hold what TensorBoard's own writer would have written; what its own reader finds in such files is kept beside them. */
import { readFileSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type EpochProgress, type StepProgress, Vae } from '../../../src/index.js';
import { crc32c } from '../../../src/training/log/crc32c.js';
import { record, restartEvent, summaryEvent, versionEvent } from '../../../src/training/log/event-file.js';
import { digits } from '../../support/digits.js';
import { temporaryFolder, temporaryFolderOfTest } from '../../support/temporary.js';
import { type Events, readEvents } from './read-events.js';

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

const GOLDEN = JSON.parse(
  readFileSync(new URL('../../golden/tensorboard/events.json', import.meta.url), 'utf8'),
) as Events & { readonly files: Record<string, string> };

/** The same events as those of make-tensorboard-golden.py. */
const EVENTS: Readonly<Record<string, readonly Uint8Array[]>> = {
  'events.out.tfevents.1700000000.a': [
    versionEvent(1700000000.5),
    summaryEvent(
      1700000001.25,
      4,
      [
        { tag: 'train/loss', value: 1.25 },
        { tag: 'train/kl', value: -3.5 },
      ],
      [{ tag: 'latents/kl', values: [0.5, 2.25, 0.75] }],
    ),
    summaryEvent(1700000002.5, 8, [{ tag: 'train/loss', value: 0.1 }]),
    summaryEvent(1700000003, 300, [{ tag: 'train/loss', value: 7 }], [{ tag: 'latents/kl', values: [9, 9] }]),
  ],
  'events.out.tfevents.1700000100.b': [
    versionEvent(1700000100),
    restartEvent(1700000100, 8),
    summaryEvent(
      1700000101,
      8,
      [
        { tag: 'train/loss', value: 0.3 },
        { tag: 'train/kl', value: 2.5e-8 },
      ],
      [{ tag: 'latents/kl', values: [1.5, 1.5, 1.5, -4] }],
    ),
    summaryEvent(1700000102, 1000000, [{ tag: 'train/loss', value: -0.0625 }]),
  ],
};

test.each(Object.keys(EVENTS))('the file %s is, byte for byte, that of TensorBoard’s own writer', (name) => {
  expect(Buffer.concat(EVENTS[name]!.map(record)).toString('hex')).toBe(GOLDEN.files[name]);
});

test('the reader of these tests finds in them what TensorBoard’s own finds', async () => {
  const folder = temporaryFolderOfTest('events');
  for (const [name, bytes] of Object.entries(GOLDEN.files)) await writeFile(join(folder, name), bytes, 'hex');
  const { scalars, histograms } = await readEvents(folder);
  expect({ scalars, histograms }).toEqual({ scalars: GOLDEN.scalars, histograms: GOLDEN.histograms });
});

type Points = Events['scalars'];

describe('a run', () => {
  const folder = temporaryFolder('events');
  const steps: StepProgress[] = [];
  const epochs: EpochProgress[] = [];
  beforeAll(async () => {
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

  test('every value comes back', async () => {
    expect((await readdir(join(folder, 'run'))).every((name) => name.startsWith('events.out.tfevents.'))).toBe(true);
    const { scalars, histograms } = await readEvents(join(folder, 'run'));
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
