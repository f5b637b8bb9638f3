/** `deterministic: true`: the same bits everywhere, near what ONNX Runtime computes. */
import { describe, expect, test } from 'vitest';
import { fixtureModel } from '../../src/entries/testing/index.js';
import { Vae, type VaeOptions } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';
import { digests, MODELS } from './deterministic-child.mjs';

/**
 * What every processor computes: test/vae/processors.mjs compares emulated ones of three generations, and arm64. Other
 * digests here mean that archives of results no longer hold: say so in the changelog.
 */
const EXPECTED = [
  'mlp dd9b50ed 5a972ea2 80441bfc df29eb5b 2804b97c 7a079a1f',
  'gelu 0b41699c a0e92c8a 9a72d083 b33ecfd8 2e5d1f05 34e11831',
  'conv 8d860594 f464a17c eb2b5f44 86dcb141 d86acceb b318e68e',
  'resnet 9aef3532 40f0ba33 74a3538c 6c2e45d3 cc68454e f31a825d',
  'sequence 613d187d 618755d0 1cb55b50 d8ad126b 6d346f98 da5f1856',
  'ladder cca4a675 b385276d 4205a177 e14e4753 a6916567 da6400f2',
  'vamp 224a4776 6a93736a de0da591 ef5bde56 ec5fbc7f e27a8051',
  'logistic 224a4776 a9fb3f71 a4284446 66ce611d 07c3f57e 9afa366c',
];

test.each(EXPECTED.map((line) => [line.split(' ')[0]!, line]))('%s', async (name, line) => {
  expect(await digests([name])).toEqual([line]);
  expect(await digests([name], { threads: 1 })).toEqual([line]);
});

describe.each(Object.entries(MODELS))('%s, beside ONNX Runtime', (_, options) => {
  test('is the same but for rounding', async () => {
    const settings = { ...(options as VaeOptions), seed: 3 };
    await using plain = await Vae.create({ ...settings, deterministic: true });
    await using other = await Vae.create(settings);
    const size = plain.dataShape.reduce((product, side) => product * side, 1);
    const data = Uint8Array.from({ length: 6 * size }, (__, index) => ((index * 37) ^ (index >> 3)) & 255);
    const rows = { data, shape: [6, ...plain.dataShape] };
    const close = (ours: Iterable<number>, theirs: Iterable<number>, what: string) => {
      const [a, b] = [[...ours], [...theirs]];
      const largest = Math.max(1e-3, ...b.map(Math.abs));
      expect(a.length, what).toBe(b.length);
      for (const [index, value] of a.entries()) expect(Math.abs(value - b[index]!), what).toBeLessThan(3e-5 * largest);
    };
    const [one, two] = [await plain.encode(rows), await other.encode(rows)];
    close(one.mean.data as Float32Array, two.mean.data as Float32Array, 'mean');
    close(one.logVariance.data as Float32Array, two.logVariance.data as Float32Array, 'log-variance');
    const decoded = [await plain.decode(two.mean), await other.decode(two.mean)] as const;
    close(decoded[0].data as Float32Array, decoded[1].data as Float32Array, 'decoded');
    const scores = [await plain.score(rows, { seed: 1 }), await other.score(rows, { seed: 1 })] as const;
    close(scores[0].elbo, scores[1].elbo, 'bound');
    const fit = { epochs: 1, batchSize: 3, seed: 2 };
    const [ours, theirs] = [await plain.fit(rows, fit), await other.fit(rows, fit)];
    close([ours.epochs[0]!.train.loss], [theirs.epochs[0]!.train.loss], 'loss of training');
  });
});

test('a saved model is opened so, by its summary too', async () => {
  const directory = temporaryFolder('deterministic');
  await using made = await fixtureModel();
  await made.save(directory);
  await using opened = await Vae.load(directory, { deterministic: true });
  const rows = { data: Uint8Array.from({ length: 128 }, (_, index) => index), shape: [2, 1, 8, 8] };
  expect(await opened.encode(rows)).toEqual(await made.encode(rows));
  expect(await opened.score(rows, { seed: 1 })).toEqual(await made.score(rows, { seed: 1 }));
});

test('what cannot be had is refused', async () => {
  const input = { kind: 'image', height: 8, width: 8 } as const;
  await expect(Vae.create({ input, deterministic: true, provider: 'auto' })).rejects.toMatchObject({
    code: 'ERR_VAE_OPTION',
  });
});

test('the fixture is what create() makes of the same options', async () => {
  for (const options of [{}, { seed: 5, side: 4, channels: 3, latentDim: 3 }, { classes: 3 }]) {
    const { seed = 1, side = 8, channels = 1, latentDim = 2, classes } = options as Record<string, number>;
    await using fixture = await fixtureModel(options);
    await using made = await Vae.create({
      input: { kind: 'image', height: side, width: side, channels },
      architecture: { type: 'mlp', hidden: [8] },
      ...{ latentDim, seed, ...(classes !== undefined && { condition: { classes } }) },
    });
    expect(fixture.info).toEqual(made.info);
    expect(fixture.parameter('encoder.mean.weight')).toEqual(made.parameter('encoder.mean.weight'));
  }
});
