/** The Vae class as its users meet it, on real digits. */
import { copyFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tensor } from 'onnxruntime-common';
import { InferenceSession } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FitProgress, TrainingSession, Vae, VaeError, type VaeOptions } from '../../src/index.js';
import { digits } from '../support/digits.js';
import { temporaryFolder } from '../support/temporary.js';

const OPTIONS: VaeOptions = {
  architecture: { type: 'mlp', hidden: [64] },
  input: { kind: 'image', height: 28, width: 28, channels: 1 },
  latentDim: 8,
  seed: 3,
};
const train = digits(1000);
const held = digits(200, 't10k');
const folder = temporaryFolder('vae');

const parametersOf = (vae: Vae): Record<string, Float32Array> =>
  Object.fromEntries(vae.info.parameters.map(({ name }) => [name, vae.parameter(name)]));

const meanOf = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** As two ways to add up the same numbers differ: relative to the largest of them. */
function expectClose(found: Tensor['data'], expected: Tensor['data']): void {
  const right = expected as Float32Array;
  const largest = right.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const far = (found as Float32Array).findIndex((value, index) => Math.abs(value - right[index]!) > 2e-6 * largest);
  expect(far).toBe(-1);
}

describe('a trained model', () => {
  let vae: Vae;
  const seen: FitProgress[] = [];

  beforeAll(async () => {
    vae = await Vae.create(OPTIONS);
    const optimizer = { type: 'adam', learningRate: 3e-3 } as const;
    const onProgress = (event: FitProgress) => seen.push(event);
    await vae.fit(train, { epochs: 6, batchSize: 50, optimizer, validation: held, onProgress });
  });
  afterAll(() => vae.close());

  test('has learned', async () => {
    await using untrained = await Vae.create(OPTIONS);
    const before = meanOf((await untrained.score(held)).elbo);
    const after = meanOf((await vae.score(held)).elbo);
    expect(before).toBeLessThan(-500);
    expect(after).toBeGreaterThan(-200);
  });

  test('told of every epoch, with validation, and of steps between', () => {
    const epochs = seen.filter((event) => event.kind === 'epoch');
    expect(epochs.map((event) => event.epoch)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(epochs.at(-1)!.validation!.loss).toBeLessThan(epochs[0]!.validation!.loss);
    const steps = seen.filter((event) => event.kind === 'step');
    expect(steps.at(-1)).toMatchObject({ step: 120, steps: 120, learningRate: 3e-3, klWeight: 1 });
  });

  test('encodes, decodes, reconstructs and samples in the shapes it says', async () => {
    const { mean, logVariance } = await vae.encode(held);
    expect(mean).toBeInstanceOf(Tensor);
    expect([mean.dims, logVariance.dims, mean.type]).toEqual([[200, 8], [200, 8], 'float32']);
    const decoded = await vae.decode(mean);
    expect(decoded.dims).toEqual([200, 1, 28, 28]);
    expect((await vae.reconstruct(held)).data).toEqual(decoded.data);
    expect((await vae.sample(3, { seed: 1 })).dims).toEqual([3, 1, 28, 28]);
  });

  test('bytes, floats and flattened rows of the same digits encode alike', async () => {
    const floats = Float32Array.from(held.data, (value) => value / 255);
    const fromBytes = await vae.encode(held);
    const fromFloats = await vae.encode({ data: floats, shape: held.shape });
    const fromFlat = await vae.encode(new Tensor('float32', floats, [200, 784]));
    expect(fromFloats.mean.data).toEqual(fromBytes.mean.data);
    expect(fromFlat.mean.data).toEqual(fromBytes.mean.data);
  });

  test('samples with a seed repeat, samples without go on', async () => {
    const data = async (seed?: number) => (await vae.sample(2, seed === undefined ? {} : { seed })).data;
    expect(await data(5)).toEqual(await data(5));
    expect(await data(5)).not.toEqual(await data(6));
    expect(await data()).not.toEqual(await data());
  });

  test('scores are the negative sum of their terms, and repeat', async () => {
    const { elbo, reconstruction, kl } = await vae.score(held);
    expect(elbo).toHaveLength(200);
    for (const [row, value] of elbo.entries()) expect(value).toBeCloseTo(-(reconstruction[row]! + kl[row]!), 3);
    expect(kl.every((value) => value >= 0)).toBe(true);
    expect((await vae.score(held)).elbo).toEqual(elbo);
  });

  test('saved and loaded it gives the same bits', async () => {
    const directory = join(folder, 'saved');
    await vae.save(directory);
    await using again = await Vae.load(directory);
    expect(parametersOf(again)).toEqual(parametersOf(vae));
    expect((await again.encode(held)).mean.data).toEqual((await vae.encode(held)).mean.data);
    expect((await again.score(held)).elbo).toEqual((await vae.score(held)).elbo);
    expect(again.info).toMatchObject({ latentDim: 8, trainedEpochs: undefined });
  });

  test('its graphs run in any ONNX runtime', async () => {
    const directory = join(folder, 'portable');
    await vae.save(directory);
    const { mean } = await vae.encode(held);
    const encoder = await InferenceSession.create(join(directory, 'encoder.onnx'));
    const floats = Float32Array.from(held.data, (value) => Math.fround(value * (1 / 255)));
    const outputs = await encoder.run({ input: new Tensor('float32', floats, held.shape) });
    expectClose(mean.data, outputs['mean']!.data);
    const decoder = await InferenceSession.create(join(directory, 'decoder.onnx'));
    const decoded = await decoder.run({ latent: mean });
    expectClose((await vae.decode(mean)).data, decoded['output']!.data);
  });

  test('encodes many requests at once', async () => {
    const one = (row: number) => ({ data: held.data.subarray(row * 784, (row + 1) * 784), shape: [1, 1, 28, 28] });
    const whole = (await vae.encode(held)).mean.data as Float32Array;
    const parts = await Promise.all(Array.from({ length: 40 }, (_, row) => vae.encode(one(row))));
    parts.forEach(({ mean }, row) => {
      const values = mean.data as Float32Array;
      for (const [index, value] of values.entries()) expect(value).toBeCloseTo(whole[row * 8 + index]!, 4);
    });
  });
});

describe('training', () => {
  test('the same seed gives the same bits, another seed does not', async () => {
    const run = async (seed: number) => {
      await using vae = await Vae.create({ ...OPTIONS, seed });
      await vae.fit(train, { epochs: 2, batchSize: 64 });
      return parametersOf(vae);
    };
    const first = await run(11);
    expect(await run(11)).toEqual(first);
    expect(await run(12)).not.toEqual(first);
  });

  test('saving, loading and resuming changes nothing', async () => {
    const options = { batchSize: 64, optimizer: 'adam', validation: held } as const;
    await using straight = await Vae.create(OPTIONS);
    const whole = await straight.fit(train, { ...options, epochs: 4 });
    await using first = await Vae.create(OPTIONS);
    await first.fit(train, { ...options, epochs: 2 });
    const directory = join(folder, 'resumable');
    await first.save(directory, { training: true });
    await using second = await Vae.load(directory);
    expect(second.info.trainedEpochs).toBe(2);
    const rest = await second.fit(train, { ...options, epochs: 4, resume: true });
    expect(parametersOf(second)).toEqual(parametersOf(straight));
    expect(rest.epochs.map(({ train, validation }) => ({ train, validation }))).toEqual(
      whole.epochs.map(({ train, validation }) => ({ train, validation })),
    );
  });

  test('training on another machine begins where an untrained model stands', async () => {
    await using straight = await Vae.create(OPTIONS);
    const whole = await straight.fit(train, { epochs: 2, batchSize: 10 });
    await using fresh = await Vae.create(OPTIONS);
    const directory = join(folder, 'fresh');
    await fresh.save(directory, { training: true });
    await using shipped = await Vae.load(directory);
    expect(shipped.info.trainedEpochs).toBe(0);
    const there = await shipped.fit(train, { epochs: 2, batchSize: 10, resume: true });
    expect(parametersOf(shipped)).toEqual(parametersOf(straight));
    expect(there.epochs.map(({ train }) => train)).toEqual(whole.epochs.map(({ train }) => train));
  });

  test('the artifacts of an untrained model are of the optimizer asked for, and train by themselves', async () => {
    await using fresh = await Vae.create(OPTIONS);
    const directory = join(folder, 'fresh-sgd');
    await fresh.save(directory, { training: { optimizer: { type: 'sgd', momentum: 0.9 }, clipGradientNorm: 1 } });
    await using session = await TrainingSession.create({ artifacts: join(directory, 'training') });
    expect(session.learningRate).toBe(0.01);
    await fresh.fit(train, { epochs: 1 });
    await expect(fresh.save(directory, { training: { optimizer: 'sgd' } })).rejects.toMatchObject({
      code: 'ERR_VAE_OPTION',
      message: expect.stringContaining('"adam"'),
    });
  });

  test('stopping in the middle of an epoch and resuming changes nothing either', async () => {
    const options = { batchSize: 10, epochs: 2 } as const;
    await using straight = await Vae.create(OPTIONS);
    await straight.fit(train, options);
    await using stopped = await Vae.create(OPTIONS);
    const controller = new AbortController();
    const run = stopped.fit(train, {
      ...options,
      signal: controller.signal,
      onProgress: (event) => {
        if (event.kind === 'step' && event.step >= 30) controller.abort(new Error('enough'));
      },
    });
    await expect(run).rejects.toThrow('enough');
    await stopped.fit(train, { ...options, resume: true });
    expect(parametersOf(stopped)).toEqual(parametersOf(straight));
  });

  test('progress can be iterated, and the loop ends with the run', async () => {
    await using vae = await Vae.create(OPTIONS);
    const kinds = new Set<string>();
    let epochs = 0;
    for await (const event of vae.fit(train, { epochs: 2 })) {
      kinds.add(event.kind);
      if (event.kind === 'epoch') epochs += 1;
    }
    expect([...kinds].sort()).toEqual(['epoch', 'step']);
    expect(epochs).toBe(2);
  });

  test('β weighs the KL divergence down', async () => {
    const klAt = async (klWeight: number) => {
      await using vae = await Vae.create(OPTIONS);
      const { epochs } = await vae.fit(train, { epochs: 3, batchSize: 50, klWeight });
      return epochs.at(-1)!.train.kl;
    };
    expect(await klAt(4)).toBeLessThan((await klAt(0.25)) / 2);
  });

  test('schedules are asked at every step', async () => {
    await using vae = await Vae.create(OPTIONS);
    const asked: number[] = [];
    await vae.fit(train, {
      epochs: 1,
      batchSize: 100,
      learningRate: ({ step, steps }) => {
        asked.push(step);
        return 1e-3 * (1 - step / steps);
      },
    });
    expect(asked).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('the gaussian likelihood learns its variance', async () => {
    await using vae = await Vae.create({ ...OPTIONS, likelihood: 'gaussian' });
    await vae.fit(train, { epochs: 8, batchSize: 20, learningRate: 1e-2 });
    expect(vae.parameter('likelihood.log_variance')[0]).toBeLessThan(-1);
    const directory = join(folder, 'gaussian');
    await vae.save(directory);
    await using again = await Vae.load(directory);
    expect(again.parameter('likelihood.log_variance')).toEqual(vae.parameter('likelihood.log_variance'));
  });

  test('the optimal variance is the mean squared error, after few steps', async () => {
    const noise = new Float32Array(400 * 8);
    // A sum of uniform draws, of deviation 0.1 around 0.5.
    let state = 1;
    const uniform = () => {
      state = (state * 48271) % 2147483647;
      return state / 2147483647 - 0.5;
    };
    for (let at = 0; at < noise.length; at += 1) noise[at] = 0.5 + 0.1 * (uniform() + uniform() + uniform()) * 2;
    const input = { kind: 'vector', length: 8 } as const;
    const made = async (variance: 'optimal' | 'learned') => {
      await using vae = await Vae.create({ input, latentDim: 1, seed: 3, likelihood: { type: 'gaussian', variance } });
      await vae.fit({ data: noise, shape: [400, 8] }, { epochs: 20, batchSize: 40, learningRate: 5e-3 });
      const rebuilt = (await vae.reconstruct({ data: noise, shape: [400, 8] })).data as Float32Array;
      const error = noise.reduce((sum, value, at) => sum + (value - rebuilt[at]!) ** 2, 0) / noise.length;
      const scores = await vae.score({ data: noise, shape: [400, 8] });
      const elbo = scores.elbo.reduce((sum, value) => sum + value, 0) / 400;
      return { variance: Math.exp(vae.parameter('likelihood.log_variance')[0]!), error, elbo };
    };
    const optimal = await made('optimal');
    expect(optimal.variance / optimal.error).toBeGreaterThan(0.85);
    expect(optimal.variance / optimal.error).toBeLessThan(1.2);
    // The noise itself is 0.01; a model of nothing but zeros has an error of 0.26.
    expect(optimal.error).toBeLessThan(0.013);
    const learned = await made('learned');
    expect(learned.variance).toBeGreaterThan(20 * learned.error);
    expect(optimal.elbo).toBeGreaterThan(learned.elbo + 4);
  });

  test('a rate far too high is reported with the step and what to try', async () => {
    await using vae = await Vae.create(OPTIONS);
    const run = vae.fit(train, { epochs: 30, batchSize: 50, optimizer: { type: 'sgd', learningRate: 10 } });
    await expect(run).rejects.toMatchObject({
      code: 'ERR_VAE_RUNTIME',
      message: expect.stringMatching(/diverged.*lower learning rate/s),
    });
    for (const values of Object.values(parametersOf(vae))) expect(values.every(Number.isFinite)).toBe(true);
  });
});

describe('what is wrong is refused', () => {
  let vae: Vae;
  beforeAll(async () => {
    vae = await Vae.create(OPTIONS);
  });
  afterAll(() => vae.close());

  const refusal = async (work: PromiseLike<unknown> | (() => PromiseLike<unknown>)): Promise<VaeError> => {
    const error = await Promise.resolve(typeof work === 'function' ? work() : work).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(VaeError);
    return error as VaeError;
  };

  test.each([
    ['an unknown option', { ...OPTIONS, latentDims: 3 }, /latentDims.*did you mean "latentDim"/],
    ['an unknown architecture', { ...OPTIONS, architecture: 'transformer' }, /architecture.*mlp/],
    ['an unknown option of the architecture', { ...OPTIONS, architecture: { type: 'mlp', hiden: [3] } }, /hiden/],
    ['no input', { latentDim: 2 }, /input/],
    ['NaN', { ...OPTIONS, latentDim: Number.NaN }, /latentDim.*NaN/],
    ['an unknown likelihood', { ...OPTIONS, likelihood: 'cauchy' }, /likelihood.*bernoulli/],
  ])('%s in create()', async (_, options, message) => {
    const error = await refusal(Vae.create(options as unknown as VaeOptions));
    expect(error.code).toBe('ERR_VAE_OPTION');
    expect(error.message).toMatch(message);
  });

  test('rows of another shape', async () => {
    const error = await refusal(vae.encode({ data: new Float32Array(20), shape: [2, 10] }));
    expect(error.code).toBe('ERR_VAE_SHAPE');
    expect(error.message).toMatch(/expected shape \[N, 1, 28, 28\], received \[N, 10\]/);
  });

  test('a shape that its elements do not fill', async () => {
    expect((await refusal(vae.encode({ data: new Float32Array(20), shape: [1, 1, 28, 28] }))).code).toBe(
      'ERR_VAE_SHAPE',
    );
  });

  test('another element type', async () => {
    const batch = new Tensor('string', new Array(784).fill('0'), [1, 1, 28, 28]);
    expect((await refusal(vae.encode(batch))).message).toMatch(/tensors of string are not supported/);
  });

  test('something that is no batch at all', async () => {
    expect((await refusal(vae.encode('digits.idx' as never))).code).toBe('ERR_VAE_SHAPE');
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('%s in a batch, with its row', async (value) => {
    const data = new Float32Array(784 * 3);
    data[784 * 2 + 5] = value;
    const error = await refusal(vae.encode({ data, shape: [3, 1, 28, 28] }));
    expect(error.code).toBe('ERR_VAE_DATA');
    expect(error.message).toMatch(/row 2/);
  });

  test('an empty batch', async () => {
    expect((await refusal(vae.encode({ data: new Float32Array(0), shape: [0, 1, 28, 28] }))).code).toBe('ERR_VAE_DATA');
  });

  test('NaN, emptiness and values out of range in training data', async () => {
    const nan = new Float32Array(784 * 2).fill(0.5);
    nan[800] = Number.NaN;
    expect((await refusal(vae.fit({ data: nan, shape: [2, 1, 28, 28] }))).code).toBe('ERR_VAE_DATA');
    expect((await refusal(vae.fit({ data: new Float32Array(0), shape: [0, 1, 28, 28] }))).code).toBe('ERR_VAE_DATA');
    const grey = { data: new Float32Array(784).fill(200), shape: [1, 1, 28, 28] };
    expect((await refusal(vae.fit(grey))).message).toMatch(/values from 0 to 1.*holds 200/);
  });

  test('misspelt and contradictory training options', async () => {
    expect((await refusal(vae.fit(train, { epoch: 3 } as never))).message).toMatch(/did you mean "epochs"/);
    expect((await refusal(vae.fit(train, { learningRate: -1 }))).code).toBe('ERR_VAE_OPTION');
    const nesterov = { optimizer: { type: 'sgd', nesterov: true } } as const;
    expect((await refusal(vae.fit(train, nesterov))).message).toMatch(/momentum above 0 and no dampening/);
  });

  test('two fits at once', async () => {
    const first = vae.fit(train, { epochs: 1 });
    const error = await refusal(vae.fit(train, { epochs: 1 }));
    expect(error.code).toBe('ERR_VAE_BUSY');
    await first;
  });

  test('use after close, and closing twice is fine', async () => {
    const closed = await Vae.create(OPTIONS);
    await Promise.all([closed.close(), closed.close()]);
    await closed.close();
    for (const work of [
      () => closed.encode(held),
      () => closed.sample(1),
      () => closed.fit(train),
      () => closed.save(folder),
    ]) {
      expect((await refusal(work)).code).toBe('ERR_VAE_DISPOSED');
    }
  });

  test('a signal that has fired rejects with its reason', async () => {
    const signal = AbortSignal.abort(new Error('never mind'));
    await expect(vae.encode(held, { signal })).rejects.toThrow('never mind');
    await expect(vae.fit(train, { signal })).rejects.toThrow('never mind');
  });
});

describe('closing', () => {
  test('waits for work in flight', async () => {
    const vae = await Vae.create(OPTIONS);
    const work = Promise.all(Array.from({ length: 10 }, () => vae.encode(train)));
    await vae.close();
    expect((await work).map(({ mean }) => mean.dims[0])).toEqual(Array(10).fill(1000));
  });

  test('waits for a fit that is aborted', async () => {
    const vae = await Vae.create(OPTIONS);
    const controller = new AbortController();
    const run = vae.fit(train, { epochs: 100_000, signal: controller.signal });
    const outcome = Promise.resolve(run).catch((error: unknown) => error);
    setTimeout(() => controller.abort(new Error('stop')), 100);
    await vae.close();
    expect(await outcome).toEqual(new Error('stop'));
  });
});

describe('a model directory that is damaged', () => {
  let directory: string;
  beforeAll(async () => {
    directory = join(folder, 'whole');
    await using vae = await Vae.create(OPTIONS);
    await vae.save(directory);
  });

  const files = ['config.json', 'encoder.onnx', 'decoder.onnx'];

  /** A copy of the whole directory, then damaged. */
  async function damaged(damage: (path: string) => Promise<unknown>): Promise<VaeError> {
    const copy = await mkdtemp(join(folder, 'damaged-'));
    for (const file of files) await copyFile(join(directory, file), join(copy, file));
    await damage(copy);
    const error = await Vae.load(copy).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(VaeError);
    return error as VaeError;
  }

  const edit = (change: (config: Record<string, unknown>) => void) => async (copy: string) => {
    const path = join(copy, 'config.json');
    const config = JSON.parse(await readFile(path, 'utf8'));
    change(config);
    await writeFile(path, JSON.stringify(config));
  };

  test('missing graph', async () => {
    const error = await damaged((copy) => rm(join(copy, 'decoder.onnx')));
    expect(error).toMatchObject({ code: 'ERR_VAE_FORMAT', message: expect.stringMatching(/decoder\.onnx is missing/) });
  });

  test('truncated graph', async () => {
    const error = await damaged((copy) => truncate(join(copy, 'encoder.onnx'), 1000));
    expect(error).toMatchObject({ code: 'ERR_VAE_FORMAT', message: expect.stringMatching(/truncated or altered/) });
  });

  test('altered graph', async () => {
    const error = await damaged(async (copy) => {
      const bytes = await readFile(join(copy, 'encoder.onnx'));
      bytes[bytes.length >> 1]! ^= 1;
      await writeFile(join(copy, 'encoder.onnx'), bytes);
    });
    expect(error).toMatchObject({ code: 'ERR_VAE_FORMAT', message: expect.stringMatching(/SHA-256/) });
  });

  test('config that is cut off, of a newer version, or not ours', async () => {
    expect((await damaged((copy) => truncate(join(copy, 'config.json'), 50))).message).toMatch(/not JSON/);
    expect((await damaged(edit((config) => (config['version'] = 2)))).message).toMatch(/newer node-vae.*upgrade/);
    expect((await damaged(edit((config) => (config['format'] = 'other')))).message).toMatch(/not the config/);
    expect((await damaged(edit((config) => (config['latentDim'] = 9)))).code).toBe('ERR_VAE_FORMAT');
    expect((await damaged(edit((config) => (config['surprise'] = 1)))).message).toMatch(/unknown option "surprise"/);
  });

  test('no such model, with the names there are', async () => {
    await expect(Vae.load(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'ERR_VAE_IO' });
    await expect(Vae.load(folder)).rejects.toMatchObject({
      code: 'ERR_VAE_IO',
      message: expect.stringMatching(/no config\.json/),
    });
  });
});
