/** What the columns of a table are, found by looking at all of it. */
import { VaeError } from '../../core/errors.js';
import { nearest } from '../../core/options.js';
import type { Cells } from './cells.js';
import type { TableColumn, TableRecipe } from './recipe.js';

export interface StudyOptions {
  /** Column of class labels: not part of the rows. */
  readonly label?: string | undefined;
  /** Columns to leave out. */
  readonly drop?: readonly string[] | undefined;
  /** Columns of categories, though their values look like numbers. */
  readonly categories?: readonly string[] | undefined;
  /** Columns of categories that are to be embedded, or `true` for all. */
  readonly embed?: readonly string[] | true | undefined;
  /** What stands for a missing value, besides nothing. Default: NA, N/A, NaN, null, None and ?, in usual spellings. */
  readonly missing?: readonly string[] | undefined;
  /** Let every numeric column miss values in data to come, though none does here. Default false. */
  readonly mayMiss?: boolean | undefined;
}

const MISSING = ['NA', 'N/A', 'n/a', 'na', 'NaN', 'nan', 'NULL', 'null', 'None', '?'];

/** A column with more distinct texts than this is a name or a text, not a category. */
const MOST_VALUES = 1000;
/** A column of text in which so many values are numbers was meant to be numeric. */
const MOSTLY = 0.8;
/** As programs write what is too large. */
const INFINITE = /^[+-]?inf(inity)?$/i;

export function studyTable(cells: Cells, options: StudyOptions, where: string): TableRecipe {
  const { label, drop = [], categories = [], embed = [], missing = MISSING, mayMiss = false } = options;
  for (const name of [
    ...(label === undefined ? [] : [label]),
    ...drop,
    ...categories,
    ...(embed === true ? [] : embed),
  ]) {
    checkColumn(name, cells.names, where);
  }
  const columns: TableColumn[] = [];
  for (const [index, name] of cells.names.entries()) {
    if (name === label || drop.includes(name)) continue;
    columns.push(studyColumn(name, index, cells, { missing, mayMiss, category: categories.includes(name) }, where));
    const column = columns.at(-1)!;
    if (column.type === 'category' && (embed === true || embed.includes(name))) {
      columns[columns.length - 1] = { ...column, embed: embeddingSize(column.values.length) };
    } else if (embed !== true && embed.includes(name)) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${where}: column "${name}" holds numbers, which are not embedded; name it among the categories too if they are names.`,
      );
    }
  }
  if (columns.length === 0) throw new VaeError('ERR_VAE_DATA', `${where}: no column is left to learn from.`);
  return { kind: 'table', columns, ...(label !== undefined && { label }), missing: [...missing] };
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

interface ColumnOptions {
  readonly missing: readonly string[];
  readonly mayMiss: boolean;
  readonly category: boolean;
}

function studyColumn(
  name: string,
  index: number,
  { rows, lines }: Cells,
  { missing, mayMiss, category }: ColumnOptions,
  where: string,
): TableColumn {
  let count = 0;
  let sum = 0;
  let misses = 0;
  let decimals = 0;
  let firstText: number | undefined;
  let firstInfinite: number | undefined;
  const texts = new Set<string>();
  for (const [row, cells] of rows.entries()) {
    const cell = cells[index];
    if (isMissing(cell, missing)) {
      misses += 1;
      continue;
    }
    const value = numberOf(cell);
    if (value === undefined) {
      firstText ??= row;
      if (INFINITE.test(cell)) firstInfinite ??= row;
    } else {
      count += 1;
      sum += value;
      decimals = Math.max(decimals, decimalsOf(cell));
    }
    if (texts.size <= MOST_VALUES) texts.add(cell);
  }
  if (firstInfinite !== undefined && count > 0 && !category) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${where}, line ${lines[firstInfinite]}: column "${name}" holds "${rows[firstInfinite]![index]}", which is no finite number. ` +
        'Correct it, or name it among what stands for missing values (missing).',
    );
  }
  const present = rows.length - misses;
  if (present === 0) {
    throw new VaeError('ERR_VAE_DATA', `${where}: column "${name}" has no value in any row; leave it out (drop).`);
  }
  if (category || firstText !== undefined) {
    if (!category && count >= MOSTLY * present && count < present) {
      const cell = rows[firstText!]![index];
      throw new VaeError(
        'ERR_VAE_DATA',
        `${where}, line ${lines[firstText!]}: column "${name}" holds numbers, but here "${cell}". ` +
          'Correct it, name it as missing (missing), or say that the column holds categories (categories).',
      );
    }
    if (texts.size > MOST_VALUES) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${where}: column "${name}" has more than ${MOST_VALUES} different texts; names and free text cannot be learned. Leave it out (drop).`,
      );
    }
    return { type: 'category', name, values: [...texts].sort() };
  }
  const mean = sum / count;
  let squares = 0;
  for (const cells of rows) {
    const cell = cells[index];
    if (!isMissing(cell, missing)) squares += (numberOf(cell)! - mean) ** 2;
  }
  const deviation = Math.sqrt(squares / count);
  return {
    type: 'number',
    name,
    mean,
    // A column that never changes stays as it is, around 0.
    deviation: deviation > 1e-12 * Math.max(1, Math.abs(mean)) ? deviation : 1,
    decimals: Math.min(decimals, 12),
    mayMiss: mayMiss || misses > 0,
  };
}

export function isMissing(cell: string | undefined, missing: readonly string[]): cell is undefined {
  return cell === undefined || cell === '' || missing.includes(cell);
}

/** Undefined for what is no finite number. */
export function numberOf(cell: string): number | undefined {
  // Number() also takes hexadecimal and blanks.
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(cell)) return undefined;
  const value = Number(cell);
  return Number.isFinite(value) ? value : undefined;
}

function decimalsOf(cell: string): number {
  const [, fraction = '', exponent = '0'] = /^[^.eE]*\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(cell) ?? [];
  return Math.max(0, fraction.length - Number(exponent));
}
