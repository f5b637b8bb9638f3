/** Options are checked where they enter, with zod, and refused in this package's own words. */
import { z } from 'zod';
import { VaeError } from './errors.js';

/** Values that are taken as they are. */
type Opaque = ((...args: never[]) => unknown) | AbortSignal | ArrayBufferView | AsyncDisposable | RegExp;

/** The same, all of it read-only: what `as const` makes of an object. */
export type Immutable<T> = T extends Opaque ? T : { readonly [K in keyof T]: Immutable<T[K]> };

/** What users may write where a schema checks it. */
export type InputOf<S extends z.ZodType> = Immutable<z.input<S>>;

/**
 * Checks `value` against `schema` and returns it with defaults filled in.
 *
 * @param where the call or file the value came from, such as `Vae.create()`.
 * @throws VaeError ERR_VAE_OPTION naming each option that is wrong, what was expected and what came.
 */
export function parseOptions<S extends z.ZodType>(schema: S, value: unknown, where: string): z.output<S> {
  const result = schema.safeParse(value ?? {});
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) => describeIssue(issue, value, schema));
  throw new VaeError('ERR_VAE_OPTION', `${where}: ${problems.join('; ')}`.replace(/[^?.]$/, '$&.'));
}

/** One sentence for one problem, with the option's path and what came. */
export function describeIssue(issue: z.core.$ZodIssue, root: unknown, schema?: z.ZodType): string {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const known = schema === undefined ? [] : keysAt(schema, issue.path);
    return issue.keys
      .map((key) => {
        const near = nearest(key, known);
        const hint = near ? `; did you mean "${near}"?` : known.length > 0 ? `; known are ${known.join(', ')}` : '';
        return `unknown option "${path === '' ? key : `${path}.${key}`}"${hint}`;
      })
      .join('; ');
  }
  const received = describeValue(valueAt(root, issue.path));
  const name = path === '' ? 'the options' : `option "${path}"`;
  // zod's own words tell the type of what came; its value says more.
  const message = issue.message.replace(/^Invalid input: (expected .*), received \w+$/, '$1');
  return `${name}: ${lowerFirst(message)}, received ${received}`;
}

/** The candidate that is closest in spelling, if it is close enough to be a slip of the finger. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** A short form of any value, fit for an error message. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'bigint') return `${value}n`;
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name} of ${(value as Uint8Array).length}`;
  if (Array.isArray(value))
    return value.length <= 8 ? `[${value.map(describeValue).join(', ')}]` : `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) {
    const name = value.constructor?.name;
    return name && name !== 'Object'
      ? `a ${name}`
      : `an object with ${Object.keys(value).slice(0, 8).join(', ') || 'no keys'}`;
  }
  return String(value);
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of path) {
    if (value === null || typeof value !== 'object') return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** The keys an object schema knows at a path, through unions, optionals and defaults. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const [head, ...rest] = path;
  const inner = unwrap(schema);
  if (inner instanceof z.ZodUnion) return inner.options.flatMap((option) => keysAt(option as z.ZodType, path));
  if (inner instanceof z.ZodArray) return keysAt(inner.element as z.ZodType, rest);
  if (!(inner instanceof z.ZodObject)) return [];
  const shape = inner.shape as Record<string, z.ZodType>;
  if (head === undefined) return Object.keys(shape);
  const next = shape[String(head)];
  return next === undefined ? [] : keysAt(next, rest);
}

function unwrap(schema: z.ZodType): z.ZodType {
  let current: z.ZodType = schema;
  while (
    current instanceof z.ZodOptional ||
    current instanceof z.ZodDefault ||
    current instanceof z.ZodNullable ||
    current instanceof z.ZodReadonly ||
    current instanceof z.ZodPrefault
  ) {
    current = current.unwrap() as z.ZodType;
  }
  return current instanceof z.ZodPipe ? unwrap(current.in as z.ZodType) : current;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}
