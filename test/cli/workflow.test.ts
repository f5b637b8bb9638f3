import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { readIdx, readNpy, Vae, writeNpy } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';
import { MNIST, runCli } from './run-cli.js';

const cwd = temporaryFolder('cli');
const cli = async (...args: string[]) => {
  const result = await runCli(args, { cwd });
  if (result.code !== 0) throw new Error(`node-vae ${args.join(' ')} ended with ${result.code}: ${result.stderr}`);
  return result;
};
const json = async (...args: string[]) => JSON.parse((await cli(...args, '--json')).stdout);
const inside = (name: string) => join(cwd, name);
const SMALL = ['--limit', '640', '--hidden', '32', '--latent', '4', '--batch-size', '64'];

beforeAll(async () => {
  await cli('train', MNIST, '-o', 'model', ...SMALL, '--epochs', '2', '--validation-split', '0.1', '--report');
});

describe('train', () => {
  it('writes a model that the library loads, its training state, and a report', async () => {
    await using vae = await Vae.load(inside('model'));
    expect(vae.info).toMatchObject({ latentDim: 4, architecture: { type: 'mlp', hidden: [32] }, trainedEpochs: 2 });
    expect((await readdir(inside('model/report'))).sort()).toEqual([
      'interpolations.png',
      'latent-space.png',
      'latent-use.png',
      'reconstructions.png',
      'report.html',
      'report.json',
      'residuals.png',
      'samples.png',
      'training-curves.png',
      'traversals.png',
    ]);
    const report = JSON.parse(await readFile(inside('model/report/report.json'), 'utf8'));
    expect(report.history).toHaveLength(2);
    expect(report.validation.loss).toBeGreaterThan(0);
  });

  it('prints a table of epochs on stderr, and one JSON object on stdout', async () => {
    const { stdout, stderr } = await cli(
      'train',
      MNIST,
      '-o',
      'lines',
      '--no-validation',
      ...SMALL,
      '--epochs',
      '2',
      '--json',
    );
    expect(stderr).toMatch(/^ +epoch +loss +reconstruction +KL +active +gradient +update +rate +rows\/s +left$/m);
    expect(stderr.match(/^ +[12]\/2 +\d+\.\d\d +\d+\.\d\d +\d+\.\d\d +\d\/4 /gm)).toHaveLength(2);
    expect(stderr).not.toContain('\u001b');
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ model: 'lines', interrupted: false, epochs: 2 });
    expect(result.history[1].train.loss).toBeLessThan(result.history[0].train.loss);
  });

  it('refuses to replace a model unasked, and replaces it when asked', async () => {
    const refused = await runCli(['train', MNIST, '-o', 'lines', ...SMALL], { cwd });
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('--overwrite')]);
    expect(await json('train', MNIST, '-o', 'lines', ...SMALL, '--epochs', '1', '--overwrite')).toMatchObject({
      epochs: 1,
    });
  });

  it('goes on where it stopped, to the very result of one run', async () => {
    const whole = await json('train', MNIST, '-o', 'whole', ...SMALL, '--epochs', '3');
    await cli('train', MNIST, '-o', 'parts', ...SMALL, '--epochs', '1');
    const parts = await json(
      'train',
      MNIST,
      '-o',
      'parts',
      '--limit',
      '640',
      '--batch-size',
      '64',
      '--epochs',
      '3',
      '--resume',
    );
    expect(parts.history[2].train).toEqual(whole.history[2].train);
    expect(await readFile(inside('parts/encoder.onnx'))).toEqual(await readFile(inside('whole/encoder.onnx')));
    const contradiction = await runCli(['train', MNIST, '-o', 'parts', '--resume', '--latent', '5'], { cwd });
    expect([contradiction.code, contradiction.stderr]).toEqual([2, expect.stringContaining('leave out --latent')]);
  });

  it('takes options from a file, flags over it, and --set over both', async () => {
    await writeFile(
      inside('run.json'),
      JSON.stringify({ model: { latentDim: 3, architecture: 'mlp' }, fit: { epochs: 1, batchSize: 64 } }),
    );
    await cli(
      'train',
      MNIST,
      '-o',
      'configured',
      '--config',
      'run.json',
      '--limit',
      '128',
      '--latent',
      '5',
      '--set',
      'model.architecture.hidden=[16,8]',
    );
    const info = await json('info', 'configured');
    expect(info).toMatchObject({ latentDim: 5, architecture: { type: 'mlp', hidden: [16, 8] }, trainedEpochs: 1 });
    await writeFile(inside('broken.json'), '{"modell": {}}');
    const broken = await runCli(['train', MNIST, '-o', 'x', '--config', 'broken.json'], { cwd });
    expect([broken.code, broken.stderr]).toEqual([2, expect.stringContaining('"modell"')]);
  });

  it('chooses vectors and the gaussian likelihood for real numbers in a .npy file', async () => {
    const data = Float32Array.from({ length: 200 * 6 }, (_, i) => 3 * Math.sin(i));
    await writeNpy(inside('table.npy'), { data, shape: [200, 6] });
    await cli('train', 'table.npy', '-o', 'table', '--epochs', '1', '--hidden', '8', '--latent', '2', '--report');
    const info = await json('info', 'table');
    expect(info).toMatchObject({ input: { kind: 'vector', length: 6 }, likelihood: { type: 'gaussian' } });
    expect((await readdir(inside('table/report'))).sort()).toEqual([
      'latent-space.png',
      'latent-use.png',
      'report.html',
      'report.json',
      'training-curves.png',
    ]);
  });
});

describe('encode and decode', () => {
  it("write what the library's own calls give", async () => {
    expect(
      await json(
        'encode',
        'model',
        MNIST,
        '--part',
        'test',
        '--limit',
        '70',
        '-o',
        'means.npy',
        '--log-variance',
        'spread.npy',
      ),
    ).toMatchObject({ rows: 70, shape: [70, 4] });
    await using vae = await Vae.load(inside('model'));
    const rows = (await readIdx(MNIST, { part: 'test' })).take(70);
    const { mean, logVariance } = await vae.encode(rows);
    const means = await readNpy(inside('means.npy'));
    expect([means.type, means.dims]).toEqual(['float32', [70, 4]]);
    expect(means.data).toEqual(mean.data);
    expect((await readNpy(inside('spread.npy'))).data).toEqual(logVariance.data);
    await cli('decode', 'model', 'means.npy', '-o', 'decoded.npy');
    const decoded = await readNpy(inside('decoded.npy'));
    expect(decoded.dims).toEqual([70, 1, 28, 28]);
    expect(decoded.data).toEqual((await vae.decode(mean)).data);
  });

  it('writes pictures as a grid or one by one', async () => {
    await cli('decode', 'model', 'means.npy', '-o', 'grid.png', '--columns', '10', '--limit', '20');
    const { width, height } = await sharp(inside('grid.png')).metadata();
    expect([width, height]).toEqual([10 * 30 - 2, 2 * 30 - 2]);
    expect((await json('decode', 'model', 'means.npy', '-o', 'each', '--limit', '3')).files).toEqual([
      'each/0000.png',
      'each/0001.png',
      'each/0002.png',
    ]);
    const decoded = await readNpy(inside('decoded.npy'));
    const pixels = await sharp(inside('each/0002.png')).toColourspace('b-w').raw().toBuffer();
    const expected = Array.from((decoded.data as Float32Array).subarray(2 * 784, 3 * 784), (value) =>
      Math.round(value * 255),
    );
    expect(Array.from(pixels)).toEqual(expected);
    const jpeg = await runCli(['decode', 'model', 'means.npy', '-o', 'grid.jpg'], { cwd });
    expect([jpeg.code, jpeg.stderr]).toEqual([2, expect.stringContaining('.png')]);
  });

  it('refuses latents of another size', async () => {
    await writeNpy(inside('wide.npy'), { data: new Float32Array(10), shape: [2, 5] });
    const { code, stderr } = await runCli(['decode', 'model', 'wide.npy', '-o', 'x.npy'], { cwd });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^ERR_VAE_SHAPE: /)]);
  });
});

describe('sample', () => {
  it('gives the same examples for the same seed', async () => {
    await cli('sample', 'model', '-n', '5', '--seed', '3', '-o', 'a.npy');
    await cli('sample', 'model', '-n', '5', '--seed', '3', '-o', 'b.npy');
    await cli('sample', 'model', '-n', '5', '--seed', '4', '-o', 'c.npy');
    expect(await readFile(inside('a.npy'))).toEqual(await readFile(inside('b.npy')));
    expect(await readFile(inside('a.npy'))).not.toEqual(await readFile(inside('c.npy')));
  });
});

describe('score', () => {
  it('prints the mean of what it writes for each row', async () => {
    const result = await json('score', 'model', MNIST, '--part', 'test', '--limit', '50', '-o', 'scores.npy');
    const { dims, data } = await readNpy(inside('scores.npy'));
    expect(dims).toEqual([50, 3]);
    const values = data as Float32Array;
    const column = (index: number) =>
      values.filter((_, at) => at % 3 === index).reduce((sum, value) => sum + value, 0) / 50;
    expect(result.elbo).toBeCloseTo(column(0), 3);
    expect(result.reconstruction + result.kl).toBeCloseTo(-result.elbo, 3);
    expect(result.kl).toBeCloseTo(column(2), 3);
    const { stdout } = await cli('score', 'model', MNIST, '--part', 'test', '--limit', '50');
    expect(stdout).toContain(`${result.loss.toFixed(3)} ± `);
  });
});
