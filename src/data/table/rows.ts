/** Rows of numbers as rows of a table. */
import { rowDraws } from '../rows/draws.js';
import { writeDate } from './dates.js';
import { layoutOf, type NumericColumn, type TableRecipe } from './recipe.js';

/** One row of a table, by column. */
export type TableRow = Readonly<Record<string, number | string | null>>;

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
      values[column.name] = cellOf(value, column, !kept && !encoded);
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

/** toFixed() knows no more decimals. */
const MOST_DECIMALS = 100;

/** @param made by a model: such values stay constant where the data was, and whole numbers within its range. */
function cellOf(
  standardised: number,
  { mean, deviation, decimals, range, date }: NumericColumn,
  made: boolean,
): number | string {
  let value = standardised * deviation + mean;
  if (made && range !== undefined) {
    const [low, high] = range;
    if (low === high) value = low;
    else if (decimals === 0 || date !== undefined) value = Math.min(high, Math.max(low, value));
  }
  if (date !== undefined) return writeDate(value, date);
  return decimals > MOST_DECIMALS ? value : Number(value.toFixed(decimals));
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
