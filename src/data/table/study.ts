/** What the columns of a table are, found by looking at all of it. */
import { VaeError } from '../../core/errors.js';
import { describeValue, nearest } from '../../core/options.js';
import { countTexts, firstRowOf, INFINITE, MISSING, Missing, numbersOf } from './cells.js';
import { type Column, type ColumnTable, NOT_KEPT, PLAIN } from './columns.js';
import { dateFormatOf, looksLikeDate } from './dates.js';
import { type WrittenNumber, writtenNumber } from './notation.js';
import type { NumericColumn, TableColumn, TableRecipe } from './recipe.js';

export interface StudyOptions {
  /** Column of class labels: not part of the rows. */
  readonly label?: string | undefined;
  /** Columns to leave out. */
  readonly drop?: readonly string[] | undefined;
  /** Columns of categories, though their values look like numbers. */
  readonly categories?: readonly string[] | undefined;
  /** Columns of categories that are to be embedded, or `true` for all. */
  readonly embed?: readonly string[] | true | undefined;
  readonly missing?: readonly string[] | undefined;
  /** Let every numeric column miss values in data to come, though none does here. Default false. */
  readonly mayMiss?: boolean | undefined;
  /** Which comes first in dates such as 01/02/2024. */
  readonly dates?: 'dmy' | 'mdy' | undefined;
}

/** A column with more distinct texts than this is a name or a text, not a category. */
const MOST_VALUES = 1000;
/** A column of text in which so many values are numbers was meant to be numeric. */
const MOSTLY = 0.5;
/** Cells that a message shows. */
const SHOWN = 3;
/** Steps of float64 that a deviation must have for its values to be told apart. */
const LEAST_STEPS = 4;

/** What was found; `texts` names columns of categories some cells of which were kept as numbers: read them as texts. */
export type Study =
  | { readonly recipe: TableRecipe; readonly notes: readonly string[] }
  | { readonly texts: readonly string[] };

export function studyTable(table: ColumnTable, options: StudyOptions, where: string): Study {
  const { label, drop = [], categories = [], embed = [], missing = MISSING, mayMiss = false, dates } = options;
  const named = [...(label === undefined ? [] : [label]), ...drop, ...categories, ...(embed === true ? [] : embed)];
  for (const name of named) checkColumn(name, table.names, where);
  const columns: TableColumn[] = [];
  const notes: string[] = [];
  const texts: string[] = [];
  const marks = new Missing(missing);
  for (const [index, name] of table.names.entries()) {
    if (name === label || drop.includes(name)) continue;
    const context = { table, name, where, missing: marks, mayMiss, category: categories.includes(name), dates, notes };
    const found = studyColumn(table.columns[index]!, context);
    if (found === 'texts') {
      texts.push(name);
      continue;
    }
    if (found.type === 'category' && (embed === true || embed.includes(name))) {
      columns.push({ ...found, embed: embeddingSize(found.values.length) });
    } else if (embed !== true && embed.includes(name)) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${where}: column "${name}" holds numbers, which are not embedded; name it among the categories too if they are names.`,
      );
    } else columns.push(found);
  }
  if (texts.length > 0) return { texts };
  if (columns.length === 0) throw new VaeError('ERR_VAE_DATA', `${where}: no column is left to learn from.`);
  const { decimal, thousands } = table.marks;
  return {
    notes,
    recipe: {
      kind: 'table',
      columns,
      ...(label !== undefined && { label }),
      missing: [...missing],
      ...(decimal !== PLAIN.decimal && { decimal }),
      ...(thousands !== PLAIN.thousands && { thousands }),
      ...(table.delimiter !== undefined && table.delimiter !== ',' && { delimiter: table.delimiter }),
    },
  };
}

/** Half as many numbers as values, at most 50: enough to tell them apart, few enough to put like ones together. */
function embeddingSize(values: number): number {
  return Math.min(50, Math.ceil(values / 2));
}

/** @throws VaeError ERR_VAE_DATA for a column that is not there. */
export function checkColumn(name: string, names: readonly string[], where: string): number {
  const index = names.indexOf(name);
  if (index >= 0) return index;
  const near = nearest(name, names);
  const shown = names.length <= 20 ? names.join(', ') : `${names.slice(0, 20).join(', ')}, …`;
  throw new VaeError(
    'ERR_VAE_DATA',
    `${where}: there is no column "${name}"${near ? `; did you mean "${near}"?` : '.'} The columns are ${shown}.`,
  );
}

interface ColumnContext {
  readonly table: ColumnTable;
  readonly name: string;
  readonly where: string;
  readonly missing: Missing;
  readonly mayMiss: boolean;
  readonly category: boolean;
  readonly dates: 'dmy' | 'mdy' | undefined;
  readonly notes: string[];
}

function studyColumn(column: Column, context: ColumnContext): TableColumn | 'texts' {
  const { table, name, where, missing, category, notes } = context;
  const texts = column.pool.texts();
  const counts = countTexts(column);
  const written = texts
    .map((text, code) => ({ text, code, count: counts[code]! }))
    .filter(({ text }) => !missing.texts.has(text));
  let plain = 0;
  const all = column.values;
  const without = missing.numbers.length > 0;
  for (let row = 0; row < all.length; row += 1) {
    const value = all[row]!;
    if (!Number.isNaN(value) && !(without && missing.numbers.includes(value))) plain += 1;
  }
  const others = written.reduce((sum, { count }) => sum + count, 0);
  const notKept = column.codes?.includes(NOT_KEPT) ?? false;
  if (plain + others === 0 && !notKept) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${where}: column "${name}" has no value in any row; leave it out (drop, --drop "${name}").`,
    );
  }
  const refuse = (code: number, problem: string): never => {
    const row = firstRowOf(column, code);
    throw new VaeError('ERR_VAE_DATA', `${where}, ${table.place(row)}: column "${name}" ${problem}`);
  };
  const asCategory = (): TableColumn | 'texts' => {
    if (written.length > MOST_VALUES || notKept) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${where}: column "${name}" has more than ${MOST_VALUES} different texts; names and free text cannot be learned. Leave it out (drop, --drop "${name}").`,
      );
    }
    if (plain > 0) return 'texts';
    if (!category && written.length > 20 && 2 * written.length > others) {
      notes.push(
        `Column "${name}" has ${written.length} different texts in ${others} rows; if they are names, leave it out (--drop "${name}").`,
      );
    }
    return { type: 'category', name, values: written.map(({ text }) => text).sort() };
  };
  if (category) return asCategory();
  const infinite = written.find(({ text }) => INFINITE.test(text));
  if (infinite && (plain > 0 || written.some(({ text }) => writtenNumber(text, table.marks)))) {
    refuse(
      infinite.code,
      `holds "${infinite.text}", which is no finite number. Correct it, or name it among what stands for missing values (missing).`,
    );
  }
  if (written.length === 0 && !notKept) return asNumber(column, texts, {}, context);
  const numbers = written.map(({ text }) => writtenNumber(text, table.marks));
  const unit = sharedUnit(numbers, plain);
  if (unit !== undefined && !notKept) {
    if (unit.prefix + unit.suffix !== '') {
      notes.push(`Column "${name}" holds numbers written ${unit.prefix}…${unit.suffix}, read without that.`);
      return asNumber(column, texts, { unit }, context);
    }
    return asNumber(column, texts, {}, context);
  }
  const shown = (cells: readonly { readonly text: string }[]): string =>
    cells
      .slice(0, SHOWN)
      .map(({ text }) => describeValue(text))
      .join(', ');
  if (plain === 0 && !notKept) {
    const format = dateFormatOf(
      written.map(({ text }) => text),
      context.dates,
    );
    if (format === 'unclear') {
      refuse(
        written[0]!.code,
        `holds dates in which day and month cannot be told apart: ${shown(written)}. Say which comes first: dates: "dmy" or "mdy" (--dates dmy), or that the column holds categories (categories).`,
      );
    }
    if (format !== undefined && format !== 'unclear') {
      notes.push(
        `Column "${name}" holds dates (${{ ymd: 'year, month, day', dmy: 'day, month, year', mdy: 'month, day, year' }[format.order]}${format.shortYear ? '; 00 to 68 are of this century, 69 to 99 of the last' : ''}).`,
      );
      return asNumber(column, texts, { date: format }, context);
    }
    const dated = written.filter(({ text }) => looksLikeDate(text));
    const share = dated.reduce((sum, { count }) => sum + count, 0) / others;
    if (share >= MOSTLY) {
      const rest = written.filter(({ text }) => !looksLikeDate(text));
      if (rest.length > 0) {
        refuse(
          rest[0]!.code,
          `holds dates, but here ${shown(rest)}. Correct that, name it as missing (missing), or say that the column holds categories (categories).`,
        );
      }
      refuse(
        dated[0]!.code,
        `holds dates of several forms, or days that are none: ${shown(dated)}. Write all in one form, or say that the column holds categories (categories).`,
      );
    }
  }
  const numeric = plain + written.reduce((sum, { count }, at) => sum + (numbers[at] ? count : 0), 0);
  if (numeric >= MOSTLY * (plain + others) && !areCodes(numbers, plain)) {
    const rest = written.filter((_, at) => numbers[at] === undefined);
    const odd = rest.length > 0 ? rest : written;
    const single = odd.length === 1 ? `"${odd[0]!.text}"` : shown(odd);
    refuse(
      odd[0]!.code,
      `holds numbers, but here ${single}. ` +
        `Correct ${odd.length === 1 ? 'it, name it' : 'that, name it'} as missing (missing), say how numbers are written (decimal, thousands), or say that the column holds categories (categories).`,
    );
  }
  return asCategory();
}

/** What all numbers are written with; undefined where it differs, or where some texts are no numbers. */
function sharedUnit(
  numbers: readonly (WrittenNumber | undefined)[],
  plain: number,
): { prefix: string; suffix: string } | undefined {
  const first = numbers[0];
  if (first === undefined) return undefined;
  const { prefix, suffix } = first;
  if (!numbers.every((number) => number?.prefix === prefix && number.suffix === suffix)) return undefined;
  return plain > 0 && prefix + suffix !== '' ? undefined : { prefix, suffix };
}

/** Seats and the like: a number and one of several capitals. */
function areCodes(numbers: readonly (WrittenNumber | undefined)[], plain: number): boolean {
  const suffixes = new Set(numbers.map((number) => number?.suffix));
  return (
    plain === 0 && suffixes.size > 1 && [...suffixes].every((suffix) => suffix !== undefined && /^[A-Z]$/.test(suffix))
  );
}

function asNumber(
  column: Column,
  texts: readonly string[],
  notation: Pick<NumericColumn, 'unit' | 'date'>,
  { table, name, where, missing, mayMiss, notes }: ColumnContext,
): NumericColumn {
  const { values } = numbersOf(column, texts, notation, table.marks, missing);
  let count = 0;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < values.length; row += 1) {
    const value = values[row]!;
    if (Number.isNaN(value)) continue;
    count += 1;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  // About the first value, so that nothing is lost of numbers that are large and close together.
  let sum = 0;
  for (let row = 0; row < values.length; row += 1) if (!Number.isNaN(values[row])) sum += values[row]! - low;
  const shift = sum / count;
  let squares = 0;
  for (let row = 0; row < values.length; row += 1) {
    const off = values[row]! - low - shift;
    if (!Number.isNaN(off)) squares += off * off;
  }
  const mean = low + shift;
  let deviation = Math.sqrt(squares / count);
  // Squares of what is below 1e-154 are 0.
  if (deviation === 0 && high > low) deviation = (high - low) / 2;
  if (!Number.isFinite(mean) || !Number.isFinite(deviation)) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${where}: column "${name}" holds numbers too large to be averaged, up to ${high}. Scale it first, or leave it out (drop, --drop "${name}").`,
    );
  }
  if (deviation > 0 && deviation < LEAST_STEPS * Number.EPSILON * Math.max(Math.abs(low), Math.abs(high))) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${where}: column "${name}" holds numbers about ${mean} that differ in digits which float64 does not have. Subtract their beginning first, or leave it out (drop, --drop "${name}").`,
    );
  }
  if (column.decimals === 0 && notation.date === undefined && Math.max(-low, high) > Number.MAX_SAFE_INTEGER) {
    notes.push(`Column "${name}" holds whole numbers beyond 2^53, which are rounded to the nearest that float64 has.`);
  }
  if (column.leadingZeros) {
    notes.push(
      `Column "${name}" holds numbers with zeros before them, such as codes have; if they are names, say so (--categories "${name}").`,
    );
  }
  if (countsRows(name, values)) {
    notes.push(`Column "${name}" counts the rows; leave it out unless that is data (--drop "${name}").`);
  }
  let decimals = notation.date === undefined ? column.decimals : 0;
  if (notation.date === undefined) {
    for (const text of texts) decimals = Math.max(decimals, writtenNumber(text, table.marks)?.decimals ?? 0);
  }
  return {
    type: 'number',
    name,
    mean,
    // A column that never changes stays as it is, around 0, in its own size.
    deviation: deviation > 0 ? deviation : Math.abs(mean) || 1,
    decimals: Math.min(decimals, 400),
    range: [low, high],
    ...notation,
    mayMiss: mayMiss || count < values.length,
  };
}

/** The numbers of rows, as pandas writes them beside every table. */
function countsRows(name: string, values: Float64Array): boolean {
  if (!/^(Unnamed: 0|index|row|id|)$/i.test(name) || values.length < 10) return false;
  const first = values[0]!;
  return (first === 0 || first === 1) && values.every((value, row) => value === first + row);
}
