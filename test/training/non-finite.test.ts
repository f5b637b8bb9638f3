/** Losses, gradients and steps that are not finite: what is skipped counts for nothing, and nothing broken is kept. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type FitProgress, Vae } from '../../src/index.js';
import { readMetrics } from '../../src/training/log/read-metrics.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('non-finite');

const ROWS = 48;
const rows = (scale: number) => ({
  data: Float32Array.from({ length: ROWS * 6 }, (_, index) => scale * Math.sin(index * 1.7)),
  shape: [ROWS, 6],
});
const make = () =>
  Vae.create({
    architecture: { type: 'mlp', hidden: [8] },
    input: { kind: 'vector', length: 6 },
    latentDim: 2,
    likelihood: { type: 'gaussian', variance: 1 },
    seed: 6,
  });
const weights = (vae: Vae): number[] => vae.info.parameters.flatMap(({ name }) => [...vae.parameter(name)]);
/** β so large in the first epoch that every loss overflows. */
const wildAtFirst = ({ epoch }: { epoch: number }): number => (epoch < 1 ? 3e38 : 1);

describe("with onNonFinite: 'skip'", () => {
  test('an epoch of skipped batches has no loss and is never the best', async () => {
    await using vae = await make();
    const events: FitProgress[] = [];
    const directory = join(folder, 'run');
    const history = await vae.fit(rows(3), {
      epochs: 3,
      batchSize: 16,
      klWeight: wildAtFirst,
      onNonFinite: 'skip',
      checkpoint: { directory },
      log: { jsonLines: join(folder, 'run.jsonl') },
      onProgress: (event) => void events.push(event),
    });
    expect(events.filter(({ kind }) => kind === 'warning')).toHaveLength(3);
    expect(history.epochs.map(({ train }) => Number.isNaN(train.loss))).toEqual([true, false, false]);
    expect(history.bestEpoch).toBeGreaterThan(1);
    expect(weights(vae).every(Number.isFinite)).toBe(true);
    // As the log and the checkpoint have it.
    const logged = (await readMetrics(join(folder, 'run.jsonl'))).filter((event) => event.kind === 'epoch');
    expect(logged.map((event) => 'train' in event && Number.isNaN(event.train.loss))).toEqual([true, false, false]);
    await using again = await make();
    const more = await again.fit(rows(3), { epochs: 4, batchSize: 16, resume: true, checkpoint: { directory } });
    expect(more.epochs.map(({ train }) => Number.isNaN(train.loss))).toEqual([true, false, false, false]);
  });

  test('a run that did nothing but skip is an error, and leaves the model as it was', async () => {
    await using vae = await make();
    const before = weights(vae);
    const log = { jsonLines: join(folder, 'nothing.jsonl') };
    await expect(
      vae.fit(rows(3), { epochs: 2, batchSize: 16, klWeight: 3e38, onNonFinite: 'skip', log }),
    ).rejects.toMatchObject({
      code: 'ERR_VAE_RUNTIME',
      message: expect.stringMatching(/nothing was trained: all 6 batches/),
    });
    expect(weights(vae)).toEqual(before);
    expect(await readFile(log.jsonLines, 'utf8')).toMatch(/"outcome":"failed"/);
  });

  test('early stopping does not take it for the best either', async () => {
    await using vae = await make();
    const history = await vae.fit(rows(3), {
      epochs: 4,
      batchSize: 16,
      klWeight: wildAtFirst,
      onNonFinite: 'skip',
      earlyStopping: { patience: 2, restoreBest: true },
    });
    expect(history.bestEpoch).toBeGreaterThan(1);
  });
});

describe('a step that is not finite itself', () => {
  const sgd = { optimizer: { type: 'sgd' }, learningRate: () => 3e38 } as const;
  test.each(['stop', 'skip'] as const)(
    "with '%s' is an error, and the model is left as it was",
    async (onNonFinite) => {
      await using vae = await make();
      const before = weights(vae);
      await expect(vae.fit(rows(30), { epochs: 2, batchSize: 16, ...sgd, onNonFinite })).rejects.toMatchObject({
        code: 'ERR_VAE_RUNTIME',
        message: expect.stringMatching(/update of \S+ is not finite\. The model is left as fit\(\) found it/),
      });
      expect(weights(vae)).toEqual(before);
    },
  );

  test("with 'rollback' is gone back from", async () => {
    await using vae = await make();
    const before = weights(vae);
    await expect(vae.fit(rows(30), { epochs: 2, batchSize: 16, ...sgd, onNonFinite: 'rollback' })).rejects.toThrow();
    expect(weights(vae)).toEqual(before);
  });

  test('with gradients that are accumulated', async () => {
    await using vae = await make();
    await expect(
      vae.fit(rows(30), { epochs: 2, batchSize: 8, accumulate: 2, ...sgd, onNonFinite: 'skip' }),
    ).rejects.toMatchObject({ message: expect.stringMatching(/update of/) });
  });
});

test('the next value of a state that is not finite is not taken over', async () => {
  await using vae = await Vae.create({
    architecture: { type: 'mlp', hidden: [8] },
    input: { kind: 'vector', length: 6 },
    latentDim: 2,
    likelihood: { type: 'gaussian', variance: 'optimal' },
    seed: 6,
  });
  // The squared errors overflow, and with them the variance; its value before that is used in the loss.
  const data = rows(3);
  data.data.fill(1e19, 0, 6);
  await vae.fit(data, { epochs: 3, batchSize: 4, onNonFinite: 'skip' }).catch(() => undefined);
  expect(weights(vae).every(Number.isFinite)).toBe(true);
});
