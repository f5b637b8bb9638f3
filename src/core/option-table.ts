/** Tables of things chosen by name: one schema for `'name'` and `{ type: 'name', ...options }` alike. */
import { z } from 'zod';
import { type InputOf, nearest } from './options.js';

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
  | { [K in keyof T]: InputOf<T[K]['schema']> }[keyof T];

/**
 * @param plural what the entries are, for the message that lists them: `likelihoods`.
 * @param elsewhere entries that nobody can choose by their name alone, and what to do instead.
 */
export function tableSchema<T extends Readonly<Record<string, TableEntry>>>(
  table: T,
  plural: string,
  elsewhere: { readonly [K in keyof T]?: string } = {},
): z.ZodType<TableConfig<T>, TableInput<T>> {
  const schemas = Object.values(table).map(({ schema }) => schema) as unknown as [z.ZodObject, ...z.ZodObject[]];
  const names = Object.keys(table);
  const expected = `expected one of the ${plural} ${names.join(', ')}`;
  return z.preprocess(
    (value, context) => {
      if (typeof value !== 'string') return value;
      const near = Object.hasOwn(table, value) ? undefined : nearest(value, names);
      const problem = Object.hasOwn(table, value)
        ? elsewhere[value]
        : expected + (near ? ` (did you mean "${near}"?)` : '');
      if (problem === undefined) return { type: value };
      context.addIssue({ code: 'custom', message: problem });
      return z.NEVER;
    },
    z.discriminatedUnion('type', schemas, { error: expected }),
  ) as unknown as z.ZodType<TableConfig<T>, TableInput<T>>;
}
