/** Columns of a table as rows of numbers. */
import { setImmediate } from 'node:timers/promises';
import { VaeError } from '../../core/errors.js';
import { describeValue } from '../../core/options.js';
import { cellText, Missing, numbersOf } from './cells.js';
import { type ColumnTable, NO_TEXT, type NumberMarks, PLAIN } from './columns.js';
import { layoutOf, type TableRecipe } from './recipe.js';
import { checkColumn } from './study.js';

/**
 * @throws VaeError ERR_VAE_DATA naming line, column and value where a cell is not what its column holds.
 */
export async function encodeColumns(
  table: ColumnTable,
  recipe: TableRecipe,
  where: string,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const { numeric, masked, categories, width } = layoutOf(recipe);
  const { rows, names, columns } = table;
  const missing = new Missing(recipe.missing);
  const marks: NumberMarks = table.marks ?? PLAIN;
  const out = new Float32Array(rows * width);
  const refuse = (row: number, name: string, problem: string): never => {
    throw new VaeError('ERR_VAE_DATA', `${where}, ${table.place(row)}: column "${name}" ${problem}`);
  };
  for (const [place, spec] of numeric.entries()) {
    // Between columns the event loop gets its turn.
    if (rows > 10_000) await setImmediate();
    signal?.throwIfAborted();
    const column = columns[checkColumn(spec.name, names, where)]!;
    const texts = column.codes === undefined ? [] : column.pool.texts();
    const { values, bad } = numbersOf(column, texts, spec, marks, missing);
    if (bad >= 0) {
      const what = spec.date ? 'dates' : 'numbers';
      refuse(
        bad,
        spec.name,
        `holds ${what}, but here ${describeValue(cellText(column, texts, bad))}; infinity and text cannot be used.`,
      );
    }
    const { mean, deviation } = spec;
    for (let row = 0, at = place; row < rows; row += 1, at += width) {
      const value = values[row]!;
      if (Number.isNaN(value)) {
        if (place < masked) continue;
        refuse(row, spec.name, 'misses its value, and never did in training. Train with mayMiss to allow that.');
      }
      out[at] = (value - mean) / deviation;
      if (place < masked) out[at + numeric.length] = 1;
    }
  }
  for (const { column: spec, start } of categories) {
    if (rows > 10_000) await setImmediate();
    signal?.throwIfAborted();
    const column = columns[checkColumn(spec.name, names, where)]!;
    const numbers = new Map(spec.values.map((value, at) => [value, at]));
    const lower = new Map(spec.values.map((value, at) => [value.toLowerCase(), at]));
    const texts = column.pool.texts();
    const meaning = texts.map((text) => {
      if (missing.texts.has(text)) return -1;
      // True of one program is true of another.
      return numbers.get(text) ?? (/^(true|false)$/i.test(text) ? lower.get(text.toLowerCase()) : undefined);
    });
    for (let row = 0; row < rows; row += 1) {
      const code = column.codes?.[row] ?? NO_TEXT;
      if (code === NO_TEXT) continue;
      const at = meaning[code];
      if (at === undefined) {
        const known = spec.values.slice(0, 12).join(', ');
        refuse(
          row,
          spec.name,
          `holds ${describeValue(cellText(column, texts, row))}, which training never saw. Known are ${known}.`,
        );
      } else if (at >= 0) out[row * width + start + at] = 1;
    }
  }
  return out;
}
