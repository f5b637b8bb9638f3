import { z } from 'zod';

const numericColumn = z.strictObject({
  type: z.literal('number'),
  name: z.string(),
  /** Of the training data; values are brought to mean 0 and deviation 1. */
  mean: z.number(),
  deviation: z.number().positive(),
  /** Decimals that the training data were written with; above 100: as many as a number has. */
  decimals: z.int().min(0).max(400),
  /** The least and the greatest value of the training data. */
  range: z.tuple([z.number(), z.number()]).optional(),
  /** What every number is written with, before and behind it: a currency, a unit. */
  unit: z.strictObject({ prefix: z.string(), suffix: z.string() }).optional(),
  /** Dates, in milliseconds since 1970, UTC: how they are written. */
  date: z
    .strictObject({
      order: z.enum(['ymd', 'dmy', 'mdy']),
      mark: z.string(),
      join: z.enum(['', ' ', 'T']),
      time: z.enum(['none', 'minutes', 'seconds', 'fraction']),
      decimals: z.int().min(0).max(9),
      shortYear: z.boolean().optional(),
      zone: z.string(),
    })
    .optional(),
  /** Whether a row says if the value is there: where the training data miss some. */
  mayMiss: z.boolean(),
});

const categoryColumn = z.strictObject({
  type: z.literal('category'),
  name: z.string(),
  values: z.array(z.string()).min(1),
  /** Numbers of the learned vector that the encoder of a model has for each value; left out: none, a one-hot code. */
  embed: z.int().positive().max(4096).optional(),
});

/** How a table becomes rows; in config.json under `data`. */
export const tableRecipeSchema = z.strictObject({
  kind: z.literal('table'),
  /** In the order of the table. */
  columns: z.array(z.discriminatedUnion('type', [numericColumn, categoryColumn])).min(1),
  /** Name of the column of labels, which is no part of the rows. */
  label: z.string().optional(),
  /** What stands for a missing value, besides nothing at all. */
  missing: z.array(z.string()),
  /** How the numbers of text files are written: default 1234.5. */
  decimal: z.enum(['.', ',']).optional(),
  thousands: z.string().optional(),
  /** What separates values where CSV is written: default a comma. */
  delimiter: z.string().optional(),
});

export interface TableRecipe extends z.output<typeof tableRecipeSchema> {}
export type TableColumn = TableRecipe['columns'][number];
export type NumericColumn = z.output<typeof numericColumn>;
export type CategoryColumn = z.output<typeof categoryColumn>;

/** Where each column stands in a row. */
export interface TableLayout {
  readonly width: number;
  /** Numeric columns that may miss come first. */
  readonly numeric: readonly NumericColumn[];
  /** How many of them have a flag. */
  readonly masked: number;
  readonly categories: readonly { readonly column: CategoryColumn; readonly start: number }[];
}

/** Numbers, then flags of those that may miss, then one-hot codes: as the likelihood `table` wants them. */
export function layoutOf({ columns }: Pick<TableRecipe, 'columns'>): TableLayout {
  const numbers = columns.filter((column) => column.type === 'number');
  const numeric = [...numbers.filter(({ mayMiss }) => mayMiss), ...numbers.filter(({ mayMiss }) => !mayMiss)];
  const masked = numbers.filter(({ mayMiss }) => mayMiss).length;
  let width = numeric.length + masked;
  const categories = columns
    .filter((column) => column.type === 'category')
    .map((column) => {
      const start = width;
      width += column.values.length;
      return { column, start };
    });
  return { width, numeric, masked, categories };
}
