/** Archives in the browser, as the command line serves them. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodePng } from '../../src/data/image/encode.js';
import { compress, openArchive } from '../../src/index.js';
import { runCli } from '../cli/run-cli.js';
import { CHROMIUM, useBrowser, WITHOUT_CHROMIUM } from '../support/browser.js';
import { digits } from '../support/digits.js';
import { temporaryFolderOfTest } from '../support/temporary.js';

describe.skipIf(!CHROMIUM)(`archives in the explorer${WITHOUT_CHROMIUM}`, () => {
  const open = useBrowser();

  it('lists files with sizes and coders, shows one by random access, and ends at once with Ctrl-C', async () => {
    const folder = temporaryFolderOfTest('explorer-archive');
    const { data } = digits(40);
    await mkdir(join(folder, 'digits'));
    for (let index = 0; index < 40; index += 1) {
      const picture = {
        width: 28,
        height: 28,
        channels: 1,
        data: data.subarray(index * 784, (index + 1) * 784),
      } as const;
      await writeFile(join(folder, 'digits', `${String(index).padStart(2, '0')}.png`), await encodePng(picture));
    }
    await writeFile(join(folder, 'digits', 'notes.txt'), 'Digits of forty people.');
    const path = join(folder, 'digits.vaez');
    await compress(join(folder, 'digits'), { model: 'mnist-codec', output: path });
    let told: (address: string) => void;
    const address = new Promise<string>((resolve) => {
      told = resolve;
    });
    let end = (): void => {};
    const running = runCli(['explore', path], {
      onStart: (child) => {
        end = () => void child.kill('SIGINT');
      },
      onStderr: (_, text) => {
        const found = /Open (http:\S+)/.exec(text);
        if (found) told(found[1]!);
      },
    });
    const { page, faults } = await open(await address);
    const files = page.getByRole('region', { name: 'Files' });
    await files.getByRole('button', { name: '07.png' }).click();
    await page.getByRole('img', { name: /07\.png$/ }).waitFor();
    await expect.poll(() => page.locator('.item .scores').textContent()).toContain('model');
    const ink = await page.locator('.item canvas').evaluate((canvas) => {
      const { data: pixels } = (
        canvas as unknown as {
          getContext(type: string): {
            getImageData(x: number, y: number, w: number, h: number): { data: ArrayLike<number> };
          };
        }
      )
        .getContext('2d')
        .getImageData(0, 0, 28, 28);
      return Array.from(pixels).filter((_, index) => index % 4 === 0);
    });
    expect(ink).toEqual([...data.subarray(7 * 784, 8 * 784)]);
    await page.getByLabel('Search files').fill('notes');
    await files.getByRole('button', { name: /notes\.txt/ }).click();
    await page.getByText('Digits of forty people.').waitFor();
    await using archive = await openArchive(path);
    await page.getByText(String(archive.length), { exact: true }).first().waitFor();
    expect(faults).toEqual([]);
    const began = performance.now();
    end();
    expect((await running).code).toBe(0);
    expect(performance.now() - began).toBeLessThan(15_000);
  });
});
