/** Tables of things chosen by name: one schema for `'name'` and `{ type: 'name', ...options }` alike. */
import { z } from 'zod';

/** What every entry of a table has: its options, `type` first. */
export interface TableEntry {
  readonly schema: z.ZodObject;
}

/** Options of a chosen entry with defaults filled in. */
export type TableConfig<T extends Readonly<Record<string, TableEntry>>> = {
  [K in keyof T]: z.output<T[K]['schema']>;
}[keyof T];

/** What users write: a name, or `type` with options. */
export type TableInput<T extends Readonly<Record<string, TableEntry>>> =
  | (keyof T & string)
  | { [K in keyof T]: z.input<T[K]['schema']> }[keyof T];

/** @param plural what the entries are, for the message that lists them: `likelihoods`. */
export function tableSchema<T extends Readonly<Record<string, TableEntry>>>(
  table: T,
  plural: string,
): z.ZodType<TableConfig<T>, TableInput<T>> {
  const schemas = Object.values(table).map(({ schema }) => schema) as unknown as [z.ZodObject, ...z.ZodObject[]];
  return z.preprocess(
    (value) => (typeof value === 'string' ? { type: value } : value),
    z.discriminatedUnion('type', schemas, {
      error: `expected one of the ${plural} ${Object.keys(table).join(', ')}`,
    }),
  ) as unknown as z.ZodType<TableConfig<T>, TableInput<T>>;
}
