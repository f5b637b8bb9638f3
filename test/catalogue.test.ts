/** Models of the catalogue as users meet them: trained on real digits for a moment, then asked for all they can do. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { type BuildNetwork, layers, toDataset, Vae, VaeError, type VaeOptions } from '../src/index.js';
import { digits } from './support/digits.js';
import { temporaryFolder } from './support/temporary.js';

const train = digits(400);
const held = digits(100, 't10k');
const folder = temporaryFolder('catalogue');

const image = { kind: 'image', height: 28, width: 28, channels: 1 } as const;
const meanOf = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

interface Case extends Omit<VaeOptions, 'input'> {
  readonly epochs?: number;
  /** What training should at least reach on held digits, nats. */
  readonly reaches: number;
}

const CASES: Readonly<Record<string, Case>> = {
  conv: { architecture: { type: 'conv', channels: [8, 16] }, latentDim: 8, reaches: 260 },
  resnet: { architecture: { type: 'resnet', channels: [4, 8, 8], groups: 4 }, latentDim: 8, epochs: 2, reaches: 380 },
  ladder: { architecture: { type: 'ladder', latents: [8, 6, 4], hidden: [64, 48, 32] }, reaches: 220 },
  chain: { architecture: { type: 'chain', latents: [8, 6], hidden: [64, 32] }, reaches: 220 },
  iaf: {
    architecture: { type: 'mlp', hidden: [64] },
    latentDim: 8,
    posterior: { type: 'iaf', hidden: 32 },
    reaches: 230,
  },
  vamp: {
    architecture: { type: 'mlp', hidden: [64] },
    latentDim: 8,
    prior: { type: 'vamp', components: 20 },
    reaches: 240,
  },
  iwae: {
    architecture: { type: 'mlp', hidden: [64] },
    latentDim: 8,
    objective: { type: 'iwae', samples: 4 },
    reaches: 230,
  },
  'beta-tc': { architecture: { type: 'mlp', hidden: [64] }, latentDim: 8, objective: 'beta-tc', reaches: 260 },
  mixture: {
    architecture: { type: 'conv', channels: [8, 16] },
    latentDim: 8,
    likelihood: { type: 'discretised-logistic', components: 2 },
    reaches: 2200,
  },
};

const BATCH = { batchSize: 40, optimizer: { type: 'adam', learningRate: 3e-3 } } as const;

describe.each(Object.entries(CASES))('%s', (name, { epochs = 4, reaches, ...options }) => {
  test('trains, scores, draws, saves and loads', { timeout: 60_000 }, async () => {
    await using vae = await Vae.create({ ...options, input: image, seed: 5 });
    const before = meanOf((await vae.score(held)).elbo);
    await vae.fit(train, { ...BATCH, epochs });
    const scores = await vae.score(held);
    const after = meanOf(scores.elbo);
    expect(after).toBeGreaterThan(before);
    expect(-after).toBeLessThan(reaches);
    expect((await vae.score(held)).elbo).toEqual(scores.elbo);

    const { mean } = await vae.encode(held);
    expect(mean.dims).toEqual([100, ...vae.latentShape]);
    const decoded = await vae.decode(mean);
    expect((await vae.reconstruct(held)).data).toEqual(decoded.data);
    const [one, same, other] = await Promise.all(
      [1, 1, 2].map((seed) => vae.reconstruct(held, { sample: true, seed })),
    );
    expect(one!.data).toEqual(same!.data);
    expect(one!.data).not.toEqual(other!.data);
    const fresh = await vae.sample(6, { seed: 2 });
    expect(fresh.dims).toEqual([6, 1, 28, 28]);
    expect((await vae.sample(6, { seed: 2 })).data).toEqual(fresh.data);
    expect(
      new Set(Array.from({ length: 6 }, (_, row) => fresh.data.slice(row * 784, row * 784 + 784).join())).size,
    ).toBe(6);

    const directory = join(folder, name);
    await vae.save(directory, { training: true });
    await using again = await Vae.load(directory);
    expect((await again.score(held)).elbo).toEqual(scores.elbo);
    expect((await again.sample(6, { seed: 2 })).data).toEqual(fresh.data);
  });
});

describe('importance-weighted bound', () => {
  test('rises with the number of draws, and is the ELBO with one', { timeout: 60_000 }, async () => {
    await using vae = await Vae.create({
      architecture: { type: 'mlp', hidden: [64] },
      input: image,
      latentDim: 8,
      seed: 1,
    });
    await vae.fit(train, { ...BATCH, epochs: 4 });
    const few = digits(30, 't10k');
    const bounds: number[] = [];
    for (const importanceSamples of [1, 10, 200, 1000]) {
      const { importanceWeighted, elbo } = await vae.score(few, { importanceSamples, seed: 3 });
      bounds.push(meanOf(importanceWeighted!));
      expect(meanOf(importanceWeighted!)).toBeGreaterThan(meanOf(elbo) - 3);
    }
    expect(bounds).toEqual([...bounds].sort((a, b) => a - b));
    expect(bounds[3]! - bounds[0]!).toBeGreaterThan(1);
    const { elbo } = await vae.score(few, { importanceSamples: 1000, seed: 3 });
    expect(Math.abs(meanOf(elbo) - bounds[0]!)).toBeLessThan(3);
    const again = await vae.score(few, { importanceSamples: 200, seed: 3 });
    expect(meanOf(again.importanceWeighted!)).toBe(bounds[2]);
  });
});

describe('vector-quantised latents', () => {
  const options: VaeOptions = {
    architecture: { type: 'conv', channels: [8, 16], latent: 'map' },
    input: image,
    latentDim: 4,
    posterior: { type: 'vector-quantised', codes: 32 },
    likelihood: { type: 'gaussian', variance: 0.05 },
    seed: 5,
  };

  test('the codebook follows what is encoded, and every latent is one of its codes', { timeout: 60_000 }, async () => {
    await using vae = await Vae.create(options);
    const codes = () => vae.parameter('posterior.codebook');
    const first = codes();
    await vae.fit(train, { ...BATCH, epochs: 4 });
    const book = codes();
    expect(book).not.toEqual(first);
    const { mean } = await vae.encode(held);
    expect(mean.dims).toEqual([100, 4, 7, 7]);
    const rows = new Set(Array.from({ length: 32 }, (_, k) => book.slice(k * 4, k * 4 + 4).join()));
    const values = mean.data as Float32Array;
    const used = new Set<string>();
    for (let image = 0; image < 100; image += 1) {
      for (let place = 0; place < 49; place += 1) {
        const vector = [0, 1, 2, 3].map((channel) => values[(image * 4 + channel) * 49 + place]!).join();
        expect(rows.has(vector)).toBe(true);
        used.add(vector);
      }
    }
    expect(used.size).toBeGreaterThan(4);
    const { kl, reconstruction } = await vae.score(held);
    for (const value of kl) expect(value).toBeCloseTo(49 * Math.log(32), 2);
    await using untrained = await Vae.create(options);
    expect(meanOf(reconstruction)).toBeLessThan(meanOf((await untrained.score(held)).reconstruction));
    expect((await vae.sample(3)).dims).toEqual([3, 1, 28, 28]);

    const directory = join(folder, 'vq');
    await vae.save(directory);
    expect((await readdir(directory)).sort()).toContain('prior.onnx');
    const encoder = await InferenceSession.create(join(directory, 'encoder.onnx'));
    const floats = Float32Array.from(held.data, (value) => Math.fround(value * (1 / 255)));
    const { indices } = await encoder.run({ input: new Tensor('float32', floats, held.shape) });
    expect(indices!.dims).toEqual([100, 7, 7]);
    await using again = await Vae.load(directory);
    expect((await again.encode(held)).mean.data).toEqual(values);
  });
});

describe('conditional models', () => {
  const options: VaeOptions = {
    architecture: { type: 'mlp', hidden: [128] },
    input: image,
    latentDim: 4,
    condition: { classes: 10 },
    seed: 5,
  };
  const labelled = ({ data, shape, labels }: ReturnType<typeof digits>) => toDataset({ data, shape }, { labels });

  test('draw what they are told to', { timeout: 60_000 }, async () => {
    const data = digits(1500);
    await using vae = await Vae.create(options);
    await vae.fit(await labelled(data), { ...BATCH, epochs: 6 });
    // Draws are nearest to the mean digit of the class that was asked for: by chance one in ten would be.
    const means = Array.from({ length: 10 }, () => new Float64Array(784));
    const counts = new Array<number>(10).fill(0);
    for (const label of data.labels) counts[label]! += 1;
    data.labels.forEach((label, row) => {
      for (let i = 0; i < 784; i += 1) means[label]![i]! += data.data[row * 784 + i]! / 255 / counts[label]!;
    });
    const labels = Array.from({ length: 200 }, (_, row) => row % 10);
    const fresh = (await vae.sample(200, { labels, seed: 4 })).data as Float32Array;
    const right = labels.filter((label, row) => {
      const distances = means.map((mean) =>
        mean.reduce((sum, value, i) => sum + (value - fresh[row * 784 + i]!) ** 2, 0),
      );
      return distances.indexOf(Math.min(...distances)) === label;
    });
    expect(right.length).toBeGreaterThan(100);
    const told = meanOf((await vae.score(await labelled(held))).elbo);
    const misled = meanOf(
      (await vae.score(held, { labels: Array.from(held.labels, (label) => (label + 5) % 10) })).elbo,
    );
    expect(told).toBeGreaterThan(misled + 5);
    const directory = join(folder, 'conditional');
    await vae.save(directory);
    await using again = await Vae.load(directory);
    expect((await again.sample(200, { labels, seed: 4 })).data).toEqual(fresh);
  });

  test('say what is wrong with labels', async () => {
    await using vae = await Vae.create(options);
    await using plain = await Vae.create({ ...options, condition: undefined as never });
    const unlabelled = { data: held.data, shape: held.shape };
    await expect(vae.encode(unlabelled)).rejects.toThrow(/conditional: give \{ labels \}/);
    await expect(vae.encode(unlabelled, { labels: 10 })).rejects.toThrow(/row 0 is 10.*classes 0 to 9/);
    await expect(vae.encode(unlabelled, { labels: [1, 2] })).rejects.toThrow(/expected 100 labels/);
    await expect(vae.fit(unlabelled)).rejects.toThrow(/needs labels/);
    const beyond = await toDataset(unlabelled, { labels: held.labels.map(() => 11) });
    await expect(vae.fit(beyond)).rejects.toThrow(/classes 0 to 9/);
    await expect(plain.sample(2, { labels: 3 })).rejects.toThrow(/not conditional/);
  });
});

describe('custom architectures', () => {
  const { linear, activate } = layers;
  const build: BuildNetwork = ({ latentDim, dataShape, heads }) => ({
    latentShape: [latentDim],
    encode(scope, x, names) {
      const h = activate(scope.g, linear(scope.at('in'), layers.flattenRows(scope.g, x), 784, 32), 'relu');
      return names.map((name) => linear(scope.at(name), h, 32, latentDim));
    },
    decode(scope, z) {
      const { g } = scope;
      const h = activate(g, linear(scope.at('in'), z, latentDim, 32), 'relu');
      // Brighter where the latents are larger: any operator of ONNX may stand here.
      const gain = g.op('Softplus', [g.op('ReduceMean', [z, g.int64s([1])], { keepdims: 1 })]);
      return heads.map(({ name }) =>
        g.op('Reshape', [g.op('Mul', [linear(scope.at(name), h, 32, 784), gain]), g.int64s([-1, ...dataShape])]),
      );
    },
  });

  test('are a function over the builder, given again when the model is loaded', { timeout: 30_000 }, async () => {
    await using vae = await Vae.create({
      architecture: { type: 'custom', build },
      input: image,
      latentDim: 6,
      seed: 2,
    });
    const before = meanOf((await vae.score(held)).elbo);
    await vae.fit(train, { ...BATCH, epochs: 3 });
    const scores = await vae.score(held);
    expect(meanOf(scores.elbo)).toBeGreaterThan(before + 100);
    const directory = join(folder, 'custom');
    await vae.save(directory);
    await expect(Vae.load(directory)).rejects.toThrow(/as \{ build \} to Vae\.load/);
    await using again = await Vae.load(directory, { build });
    expect((await again.score(held)).elbo).toEqual(scores.elbo);
  });

  test('that give other shapes than they should are told so', async () => {
    const wrong: BuildNetwork = (context) => ({
      ...build(context),
      encode: (scope, x, names) => names.map(() => layers.flattenRows(scope.g, x)),
    });
    const options = { input: image, latentDim: 6 } as const;
    await expect(Vae.create({ ...options, architecture: { type: 'custom', build: wrong } })).rejects.toThrow(
      /encode\(\).*must give \[N, 6\] for "mean"/,
    );
    await expect(Vae.create({ ...options, architecture: 'custom' })).rejects.toThrow(/function of your program/);
    const nothing = (() => undefined) as unknown as BuildNetwork;
    await expect(Vae.create({ ...options, architecture: { type: 'custom', build: nothing } })).rejects.toThrow(
      /must return \{ latentShape, encode, decode \}/,
    );
  });
});

describe('options that do not fit together are refused, with the reason', () => {
  const base: VaeOptions = { input: image, architecture: { type: 'mlp', hidden: [8] }, latentDim: 4 };
  test.each<[string, Partial<VaeOptions>, RegExp]>([
    ['vector quantization without places', { posterior: 'vector-quantised' }, /needs a latent map/],
    ['a flow in one dimension', { posterior: 'iaf', latentDim: 1 }, /at least two/],
    ['VampPrior with a flow', { posterior: 'iaf', prior: 'vamp' }, /Gaussian posteriors/],
    ['VampPrior with labels', { prior: 'vamp', condition: { classes: 3 } }, /no labels/],
    ['total correlation with a flow', { posterior: 'iaf', objective: 'beta-tc' }, /diagonal Gaussian/],
    ['MMD with VampPrior', { prior: 'vamp', objective: 'info-mmd' }, /standard normal prior/],
    ['a ladder with a prior', { architecture: 'ladder', latentDim: undefined as never, prior: 'vamp' }, /own prior/],
    ['a ladder with a flow', { architecture: 'ladder', latentDim: undefined as never, posterior: 'iaf' }, /of its own/],
    ['a ladder of another size', { architecture: 'ladder', latentDim: 5 }, /leave latentDim out/],
    [
      'total correlation on a ladder',
      { architecture: 'ladder', latentDim: undefined as never, objective: 'beta-tc' },
      /several layers/,
    ],
    ['convolutions on a vector', { architecture: 'conv', input: { kind: 'vector', length: 9 } }, /2 axes and channels/],
    ['too many layers', { architecture: { type: 'conv', channels: [4, 4, 4, 4, 4, 4] } }, /leave nothing/],
    ['sizes that cannot be halved', { architecture: { type: 'resnet', channels: [8, 8, 8, 8] } }, /multiples of 8/],
    ['channels that cannot be grouped', { architecture: { type: 'resnet', channels: [12] } }, /8 groups/],
    [
      'IWAE of quantized latents',
      {
        architecture: { type: 'conv', latent: 'map' },
        posterior: 'vector-quantised',
        objective: 'iwae',
      },
      /single outcome/,
    ],
  ])('%s', async (_, options, reason) => {
    const failure = await Vae.create({ ...base, ...options }).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(VaeError);
    expect(failure).toMatchObject({ code: 'ERR_VAE_OPTION', message: expect.stringMatching(reason) });
  });

  test('data off the levels of a discrete likelihood', async () => {
    await using vae = await Vae.create({ ...base, likelihood: 'discretised-logistic' });
    const data = new Float32Array(2 * 784).fill(0.3);
    await expect(vae.fit({ data, shape: [2, 784] })).rejects.toThrow(/256 levels/);
  });
});
