/** Columns of a table, of whatever file: which of them is the data, which the names, labels and captions. */
import { VaeError } from '../../../core/errors.js';
import type { TableRow } from '../../../data/table/rows.js';
import type { Label } from '../items.js';
import { choose } from './choose.js';
import { firstOf, NAMES, type RowChunk, type RowContent, type RowFileOptions } from './row-file.js';

/** What a column holds, as its file says. */
export interface ColumnKind {
  readonly name: string;
  /** `files`: bytes, or a structure with `bytes` as data sets of pictures have them. */
  readonly holds: 'number' | 'text' | 'list' | 'files' | 'other';
}

export interface ChosenColumns {
  readonly data: string | undefined;
  readonly holds: 'list' | 'files' | 'cells';
  readonly names: string | undefined;
  readonly labels: string | undefined;
  readonly captions: string | undefined;
  /** Columns that are read. */
  readonly wanted: readonly string[];
  readonly labelType: 'number' | 'text' | undefined;
  /** Rows of a model of tables: cells as they are. */
  readonly table?: boolean;
}

/** @throws VaeError ERR_VAE_DATA where no column is the data, or it is not clear which. */
export function chooseColumns(columns: readonly ColumnKind[], options: RowFileOptions, where: string): ChosenColumns {
  const of = (holds: ColumnKind['holds']): string[] =>
    columns.filter((one) => one.holds === holds).map(({ name }) => name);
  const all = columns.map(({ name }) => name);
  if (options.table) {
    return {
      data: undefined,
      holds: 'cells',
      names: undefined,
      labels: undefined,
      captions: undefined,
      wanted: all,
      labelType: undefined,
      table: true,
    };
  }
  const lists = of('list');
  const files = of('files');
  const kindOf = (name: string): ColumnKind['holds'] => columns.find((one) => one.name === name)!.holds;
  let data: string;
  if (options.array !== undefined) {
    data = choose(all, options, where);
  } else if (!options.latents && files.length > 0) {
    data = files.length === 1 ? files[0]! : choose(files, { ...options, array: firstOf(files, NAMES.files) }, where);
  } else if (lists.length > 0) data = choose(lists, options, where);
  else {
    // Columns of numbers, one for each value of a row; what else there is are notes.
    const numbers = of('number').filter((name) => ![...NAMES.labels, 'id'].includes(name.toLowerCase() as 'label'));
    if (numbers.length === 0) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${where}: none of its columns (${all.join(', ')}) holds lists of numbers, numbers or files.`,
      );
    }
    return notes(columns, all, undefined, 'cells', numbers);
  }
  const holds = kindOf(data);
  if (holds !== 'list' && holds !== 'files') {
    throw new VaeError('ERR_VAE_DATA', `${where}: column "${data}" holds neither lists of numbers nor files.`);
  }
  return notes(columns, all, data, holds, [data]);
}

function notes(
  columns: readonly ColumnKind[],
  all: readonly string[],
  data: string | undefined,
  holds: ChosenColumns['holds'],
  values: readonly string[],
): ChosenColumns {
  const scalars = columns.filter((one) => one.holds === 'number' || one.holds === 'text');
  const texts = scalars.filter((one) => one.holds === 'text').map(({ name }) => name);
  const free = (names: readonly string[]): string[] => names.filter((name) => !values.includes(name));
  const names = firstOf(free(texts), NAMES.names);
  const labels = firstOf(free(scalars.map(({ name }) => name)), NAMES.labels);
  const captions = firstOf(free(texts), NAMES.captions);
  const extra = [names, labels, captions].filter((name) => name !== undefined);
  const wanted = all.filter((name) => values.includes(name) || extra.includes(name));
  const labelKind = scalars.find(({ name }) => name === labels)?.holds;
  return { data, holds, names, labels, captions, wanted, labelType: labelKind as 'number' | 'text' | undefined };
}

/** Columns of values to a chunk of rows. */
export function chunkOf(
  chosen: ChosenColumns,
  columns: ReadonlyMap<string, ArrayLike<unknown>>,
  count: number,
  where: string,
  from: number,
): RowChunk {
  const column = (name: string | undefined): unknown[] | undefined =>
    name === undefined ? undefined : Array.from(columns.get(name) ?? []);
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  const labels = column(chosen.labels)?.map((value): Label | undefined =>
    typeof value === 'bigint'
      ? Number(value)
      : typeof value === 'number' || typeof value === 'string'
        ? value
        : undefined,
  );
  const given = column(chosen.names)?.map(text);
  const files = chosen.holds === 'files' ? column(chosen.data)!.map(fileOf) : undefined;
  return {
    content: contentOf(chosen, columns, count, where, from, files),
    names: given ?? files?.map((file) => file?.path),
    labels,
    captions: column(chosen.captions)?.map(text),
  };
}

function contentOf(
  { data, holds, names, labels, captions, wanted, table }: ChosenColumns,
  columns: ReadonlyMap<string, ArrayLike<unknown>>,
  count: number,
  where: string,
  from: number,
  files: readonly ({ bytes: Uint8Array } | undefined)[] | undefined,
): RowContent {
  if (files !== undefined) return { kind: 'files', files: files.map((file) => file?.bytes) };
  if (holds === 'list') return { kind: 'array', array: stackLists(columns.get(data!)!, where, from) };
  const values = wanted.filter((name) => name !== names && name !== labels && name !== captions);
  if (!table && data === undefined) {
    if (values.every((name) => isNumeric(columns.get(name)!))) {
      const flat = new Float32Array(count * values.length);
      values.forEach((name, at) => {
        const column = columns.get(name)!;
        for (let row = 0; row < count; row += 1) flat[row * values.length + at] = Number(column[row]);
      });
      return { kind: 'array', array: { data: flat, shape: [count, values.length] } };
    }
  }
  const rows = Array.from({ length: count }, (_, row) =>
    Object.fromEntries(wanted.map((name) => [name, plain(columns.get(name)![row])])),
  );
  return { kind: 'cells', rows: rows as TableRow[] };
}

function isNumeric(column: ArrayLike<unknown>): boolean {
  if (ArrayBuffer.isView(column)) return true;
  for (let row = 0; row < column.length; row += 1) {
    const type = typeof column[row];
    if (type !== 'number' && type !== 'bigint') return false;
  }
  return true;
}

function plain(value: unknown): string | number | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number' || typeof value === 'string') return value;
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Date) return value.toISOString();
  return String(value);
}

/** `{ bytes, path }`, or bytes alone. */
function fileOf(value: unknown): { bytes: Uint8Array; path?: string } | undefined {
  if (value instanceof Uint8Array) return { bytes: value };
  if (typeof value !== 'object' || value === null) return undefined;
  const { bytes, path } = value as { bytes?: unknown; path?: unknown };
  return bytes instanceof Uint8Array ? { bytes, ...(typeof path === 'string' && { path }) } : undefined;
}

/** Lists of one length, or lists of lists, as one array. */
function stackLists(lists: ArrayLike<unknown>, where: string, from: number): { data: Float32Array; shape: number[] } {
  const inner = shapeOf(lists[0]);
  const size = inner.reduce((product, dim) => product * dim, 1);
  const data = new Float32Array(lists.length * size);
  for (let row = 0; row < lists.length; row += 1) {
    const end = fill(lists[row], data, row * size, (row + 1) * size);
    if (end !== (row + 1) * size) {
      throw new VaeError(
        'ERR_VAE_SHAPE',
        `${where}: row ${from + row} has other lengths of lists than [${inner.join(', ')}], which row ${from} has.`,
      );
    }
  }
  return { data, shape: [lists.length, ...inner] };
}

function shapeOf(value: unknown): number[] {
  const shape: number[] = [];
  for (let at = value; isList(at); at = at[0]) shape.push(at.length);
  return shape;
}

function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}

function fill(value: unknown, into: Float32Array, at: number, most: number): number {
  if (isList(value)) {
    let end = at;
    for (let index = 0; index < value.length; index += 1) {
      end = fill(value[index], into, end, most);
      if (end < 0) return -1;
    }
    return end;
  }
  if (at >= most) return -1;
  into[at] = value === null || value === undefined ? Number.NaN : Number(value);
  return at + 1;
}
