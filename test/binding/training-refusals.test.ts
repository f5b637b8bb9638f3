/** What a training session refuses, how it aborts, and what it does about values that are not finite. */
import { describe, expect, test } from 'vitest';
import type { TrainingSessionConfig, TrainRequest } from '../../src/binding/addon.js';
import { addon, create, GAIN, INPUTS, PLAIN, ROWS, request, SGD, START, TARGET, W, X } from './linear-session.js';
import { linearEvalModel } from './models.js';

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
