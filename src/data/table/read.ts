import { z } from 'zod';
import { VaeError } from '../../core/errors.js';
import { parseOptions } from '../../core/options.js';
import { Dataset } from '../dataset.js';
import type { FileKind } from '../find-files.js';
import { toLabels } from '../labels.js';
import { memoryRows } from '../rows/memory.js';
import { type Cells, readCells } from './cells.js';
import { layoutOf, type TableRecipe, tableRecipeSchema } from './recipe.js';
import { encodeCells } from './rows.js';
import { isMissing, studyTable } from './study.js';

export const TABLES: FileKind = { plural: 'tables', endings: ['.csv', '.tsv', '.jsonl', '.ndjson'] };

const names = z.array(z.string());
const optionsSchema = z.strictObject({
  label: z.string().optional(),
  drop: names.optional(),
  categories: names.optional(),
  embed: z.union([names, z.literal(true)]).optional(),
  missing: names.optional(),
  mayMiss: z.boolean().optional(),
  delimiter: z.string().length(1).optional(),
  header: z.boolean().optional(),
  recipe: tableRecipeSchema.optional(),
  signal: z.custom<AbortSignal>((value) => value instanceof AbortSignal).optional(),
});

export interface TableOptions {
  /** Column of class labels: not part of the rows. */
  readonly label?: string;
  /** Columns to leave out, such as names and numbers of records. */
  readonly drop?: readonly string[];
  /** Columns of categories, though their values look like numbers. */
  readonly categories?: readonly string[];
  /**
   * Columns of categories, or `true` for all of them, for which the encoder learns a vector of each value rather than
   * taking the one-hot code as it is: for columns of dozens of values and more. Rows stay the same; see
   * `modelOptionsFor()`.
   */
  readonly embed?: readonly string[] | true;
  /** What stands for a missing value, besides nothing. Default: NA, N/A, NaN, null, None and ?, in usual spellings. */
  readonly missing?: readonly string[];
  /** Let every numeric column miss values in data to come, though none does here. Default false. */
  readonly mayMiss?: boolean;
  /** Between the values of a CSV file. Default: comma, tab, semicolon or |, told from the first line. */
  readonly delimiter?: string;
  /** Whether the first line of a CSV file names the columns. Default true. */
  readonly header?: boolean;
}

export interface ReadTableOptions extends TableOptions {
  /** How the training data became rows: the same columns, means and categories. */
  readonly recipe?: TableRecipe;
  readonly signal?: AbortSignal;
}

/**
 * Reads a table: CSV (also with tabs, semicolons or |) or JSON lines, UTF-8, plain or gzip-compressed. Numeric columns are
 * standardised, others become one-hot codes; missing values are zeros with a flag (see the likelihood `table`).
 * Rows are [width] in float32; their `recipe` knows what stands where.
 *
 * @throws VaeError ERR_VAE_IO, ERR_VAE_FORMAT for what is no text or no table, ERR_VAE_DATA naming line and column
 *   of a cell that does not fit.
 */
export async function readTable(path: string, options: ReadTableOptions = {}): Promise<Dataset> {
  const { recipe: given, signal, delimiter, header, ...study } = parseOptions(optionsSchema, options, 'readTable()');
  const cells = await readCells(path, { delimiter, header }, signal);
  const recipe = given ?? studyTable(cells, study, path);
  const data = encodeCells(cells, recipe, path);
  const labels = labelsOf(cells, recipe, path);
  const rows = memoryRows(data, { rowShape: [layoutOf(recipe).width], recipe });
  return new Dataset(labels ? { ...rows, labels } : rows);
}

/** Missing labels are no labels; a file to be encoded need not have the column at all. */
function labelsOf({ names: columns, rows, lines }: Cells, { label, missing }: TableRecipe, where: string) {
  const index = label === undefined ? -1 : columns.indexOf(label);
  if (index < 0) return undefined;
  const given = rows.map((row) => row[index]);
  const classes = [...new Set(given.filter((cell) => !isMissing(cell, missing)))].sort() as string[];
  if (classes.length > 1000) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${where}, line ${lines[0]}: the column of labels "${label}" has more than 1000 different values; it cannot name classes.`,
    );
  }
  const numbers = new Map(classes.map((name, at) => [name, at]));
  return toLabels(
    given.map((cell) => (isMissing(cell, missing) ? -1 : numbers.get(cell)!)),
    rows.length,
    where,
    classes,
  );
}
