/** What pandas, numpy and scipy read from the same files; made by test/golden/make-tables-golden.py. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  decodeTableRows,
  readDataset,
  readTable,
  type TableRecipe,
  type TableRow,
  writeTable,
} from '../../src/data/index.js';
import { temporaryFolder } from '../support/temporary.js';

const GOLDEN = join(import.meta.dirname, '../golden/tables');

interface Expected {
  readonly csv: Record<string, { readonly text: string; readonly rows: TableRow[] }>;
  readonly tables: TableRow[];
  readonly arrays: { readonly shape: number[]; readonly values: number[] };
}

const expected = JSON.parse(await readFile(join(GOLDEN, 'expected.json'), 'utf8')) as Expected;

const folder = temporaryFolder('reference');

/** Rows are standardised in float32: values are held to its precision, beside the spread of their column. */
async function expectRows(path: string, rows: readonly TableRow[], columns?: readonly string[]): Promise<void> {
  const data = await readTable(path, { mayMiss: true });
  const recipe = data.recipe as TableRecipe;
  const read = decodeTableRows(
    data.memory!,
    {
      ...recipe,
      columns: recipe.columns.map((column) => (column.type === 'number' ? { ...column, decimals: 400 } : column)),
    },
    { encoded: true },
  );
  expect(read.length).toBe(rows.length);
  expect(Object.keys(read[0]!).sort()).toEqual([...(columns ?? Object.keys(rows[0]!))].sort());
  for (const [index, row] of rows.entries()) {
    for (const [name, value] of Object.entries(read[index]!)) {
      const wanted = row[name];
      if (typeof wanted !== 'number') {
        expect(value, `${name}, row ${index}`).toEqual(wanted);
        continue;
      }
      const column = recipe.columns.find((candidate) => candidate.name === name)!;
      const tolerance =
        column.type === 'number'
          ? column.deviation * 1e-6 * Math.max(1, Math.abs((wanted - column.mean) / column.deviation)) +
            Math.abs(column.mean) * 1e-15
          : 0;
      expect(Math.abs((value as number) - wanted), `${name}, row ${index}: ${value} for ${wanted}`).toBeLessThanOrEqual(
        tolerance,
      );
    }
  }
}

/** Mean and deviation are computed in float64 from the very values. */
async function expectMoments(path: string, rows: readonly TableRow[]): Promise<void> {
  const recipe = (await readTable(path, { mayMiss: true })).recipe as TableRecipe;
  for (const column of recipe.columns) {
    if (column.type !== 'number' || column.date) continue;
    const values = rows.map((row) => row[column.name]).filter((value) => typeof value === 'number');
    expect(column.range, column.name).toEqual([Math.min(...values), Math.max(...values)]);
  }
}

describe('delimited text is read as pandas reads it', () => {
  const usual = Object.entries(expected.csv).filter(([name]) => name !== 'digits');
  it.each(usual)('%s', async (name, { text, rows }) => {
    const path = join(folder, `${name.replace(/\W/g, '-')}.csv`);
    await writeFile(path, text);
    await expectRows(path, rows);
    await expectMoments(path, rows);
  });

  it('digits, to the last', async () => {
    const { text, rows } = expected.csv['digits']!;
    for (const [index, { x }] of rows.entries()) {
      const path = join(folder, `digits-${index}.csv`);
      await writeFile(path, `x\n${text.split('\n')[index + 1]}\n`);
      const [column] = ((await readTable(path)).recipe as TableRecipe).columns;
      expect(column!.type === 'number' && column!.range![0], String(x)).toBe(x);
    }
  });

  it.each([
    ['utf-16le', '\ufeff', undefined],
    ['utf-16le', '', 'utf-16le'],
    ['latin1', '', 'latin1'],
    ['utf-8', '\ufeff', undefined],
  ] as const)('in %s, beginning with %j', async (encoding, mark, given) => {
    const text = `${mark}ort;wert\nKöln;1,5\nBonn;2,25\nZürich;3,0\n`;
    const path = join(folder, `${encoding}${mark.length}.csv`);
    await writeFile(
      path,
      Buffer.from(text, encoding === 'utf-16le' ? 'utf16le' : encoding === 'latin1' ? 'latin1' : 'utf8'),
    );
    const { recipe } = await readTable(path, given ? { encoding: given } : {});
    expect(recipe).toMatchObject({
      columns: [{ values: ['Bonn', 'Köln', 'Zürich'] }, { mean: 2.25 }],
      decimal: ',',
      delimiter: ';',
    });
  });
});

describe('packed tables', () => {
  const files = ['snappy', 'gzip', 'zstd', 'brotli', 'lz4', 'none', 'groups'].map((name) => `${name}.parquet`);
  it.each([...files, 'lz4.feather', 'zstd.feather', 'uncompressed.feather'])('%s', async (name) => {
    await expectRows(join(GOLDEN, name), expected.tables);
  });

  it('without the index of pandas', async () => {
    const data = await readTable(join(GOLDEN, 'indexed.parquet'));
    expect((data.recipe as TableRecipe).columns.map(({ name }) => name)).not.toContain('whole');
  });

  it('are written as Parquet too, and read back the same', async () => {
    const path = join(folder, 'again.parquet');
    const rows = expected.tables.map(({ real, city, whole }) => ({ real: real!, city: city!, whole: whole! }));
    await writeTable(path, rows);
    await expectRows(path, rows);
  });
});

describe('arrays of numpy and MATLAB', () => {
  const { shape, values } = expected.arrays;
  it.each(['one.npz', 'mnist-like.npz', 'five.mat', 'compressed.mat', 'seven-three.mat'])('%s', async (name) => {
    const data = await readDataset(join(GOLDEN, name));
    expect([data.length, ...data.rowShape]).toEqual(shape);
    expect(Array.from(data.memory!)).toEqual(values);
  });

  it('bring their labels and their parts', async () => {
    const train = await readDataset(join(GOLDEN, 'mnist-like.npz'));
    expect(Array.from(train.labels!.values)).toEqual([1, 0]);
    const test = await readDataset(join(GOLDEN, 'mnist-like.npz'), { part: 'test' });
    expect([test.length, test.memory![0], test.labels!.values[0]]).toEqual([1, 1, 1]);
    expect(Array.from((await readDataset(join(GOLDEN, 'five.mat'))).labels!.values)).toEqual([1, 0]);
  });

  it('are asked for where it is not clear which is meant', async () => {
    const path = join(GOLDEN, 'unclear.npz');
    await expect(readDataset(path)).rejects.toThrow(
      /holds the arrays left, right; say which is the data: array: "left"/,
    );
    expect((await readDataset(path, { array: 'right' })).length).toBe(2);
    await expect(readDataset(path, { array: 'rigt' })).rejects.toThrow(/no array "rigt"; did you mean "right"/);
  });
});
