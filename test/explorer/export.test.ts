/** A page that was exported: from a plain static server, without Node behind it, the decoder in the browser. */
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportPage } from '../../src/entries/explorer/index.js';
import { toDataset, Vae } from '../../src/index.js';
import { CHROMIUM, drawn, inkOf, useBrowser, WITHOUT_CHROMIUM } from '../support/browser.js';
import { digits } from '../support/digits.js';
import { temporaryFolder, temporaryFolderOfTest } from '../support/temporary.js';
import { colourPictures, table } from './subjects.js';

const ROWS = 200;
const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/** Files and nothing else. */
function serveFiles(folder: () => string): Server {
  return createServer(async ({ url = '/' }, response) => {
    const path = new URL(url, 'http://x').pathname;
    const bytes = await readFile(join(folder(), path === '/' ? 'index.html' : path)).catch(() => undefined);
    response.writeHead(bytes ? 200 : 404, {
      'content-type': TYPES[extname(path) || '.html'] ?? 'application/octet-stream',
    });
    response.end(bytes);
  });
}

describe.skipIf(!CHROMIUM)(`an exported page${WITHOUT_CHROMIUM}`, () => {
  const open = useBrowser();
  const folder = temporaryFolder('explorer-export');
  const signal = new AbortController().signal;
  let served = join(folder, 'site');
  const server = serveFiles(() => served);
  let vae: Vae;
  let address: string;

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    vae = await Vae.load('mnist-mlp');
    const { data, shape, labels } = digits(ROWS, 't10k');
    await exportPage({
      vae,
      name: 'digits',
      data: (await toDataset({ data, shape })).withLabels(labels),
      folder: served,
      signal,
    });
  });
  afterAll(async () => {
    server.close();
    await vae?.close();
  });

  it('shows the map, and decodes in the browser what node-vae decodes', async () => {
    const { page, faults } = await open(`${address}?test#map?row=5`);
    await drawn(page, ROWS);
    await page.locator('.face.now canvas').waitFor();
    const there = await page.evaluate<number[]>('Array.from(explorerStore.current.rebuilt)');
    const { data, shape } = digits(6, 't10k');
    const { data: here } = await vae.reconstruct({ data, shape });
    const apart = there.map((value, at) => Math.abs(value - (here as Float32Array)[5 * 784 + at]!));
    expect(Math.max(...apart)).toBeLessThan(1e-4);
    expect(faults).toEqual([]);
  });

  it('decodes a drag, draws, looks between and into holes, with the network cut', async () => {
    const { page, faults } = await open(`${address}#map?t=decode`);
    await drawn(page, ROWS);
    const { x, y, width, height } = (await page.locator('.plot').boundingBox())!;
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.mouse.down();
    await page.locator('.face.now canvas').waitFor();
    const before = await inkOf(page, '.face.now canvas');
    await page.mouse.move(x + width / 2 + 120, y + height / 2, { steps: 5 });
    await expect.poll(() => inkOf(page, '.face.now canvas')).not.toBe(before);
    await page.mouse.up();
    await page.getByRole('button', { name: 'Draw at random' }).click();
    await page.getByRole('heading', { name: 'A draw from the prior' }).waitFor();
    await page.goto(`${address}#between?s=0,1,,`);
    await page.reload();
    await page.getByRole('region', { name: 'From A to B' }).getByRole('button').nth(8).waitFor();
    await page.getByRole('link', { name: 'Health' }).click();
    await page.getByRole('region', { name: 'Holes' }).getByRole('button').first().waitFor();
    expect(faults).toEqual([]);
  });

  it.each([
    ['pictures in colour', colourPictures],
    ['a table', table],
  ] as const)('%s', async (_, make) => {
    const subject = await make(temporaryFolderOfTest('explorer-kind'));
    served = temporaryFolderOfTest('explorer-site');
    try {
      await exportPage({ ...subject, name: 'model', folder: served, signal });
      const { page, faults } = await open(`${address}#map?row=1`);
      await drawn(page, subject.data.length);
      await page.locator('.face.now canvas, .face.now table').first().waitFor();
      expect(faults).toEqual([]);
    } finally {
      served = join(folder, 'site');
      await subject.vae.close();
    }
  });
});
