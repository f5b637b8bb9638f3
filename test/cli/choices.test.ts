/** What a model is made of, chosen from the command line: labels, posterior, prior, objective, likelihood. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { readNpy, Vae, writeNpy } from '../../src/index.js';
import { digits } from '../support/digits.js';
import { temporaryFolder } from '../support/temporary.js';
import { MNIST, runCli } from './run-cli.js';

const cwd = temporaryFolder('choices');
const cli = async (...args: string[]) => {
  const result = await runCli(args, { cwd });
  if (result.code !== 0) throw new Error(`node-vae ${args.join(' ')} ended with ${result.code}: ${result.stderr}`);
  return result.stdout;
};
const json = async (...args: string[]) => JSON.parse(await cli(...args, '--json'));
const npy = async (name: string) => (await readNpy(join(cwd, name))).data as Float32Array;
const SMALL = ['--limit', '640', '--hidden', '32', '--latent', '4', '--epochs', '2'];

describe('a conditional model', () => {
  beforeAll(async () => {
    const split = ['--validation-split', '0.2', '--report'];
    await cli(
      'train',
      MNIST,
      '-o',
      'labelled',
      ...SMALL,
      '--conditional',
      '--set',
      'model.condition.embedding=3',
      ...split,
    );
    await cli('encode', 'labelled', MNIST, '--part', 'test', '--limit', '20', '-o', 'latents.npy');
    const labels = Int32Array.from(digits(20, 't10k').labels);
    await writeNpy(join(cwd, 'labels.npy'), { data: labels, shape: [20] });
  });

  it('takes its classes from the data, and says so', async () => {
    expect(await json('info', 'labelled')).toMatchObject({ condition: { classes: 10, embedding: 3 } });
    expect(await cli('info', 'labelled')).toMatch(/Labels +10 classes, as vectors of 3/);
    expect(await readdir(join(cwd, 'labelled/report'))).toContain('samples.png');
  });

  it('encodes with the labels of the data, or one for all', async () => {
    await using vae = await Vae.load(join(cwd, 'labelled'));
    const rows = digits(20, 't10k');
    const own = await vae.encode(rows, { labels: rows.labels });
    expect(await npy('latents.npy')).toEqual(own.mean.data);
    await cli('encode', 'labelled', MNIST, '--part', 'test', '--limit', '20', '--label', '5', '-o', 'fives.npy');
    const fives = await vae.encode(rows, { labels: 5 });
    expect(await npy('fives.npy')).toEqual(fives.mean.data);
    expect(await npy('fives.npy')).not.toEqual(own.mean.data);
  });

  it('decodes and samples with the labels that it is given', async () => {
    await using vae = await Vae.load(join(cwd, 'labelled'));
    const latents = { data: await npy('latents.npy'), shape: [20, 4] };
    await cli('decode', 'labelled', 'latents.npy', '--labels', 'labels.npy', '-o', 'own.npy');
    expect(await npy('own.npy')).toEqual((await vae.decode(latents, { labels: digits(20, 't10k').labels })).data);
    await cli('decode', 'labelled', 'latents.npy', '--label', '3', '--limit', '7', '-o', 'threes.npy');
    const first = { data: latents.data.subarray(0, 28), shape: [7, 4] };
    expect(await npy('threes.npy')).toEqual((await vae.decode(first, { labels: 3 })).data);
    await cli('sample', 'labelled', '-n', '5', '--label', '1,2', '--seed', '9', '-o', 'samples.npy');
    const samples = await vae.sample(5, { seed: 9, labels: [1, 2, 1, 2, 1] });
    expect(await npy('samples.npy')).toEqual(samples.data);
  });

  it('scores with the labels of the data', async () => {
    await using vae = await Vae.load(join(cwd, 'labelled'));
    const rows = digits(20, 't10k');
    const { elbo } = await vae.score(rows, { labels: rows.labels, seed: 0 });
    const scored = await json('score', 'labelled', MNIST, '--part', 'test', '--limit', '20');
    expect(scored.elbo).toBeCloseTo(elbo.reduce((sum, value) => sum + value, 0) / 20, 3);
  });

  it('is refused without labels', async () => {
    const refused = await runCli(['sample', 'labelled', '-o', 'x.png'], { cwd });
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('this model is conditional')]);
    const unlabelled = await runCli(['train', 'latents.npy', '-o', 'x', '--conditional'], { cwd });
    expect(unlabelled.code).toBe(1);
    expect(unlabelled.stderr).toContain('--conditional: the data has no labels');
  });
});

it('takes posterior, objective and likelihood by name or JSON, and options by --set', async () => {
  await cli(
    ...['train', MNIST, '-o', 'chosen', ...SMALL],
    ...['--posterior', '{"type":"iaf","steps":1,"hidden":16}', '--objective', 'free-bits'],
    ...['--set', 'model.objective.lambda=0.5', '--likelihood', 'discretised-logistic'],
  );
  expect(await json('info', 'chosen')).toMatchObject({
    posterior: { type: 'iaf', steps: 1, hidden: 16 },
    objective: { type: 'free-bits', lambda: 0.5 },
    likelihood: { type: 'discretised-logistic' },
    prior: { type: 'standard' },
  });
  await cli('train', MNIST, '-o', 'mixed', ...SMALL, '--prior', 'vamp', '--set', 'model.prior.components=20');
  expect(await json('info', 'mixed')).toMatchObject({ prior: { type: 'vamp', components: 20 } });
});

describe('score', () => {
  const test = [MNIST, '--part', 'test', '--limit', '50'];

  it('tells which dimensions are used, the most used first', async () => {
    const { latents, kl } = await json('score', 'chosen', ...test, '--dimensions');
    expect(latents.klPerDimension.reduce((sum: number, value: number) => sum + value, 0)).toBeCloseTo(kl, 3);
    expect(latents).toMatchObject({ rows: 50, active: expect.any(Array), layers: [{ name: 'z', size: 4 }] });
    const table = await cli('score', 'chosen', ...test, '--dimensions');
    const column = [...table.matchAll(/z\[\d\] +(-?[\d.]+)/g)].map(([, value]) => Number(value));
    expect(column).toHaveLength(4);
    expect(column).toEqual([...column].sort((a, b) => b - a));
  });

  it('gives the importance-weighted bound, tighter than the ELBO', async () => {
    const scored = await json('score', 'mixed', ...test, '--importance-samples', '50', '-o', 'scores.npy');
    expect(scored.importanceWeighted).toBeGreaterThan(scored.elbo);
    expect((await readNpy(join(cwd, 'scores.npy'))).dims).toEqual([50, 4]);
  });
});

it('a codec that cannot be is refused before it is trained', async () => {
  for (const [flag, reason] of [
    [['--posterior', 'iaf'], 'its posterior is "iaf"'],
    [['--conditional'], 'it is conditional'],
    [['--likelihood', 'bernoulli'], 'its likelihood is "bernoulli"'],
  ] as const) {
    const refused = await runCli(['train', MNIST, '-o', 'codec', '--limit', '100', '--codec', ...flag], { cwd });
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(reason)]);
  }
  expect(await readdir(cwd)).not.toContain('codec');
});
