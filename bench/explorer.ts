import type { CDPSession, Page } from 'playwright-core';
import { exploreModel } from '../src/entries/explorer/index.js';
import { toDataset, Vae } from '../src/index.js';
import { CHROMIUM, launchChromium } from '../test/support/chromium.js';
import { readDigits } from './lib/mnist.js';
import { median } from './lib/stats.js';
import type { Bench, BenchCase, BenchContext, BenchResult } from './lib/types.js';

const ROWS = [10_000, 100_000];
const PAN_MS = 4000;
const DRAGS = 80;
const SIDE = 784;

/**
 * The explorer in headless Chromium, whose WebGL is in software where there is no GPU: `scriptMs` is what a frame costs the
 * page itself, and does not hang on that.
 */
export const bench: Bench = {
  question: 'How soon is the map of the explorer there, how smoothly does it pan, and how soon is a drag a picture?',
  async run(context): Promise<BenchResult> {
    if (CHROMIUM === undefined) return { cases: [], missing: { chromium: 'it is not installed' }, sections: [] };
    const browser = await launchChromium();
    try {
      const cases: BenchCase[] = [];
      for (const rows of ROWS) {
        const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
        cases.push(await measure(page, rows, context));
        await page.close();
      }
      return { cases, missing: {}, sections: [] };
    } finally {
      await browser.close();
    }
  },
};

async function measure(page: Page, rows: number, { log }: BenchContext): Promise<BenchCase> {
  await using vae = await Vae.load('mnist-mlp');
  const data = await toDataset({ data: digitsOf(rows), shape: [rows, 1, 28, 28] });
  const started = performance.now();
  const explorer = await exploreModel({ vae, name: 'bench', data });
  try {
    await page.goto(`${explorer.address}?test#map`);
    await page.locator(`.plot canvas[data-drawn="${rows}"]`).waitFor({ timeout: 300_000 });
    const firstMapMs = performance.now() - started;
    await page.locator('.status', { hasText: /^[\d,]+ rows$/ }).waitFor({ timeout: 600_000 });
    const measuredMs = performance.now() - started;
    await page.waitForTimeout(2000);
    log(`${rows} rows: map after ${Math.round(firstMapMs)} ms`);
    const panning = await pan(page);
    const drags = await drag(page);
    const figures = {
      ...{ firstMapMs, measuredMs, ...panning },
      ...{
        dragToPictureMs: median(drags),
        dragToPictureP95Ms: drags.sort((a, b) => a - b)[Math.floor(0.95 * drags.length)]!,
      },
    };
    return { name: `${rows.toLocaleString('en-US')} rows`, ours: rounded(figures), peers: {}, ratios: {} };
  } finally {
    await explorer.close();
  }
}

/** Digits, and beyond those there are, ones of other levels. */
function digitsOf(rows: number): Uint8Array {
  const some = readDigits(Math.min(rows, 60_000));
  const count = some.length / SIDE;
  return Uint8Array.from({ length: rows * SIDE }, (_, at) => {
    const row = Math.floor(at / SIDE);
    const value = some[(row % count) * SIDE + (at % SIDE)]!;
    return row < count ? value : Math.max(0, value - ((row * 7 + at * 13) % 40));
  });
}

/** Frames while the mouse pulls the map about. */
async function pan(page: Page): Promise<{ framesPerSecond: number; frameMs: number; scriptMs: number }> {
  const { x, y, width, height } = (await page.locator('.plot').boundingBox())!;
  const [left, top] = [x + width / 2, y + height / 2];
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable');
  await page.mouse.move(left, top);
  await page.mouse.down();
  await page.evaluate(`(() => {
    globalThis.frames_ = [];
    let last = performance.now();
    const frame = (now) => {
      frames_.push(now - last);
      last = now;
      if (!globalThis.stop_) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  })()`);
  const before = await scriptSeconds(session);
  const until = performance.now() + PAN_MS;
  for (let step = 0; performance.now() < until; step += 1) {
    await page.mouse.move(left + 120 * Math.sin(step / 8), top + 90 * Math.cos(step / 9));
    await page.waitForTimeout(6);
  }
  const script = (await scriptSeconds(session)) - before;
  const frames = await page.evaluate<number[]>(`(globalThis.stop_ = true, frames_.slice(1))`);
  await page.mouse.up();
  return {
    framesPerSecond: (1000 * frames.length) / frames.reduce((sum, one) => sum + one, 0),
    frameMs: median(frames),
    scriptMs: (1000 * script) / frames.length,
  };
}

async function scriptSeconds(session: CDPSession): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'ScriptDuration')!.value;
}

async function drag(page: Page): Promise<number[]> {
  await page.getByRole('button', { name: 'Decode' }).click();
  const { x, y, width, height } = (await page.locator('.plot').boundingBox())!;
  await page.mouse.move(x + width / 3, y + height / 2);
  await page.mouse.down();
  for (let step = 0; step < DRAGS; step += 1) {
    await page.mouse.move(x + width / 3 + 3 * step, y + height / 2 - step);
    await page.waitForTimeout(30);
  }
  await page.mouse.up();
  return page.evaluate<number[]>(`performance.getEntriesByName('drag to picture').map(({ duration }) => duration)`);
}

function rounded(figures: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, Number(value.toPrecision(3))]));
}
