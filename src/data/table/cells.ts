/** What the cells of a column mean: numbers in their own notation, dates, texts, or nothing. */
import { type Column, NO_TEXT, type NumberMarks } from './columns.js';
import { readDate } from './dates.js';
import { writtenNumber } from './notation.js';
import type { NumericColumn } from './recipe.js';

/** What stands for a missing value besides nothing: what pandas takes for one, and marks as usual. */
export const MISSING = [
  ...[
    'NA',
    'N/A',
    'n/a',
    'na',
    'NaN',
    'nan',
    '-NaN',
    '-nan',
    'NULL',
    'null',
    'None',
    '<NA>',
    '#N/A',
    '#N/A N/A',
    '#NA',
  ],
  ...['1.#IND', '-1.#IND', '1.#QNAN', '-1.#QNAN', '?'],
];

/** As programs write what is too large. */
export const INFINITE = /^[+-]?inf(inity)?$/i;

/** Texts and numbers that stand for nothing. */
export class Missing {
  readonly texts: ReadonlySet<string>;
  /** Numbers such as -999: however they are written. */
  readonly numbers: readonly number[];

  constructor(texts: readonly string[]) {
    this.texts = new Set(texts);
    this.numbers = texts
      .filter((text) => text.trim() !== '')
      .map(Number)
      .filter(Number.isFinite);
  }
}

/** Rows that hold each text of a column. */
export function countTexts({ codes, pool }: Column): Float64Array {
  const counts = new Float64Array(pool.size);
  if (codes !== undefined) for (const code of codes) if (code >= 0) counts[code]! += 1;
  return counts;
}

/** The first row that holds a text of this number. */
export function firstRowOf({ codes }: Column, code: number): number {
  return codes?.indexOf(code) ?? -1;
}

/**
 * A column as numbers, NaN where they are missing.
 *
 * @param texts of the column, by their numbers.
 * @returns the numbers, or the first row whose cell is none.
 */
export function numbersOf(
  column: Column,
  texts: readonly string[],
  { unit, date }: Pick<NumericColumn, 'unit' | 'date'>,
  marks: NumberMarks,
  missing: Missing,
): { readonly values: Float64Array; readonly bad: number } {
  const { codes, values } = column;
  const withoutSome = missing.numbers.length > 0 && date === undefined;
  if (codes === undefined && !withoutSome) return { values, bad: -1 };
  const meaning = texts.map((text) => {
    if (missing.texts.has(text)) return Number.NaN;
    if (date !== undefined) return readDate(text, date);
    const number = writtenNumber(text, marks);
    const plain = number?.prefix === '' && number.suffix === '';
    return number && (plain || (unit?.prefix === number.prefix && unit.suffix === number.suffix))
      ? number.value
      : undefined;
  });
  const out = new Float64Array(codes?.length ?? values.length);
  for (let row = 0; row < out.length; row += 1) {
    const code = codes === undefined ? NO_TEXT : codes[row]!;
    let value: number | undefined;
    if (code === NO_TEXT) {
      value = values.length === 0 ? Number.NaN : values[row]!;
      // A date is never a plain number.
      if (date !== undefined && !Number.isNaN(value)) value = undefined;
    } else value = meaning[code];
    if (value === undefined) return { values: out, bad: row };
    out[row] = withoutSome && missing.numbers.includes(value) ? Number.NaN : value;
  }
  return { values: out, bad: -1 };
}

/** The cell of a row as its file has it, for messages; undefined where nothing stands there. */
export function cellText({ codes, values }: Column, texts: readonly string[], row: number): string | undefined {
  const code = codes?.[row] ?? NO_TEXT;
  if (code !== NO_TEXT) return texts[code] ?? '…';
  const value = values[row];
  return value === undefined || Number.isNaN(value) ? undefined : String(value);
}
