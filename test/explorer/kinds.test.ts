/** Every kind of data in the browser: a row opens, a drag decodes, a file is placed. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { exploreModel } from '../../src/entries/explorer/index.js';
import { toDataset, Vae } from '../../src/index.js';
import { CHROMIUM, drawn, inkOf, useBrowser, WITHOUT_CHROMIUM } from '../support/browser.js';
import { digits } from '../support/digits.js';
import { hasFfmpeg } from '../support/ffmpeg.js';
import { temporaryFolderOfTest } from '../support/temporary.js';
import { clips, colourPictures, type MadeSubject, table, tones } from './subjects.js';

describe.skipIf(!CHROMIUM)(`kinds of data in the explorer${WITHOUT_CHROMIUM}`, () => {
  const open = useBrowser();

  async function explore(subject: Pick<MadeSubject, 'vae'> & Partial<MadeSubject>): Promise<string> {
    const explorer = await exploreModel({ ...subject, name: 'model', path: 'data' });
    onTestFinished(async () => {
      await explorer.close();
      await subject.vae.close();
    });
    return explorer.address;
  }

  /** Drops nothing: the button does the same as a drop. */
  it.each([
    ['pictures in colour', colourPictures, '0.png', 'canvas.pixels'],
    ['sound', tones, '0.wav · 1', 'canvas.spectrum'],
    ['video', clips, '0.y4m · 1', '.video canvas'],
  ] as const)('%s', async (_, make, title, canvas) => {
    const subject = await make(temporaryFolderOfTest('explorer-kind'));
    const { page, faults } = await open(`${await explore(subject)}#map?row=2`);
    await drawn(page, subject.data.length);
    await page.locator(`.face.now ${canvas}`).waitFor();
    const before = await inkOf(page, `.face.now ${canvas}`);
    const original = await inkOf(page, `.face ${canvas}`);
    expect(original).not.toBe(before);
    await page.locator('.slider input').first().fill('3.4');
    if (canvas !== '.video canvas') await expect.poll(() => inkOf(page, `.face.now ${canvas}`)).not.toBe(before);
    await page.locator('.plot').focus();
    await page.getByRole('button', { name: 'Close' }).click();
    await page.locator('input[type=file]').setInputFiles(subject.file);
    await page.getByRole('heading', { name: title }).waitFor();
    expect(await page.locator('.mark.file').count()).toBeGreaterThan(0);
    for (const view of ['Health', 'Between']) await page.getByRole('link', { name: view }).click();
    expect(faults).toEqual([]);
  });

  it('plays sound, and holds a frame of a video', async () => {
    const sound = await explore(await tones(temporaryFolderOfTest('explorer-kind')));
    const { page, faults } = await open(`${sound}#map?row=1`);
    await page.getByRole('button', { name: 'Play Original' }).click();
    await page.getByRole('button', { name: 'Play Reconstruction' }).click();
    expect(faults).toEqual([]);
    const video = await explore(await clips(temporaryFolderOfTest('explorer-kind')));
    const { page: second } = await open(`${video}#map?row=1`);
    const frame = second.getByRole('slider', { name: 'Frame' }).first();
    await frame.fill('0');
    const first = await inkOf(second, '.face .video canvas');
    await frame.fill('5');
    await expect.poll(() => inkOf(second, '.face .video canvas')).not.toBe(first);
  });

  it.skipIf(!hasFfmpeg)(
    `sound in a format of the browser${hasFfmpeg ? '' : ' (left out: ffmpeg is not installed)'}`,
    async () => {
      const folder = temporaryFolderOfTest('explorer-kind');
      const subject = await tones(folder);
      const file = join(temporaryFolderOfTest('explorer-sound'), 'tone.ogg');
      spawnSync(process.env['NODE_VAE_FFMPEG'] || 'ffmpeg', ['-v', 'error', '-i', subject.file, '-ar', '48000', file]);
      const { page, faults } = await open(await explore(subject));
      await drawn(page, subject.data.length);
      await page.locator('input[type=file]').setInputFiles(file);
      await page.getByRole('heading', { name: 'tone.ogg · 1' }).waitFor();
      expect(faults).toEqual([]);
    },
  );

  it.skipIf(!hasFfmpeg)(
    `video in a format of the browser${hasFfmpeg ? '' : ' (left out: ffmpeg is not installed)'}`,
    async () => {
      const subject = await clips(temporaryFolderOfTest('explorer-kind'));
      const file = join(temporaryFolderOfTest('explorer-video'), 'square.webm');
      const scaled = ['-vf', 'scale=64:64:flags=neighbor', '-c:v', 'libvpx', '-b:v', '1M'];
      const ffmpeg = process.env['NODE_VAE_FFMPEG'] || 'ffmpeg';
      expect(spawnSync(ffmpeg, ['-v', 'error', '-i', subject.file, ...scaled, file]).status).toBe(0);
      const { page, faults } = await open(await explore(subject));
      await drawn(page, subject.data.length);
      await page.locator('input[type=file]').setInputFiles(file);
      await page.getByRole('heading', { name: /^square\.webm/ }).waitFor();
      // The square is where it is in the file: white on dark.
      await expect.poll(() => inkOf(page, '.face .video canvas')).not.toBe(0);
      expect(faults).toEqual([]);
    },
  );

  it('a table, with its cells as they are written', async () => {
    const subject = await table(temporaryFolderOfTest('explorer-kind'));
    const { page, faults } = await open(`${await explore(subject)}#map?row=0`);
    await drawn(page, subject.data.length);
    const cells = page.getByRole('table', { name: 'Original' });
    expect(await cells.getByRole('row', { name: 'length' }).textContent()).toContain('1.00');
    expect(await cells.getByRole('row', { name: 'width' }).textContent()).toContain('missing');
    expect(await cells.getByRole('row', { name: 'kind' }).textContent()).toContain('long');
    await page.getByRole('button', { name: 'Close' }).click();
    await page.locator('input[type=file]').setInputFiles(subject.file);
    await page.getByRole('heading', { name: 'one.csv' }).waitFor();
    expect(await cells.getByRole('row', { name: 'kind' }).textContent()).toContain('round');
    expect(faults).toEqual([]);
  });

  it('a conditional model, whose label is chosen', async () => {
    const { data, shape, labels } = digits(200);
    const set = (await toDataset({ data, shape })).withLabels(labels);
    const vae = await Vae.create({
      ...{
        input: { kind: 'image', height: 28, width: 28, channels: 1 },
        architecture: { type: 'mlp', hidden: [64] },
        latentDim: 4,
      },
      ...{ condition: { classes: 10 }, likelihood: 'bernoulli', seed: 1 },
    });
    await vae.fit(set, { epochs: 8, batchSize: 16 });
    const { page, faults } = await open(`${await explore({ vae, data: set })}#map?row=0`);
    await drawn(page, 200);
    const before = await inkOf(page, '.face.now canvas');
    await page.getByLabel('Label').last().selectOption('1');
    await expect.poll(() => inkOf(page, '.face.now canvas')).not.toBe(before);
    await expect.poll(() => page.url()).toContain('l=1');
    expect(faults).toEqual([]);
  });

  it('a model without data, by draws from its prior; latents of one dimension; rows of no kind', async () => {
    const vae = await Vae.create({ input: { kind: 'vector', length: 6 }, latentDim: 1, likelihood: 'gaussian' });
    const { page, faults } = await open(`${await explore({ vae })}#map?row=5`);
    await drawn(page, 2000);
    await page.getByRole('heading', { name: 'Draw 6' }).waitFor();
    await page.getByText('give DATA').waitFor();
    await page.getByRole('link', { name: 'Health' }).click();
    await page.getByText('Give DATA to see how').waitFor();
    expect(faults).toEqual([]);
  });
});
