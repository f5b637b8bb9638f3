import { z } from 'zod';
import { signalShape } from '../../core/common-options.js';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { Dataset } from '../dataset.js';
import type { FileKind } from '../find-files.js';
import { toLabels } from '../labels.js';
import { memoryRows } from '../rows/memory.js';
import { Missing } from './cells.js';
import type { ColumnOptions } from './column-options.js';
import { type ColumnMode, type ColumnTable, NO_TEXT, type NumberMarks, PLAIN } from './columns.js';
import { encodeColumns } from './encode.js';
import { type GivenMarks, marksOf } from './locale.js';
import { readColumns, TABLE_ENDINGS } from './read-columns.js';
import { layoutOf, type TableRecipe, tableRecipeSchema } from './recipe.js';
import { type StudyOptions, studyTable } from './study.js';

export const TABLES: FileKind = { plural: 'tables', endings: TABLE_ENDINGS };

const names = z.array(z.string());
const optionsSchema = z.strictObject({
  /** Column of class labels: not part of the rows. */
  label: z.string().optional(),
  /** Columns to leave out, such as names and numbers of records. */
  drop: names.optional(),
  /** Columns of categories, though their values look like numbers. */
  categories: names.optional(),
  /**
   * Columns of categories, or `true` for all of them, for which the encoder learns a vector of each value rather than
   * taking the one-hot code as it is: for columns of dozens of values and more. Rows stay the same; see
   * `modelOptionsFor()`.
   */
  embed: z.union([names, z.literal(true)]).optional(),
  /**
   * What stands for a missing value, besides nothing. Default: what pandas takes for one (NA, N/A, NaN, null, None, <NA>,
   * #N/A and the like) and ?.
   */
  missing: names.optional(),
  /** Let every numeric column miss values in data to come, though none does here. Default false. */
  mayMiss: z.boolean().optional(),
  /** Between the values of a text file; a space for white space of any length. Default: comma, tab, semicolon, | or white space, told from the first lines. */
  delimiter: z.string().length(1).optional(),
  /**
   * Whether the first line of a text file names the columns. Default true, but for .data and .dat files that begin with values, and .txt
   * files and columns separated by white space that begin with numbers only.
   */
  header: z.boolean().optional(),
  /** Lines of a text file that begin with this character are left out. Default: those above the table, where they begin with # or %. */
  comment: z.string().length(1).optional(),
  /** Decimal mark of a text file. Default: told from all its numbers. */
  decimal: z.enum(['.', ',']).optional(),
  /** Mark between thousands in a text file; nothing for none. Default: told from all its numbers. */
  thousands: z.enum(['', ',', '.', ' ', "'"]).optional(),
  /** Whether the day or the month comes first in dates that do not say it themselves, such as 01/02/2024. */
  dates: z.enum(['dmy', 'mdy']).optional(),
  /** Encoding of a text file, by its name in the Encoding Standard. Default: by its mark, else UTF-8. */
  encoding: z.string().optional(),
  /** How the training data became rows: the same columns, means and categories. */
  recipe: tableRecipeSchema.optional(),
  ...signalShape,
});

export interface TableOptions extends Omit<InputOf<typeof optionsSchema>, 'recipe' | 'signal'> {}

export interface ReadTableOptions extends InputOf<typeof optionsSchema> {}

/**
 * Reads a table: text with commas, tabs, semicolons, | or white space (.csv, .tsv, .txt, .data), or JSON (lines, or one array of
 * rows), plain or gzip-compressed; of any size, in 8 bytes a number beside the rows themselves. Numeric columns and dates are
 * standardised by their own mean and deviation, others become one-hot codes; missing values are zeros with a flag (see the
 * likelihood `table`). Rows are [width] in float32; their `recipe` knows what stands where, and `notes` says what was guessed.
 *
 * @throws VaeError ERR_VAE_IO, ERR_VAE_FORMAT for what is no text or no table, ERR_VAE_DATA naming line and column
 *   of a cell that does not fit.
 */
export async function readTable(path: string, options: ReadTableOptions = {}): Promise<Dataset> {
  const parsed = parseOptions(optionsSchema, options, 'readTable()');
  const { recipe: given, signal } = parsed;
  const { table, recipe, notes } = given
    ? { ...(await openWithRecipe(path, given, parsed)), recipe: given, notes: [] }
    : await openAndStudy(path, parsed);
  signal?.throwIfAborted();
  const data = await encodeColumns(table, recipe, path, signal);
  const labels = labelsOf(table, recipe, path);
  const rows = memoryRows(data, { rowShape: [layoutOf(recipe).width], recipe, notes });
  return new Dataset(labels ? { ...rows, labels } : rows);
}

/** How a text file is read, besides what its columns are. */
export type OpenOptions = Omit<ColumnOptions, 'marks' | 'modeOf'> & GivenMarks;

/** The columns that a recipe knows, as it wants them; others are not kept. */
export function openWithRecipe(
  path: string,
  recipe: TableRecipe,
  options: OpenOptions,
): Promise<{ table: ColumnTable }> {
  const types = new Map(recipe.columns.map(({ name, type }) => [name, type]));
  const modeOf = (name: string): ColumnMode =>
    name === recipe.label || types.get(name) === 'category' ? 'texts' : types.has(name) ? 'values' : 'skip';
  const usual = { decimal: recipe.decimal ?? PLAIN.decimal, thousands: recipe.thousands ?? PLAIN.thousands };
  return openTable(path, options, modeOf, usual);
}

async function openAndStudy(
  path: string,
  options: OpenOptions & StudyOptions,
): Promise<{ table: ColumnTable; recipe: TableRecipe; notes: readonly string[] }> {
  const { label, drop, categories } = options;
  const asTexts = new Set([...(categories ?? []), ...(label === undefined ? [] : [label])]);
  const modeOf = (name: string): ColumnMode => (drop?.includes(name) ? 'skip' : asTexts.has(name) ? 'texts' : 'values');
  for (;;) {
    const { table, note } = await openTable(path, options, modeOf, undefined);
    const study = studyTable(table, options, path);
    if ('recipe' in study) {
      return { table, recipe: study.recipe, notes: [...table.notes, ...(note ? [note] : []), ...study.notes] };
    }
    for (const name of study.texts) asTexts.add(name);
  }
}

/** Reads a file, and reads it again where its numbers turn out to be written otherwise. */
async function openTable(
  path: string,
  { decimal, thousands, ...options }: OpenOptions,
  modeOf: (name: string) => ColumnMode,
  usual: NumberMarks | undefined,
): Promise<{ table: ColumnTable; note: string | undefined }> {
  let marks: NumberMarks = { decimal: decimal ?? (thousands === '.' ? ',' : '.'), thousands: thousands ?? '' };
  let note: string | undefined;
  for (;;) {
    const table = await readColumns(path, { ...options, modeOf, marks });
    const found = marksOf(table, { decimal, thousands }, usual, path);
    note = found.note ?? note;
    if (found.marks.decimal === marks.decimal) return { table: { ...table, marks: found.marks }, note };
    marks = found.marks;
  }
}

/** Missing labels are no labels; a file to be encoded need not have the column at all. */
function labelsOf(table: ColumnTable, { label, missing }: TableRecipe, where: string) {
  const index = label === undefined ? -1 : table.names.indexOf(label);
  if (index < 0) return undefined;
  const column = table.columns[index]!;
  const { texts: none } = new Missing(missing);
  const texts = column.pool.texts();
  const classes = texts.filter((text) => !none.has(text)).sort();
  if (classes.length > 1000) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${where}, ${table.place(0)}: the column of labels "${label}" has more than 1000 different values; it cannot name classes.`,
    );
  }
  const numbers = new Map(classes.map((name, at) => [name, at]));
  const meaning = texts.map((text) => numbers.get(text) ?? -1);
  const codes = column.codes ?? new Int32Array(table.rows).fill(NO_TEXT);
  return toLabels(
    Int32Array.from(codes, (code) => (code < 0 ? -1 : meaning[code]!)),
    table.rows,
    where,
    classes,
  );
}
