/** Cells to rows of numbers and back. */
import { VaeError } from '../../core/errors.js';
import { describeValue } from '../../core/options.js';
import { rowDraws } from '../rows/draws.js';
import type { Cells } from './cells.js';
import { layoutOf, type TableRecipe } from './recipe.js';
import { checkColumn, isMissing, numberOf } from './study.js';

/** One row of a table, by column. */
export type TableRow = Readonly<Record<string, number | string | null>>;

/**
 * @throws VaeError ERR_VAE_DATA naming line, column and value where a cell is not what its column holds.
 */
export function encodeCells(cells: Cells, recipe: TableRecipe, where: string): Float32Array {
  const { numeric, masked, categories, width } = layoutOf(recipe);
  const out = new Float32Array(cells.rows.length * width);
  const refuse = (row: number, name: string, problem: string): never => {
    throw new VaeError('ERR_VAE_DATA', `${where}, line ${cells.lines[row]}: column "${name}" ${problem}`);
  };
  for (const [place, column] of numeric.entries()) {
    const index = checkColumn(column.name, cells.names, where);
    for (const [row, values] of cells.rows.entries()) {
      const cell = values[index];
      if (isMissing(cell, recipe.missing)) {
        if (place < masked) continue;
        refuse(row, column.name, 'misses its value, and never did in training. Train with mayMiss to allow that.');
      } else {
        const value = numberOf(cell);
        if (value === undefined) {
          refuse(row, column.name, `holds numbers, but here ${describeValue(cell)}; infinity and text cannot be used.`);
        } else {
          out[row * width + place] = (value - column.mean) / column.deviation;
          if (place < masked) out[row * width + numeric.length + place] = 1;
        }
      }
    }
  }
  for (const { column, start } of categories) {
    const index = checkColumn(column.name, cells.names, where);
    const numbers = new Map(column.values.map((value, at) => [value, at]));
    for (const [row, values] of cells.rows.entries()) {
      const cell = values[index];
      if (isMissing(cell, recipe.missing)) continue;
      const at = numbers.get(cell);
      if (at === undefined) {
        const known = column.values.slice(0, 12).join(', ');
        refuse(row, column.name, `holds ${describeValue(cell)}, which training never saw. Known are ${known}.`);
      } else out[row * width + start + at] = 1;
    }
  }
  return out;
}

export interface DecodeTableOptions {
  /**
   * Draws values from the likelihood rather than taking its mean: for synthetic rows, which else have less
   * spread than the data. Deviations of the numeric columns are those of the model, in standardised units.
   */
  readonly draw?: { readonly seed: number; readonly deviations: Readonly<Record<string, number>> };
  /** Rows whose values that are there are kept as they are: fills in only what was missing. */
  readonly keep?: ArrayLike<number>;
}

/**
 * Rows of numbers as rows of a table: numbers in their own units with the decimals of the training data, and
 * the likeliest category.
 *
 * @param data [N, width]; the output of decode(), reconstruct() or sample(), or encoded rows. A value that is missing
 *   in encoded rows (`encoded: true`) comes out as null.
 */
export function decodeRows(
  data: ArrayLike<number>,
  recipe: TableRecipe,
  options: DecodeTableOptions & { readonly encoded?: boolean } = {},
): TableRow[] {
  const { numeric, masked, categories, width } = layoutOf(recipe);
  const { draw, keep, encoded = false } = options;
  const count = data.length / width;
  return Array.from({ length: count }, (_, row) => {
    const at = row * width;
    const next = draw ? rowDraws(draw.seed, row, 0) : undefined;
    const values: Record<string, number | string | null> = {};
    for (const { name } of recipe.columns) values[name] = null;
    for (const [place, column] of numeric.entries()) {
      const flag = at + numeric.length + place;
      const observed = place >= masked || (keep ?? data)[flag] === 1;
      if (encoded && !observed) continue;
      const kept = keep !== undefined && observed;
      let value = (kept ? keep : data)[at + place]!;
      if (next && !kept) value += (draw!.deviations[column.name] ?? 0) * normalDraw(next);
      values[column.name] = Number((value * column.deviation + column.mean).toFixed(column.decimals));
    }
    for (const { column, start } of categories) {
      const codes = (from: ArrayLike<number>): number[] => column.values.map((_, index) => from[at + start + index]!);
      const known = codes(keep ?? data).indexOf(1);
      if (encoded && known < 0) continue;
      const index = keep && known >= 0 ? known : choose(codes(data), next);
      values[column.name] = column.values[index]!;
    }
    return values;
  });
}

function choose(probabilities: readonly number[], draw: (() => number) | undefined): number {
  if (!draw) return probabilities.indexOf(Math.max(...probabilities));
  let left = draw() * probabilities.reduce((sum, value) => sum + value, 0);
  const found = probabilities.findIndex((value) => {
    left -= value;
    return left < 0;
  });
  return found < 0 ? probabilities.length - 1 : found;
}

/** Box and Muller 1958. */
function normalDraw(draw: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
}
