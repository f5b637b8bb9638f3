import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, it } from 'vitest';
import { Vae } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const out = temporaryFolder('demo');
beforeAll(async () => {
  if (!existsSync(join(root, 'dist/main/index.js')))
    throw new Error('The examples run the built package: run `npm run setup` first.');
});

it('trains, scores, saves, loads and reports, in small', async () => {
  const args = ['examples/mnist-demo.mjs', '--epochs', '2', '--train', '3000', '--test', '500', '--out', out];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  expect(stdout.match(/^epoch \d\/2 {2}loss /gm)).toHaveLength(2);
  expect((await readdir(out)).sort()).toEqual([
    'latent-space.png',
    'model',
    'reconstructions.png',
    'report.html',
    'report.json',
    'samples.png',
    'training-curves.png',
  ]);
  const report = JSON.parse(await readFile(join(out, 'report.json'), 'utf8'));
  expect(report.epochs).toBe(2);
  expect(report.testLoss).toBeCloseTo(report.reconstruction + report.kl, 6);
  // An untrained model scores 543.4 = 784 ln 2; two small epochs must come far below it.
  expect(report.testLoss).toBeLessThan(300);
  for (const name of ['trainSeconds', 'imagesPerSecond', 'encodeImagesPerSecond', 'decodeImagesPerSecond']) {
    expect(report[name], name).toBeGreaterThan(0);
  }
  expect(stdout).toContain(`Test loss       ${report.testLoss.toFixed(2)} nats per image`);
  await using vae = await Vae.load(join(out, 'model'));
  expect(vae.info.parameterCount).toBe(652_824);
});

it('refuses options it does not know', async () => {
  const run = promisify(execFile)(process.execPath, ['examples/mnist-demo.mjs', '--epoch', '2'], { cwd: root });
  await expect(run).rejects.toMatchObject({ stderr: expect.stringContaining('--epoch') });
});
