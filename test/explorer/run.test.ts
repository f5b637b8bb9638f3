/** A run of training in the browser, as the command line serves it. */
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { formatNpy } from '../../src/index.js';
import { runCli } from '../cli/run-cli.js';
import { CHROMIUM, drawn, inkOf, useBrowser, WITHOUT_CHROMIUM } from '../support/browser.js';
import { digits } from '../support/digits.js';
import { temporaryFolderOfTest } from '../support/temporary.js';

describe.skipIf(!CHROMIUM)(`watching a run${WITHOUT_CHROMIUM}`, () => {
  const open = useBrowser();

  it('shows curves, pictures and the map of each epoch, writes a checkpoint, and stops as Ctrl-C does', async () => {
    const folder = temporaryFolderOfTest('watch');
    const { data, shape } = digits(3000);
    await writeFile(join(folder, 'digits.npy'), formatNpy({ data, shape }));
    let told: (address: string) => void;
    const address = new Promise<string>((resolve) => {
      told = resolve;
    });
    const running = runCli(
      [
        'train',
        'digits.npy',
        '-o',
        'model',
        '--epochs',
        '5000',
        '--latent',
        '4',
        '--hidden',
        '64',
        '--checkpoint-every',
        '1000000',
        '--watch',
      ],
      {
        cwd: folder,
        onStderr: (_, text) => {
          const found = /Watch\s+(http:\S+)/.exec(text);
          if (found) told(found[1]!);
        },
      },
    );
    const { page, faults } = await open(`${await address}#run`);
    const pictures = page.getByRole('region', { name: 'Reconstructions of this moment' });
    await pictures.waitFor({ timeout: 40_000 });
    await page.getByRole('region', { name: 'Samples of this moment' }).waitFor();
    expect(await page.locator('.charts svg').count()).toBe(3);
    const title = await pictures.getByRole('heading').textContent();
    const first = await inkOf(page, '[aria-label="Samples of this moment"] canvas');
    await expect.poll(() => pictures.getByRole('heading').textContent(), { timeout: 20_000 }).not.toBe(title);
    await expect
      .poll(() => inkOf(page, '[aria-label="Samples of this moment"] canvas'), { timeout: 20_000 })
      .not.toBe(first);
    await page.getByRole('link', { name: 'Map' }).click();
    const rows = 300;
    await drawn(page, rows);
    const map = (): Promise<number[]> =>
      page.evaluate<number[]>('Array.from(explorerStore.map.points.slice(0, 20))').catch(() => []);
    expect(await map()).toEqual([]);
    await page.goto(`${await address}?test#map?row=0`);
    await drawn(page, rows);
    const before = await map();
    expect(before.length).toBe(20);
    await expect.poll(map, { timeout: 20_000 }).not.toEqual(before);
    await page.getByRole('link', { name: 'Run' }).click();
    const checkpoints = async (): Promise<number> =>
      (await readdir(join(folder, 'model', 'checkpoints')).catch(() => [])).filter((name) =>
        name.startsWith('checkpoint-'),
      ).length;
    const kept = await checkpoints();
    await page.getByRole('button', { name: 'Write a checkpoint' }).click();
    await page.getByText('A checkpoint was written.').waitFor();
    expect(await checkpoints()).toBeGreaterThan(kept);
    await page.getByRole('button', { name: 'Stop' }).click();
    const { code, stderr } = await running;
    expect(code).toBe(130);
    expect(stderr).toContain('Stopped early; the model as it is now is in model.');
    await page.getByRole('heading', { name: 'Training has ended' }).waitFor();
    // The server has gone, as the page was told.
    expect(faults.filter((fault) => !/WebSocket|ERR_CONNECTION_REFUSED/.test(fault))).toEqual([]);
  }, 120_000);
});
