/** The training session against the same computed again, in double precision. */
import { describe, expect, test } from 'vitest';
import type { OptimizerConfig, RowTransform, TrainRequest } from '../../src/binding/addon.js';
import {
  ADAM,
  B,
  COUNT,
  create,
  decayScale,
  expectClose,
  GAIN,
  INPUTS,
  mean,
  norm,
  OUTPUTS,
  PLAIN,
  ROWS,
  rateScale,
  reference,
  request,
  SGD,
  START,
  trained,
  X,
} from './linear-session.js';

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
