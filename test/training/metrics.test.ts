/** What a run tells of itself: latents and norms by epoch, JSON lines, warnings, and what callbacks can do. */
import { appendFile, readdir, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type EpochProgress,
  type FitOptions,
  type FitProgress,
  type MetricsLine,
  readMetrics,
  toDataset,
  Vae,
  type VaeOptions,
} from '../../src/index.js';
import { digits } from '../support/digits.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('metrics');

const make = (options: Partial<VaeOptions> = {}): Promise<Vae> =>
  Vae.create({
    architecture: { type: 'mlp', hidden: [32] },
    input: { kind: 'image', height: 28, width: 28, channels: 1 },
    latentDim: 4,
    seed: 3,
    ...options,
  });
const train = digits(640);
const heldOut = digits(200, 't10k');
const parametersOf = (vae: Vae): Float32Array[] => vae.info.parameters.map(({ name }) => vae.parameter(name));
const epochsOf = (events: readonly FitProgress[]): EpochProgress[] =>
  events.filter((event): event is EpochProgress => event.kind === 'epoch');
type Options = FitOptions<typeof train>;
const watched = async (vae: Vae, options: Options): Promise<FitProgress[]> => {
  const events: FitProgress[] = [];
  await vae.fit(train, { batchSize: 64, ...options, onProgress: (event) => void events.push(event) });
  return events;
};

describe('latents', () => {
  test('are those that latentStatistics() finds in the validation data', async () => {
    await using vae = await make();
    const last = epochsOf(await watched(vae, { epochs: 3, validation: heldOut })).at(-1)!;
    const found = await vae.latentStatistics(heldOut);
    expect(last.latents).toMatchObject({ units: 4, activeUnits: found.activeUnits, rows: 200 });
    last.latents!.klPerDimension!.forEach((kl, index) => {
      expect(kl).toBeCloseTo(found.klPerDimension![index]!, 4);
    });
    const total = last.latents!.klPerDimension!.reduce((sum, kl) => sum + kl, 0);
    expect(total).toBeCloseTo(last.validation!.kl, 4);
  });

  test('are measured on some of the training data where nothing is held out, and change no bit of the run', async () => {
    await using one = await make();
    await using other = await make();
    const last = epochsOf(await watched(one, { epochs: 2 })).at(-1)!;
    await watched(other, { epochs: 2, validation: heldOut });
    expect(last.latents).toMatchObject({ units: 4, rows: 128 });
    expect(last.validation).toBeUndefined();
    expect(parametersOf(one)).toEqual(parametersOf(other));
  });

  test('of several layers are counted over all of them', async () => {
    await using vae = await make({
      architecture: { type: 'ladder', latents: [4, 3], hidden: [16, 16] },
      latentDim: 7,
    });
    const last = epochsOf(await watched(vae, { epochs: 1 })).at(-1)!;
    expect(last.latents!.units).toBe(7);
    expect(last.latents!.klPerDimension).toHaveLength(7);
  });
});

describe('posterior collapse', () => {
  const warnings = (events: readonly FitProgress[]): string[] =>
    events.flatMap((event) => (event.kind === 'warning' ? [event.message] : []));

  test('is told once, with what to try', async () => {
    await using vae = await make();
    // A β of 200 leaves no dimension anything to say.
    const events = await watched(vae, { epochs: 5, klWeight: 200 });
    expect(warnings(events)).toEqual([
      expect.stringMatching(/^Posterior collapse: 4 of 4 latent dimensions .* under 0\.01 nats .* free bits/),
    ]);
    expect(epochsOf(events).at(-1)!.latents).toMatchObject({ collapsed: 4, activeUnits: 0 });
  });

  test('is not told of a model that uses its latents, nor before its time', async () => {
    await using vae = await make();
    expect(warnings(await watched(vae, { epochs: 5 }))).toEqual([]);
    await using early = await make();
    expect(
      warnings(await watched(early, { epochs: 2, klWeight: 200, collapse: { after: 1, bound: 0.5 } })),
    ).toHaveLength(1);
    await using late = await make();
    const events = await watched(late, { epochs: 4, klWeight: 200, collapse: { after: 1 } });
    expect(events.findIndex(({ kind }) => kind === 'warning')).toBeGreaterThan(
      events.findIndex((event) => event.kind === 'epoch' && event.epoch === 3),
    );
  });
});

test('free bits follow a schedule, and λ of the objective where there is none', async () => {
  const trained = async (lambda: number, options: Options = {}): Promise<Float32Array[]> => {
    await using vae = await make({ objective: { type: 'free-bits', lambda } });
    await vae.fit(train, { epochs: 2, batchSize: 64, ...options });
    return parametersOf(vae);
  };
  const [constant, scheduled] = [await trained(2), await trained(0.1, { freeBits: 2 })];
  expect(scheduled).toEqual(constant);
  const rising = await trained(2, { freeBits: { type: 'linear', from: 0, to: 2 } });
  expect(rising).not.toEqual(constant);
  const asked: number[] = [];
  await trained(2, { freeBits: ({ step }) => asked.push(step) && 2 });
  expect(asked).toEqual(Array.from({ length: 20 }, (_, step) => step));
  await using plain = await make();
  await expect(plain.fit(train, { freeBits: 1 })).rejects.toThrow(/"freeBits" is for the objective "free-bits"/);
});

test('the norm of an update is that of the change of the parameters', async () => {
  await using vae = await make();
  const before = parametersOf(vae);
  const events = await watched(vae, { epochs: 1, batchSize: 640 });
  const after = parametersOf(vae);
  const squares = after.flatMap((values, index) =>
    Array.from(values, (value, at) => (value - before[index]![at]!) ** 2),
  );
  const norm = Math.sqrt(squares.reduce((sum, value) => sum + value, 0));
  expect(epochsOf(events)[0]!.updateNorm! / norm).toBeCloseTo(1, 4);
  const step = events.find((event) => event.kind === 'step');
  expect(step).toMatchObject({ updateNorm: epochsOf(events)[0]!.updateNorm, step: 1, steps: 1 });
});

test('a model trained with a moving average ends with it', async () => {
  await using vae = await make();
  const last = epochsOf(await watched(vae, { epochs: 3, emaDecay: 0.95, validation: heldOut })).at(-1)!;
  await using raw = await make();
  const rawLast = epochsOf(await watched(raw, { epochs: 3, validation: heldOut })).at(-1)!;
  const kl = (await vae.score(heldOut)).kl.reduce((sum, value) => sum + value, 0) / 200;
  expect(kl).toBeCloseTo(last.validation!.kl, 3);
  expect(Math.abs(kl - rawLast.validation!.kl)).toBeGreaterThan(0.01);
});

test('weight decay leaves biases and norms alone', async () => {
  const grown = async (weightDecay: number): Promise<Map<string, Float32Array>> => {
    await using vae = await make({ architecture: { type: 'resnet', channels: [4], groups: 2 } } as never);
    await vae.fit(digits(64), {
      epochs: 1,
      batchSize: 64,
      optimizer: { type: 'adamw', weightDecay, learningRate: 0.1 },
    });
    return new Map(vae.info.parameters.map(({ name }) => [name, vae.parameter(name)]));
  };
  const [plain, decayed] = [await grown(0), await grown(0.5)];
  const changed = [...plain].filter(([name, values]) => values.some((value, at) => value !== decayed.get(name)![at]));
  const names = changed.map(([name]) => name);
  expect(names.length).toBeGreaterThan(3);
  expect(names.filter((name) => /bias|norm/.test(name))).toEqual([]);
  const same = [...plain.keys()].filter((name) => !names.includes(name));
  expect(same.some((name) => /norm.*weight/.test(name))).toBe(true);
});

describe('JSON lines', () => {
  const withoutTime = ({ time: _, ...event }: MetricsLine): object => event;

  test('are the events, between a start and an end', async () => {
    const path = join(folder, 'deep', 'metrics.jsonl');
    await using vae = await make();
    const events = await watched(vae, { epochs: 2, validation: heldOut, log: { jsonLines: path, everySeconds: 0 } });
    const lines = await readMetrics(path);
    expect(lines.map(withoutTime)).toEqual([
      { kind: 'start', epoch: 0, step: 0, epochs: 2, batchSize: 64 },
      ...JSON.parse(JSON.stringify(events)),
      { kind: 'end', outcome: 'done', epoch: 2, step: 20 },
    ]);
    expect(Date.parse(lines[0]!.time)).not.toBeNaN();
  });

  test('hold steps no closer than asked', async () => {
    const path = join(folder, 'seldom.jsonl');
    await using vae = await make();
    const events = await watched(vae, { epochs: 4, log: { jsonLines: path, everySeconds: 3600 } });
    expect(events.filter(({ kind }) => kind === 'step').length).toBeGreaterThan(1);
    const kinds = (await readMetrics(path)).map(({ kind }) => kind);
    expect(kinds).toEqual(['start', 'step', 'epoch', 'epoch', 'epoch', 'epoch', 'end']);
  });

  test('say how a run ended that did not come to its end', async () => {
    const path = join(folder, 'ends.jsonl');
    await using vae = await make();
    const controller = new AbortController();
    const run = vae.fit(train, {
      epochs: 50,
      batchSize: 64,
      log: { jsonLines: path },
      signal: controller.signal,
      onProgress: ({ kind }) => kind === 'epoch' && controller.abort(new Error('enough')),
    });
    await expect(run).rejects.toThrow('enough');
    expect((await readMetrics(path)).at(-1)).toMatchObject({ kind: 'end', outcome: 'aborted', epoch: 1 });
    await expect(
      vae.fit(train, { epochs: 3, learningRate: 1e30, batchSize: 64, log: { jsonLines: path } }),
    ).rejects.toThrow(/diverged/);
    expect((await readMetrics(path)).at(-1)).toMatchObject({
      kind: 'end',
      outcome: 'failed',
      message: expect.stringContaining('diverged'),
    });
  });

  test('forget what a crash made of them: a line cut short, and steps beyond the checkpoint', async () => {
    const path = join(folder, 'crash.jsonl');
    await using vae = await make();
    await watched(vae, { epochs: 2, log: { jsonLines: path } });
    // As if the process had died in its third epoch, in the middle of writing a line.
    const step = { kind: 'step', time: new Date().toISOString(), epoch: 3, step: 25, loss: 1 };
    await appendFile(path, `${JSON.stringify(step)}\n${JSON.stringify(step)}\n`);
    await truncate(path, (await readFile(path)).length - 20);
    await watched(vae, { epochs: 3, resume: true, log: { jsonLines: path } });
    const lines = await readMetrics(path);
    expect(lines.filter(({ kind }) => kind === 'epoch').map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(lines.some((line) => line.kind === 'step' && line.step === 25 && line.loss === 1)).toBe(false);
    expect(lines.filter(({ kind }) => kind === 'start')).toMatchObject([{ step: 0 }, { step: 20, epoch: 2 }]);
  });

  test('refuse a file of something else', async () => {
    const path = join(folder, 'other.txt');
    await appendFile(path, 'hello\n');
    await expect(readMetrics(path)).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
    await expect(readMetrics(join(folder, 'none'))).rejects.toMatchObject({ code: 'ERR_VAE_IO' });
  });

  test.skipIf(process.platform !== 'linux')('on a full disk leave the run to go on, with a warning', async () => {
    await using vae = await make();
    const events = await watched(vae, { epochs: 3, log: { jsonLines: '/dev/full' } });
    expect(epochsOf(events)).toHaveLength(3);
    expect(events.filter(({ kind }) => kind === 'warning')).toMatchObject([
      { message: expect.stringMatching(/disk is full.*goes on without its log/) },
    ]);
  });
});

describe('callbacks', () => {
  test('stop a run, which can be resumed to the very same end', async () => {
    await using straight = await make();
    await straight.fit(train, { epochs: 4, batchSize: 64 });
    await using vae = await make();
    const history = await vae.fit(train, {
      epochs: 4,
      batchSize: 64,
      onProgress: (event, control) => event.kind === 'epoch' && event.epoch === 2 && control.stop(),
    });
    expect([history.epochs.length, history.stoppedEarly]).toEqual([2, true]);
    await vae.fit(train, { epochs: 4, batchSize: 64, resume: true });
    expect(parametersOf(vae)).toEqual(parametersOf(straight));
  });

  test('stop in the middle of an epoch', async () => {
    await using vae = await make();
    const history = await vae.fit(train, {
      epochs: 2,
      batchSize: 1,
      onProgress: (event, control) => event.kind === 'step' && control.stop(),
    });
    expect([history.epochs.length, history.stoppedEarly]).toEqual([0, true]);
  });

  test('change rates from there on, and a resumed run keeps them', async () => {
    const halved = (event: FitProgress, control: Parameters<NonNullable<Options['onProgress']>>[1]): void => {
      if (event.kind !== 'epoch' || event.epoch !== 1) return;
      control.scaleLearningRate(0.5);
      control.scaleKlWeight(0.25);
    };
    await using vae = await make();
    const whole = await vae.fit(train, { epochs: 3, batchSize: 64, onProgress: halved });
    expect(whole.epochs.map(({ learningRate }) => learningRate)).toEqual([0.001, 0.0005, 0.0005]);
    expect(whole.epochs.map(({ klWeight }) => klWeight)).toEqual([1, 0.25, 0.25]);
    await using parts = await make();
    await parts.fit(train, { epochs: 2, batchSize: 64, onProgress: halved });
    await parts.fit(train, { epochs: 3, batchSize: 64, resume: true });
    expect(parametersOf(parts)).toEqual(parametersOf(vae));
  });

  test('save checkpoints and models of that moment', async () => {
    await using vae = await make();
    const directory = join(folder, 'saved');
    const checkpoints = join(folder, 'checkpoints');
    let saved: Promise<void> | undefined;
    await vae.fit(train, {
      epochs: 3,
      batchSize: 64,
      checkpoint: { directory: checkpoints, everySteps: 1000 },
      onProgress: (event, control) => {
        if (event.kind !== 'epoch' || event.epoch !== 1) return;
        saved = control.saveModel(directory);
        void control.saveCheckpoint();
      },
    });
    await saved;
    await using one = await make();
    await one.fit(train, { epochs: 1, batchSize: 64 });
    await using loaded = await Vae.load(directory);
    expect(parametersOf(loaded)).toEqual(parametersOf(one));
    expect((await readdir(checkpoints)).sort()).toEqual([
      'best.safetensors',
      'checkpoint-0000000010.safetensors',
      'checkpoint-0000000030.safetensors',
    ]);
  });

  test('are refused what makes no sense, and everything after the end', async () => {
    await using vae = await make();
    const failing = (
      work: (control: Parameters<NonNullable<Options['onProgress']>>[1]) => unknown,
    ): PromiseLike<unknown> =>
      vae.fit(train, {
        epochs: 1,
        batchSize: 64,
        onProgress: (event, control) => event.kind === 'epoch' && work(control),
      });
    await expect(failing((control) => control.scaleLearningRate(0))).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
    await expect(failing((control) => control.scaleKlWeight(Number.NaN))).rejects.toThrow(/from 0, received NaN/);
    await expect(failing((control) => control.saveCheckpoint())).rejects.toThrow(/no directory for checkpoints/);
    await expect(failing((control) => control.saveModel('/dev/null/model'))).rejects.toMatchObject({
      code: 'ERR_VAE_IO',
    });
    let kept: Parameters<NonNullable<Options['onProgress']>>[1] | undefined;
    await failing((control) => {
      kept = control;
    });
    expect(() => kept!.stop()).toThrow(expect.objectContaining({ code: 'ERR_VAE_DISPOSED' }));
  });
});

test('rows that are read give the bits of rows in memory', async () => {
  const data = await toDataset(train);
  const read = data.map((row) => Float32Array.from(row, (value) => value / 255));
  await using lent = await make();
  await using streamed = await make();
  await lent.fit(await read.toMemory(), { epochs: 2, batchSize: 50 });
  await streamed.fit(read, { epochs: 2, batchSize: 50 });
  expect(parametersOf(streamed)).toEqual(parametersOf(lent));
});

test('rows that differ from pass to pass are those of their epoch, in a run that is resumed too', async () => {
  const data = (await toDataset(train)).reshape([1, 28, 28]);
  const asked = new Set<number | undefined>();
  const source = () =>
    data.map(
      (row, index, pass) => {
        asked.add(pass);
        return Float32Array.from(row, (value, at) => ((value / 255) * (1 + ((index + at + 7 * pass!) % 5))) / 5);
      },
      { dtype: 'float32' },
    );
  await using whole = await make();
  await whole.fit(source(), { epochs: 3, batchSize: 64 });
  expect([...asked].sort()).toEqual([0, 1, 2]);
  await using parts = await make();
  await parts.fit(source(), { epochs: 1, batchSize: 64 });
  // As in a new process: another source, which has counted nothing.
  await parts.fit(source(), { epochs: 3, batchSize: 64, resume: true });
  expect(parametersOf(parts)).toEqual(parametersOf(whole));
});
