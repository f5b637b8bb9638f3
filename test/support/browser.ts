/** Chromium, where it is installed: pages are tested in a real browser. */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { CHROMIUM, launchChromium } from './chromium.js';

export { CHROMIUM } from './chromium.js';

/** For the title of what is left out without it. */
export const WITHOUT_CHROMIUM = CHROMIUM ? '' : ' (left out: chromium is not installed; CHROMIUM names one)';

export interface OpenedPage {
  readonly page: Page;
  /** What the page complained of, or asked other hosts for: nothing, where all is well. */
  readonly faults: string[];
}

/** A browser for a file of tests. Every host but this machine is cut off. */
export function useBrowser(): (address: string, view?: { width: number; height: number }) => Promise<OpenedPage> {
  let browser: Browser | undefined;
  beforeAll(async () => {
    if (CHROMIUM === undefined) return;
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());
  return async (address, viewport = { width: 1200, height: 800 }) => {
    const context = await browser!.newContext({ viewport, acceptDownloads: true });
    onTestFinished(() => context.close());
    const faults: string[] = [];
    await context.route(
      ({ hostname }) => hostname !== '127.0.0.1',
      (route) => {
        faults.push(`asked for ${route.request().url()}`);
        return route.abort();
      },
    );
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
    await page.goto(address);
    return { page, faults };
  };
}

/** Waits until the map is drawn with so many points. */
export async function drawn(page: Page, rows: number): Promise<void> {
  await page.locator(`.plot canvas[data-drawn="${rows}"]`).waitFor();
}

/** The values of a canvas, to tell one picture from another. */
export function inkOf(page: Page, selector: string): Promise<string> {
  return page
    .locator(selector)
    .first()
    .evaluate((canvas) => (canvas as unknown as { toDataURL(): string }).toDataURL());
}
