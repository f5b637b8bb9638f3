/** Models that are opened by their summary are what they are without it. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Vae, type VaeOptions } from '../../src/index.js';
import { plainSetting } from '../../src/vae/load.js';
import { loadSchema } from '../../src/vae/options.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('summary');
const picture = { kind: 'image', height: 16, width: 16, channels: 1 } as const;
const sequence = { kind: 'sequence', length: 64, channels: 1 } as const;

const MODELS: Readonly<Record<string, Omit<VaeOptions, 'latentDim'>>> = {
  mlp: { input: picture, architecture: { type: 'mlp', hidden: [12] } },
  'mlp with classes': { input: picture, architecture: { type: 'mlp', hidden: [12] }, condition: { classes: 3 } },
  'learned variance': { input: picture, likelihood: { type: 'gaussian', variance: 'learned' } },
  levels: { input: picture, likelihood: { type: 'discretised-logistic' } },
  conv: { input: picture, architecture: { type: 'conv', channels: [4, 8] } },
  'latents with places': { input: picture, architecture: { type: 'conv', channels: [4, 8], latent: 'map' } },
  conv1d: { input: sequence, architecture: { type: 'conv1d', channels: [4, 8] } },
  ladder: { input: picture, architecture: { type: 'ladder', latents: [3, 2], hidden: [8, 6] } },
  chain: { input: picture, architecture: { type: 'chain', latents: [3, 2], hidden: [8, 6] } },
  vamp: { input: picture, prior: { type: 'vamp', components: 4 } },
  iaf: { input: picture, posterior: { type: 'iaf', steps: 1, hidden: 8 } },
} as never;

const rows = (vae: Vae) => {
  const size = vae.dataShape.reduce((product, side) => product * side, 1);
  const data = Float32Array.from({ length: 3 * size }, (_, index) => ((index * 37) % 256) / 255);
  return { data, shape: [3, ...vae.dataShape] };
};

describe.each(Object.entries(MODELS))('%s', (name, options) => {
  test('is the same model', async () => {
    const directory = join(folder, name);
    const settings = { latentDim: 4, seed: 3, ...options } as VaeOptions;
    await using made = await Vae.create(
      'ladder' === name || name === 'chain' ? ({ ...settings, latentDim: undefined } as never) : settings,
    );
    await made.save(directory);
    await using opened = await Vae.load(directory);
    await rm(join(directory, 'summary.json'));
    await using plain = await Vae.load(directory);
    expect(opened.info).toEqual(plain.info);
    expect(opened.info).toEqual(made.info);
    for (const shape of ['dataShape', 'latentShape'] as const) expect(opened[shape]).toEqual(plain[shape]);
    for (const { name: parameter } of plain.info.parameters) {
      expect(opened.parameter(parameter)).toEqual(plain.parameter(parameter));
    }
    expect(() => opened.parameter('nobody')).toThrow(/no parameter named "nobody"; it has \w+/);
    const labels = options.condition === undefined ? {} : { labels: [0, 1, 2] };
    const label = options.condition === undefined ? {} : { labels: 1 };
    for (const each of ['encode', 'reconstruct', 'score'] as const) {
      const call = (vae: Vae) => vae[each](rows(vae), { ...labels, ...(each === 'score' && { seed: 1 }) });
      expect(await call(opened), each).toEqual(await call(plain));
    }
    expect(await opened.sample(2, { seed: 5, ...label })).toEqual(await plain.sample(2, { seed: 5, ...label }));
    const resize = (vae: Vae) => {
      try {
        return vae.resized('length' in settings.input ? { length: 128 } : { height: 32, width: 32 });
      } catch (error) {
        return (error as { code?: string }).code;
      }
    };
    const [one, other] = [resize(opened), resize(plain)];
    if (typeof one === 'string' || typeof other === 'string') expect(one).toEqual(other);
    else {
      expect(one!.dataShape).toEqual(other!.dataShape);
      await Promise.all([one!.close(), other!.close()]);
    }
  });
});

test('a model that was opened by its summary is trained, saved, cloned and quantized', async () => {
  const directory = join(folder, 'trained');
  const settings = { input: picture, architecture: { type: 'mlp', hidden: [12] }, latentDim: 4, seed: 3 } as const;
  await using made = await Vae.create(settings);
  const data = rows(made);
  await made.fit(data, { epochs: 1, batchSize: 3, seed: 1 });
  await made.save(directory, { training: true });
  await using opened = await Vae.load(directory);
  expect(opened.info).toEqual(made.info);
  expect(opened.info.trainedEpochs).toBe(1);
  await using clone = opened.clone();
  for (const vae of [made, opened]) await vae.fit(data, { epochs: 1, batchSize: 3, seed: 1 });
  expect(opened.parameter('encoder.mean.weight')).toEqual(made.parameter('encoder.mean.weight'));
  expect(clone.parameter('encoder.mean.weight')).not.toEqual(made.parameter('encoder.mean.weight'));
  await clone.save(join(folder, 'cloned'));
  await using again = await Vae.load(join(folder, 'cloned'));
  expect(again.parameter('encoder.mean.weight')).toEqual(clone.parameter('encoder.mean.weight'));
  const { vae: int8 } = await again.quantize(data);
  await int8.close();
});

test('a summary of something else is passed over, and one that was altered too', async () => {
  const directory = join(folder, 'altered');
  await using made = await Vae.create({ input: picture, latentDim: 4 });
  await made.save(directory);
  const path = join(directory, 'config.json');
  const config = JSON.parse(await readFile(path, 'utf8'));
  await writeFile(path, JSON.stringify({ ...config, latentDim: -4 }));
  await expect(Vae.load(directory)).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT', message: /latentDim/ });
  await writeFile(path, JSON.stringify(config));
  await writeFile(join(directory, 'summary.json'), '{}');
  await using opened = await Vae.load(directory);
  expect(opened.info).toEqual(made.info);
});

test.each([[{}], [{ threads: 2 }], [{ provider: 'cpu' }], [{ threads: undefined }]])(
  '%o is read as the schema reads it',
  (options) => {
    expect(plainSetting(options)).toEqual(loadSchema.parse(options));
  },
);

test.each([
  [{ threads: 1.5 }],
  [{ threads: -1 }],
  [{ threads: '2' }],
  [{ provider: 'cuda' }],
  [{ tiling: true }],
  [{ thread: 1 }],
  [null],
])('%o is left to the schema', (options) => {
  expect(plainSetting(options)).toBeUndefined();
});
