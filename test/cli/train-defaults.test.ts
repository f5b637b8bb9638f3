/** What train does where nobody says: steps and rows decide, and whoever says something is heard. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { defaultFit, defaultSplit } from '../../src/cli/train/defaults.js';
import { findDuplicates } from '../../src/data/duplicates.js';
import type { Dataset } from '../../src/index.js';
import { toDataset } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';
import { runCli } from './run-cli.js';

const rowsOf = (length: number): Dataset => ({ length }) as Dataset;

describe('defaults', () => {
  test.each([
    [30, 4],
    [120, 16],
    [2000, 128],
    [60_000, 128],
  ])('%i rows are seen in batches of %i, for thousands of steps', (rows, batchSize) => {
    const fit = defaultFit(rowsOf(rows), rows >= 400, {}) as { epochs: number; batchSize: number };
    expect(fit.batchSize).toBe(batchSize);
    const steps = fit.epochs * Math.ceil(rows / batchSize);
    expect(steps).toBeGreaterThanOrEqual(2000);
    expect(steps).toBeLessThanOrEqual(25_000);
  });

  test('what is said stays as it is', () => {
    expect(defaultFit(rowsOf(2000), true, { epochs: 3, batchSize: 7 })).toEqual({ batchSize: 7 });
    expect(defaultSplit(2000, { validationSplit: 0.2 })).toBeUndefined();
    expect(defaultSplit(2000, { validation: false })).toBeUndefined();
    expect(defaultSplit(2000, { codec: true })).toBeUndefined();
  });

  test('a tenth is held out from a few hundred rows on, and no more than is needed', () => {
    expect(defaultSplit(120, {})).toBeUndefined();
    expect(defaultSplit(2000, {})).toBe(0.1);
    expect(defaultSplit(1_000_000, {})! * 1_000_000).toBe(5000);
  });
});

test('findDuplicates() counts copies and names the first', async () => {
  const values = Float32Array.from({ length: 600 * 3 }, (_, index) => index);
  values.copyWithin(30 * 3, 4 * 3, 5 * 3);
  values.copyWithin(599 * 3, 0, 3);
  const data = await toDataset({ data: values, shape: [600, 3] });
  expect(await findDuplicates(data)).toEqual({ count: 2, looked: 600, first: [4, 30] });
});

describe('node-vae train with no options', () => {
  const folder = temporaryFolder('first');
  beforeAll(async () => {
    // Two hidden causes behind five columns, and a copy of a row.
    const lines = Array.from({ length: 500 }, (_, row) => {
      const [a, b] = [Math.sin(row * 1.7), Math.cos(row * 0.9)];
      return [a, b, a + b, a - b, 2 * a].map((value) => value.toFixed(4)).join(',');
    });
    lines[499] = lines[7]!;
    await writeFile(join(folder, 'table.csv'), `p,q,r,s,t\n${lines.join('\n')}\n`);
  });

  test('holds out, stops when nothing is gained, and says how good it is and what to try', async () => {
    const { code, stdout, stderr } = await runCli(['train', 'table.csv', '-o', 'model'], { cwd: folder });
    expect(code).toBe(0);
    expect(stderr).toMatch(/Validation {2}50 rows.*held out/);
    expect(stderr).toMatch(/Duplicates {2}1 of 500 rows are copies of others: row 500 of row 8/);
    expect(stdout).toMatch(/Stopped .*epochs/);
    const kept = Number(/rows it never saw keep (\d+) %/.exec(stdout)?.[1]);
    expect(kept).toBeGreaterThan(70);
    expect(stdout).toMatch(/\d of \d latent dimensions in use/);
    expect(stdout).toMatch(/Try next .{20,}/);
  }, 240_000);

  test('stops when --minutes are up, and says so', async () => {
    const { code, stdout } = await runCli(
      ['train', 'table.csv', '-o', 'short', '--epochs', '100000', '--minutes', '0.02', '--json'],
      { cwd: folder },
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ ending: 'time is up', interrupted: false });
    const { code: repeated, stdout: told } = await runCli(['reproduce', 'short', '--json'], { cwd: folder });
    expect([repeated, JSON.parse(told)]).toMatchObject([0, { identical: true }]);
  }, 120_000);
});
