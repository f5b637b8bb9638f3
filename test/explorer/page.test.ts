/** The page in a real browser, with the model that comes with the package. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../../src/data/image/encode.js';
import { type Explorer, exploreModel } from '../../src/entries/explorer/index.js';
import { toDataset, Vae } from '../../src/index.js';
import { CHROMIUM, drawn, inkOf, useBrowser, WITHOUT_CHROMIUM } from '../support/browser.js';
import { digits } from '../support/digits.js';
import { temporaryFolder } from '../support/temporary.js';

const ROWS = 400;

describe.skipIf(!CHROMIUM)(`the explorer's page${WITHOUT_CHROMIUM}`, () => {
  const folder = temporaryFolder('explorer');
  const open = useBrowser();
  let vae: Vae;
  let explorer: Explorer;

  beforeAll(async () => {
    vae = await Vae.load('mnist-mlp');
    const { data, shape, labels } = digits(ROWS, 't10k');
    const set = (await toDataset({ data, shape })).withLabels(labels);
    const curves = [1, 2, 3].map((epoch) => ({
      epoch,
      train: { loss: 120 / epoch, reconstruction: 100 / epoch, kl: 20 },
    }));
    explorer = await exploreModel({ vae, name: 'digits', data: set, path: 'test digits', curves });
  });
  afterAll(async () => {
    await explorer?.close();
    await vae?.close();
  });

  it('draws every row on the map, and opens one with what the model makes of it', async () => {
    const { page, faults } = await open(`${explorer.address}#map?row=7`);
    await drawn(page, ROWS);
    await page.getByRole('heading', { name: 'Row 8' }).waitFor();
    for (const name of ['Original', 'Reconstruction', 'What differs']) {
      expect(await page.getByRole('img', { name, exact: true }).count()).toBe(1);
    }
    // The scores of the page are those of the library.
    const { data, shape } = digits(8, 't10k');
    const { elbo, kl } = await vae.score({ data, shape }, { seed: 0 });
    await page.getByText('Stranger than').waitFor();
    const scores = await page.locator('.item .scores dd').allTextContents();
    expect(Number(scores[0])).toBeCloseTo(elbo[7]!, 1);
    expect(Number(scores[2])).toBeCloseTo(kl[7]!, 1);
    expect(await page.getByRole('region', { name: 'Nearest in latent space' }).getByRole('button').count()).toBe(8);
    expect(faults).toEqual([]);
  });

  it('decodes under the pointer while it is dragged', async () => {
    const { page, faults } = await open(`${explorer.address}#map?t=decode`);
    await drawn(page, ROWS);
    const { x, y, width, height } = (await page.locator('.plot').boundingBox())!;
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.mouse.down();
    const face = '.face.now canvas';
    await page.locator(face).waitFor();
    const seen = new Set([await inkOf(page, face)]);
    for (let step = 1; step <= 12; step += 1) {
      await page.mouse.move(x + width / 2 + 14 * step, y + height / 2 - 8 * step);
      // As long as a busy machine needs: the bench tells how long that is on a quiet one.
      await expect.poll(async () => seen.has(await inkOf(page, face)), { timeout: 20_000 }).toBe(false);
      seen.add(await inkOf(page, face));
    }
    await page.mouse.up();
    expect(seen.size).toBe(13);
    const times = await page.evaluate<number[]>(
      `performance.getEntriesByName('drag to picture').map(({ duration }) => duration)`,
    );
    // The bench has the median; other tests may be running here.
    expect(Math.min(...times)).toBeLessThan(50);
    expect(faults).toEqual([]);
  });

  it('shows the row under the pointer, and opens the one that is pressed', async () => {
    const { page, faults } = await open(`${explorer.address}?test#map`);
    await drawn(page, ROWS);
    const { x, y } = (await page.locator('.plot').boundingBox())!;
    const [left, top] = await page.evaluate<[number, number]>(
      '(() => { const { points } = explorerStore.map; return explorerPlot.toScreen(points[2 * 42], points[2 * 42 + 1]); })()',
    );
    await page.mouse.move(x + left, y + top);
    await page.locator('.tip', { hasText: 'Row 43' }).waitFor();
    await page.mouse.click(x + left, y + top);
    await page.getByRole('heading', { name: 'Row 43' }).waitFor();
    // The wheel magnifies about the pointer: what lies under it stays.
    await page.mouse.wheel(0, -600);
    await expect.poll(() => page.url()).toContain('v=');
    await page.mouse.click(x + left, y + top);
    await page.getByRole('heading', { name: 'Row 43' }).waitFor();
    expect(faults).toEqual([]);
  });

  it('moves a latent by its slider, resets it, and has a link that brings it back', async () => {
    const { page } = await open(`${explorer.address}#map?row=3`);
    await drawn(page, ROWS);
    const slider = page.locator('.slider input').first();
    await page.getByText('most KL first').waitFor();
    const face = '.face.now canvas';
    const before = await inkOf(page, face);
    await slider.fill('3');
    await expect.poll(() => inkOf(page, face)).not.toBe(before);
    await expect.poll(() => page.url()).toContain('z=');
    const moved = await inkOf(page, face);
    const { page: again } = await open(page.url());
    await again.getByRole('heading', { name: 'Row 4' }).waitFor();
    await expect.poll(() => again.locator('.slider output').first().textContent()).toBe('3.00');
    await expect.poll(() => inkOf(again, face)).toBe(moved);
    await page.getByRole('button', { name: 'Reset' }).click();
    await expect.poll(() => inkOf(page, face)).toBe(before);
    await page.getByRole('button', { name: 'Draw at random' }).click();
    await page.getByRole('heading', { name: 'A draw from the prior' }).waitFor();
  });

  it('places a dropped picture on the map, as the model reads it', async () => {
    const { data } = digits(1, 'train');
    const path = join(folder, 'five.png');
    await writeFile(path, await encodePng({ width: 28, height: 28, channels: 1, data }));
    const { page, faults } = await open(explorer.address);
    await drawn(page, ROWS);
    const bytes = [...(await readFile(path))];
    // As text: the sources of the tests know nothing of a browser.
    const transfer = await page.evaluateHandle(`(() => {
      const all = new DataTransfer();
      all.items.add(new File([new Uint8Array([${bytes}])], 'five.png', { type: 'image/png' }));
      return all;
    })()`);
    await page.dispatchEvent('main', 'drop', { dataTransfer: transfer });
    await page.getByRole('heading', { name: 'five.png' }).waitFor();
    expect(await page.locator('.mark.file').count()).toBe(1);
    const { elbo } = await vae.score({ data, shape: [1, 1, 28, 28] }, { seed: 0 });
    expect(Number(await page.locator('.item .scores dd').first().textContent())).toBeCloseTo(elbo[0]!, 1);
    expect(faults).toEqual([]);
  });

  it('says what is wrong with a file that the model cannot read', async () => {
    const { page } = await open(explorer.address);
    await drawn(page, ROWS);
    await page
      .locator('input[type=file]')
      .setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no picture') });
    await page.getByText('The body is no picture').waitFor();
  });

  it('finds rows by label, selects by lasso, and colours by score', async () => {
    const { page } = await open(explorer.address);
    await drawn(page, ROWS);
    await page.getByLabel('Search rows').fill('3');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByText(/^\d+ selected$/).waitFor();
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByRole('button', { name: 'Lasso' }).click();
    const { x, y, width, height } = (await page.locator('.plot').boundingBox())!;
    const corners = [
      [0.2, 0.2],
      [0.8, 0.2],
      [0.8, 0.8],
      [0.2, 0.8],
      [0.2, 0.25],
    ] as const;
    await page.mouse.move(x + 0.2 * width, y + 0.2 * height);
    await page.mouse.down();
    for (const [px, py] of corners) await page.mouse.move(x + px * width, y + py * height, { steps: 12 });
    await page.mouse.up();
    await page.getByText(/^\d+ selected$/).waitFor();
    await page.getByRole('combobox', { name: /^Colour/ }).selectOption('score');
    await page.getByText(/nats$/).first().waitFor();
    await page.getByRole('combobox', { name: /^Map/ }).selectOption('dims');
    await page.getByText(/^z \d+ → · z \d+ ↑$/).waitFor();
  });

  it('makes a map by UMAP', async () => {
    const { page, faults } = await open(`${explorer.address}#map?p=umap`);
    await page.getByText('UMAP 1 → · UMAP 2 ↑').waitFor({ timeout: 40_000 });
    expect(faults).toEqual([]);
  });

  it('goes by keys alone', async () => {
    const { page } = await open(explorer.address);
    await drawn(page, ROWS);
    await page.locator('.plot').focus();
    await page.keyboard.press('n');
    await page.getByRole('heading', { name: 'Row 1', exact: true }).waitFor();
    await page.keyboard.press('n');
    await page.getByRole('heading', { name: 'Row 2', exact: true }).waitFor();
    await page.keyboard.press('d');
    expect(await page.getByRole('button', { name: 'Decode' }).getAttribute('aria-pressed')).toBe('true');
    await page.keyboard.press('+');
    await expect.poll(() => page.url()).toContain('v=');
  });

  it('shows what lies between two and four items, and their sum', async () => {
    const { page, faults } = await open(`${explorer.address}#between?s=0,1,2,`);
    await page.getByRole('region', { name: 'From A to B' }).getByRole('button').nth(8).waitFor();
    await page.getByRole('region', { name: 'A minus B plus C' }).waitFor();
    const way = '.way canvas';
    const before = await inkOf(page, way);
    await page.getByLabel('Part of the way from A to B').fill('0.9');
    await expect.poll(() => inkOf(page, way)).not.toBe(before);
    await page.getByLabel('Row of D').fill('5');
    await page.getByLabel('Row of D').press('Enter');
    await page.getByRole('region', { name: 'Between A, B, C and D' }).getByRole('button').nth(24).waitFor();
    await page.getByRole('button', { name: 'Spherical' }).click();
    expect(faults).toEqual([]);
  });

  it('says how well the latent space is, as the library measures it', async () => {
    const { page, faults } = await open(`${explorer.address}#health`);
    await page.getByRole('region', { name: 'Holes' }).getByRole('button').nth(7).waitFor();
    const { data, shape } = digits(ROWS, 't10k');
    const { activeUnits, kl } = await vae.latentStatistics({ data, shape }, { seed: 0 });
    await page.getByText(`${activeUnits} of 20`).waitFor();
    await page.getByText(kl.toFixed(2)).first().waitFor();
    expect(await page.getByRole('region', { name: 'Aggregate posterior' }).locator('svg').count()).toBe(12);
    expect(await page.getByRole('region', { name: 'Training curves' }).locator('svg').count()).toBe(3);
    expect(faults).toEqual([]);
  });

  it('saves each view as PNG and SVG', async () => {
    const { page } = await open(`${explorer.address}#map?row=1`);
    await drawn(page, ROWS);
    for (const view of ['Map', 'Between', 'Health']) {
      await page.getByRole('link', { name: view }).click();
      for (const [type, start] of [
        ['PNG', '\x89PNG'],
        ['SVG', '<svg'],
      ] as const) {
        const [download] = await Promise.all([
          page.waitForEvent('download'),
          page.getByRole('button', { name: type }).click(),
        ]);
        const bytes = await readFile((await download.path())!);
        expect(bytes.subarray(0, 4).toString('latin1')).toBe(start);
        expect(bytes.length).toBeGreaterThan(3000);
        if (view === 'Map' && type === 'SVG')
          expect(bytes.toString().match(/<circle cx/g)!.length).toBeGreaterThan(ROWS / 2);
      }
    }
  });

  it.each([360, 3840])('fits a window of %d pixels', async (width) => {
    const { page } = await open(`${explorer.address}#map?row=1`, { width, height: 900 });
    await drawn(page, ROWS);
    for (const view of ['Map', 'Between', 'Health']) {
      await page.getByRole('link', { name: view }).click();
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    }
  });
});
