/** The training session on a regression whose gradient, steps and noise are computed again here, in double precision. */
import { afterEach, describe, expect, test } from 'vitest';
import type {
  NativeTrainingSession,
  OptimizerConfig,
  RowTransform,
  TrainingSessionConfig,
  TrainRequest,
} from '../../src/binding/addon.js';
import { loadAddon } from '../../src/binding/index.js';
import { LINEAR, linearEvalModel, linearTrainingModel } from './models.js';

const addon = loadAddon();
const { inputs: INPUTS, outputs: OUTPUTS, noiseStream } = LINEAR;
const ROWS = 40;
const SEED = 0x1234_5678_9abc_def0n;
const PLAIN: RowTransform = { scale: 1, offset: 0, binarise: 'none' };
const SGD: OptimizerConfig = { type: 'sgd', momentum: 0, nesterov: false, dampening: 0, weightDecay: 0 };
const ADAM: OptimizerConfig = { type: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

const X = Float32Array.from({ length: ROWS * INPUTS }, (_, i) => Math.sin(i * 0.9));
const TARGET = Float32Array.from({ length: ROWS * OUTPUTS }, (_, i) => Math.cos(i * 1.7));
/** W [3, 2], gain [2] (frozen), b [2]. */
const START = Float32Array.of(0.1, -0.2, 0.3, 0.4, -0.5, 0.6, 1.5, -0.5, 0.05, -0.07);
const W = 0;
const GAIN = 6;
const B = 8;
const COUNT = 10;

const open: NativeTrainingSession[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((session) => session.close()));
});

async function create(options: Partial<TrainingSessionConfig> = {}): Promise<NativeTrainingSession> {
  const session = await addon.createTrainingSession({
    trainingModel: linearTrainingModel(),
    evalModel: linearEvalModel(),
    parameters: [
      { name: 'W', dims: [INPUTS, OUTPUTS], trainable: true, gradient: 'W_grad' },
      { name: 'gain', dims: [OUTPUTS], trainable: false },
      { name: 'b', dims: [OUTPUTS], trainable: true, gradient: 'b_grad', weightDecayScale: 0, learningRateScale: 0.5 },
    ],
    states: [{ name: 'running', dims: [INPUTS], output: 'running_next' }],
    feeds: [
      { kind: 'rows', name: 'x', dims: [INPUTS], dtype: 'float32' },
      { kind: 'rows', name: 'target', dims: [OUTPUTS], dtype: 'float32' },
      { kind: 'normal', name: 'noise', dims: [OUTPUTS], stream: noiseStream },
      { kind: 'scalar', name: 'weight' },
    ],
    scalars: ['loss', 'loss_again'],
    perExample: ['loss_each'],
    optimizer: SGD,
    seed: SEED,
    ...options,
  });
  open.push(session);
  session.setParameters(START);
  session.attachRows('x', X, ROWS, PLAIN);
  session.attachRows('target', TARGET, ROWS, PLAIN);
  return session;
}

/** A request for micro-batches of the given sizes, over rows taken in a fixed irregular order. */
function request(sizes: readonly number[], options: Partial<TrainRequest> = {}): TrainRequest {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const first = options.firstMicroBatch ?? 0;
  return {
    indices: Uint32Array.from({ length: total }, (_, i) => (i * 7 + first * 13) % ROWS),
    batchSizes: Uint32Array.from(sizes),
    firstMicroBatch: first,
    scalars: { weight: new Float32Array(sizes.length).fill(1) },
    learningRates: new Float64Array(sizes.length).fill(0.1),
    accumulate: 1,
    ...options,
  };
}

function noiseOf(rows: number, microBatch: number): Float32Array {
  const noise = new Float32Array(rows * OUTPUTS);
  addon.random.fillNormal(noise, SEED, noiseStream, BigInt(microBatch));
  return noise;
}

/** Loss, gradient and per-example losses of one micro-batch, in double precision. */
function reference(parameters: ArrayLike<number>, indices: ArrayLike<number>, microBatch: number, weight = 1, x = X) {
  const rows = indices.length;
  const noise = noiseOf(rows, microBatch);
  const gradient = new Float64Array(COUNT);
  const each = new Float64Array(rows);
  for (let n = 0; n < rows; n += 1) {
    for (let o = 0; o < OUTPUTS; o += 1) {
      let affine = parameters[B + o]!;
      for (let i = 0; i < INPUTS; i += 1) affine += x[indices[n]! * INPUTS + i]! * parameters[W + i * OUTPUTS + o]!;
      const gain = parameters[GAIN + o]!;
      const error = affine * gain + noise[n * OUTPUTS + o]! - TARGET[indices[n]! * OUTPUTS + o]!;
      each[n]! += (weight * error * error) / OUTPUTS;
      const slope = (2 * weight * error * gain) / (rows * OUTPUTS);
      gradient[B + o]! += slope;
      for (let i = 0; i < INPUTS; i += 1) gradient[W + i * OUTPUTS + o]! += slope * x[indices[n]! * INPUTS + i]!;
    }
  }
  return { loss: each.reduce((sum, value) => sum + value, 0) / rows, gradient, each };
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 2e-6): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i += 1) {
    expect(Math.abs(actual[i]! - expected[i]!), `element ${i}: ${actual[i]} for ${expected[i]}`).toBeLessThanOrEqual(
      tolerance * Math.max(1, Math.abs(expected[i]!)),
    );
  }
}

const norm = (values: ArrayLike<number>): number => Math.hypot(...Array.from(values));
const mean = (arrays: readonly Float64Array[]): Float64Array =>
  Float64Array.from(arrays[0]!, (_, i) => arrays.reduce((sum, array) => sum + array[i]!, 0) / arrays.length);
/** Per element: is it trained, and with which scales (as create() says). */
const trained = (i: number): boolean => i < GAIN || i >= B;
const rateScale = (i: number): number => (i >= B ? 0.5 : 1);
const decayScale = (i: number): number => (i >= B ? 0 : 1);

test('loss, gradient, norm and state of a micro-batch', async () => {
  const session = await create();
  const asked = request([9], { firstMicroBatch: 5, scalars: { weight: Float32Array.of(0.7) } });
  const result = await session.accumulate(asked);
  const { loss, gradient } = reference(START, asked.indices, 5, 0.7);
  expect(result.completed).toBe(1);
  expectClose(result.scalars['loss']!, [loss]);
  expect(result.scalars['loss_again']).toEqual(result.scalars['loss']);
  expectClose(session.getGradients(), gradient);
  expect(session.getParameters()).toEqual(START);
  expect([...result.gradientNorms]).toEqual([Number.NaN]);
  expect(session.pendingMicroBatches).toBe(1);
  expect(session.step).toBe(0);
  const means = Array.from(
    { length: INPUTS },
    (_, i) => asked.indices.reduce((sum, row) => sum + X[row * INPUTS + i]!, 0) / asked.indices.length,
  );
  expectClose(
    session.getStates()['running']!,
    means.map((value) => 0.25 * value),
  );
  expect(session.parameterCount).toBe(COUNT);
});

/** Steps of every optimizer as PyTorch's documentation states them, in double precision. */
function optimizerReference(config: OptimizerConfig) {
  const m = new Float64Array(COUNT);
  const v = new Float64Array(COUNT);
  let step = 0;
  return (parameters: Float64Array, gradient: Float64Array, learningRate: number): void => {
    step += 1;
    for (let i = 0; i < COUNT; i += 1) {
      if (!trained(i)) continue;
      const rate = learningRate * rateScale(i);
      const decay = config.weightDecay * decayScale(i);
      let g = gradient[i]!;
      if (config.type === 'sgd') {
        g += decay * parameters[i]!;
        if (config.momentum !== 0) {
          m[i] = step === 1 ? g : config.momentum * m[i]! + (1 - config.dampening) * g;
          g = config.nesterov ? g + config.momentum * m[i]! : m[i]!;
        }
        parameters[i]! -= rate * g;
      } else {
        if (config.type === 'adamw') parameters[i]! *= 1 - rate * decay;
        else g += decay * parameters[i]!;
        m[i] = config.beta1 * m[i]! + (1 - config.beta1) * g;
        v[i] = config.beta2 * v[i]! + (1 - config.beta2) * g * g;
        const corrected = Math.sqrt(v[i]! / (1 - config.beta2 ** step)) + config.epsilon;
        parameters[i]! -= (rate * (m[i]! / (1 - config.beta1 ** step))) / corrected;
      }
    }
  };
}

const OPTIMIZERS: [string, OptimizerConfig][] = [
  ['plain SGD', SGD],
  ['SGD with weight decay', { ...SGD, weightDecay: 0.3 }],
  ['SGD with momentum and dampening', { ...SGD, momentum: 0.9, dampening: 0.2, weightDecay: 0.1 }],
  ['SGD with Nesterov momentum', { ...SGD, momentum: 0.8, nesterov: true }],
  ['Adam', ADAM],
  ['Adam with weight decay', { ...ADAM, weightDecay: 0.2 }],
  ['AdamW', { ...ADAM, type: 'adamw', weightDecay: 0.2, beta1: 0.8, beta2: 0.95, epsilon: 1e-4 }],
];

describe.each(OPTIMIZERS)('%s', (_, optimizer) => {
  test.each([
    ['', {}, 1],
    [' with clipping', { clipGradientNorm: 0.4 }, 1],
    [' with accumulation', {}, 3],
    [' with clipping, accumulation and a moving average', { clipGradientNorm: 0.3, emaDecay: 0.9 }, 2],
  ] as const)('takes the steps it should%s', async (_, extra, accumulate) => {
    const session = await create({ optimizer, ...extra });
    const steps = 12;
    const sizes = Array.from({ length: steps * accumulate }, (_, i) => 6 + (i % 3));
    const learningRates = Float64Array.from(sizes, (_, i) => 0.02 + 0.01 * (i % 4));
    const asked = request(sizes, { accumulate, learningRates, measureUpdates: true });
    const result = await session.train(asked);
    expect(result.completed).toBe(sizes.length);
    expect(session.step).toBe(steps);

    const parameters = Float64Array.from(START);
    const average = Float64Array.from(START);
    const apply = optimizerReference(optimizer);
    let row = 0;
    let gathered: Float64Array[] = [];
    sizes.forEach((size, batch) => {
      const { loss, gradient } = reference(parameters, asked.indices.subarray(row, row + size), batch);
      row += size;
      expectClose([result.scalars['loss']![batch]!], [loss], 2e-5);
      gathered.push(gradient);
      if (gathered.length < accumulate) {
        expect(result.gradientNorms[batch]).toBeNaN();
        expect(result.updateNorms![batch]).toBeNaN();
        return;
      }
      const before = parameters.slice();
      const whole = mean(gathered).map((value, i) => (trained(i) ? value : 0));
      gathered = [];
      const length = norm(whole);
      expectClose([result.gradientNorms[batch]!], [length], 2e-5);
      const clip = 'clipGradientNorm' in extra ? Math.min(1, extra.clipGradientNorm / (length + 1e-6)) : 1;
      apply(
        parameters,
        whole.map((value) => value * clip),
        learningRates[batch]!,
      );
      expectClose([result.updateNorms![batch]!], [norm(parameters.map((value, i) => value - before[i]!))], 1e-4);
      average.forEach((value, i) => {
        average[i] = value * 0.9 + parameters[i]! * 0.1;
      });
    });
    expectClose(session.getParameters(), parameters, 1e-5);
    expect(session.getParameters().slice(GAIN, B)).toEqual(START.slice(GAIN, B));
    if ('emaDecay' in extra) {
      const kept = session.getSlot('ema')!;
      expectClose(kept.subarray(0, GAIN), average.subarray(0, GAIN), 1e-5);
      expectClose(kept.subarray(B), average.subarray(B), 1e-5);
    } else {
      expect(session.getSlot('ema')).toBeUndefined();
    }
  });
});

test('a clipped and an unclipped run differ, so that the tests above mean something', async () => {
  const results: Float32Array[] = [];
  for (const extra of [{}, { clipGradientNorm: 0.4 }]) {
    const session = await create(extra);
    await session.train(request([8, 8, 8]));
    results.push(session.getParameters());
  }
  expect(norm(results[0]!.map((value, i) => value - results[1]![i]!))).toBeGreaterThan(0.01);
});

test('accumulated micro-batches equal the batch they make up', async () => {
  // Noise belongs to the micro-batch, so it is given here.
  const indices = Uint32Array.from({ length: 24 }, (_, i) => (i * 5) % ROWS);
  const zeros = (rows: number) => ({
    noise: { dtype: 'float32' as const, dims: [rows, OUTPUTS], data: new Float32Array(rows * OUTPUTS) },
  });
  const whole = await create({ optimizer: ADAM });
  await whole.train(request([24], { indices, given: zeros(24) }));
  const parts = await create({ optimizer: ADAM });
  for (let part = 0; part < 4; part += 1) {
    const asked = request([6], { indices: indices.slice(part * 6, part * 6 + 6), accumulate: 4, given: zeros(6) });
    const result = await parts.train(asked);
    expect(Number.isNaN(result.gradientNorms[0]!)).toBe(part < 3);
    expect(parts.pendingMicroBatches).toBe(part < 3 ? part + 1 : 0);
  }
  expectClose(parts.getParameters(), whole.getParameters());
  expect(parts.step).toBe(1);

  const byHand = await create({ optimizer: ADAM });
  for (let part = 0; part < 4; part += 1) {
    await byHand.accumulate(request([6], { indices: indices.slice(part * 6, part * 6 + 6), given: zeros(6) }));
  }
  expectClose(byHand.getGradients(), whole.getGradients());
  const step = await byHand.optimizerStep(0.1);
  expect(byHand.getParameters()).toEqual(parts.getParameters());
  expect(step.gradientNorm).toBeCloseTo(norm(whole.getGradients()), 5);
  expect(step.updateNorm).toBeCloseTo(norm(byHand.getParameters().map((value, i) => value - START[i]!)), 5);
  await expect(byHand.optimizerStep(0.1)).rejects.toEqual(expect.objectContaining({ code: 'ERR_VAE_DATA' }));
});

test('resetGradient() drops what was accumulated', async () => {
  const session = await create();
  await session.accumulate(request([8]));
  session.resetGradient();
  expect(session.pendingMicroBatches).toBe(0);
  expect(norm(session.getGradients())).toBe(0);
  await session.accumulate(request([5], { firstMicroBatch: 9 }));
  const { gradient } = reference(START, request([5], { firstMicroBatch: 9 }).indices, 9);
  expectClose(session.getGradients(), gradient);
});

test('evaluation gives the losses of the same noise, row by row, with the parameters or their average', async () => {
  const session = await create({ emaDecay: 0.5 });
  await session.train(request([8, 8, 8]));
  const asked = request([6, 11, 6], { firstMicroBatch: 30 });
  for (const useEma of [false, true]) {
    const parameters = useEma ? session.getSlot('ema')! : session.getParameters();
    if (useEma) parameters.set(START.subarray(GAIN, B), GAIN); // frozen ones have no average of their own
    const { loss_each: each } = await session.evaluate({ ...asked, useEma });
    const expected = [
      ...reference(parameters, asked.indices.subarray(0, 6), 30).each,
      ...reference(parameters, asked.indices.subarray(6, 17), 31).each,
      ...reference(parameters, asked.indices.subarray(17), 32).each,
    ];
    expectClose(each!, expected, 1e-5);
  }
});

describe('the same bits', () => {
  const SIZES = [8, 8, 5, 8, 8, 5, 8, 8, 5, 8];
  const config = { optimizer: ADAM, emaDecay: 0.9, clipGradientNorm: 0.5 };

  test('come from the same seed, in one request or many, with any number of threads', async () => {
    const whole = await create(config);
    await whole.train(request(SIZES));
    for (const intraOpThreads of [1, 2, 3]) {
      const pieces = await create({ ...config, intraOpThreads });
      const { indices } = request(SIZES);
      let row = 0;
      for (const [batch, size] of SIZES.entries()) {
        const part = request([size], { firstMicroBatch: batch, indices: indices.slice(row, row + size) });
        await pieces.train(part);
        row += size;
      }
      expect(pieces.getParameters()).toEqual(whole.getParameters());
      expect(pieces.getSlot('ema')).toEqual(whole.getSlot('ema'));
    }
    const other = await create({ ...config, seed: 2n });
    await other.train(request(SIZES));
    expect(other.getParameters()).not.toEqual(whole.getParameters());
  });

  test.each([1, 3])('come after saving and restoring, accumulating %i', async (accumulate) => {
    const { indices } = request(SIZES);
    const part = (from: number, to: number): TrainRequest => {
      const at = (batch: number) => SIZES.slice(0, batch).reduce((sum, size) => sum + size, 0);
      return request(SIZES.slice(from, to), {
        firstMicroBatch: from,
        indices: indices.slice(at(from), at(to)),
        accumulate,
      });
    };
    const whole = await create(config);
    await whole.train(part(0, SIZES.length));

    const first = await create(config);
    await first.train(part(0, 5));
    const second = await create(config);
    second.setParameters(first.getParameters());
    second.setStates(first.getStates());
    for (const slot of ['moment1', 'moment2', 'ema', 'accumulator'] as const) {
      const values = first.getSlot(slot);
      expect(values === undefined).toBe(slot === 'accumulator' && accumulate === 1);
      if (values) second.setSlot(slot, values);
    }
    second.step = first.step;
    second.pendingMicroBatches = first.pendingMicroBatches;
    await first.close();
    await second.train(part(5, SIZES.length));
    expect(second.step).toBe(whole.step);
    expect(second.getParameters()).toEqual(whole.getParameters());
    expect(second.getStates()).toEqual(whole.getStates());
    for (const slot of ['moment1', 'moment2', 'ema'] as const) {
      expect(second.getSlot(slot)).toEqual(whole.getSlot(slot));
    }
  });
});

describe('rows', () => {
  const bytes = Uint8Array.from({ length: ROWS * INPUTS }, (_, i) => (i * 37) % 256);
  const asked = request([10], { firstMicroBatch: 3 });

  test.each<[string, Uint8Array | Float32Array, RowTransform, (value: number) => number]>([
    ['bytes, scaled', bytes, { scale: 1 / 255, offset: 0, binarise: 'none' }, (value) => value / 255],
    ['bytes, scaled and shifted', bytes, { scale: 2, offset: -3, binarise: 'none' }, (value) => value * 2 - 3],
    [
      'bytes against a threshold',
      bytes,
      { scale: 1 / 255, offset: 0, binarise: 'threshold' },
      (value) => (value > 127 ? 1 : 0),
    ],
    ['floats, scaled and shifted', X, { scale: -0.5, offset: 0.25, binarise: 'none' }, (value) => value * -0.5 + 0.25],
    ['floats against a threshold', X, { scale: 1, offset: 0, binarise: 'threshold' }, (value) => (value > 0.5 ? 1 : 0)],
  ])('%s', async (_, data, transform, formula) => {
    const session = await create();
    session.attachRows('x', data, ROWS, transform);
    await session.accumulate(asked);
    const x = Float32Array.from(data, formula);
    expectClose(session.getGradients(), reference(START, asked.indices, 3, 1, x).gradient, 1e-5);
  });

  test('sampled: 0 or 1 with the right frequency, anew in every micro-batch, the same when repeated', async () => {
    const rows = 4000;
    const intensities = Float32Array.of(0, 0.25, 1);
    const data = Float32Array.from({ length: rows * INPUTS }, (_, i) => intensities[i % INPUTS]!);
    // The running mean shows the mean of what was drawn: 0.25 * mean after one micro-batch from zero.
    const drawn = async (firstMicroBatch: number): Promise<number[]> => {
      const session = await create();
      session.attachRows('x', data, rows, { scale: 1, offset: 0, binarise: 'sample' });
      session.attachRows('target', new Float32Array(rows * OUTPUTS), rows, PLAIN);
      const indices = Uint32Array.from({ length: rows }, (_, i) => i);
      await session.accumulate(request([rows], { indices, firstMicroBatch }));
      return Array.from(session.getStates()['running']!, (value) => value * 4);
    };
    const first = await drawn(1);
    expect(first[0]).toBe(0);
    expect(first[2]).toBeCloseTo(1, 6);
    expect(Math.abs(first[1]! - 0.25)).toBeLessThan(0.03); // 4.4 standard deviations
    expect(await drawn(1)).toEqual(first);
    expect((await drawn(2))[1]).not.toBe(first[1]);
  });

  test('can be replaced between requests, and are read where they lie', async () => {
    const session = await create();
    const mine = X.slice();
    session.attachRows('x', mine, ROWS, PLAIN);
    mine.fill(0);
    await session.accumulate(asked);
    expectClose(session.getGradients(), reference(START, asked.indices, 3, 1, mine).gradient);
    session.resetGradient();
    session.attachRows('x', X, ROWS, PLAIN);
    await session.accumulate(asked);
    expectClose(session.getGradients(), reference(START, asked.indices, 3).gradient);
  });
});

describe('not finite', () => {
  test('a loss: that step is not applied, earlier ones are', async () => {
    const session = await create();
    const asked = request([8, 8, 8, 8], {
      firstMicroBatch: 100,
      scalars: { weight: Float32Array.of(1, 1, Number.NaN, 1) },
    });
    const result = await session.train(asked);
    expect(result.completed).toBe(2);
    expect(result.nonFinite).toEqual({ microBatch: 102, where: 'loss' });
    expect(result.scalars['loss']).toHaveLength(2);
    const shorter = await create();
    await shorter.train(request([8, 8], { firstMicroBatch: 100, indices: asked.indices.slice(0, 16) }));
    expect(session.getParameters()).toEqual(shorter.getParameters());
    expect(session.getStates()).toEqual(shorter.getStates());
    // Training goes on past it.
    const after = request([8], { firstMicroBatch: 103 });
    expect((await session.train(after)).completed).toBe(1);
  });

  test('a gradient: its parameter is named', async () => {
    const session = await create();
    const parameters = START.slice();
    parameters[GAIN] = 1e-20; // the loss stays finite, the gradient of W overflows
    const huge = X.map((value) => value * 3e37);
    session.setParameters(parameters);
    session.attachRows('x', huge, ROWS, PLAIN);
    const target = TARGET.map((value) => value * 1e18);
    session.attachRows('target', target, ROWS, PLAIN);
    parameters.fill(0, W, GAIN);
    parameters[GAIN] = 1;
    session.setParameters(parameters);
    const result = await session.train(request([8]));
    expect(result).toMatchObject({ completed: 0, nonFinite: { microBatch: 0, where: 'gradient of W' } });
    expect(session.getParameters()).toEqual(parameters);
    expect(session.step).toBe(0);
  });
});

describe('aborting', () => {
  test('stops between micro-batches and says how many were done', async () => {
    const session = await create();
    const flag = new addon.AbortFlag();
    const sizes = new Array<number>(300_000).fill(8);
    const training = session.train(request(sizes), flag);
    setTimeout(() => flag.abort(), 400); // of some seconds; enough for a first step on a busy machine
    const { completed, scalars } = await training;
    expect(completed).toBeGreaterThan(0);
    expect(completed).toBeLessThan(sizes.length);
    expect(scalars['loss']).toHaveLength(completed);
    expect(session.step).toBe(completed);
    const same = await create();
    await same.train(request(sizes.slice(0, completed)));
    expect(session.getParameters()).toEqual(same.getParameters());
  });

  test('rejects an evaluation', async () => {
    const session = await create();
    const flag = new addon.AbortFlag();
    const evaluating = session.evaluate(request(new Array<number>(200_000).fill(8)), flag);
    setTimeout(() => flag.abort(), 30);
    await expect(evaluating).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
  });
});

describe('refused', () => {
  const failure = (code: string, message: RegExp) =>
    expect.objectContaining({ name: 'VaeError', code, message: expect.stringMatching(message) });

  test('a second call while one is in flight', async () => {
    const session = await create();
    const running = session.train(request(new Array<number>(2000).fill(8)));
    const busy = failure('ERR_VAE_BUSY', /busy/);
    await expect(session.train(request([8]))).rejects.toEqual(busy);
    await expect(session.evaluate(request([8]))).rejects.toEqual(busy);
    expect(() => session.getParameters()).toThrow(busy);
    expect(() => session.attachRows('x', X, ROWS, PLAIN)).toThrow(busy);
    expect(() => session.step).toThrow(busy);
    expect((await running).completed).toBe(2000);
  });

  test('use after close(), which waits for the call in flight', async () => {
    const session = await create();
    const running = session.train(request(new Array<number>(2000).fill(8)));
    const closing = session.close();
    expect((await running).completed).toBe(2000);
    await closing;
    await session.close();
    const disposed = failure('ERR_VAE_DISPOSED', /close/);
    await expect(session.train(request([8]))).rejects.toEqual(disposed);
    expect(() => session.getParameters()).toThrow(disposed);
  });

  test.each<[string, Partial<TrainRequest>, string, RegExp]>([
    ['a row that does not exist', { indices: Uint32Array.of(1, 2, ROWS) }, 'ERR_VAE_DATA', /row 40 .* has 40 rows/],
    ['too few indices', { indices: Uint32Array.of(1, 2) }, 'ERR_VAE_SHAPE', /expected 3/],
    ['an empty micro-batch', { batchSizes: Uint32Array.of(3, 0) }, 'ERR_VAE_SHAPE', /0 rows/],
    ['missing scalars', { scalars: {} }, 'ERR_VAE_SHAPE', /'weight'.*expected 1/],
    ['missing rates', { learningRates: new Float64Array(0) }, 'ERR_VAE_SHAPE', /learningRates/],
    ['no accumulation', { accumulate: 0 }, 'ERR_VAE_OPTION', /accumulate/],
    ['a negative counter', { firstMicroBatch: -1 }, 'ERR_VAE_OPTION', /firstMicroBatch/],
    [
      'a given tensor of another shape',
      { given: { noise: { dtype: 'float32', dims: [3, 5], data: new Float32Array(15) } } },
      'ERR_VAE_SHAPE',
      /noise.*expected shape \[\?,2\]/,
    ],
    [
      'a given tensor of another type',
      { given: { noise: { dtype: 'float64', dims: [3, 2], data: new Float64Array(6) } } },
      'ERR_VAE_SHAPE',
      /noise.*float32/,
    ],
  ])('%s', async (_, options, code, message) => {
    const session = await create();
    await expect(session.train({ ...request([3]), ...options })).rejects.toEqual(failure(code, message));
    expect((await session.train(request([3]))).completed).toBe(1);
  });

  test('arrays of the wrong size, unknown names, missing slots', async () => {
    const session = await create();
    const shape = (message: RegExp) => failure('ERR_VAE_SHAPE', message);
    const option = (message: RegExp) => failure('ERR_VAE_OPTION', message);
    expect(() => session.setParameters(new Float32Array(3))).toThrow(shape(/expected 10 values, received 3/));
    expect(() => session.setSlot('moment1', START)).toThrow(option(/no such moment/));
    expect(() => session.setSlot('ema', START)).toThrow(option(/emaDecay/));
    expect(() => session.setSlot('nothing' as never, START)).toThrow(option(/moment1/));
    expect(() => session.setStates({})).toThrow(option(/running/));
    expect(() => session.attachRows('y', X, ROWS, PLAIN)).toThrow(option(/'y'/));
    expect(() => session.attachRows('x', X, ROWS + 1, PLAIN)).toThrow(shape(/have 123 values, the array has 120/));
    expect(() => session.attachRows('x', new BigInt64Array(ROWS * INPUTS), ROWS, PLAIN)).toThrow(shape(/float32/));
    expect(() => session.attachRows('x', X, ROWS, { ...PLAIN, binarise: 'maybe' as never })).toThrow(option(/maybe/));
    expect(() => {
      session.step = -1;
    }).toThrow(option(/step/));
    await expect(session.evaluate({ ...request([3]), useEma: true })).rejects.toEqual(option(/emaDecay/));
  });

  test.each<[string, Partial<TrainingSessionConfig>, string, RegExp]>([
    ['a model of another shape', { parameters: [] }, 'ERR_VAE_GRAPH', /input '\w+' is neither/],
    ['unknown scalars', { scalars: ['loss', 'bits'] }, 'ERR_VAE_GRAPH', /no output 'bits'/],
    ['a scalar that is none', { scalars: ['W_grad'] }, 'ERR_VAE_GRAPH', /expected a scalar/],
    [
      'a per-example output of another type',
      { evalModel: linearEvalModel('float64') },
      'ERR_VAE_GRAPH',
      /'loss_each' is float64; expected float32/,
    ],
    ['an unknown optimizer', { optimizer: { ...SGD, type: 'lion' as never } }, 'ERR_VAE_OPTION', /lion/],
    ['an impossible decay', { emaDecay: 1 }, 'ERR_VAE_OPTION', /emaDecay/],
    ['an impossible clip', { clipGradientNorm: 0 }, 'ERR_VAE_OPTION', /clipGradientNorm/],
    ['a negative momentum', { optimizer: { ...SGD, momentum: -1 } }, 'ERR_VAE_OPTION', /momentum/],
    ['NaN', { optimizer: { ...SGD, weightDecay: Number.NaN } }, 'ERR_VAE_OPTION', /weightDecay/],
    ['a seed that is no bigint', { seed: 1 as never }, 'ERR_VAE_OPTION', /seed/],
    ['bytes that are no model', { trainingModel: new Uint8Array(50) }, 'ERR_VAE_FORMAT', /could not be loaded/],
  ])('%s', async (_, options, code, message) => {
    await expect(create(options)).rejects.toEqual(failure(code, message));
  });
});

test('a change of optimizer keeps the parameters and starts its moments anew', async () => {
  const session = await create({ optimizer: ADAM });
  await session.train(request([8, 8]));
  const parameters = session.getParameters();
  session.setOptimizer({ ...ADAM, beta1: 0.5 });
  expect(session.step).toBe(2);
  expect(norm(session.getSlot('moment1')!)).toBeGreaterThan(0);
  session.setOptimizer({ ...SGD, momentum: 0.9 });
  expect(session.getParameters()).toEqual(parameters);
  expect(session.step).toBe(0);
  expect(norm(session.getSlot('moment1')!)).toBe(0);
  expect(session.getSlot('moment2')).toBeUndefined();
});
