/** Files of tables as columns, whatever their format. */

import { stat } from 'node:fs/promises';
import { extname } from 'node:path';
import { TextDecoder } from 'node:util';
import { VaeError } from '../../core/errors.js';
import { processMemory } from '../memory.js';
import type { ColumnOptions } from './column-options.js';
import { Column, type ColumnTable, PLAIN } from './columns.js';
import { dialectOf } from './dialect.js';
import { readText } from './open-text.js';
import { BLANKS, CsvScanner } from './scan-csv.js';
import { JsonScanner } from './scan-json.js';

/** What reads some formats; see READERS. */
export type ReadColumns = (path: string, options: ColumnOptions) => Promise<ColumnTable>;

/** Files without .gz at the end. */
function endingOf(path: string): string {
  return extname(path.replace(/\.gz$/i, '')).toLowerCase();
}

/** Enough of a file to tell how it is written. */
const SAMPLE_BYTES = 256 << 10;

interface Scanner {
  readonly rows: number;
  scan(bytes: Uint8Array, start: number, end: number, last: boolean): number;
}

/** Gives a scanner all pieces of a file; what it leaves is put before the next. */
async function scanPieces(
  pieces: AsyncIterable<Uint8Array>,
  begin: (sample: Uint8Array, whole: boolean) => { scanner: Scanner; start: number },
  each?: () => void | Promise<void>,
): Promise<void> {
  let scanner: Scanner | undefined;
  let start = 0;
  let room = new Uint8Array(3 << 20);
  let used = 0;
  const take = async (last: boolean): Promise<void> => {
    if (scanner === undefined) {
      if (used < SAMPLE_BYTES && !last) return;
      ({ scanner, start } = begin(room.subarray(0, used), last));
    }
    const from = scanner.scan(room, start, used, last);
    room.copyWithin(0, from, used);
    used -= from;
    start = 0;
    await each?.();
  };
  for await (const piece of pieces) {
    // One byte more than there are, for the scanner's mark of the end.
    if (used + piece.length + 1 > room.length) {
      const wider = new Uint8Array(Math.max(2 * room.length, used + piece.length + 1));
      wider.set(room.subarray(0, used));
      room = wider;
    }
    room.set(piece, used);
    used += piece.length;
    await take(false);
  }
  await take(true);
}

/** Comma, tab, semicolon, | or white space. */
const readDelimited: ReadColumns = async (path, options) => {
  const { encoding, marks = PLAIN, signal, comment, each, bytes } = options;
  const size = bytes?.length ?? (await stat(path).catch(() => undefined))?.size ?? 0;
  let table:
    | {
        scanner: CsvScanner;
        columns: Column[];
        given: readonly string[];
        names: readonly string[];
        notes: string[];
        delimiter: string;
      }
    | undefined;
  const begin = (sample: Uint8Array, whole: boolean) => {
    const text = new TextDecoder().decode(sample);
    const dialect = dialectOf(text, whole, path, options);
    const distinct = distinctNames(dialect.names);
    const expected = rowsIn(sample, size, whole);
    const make = columnMaker(options, path);
    const columns = distinct.names.map((name) => make(name, expected));
    const scanner = new CsvScanner(columns, {
      delimiter: dialect.delimiter,
      decimal: marks.decimal.charCodeAt(0),
      comment: comment ? comment.charCodeAt(0) : -1,
      width: columns.length,
      firstLine: dialect.firstLine,
      where: path,
    });
    const delimiter = dialect.delimiter === BLANKS ? ' ' : String.fromCharCode(dialect.delimiter);
    table = {
      scanner,
      columns,
      given: dialect.names,
      ...distinct,
      notes: [...dialect.notes, ...distinct.notes],
      delimiter,
    };
    return { scanner, start: dialect.start };
  };
  await scanPieces(readText(path, { encoding, signal, bytes }), begin, () => each?.(table!.scanner.rows));
  const { scanner, columns, given, names, notes, delimiter } = table!;
  if (scanner.rows === 0) throw new VaeError('ERR_VAE_DATA', `${path}: the table has no rows besides its names.`);
  for (const column of columns) column.finish(scanner.rows);
  if (scanner.comments > 0) notes.push(`${scanner.comments} lines of comments were left out.`);
  const kept = columns.map((column, index) => !isEmptyColumn(given[index]!, column));
  const empty = kept.filter((keep) => !keep).length + (scanner.trailing > 0 ? 1 : 0);
  if (empty > 0) notes.push(`${empty === 1 ? 'A column' : `${empty} columns`} without name and values was left out.`);
  return {
    names: names.filter((_, index) => kept[index]),
    columns: columns.filter((_, index) => kept[index]),
    rows: scanner.rows,
    place: (row) => `line ${scanner.lines.of(row)}`,
    notes,
    marks,
    delimiter,
  };
};

/** Of a number while a table is read, and within the rows that are made of it. */
const BYTES_OF_A_NUMBER = 12;

/** Makes the columns that the options ask for, unless they need more memory than there is. */
function columnMaker(
  { makeColumn, modeOf = () => 'values' }: ColumnOptions,
  path: string,
): (name: string, rows: number) => Column {
  if (makeColumn) return makeColumn;
  let columns = 0;
  return (name, rows) => {
    const mode = modeOf(name);
    if (mode !== 'skip') columns += 1;
    const needed = columns * rows * BYTES_OF_A_NUMBER;
    if (needed > processMemory()) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${path}: about ${rows} rows of at least ${columns} columns need some ${megabytes(needed)} MB of memory, and this process may have ` +
          `${megabytes(processMemory())} MB. Leave columns out (drop, --drop), train on part of the rows, or give it more.`,
      );
    }
    return new Column(mode, rows);
  };
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

/** As pandas calls a column without a name. */
function nameOf(name: string, index: number): string {
  return name === '' ? `Unnamed: ${index}` : name;
}

function isEmptyColumn(name: string, { values, codes, mode }: Column): boolean {
  return name === '' && mode === 'values' && codes === undefined && values.every(Number.isNaN);
}

/** About how many rows there are, so that columns need not grow. */
function rowsIn(sample: Uint8Array, size: number, whole: boolean): number {
  let lines = 1;
  for (let at = 0; at < sample.length; at += 1) if (sample[at] === 10) lines += 1;
  return whole ? lines + 1 : Math.ceil(1.1 * lines * Math.max(1, size / Math.max(1, sample.length)));
}

/** Names of which each is there once: `a`, `a.1`, … where several columns are called `a`, as pandas calls them. */
function distinctNames(given: readonly string[]): { names: string[]; notes: string[] } {
  const counts = new Map<string, number>();
  const renamed: string[] = [];
  const names = given.map(nameOf);
  const there = new Set(names);
  const distinct = names.map((name, index) => {
    let free = name;
    for (let count = counts.get(free) ?? 0; count > 0; ) {
      counts.set(name, count + 1);
      free = `${name}.${count}`;
      count = there.has(free) ? count + 1 : (counts.get(free) ?? 0);
    }
    counts.set(free, (counts.get(free) ?? 0) + 1);
    if (free !== name) renamed.push(`column ${index + 1}, "${name}", is called "${free}"`);
    return free;
  });
  if (renamed.length === 0) return { names: distinct, notes: [] };
  const shown = renamed.slice(0, 5).join('; ') + (renamed.length > 5 ? `; and ${renamed.length - 5} more` : '');
  return { names: distinct, notes: [`Several columns have the same name: ${shown}.`] };
}

/** One object or list of numbers to a line, or a JSON array of them. */
const readJson: ReadColumns = async (path, options) => {
  const { encoding, signal, each, bytes } = options;
  const scanner = new JsonScanner(columnMaker(options, path), path);
  const size = bytes?.length ?? (await stat(path).catch(() => undefined))?.size ?? 0;
  const begin = (sample: Uint8Array, whole: boolean) => {
    scanner.expected = rowsIn(sample, size, whole);
    return { scanner, start: 0 };
  };
  await scanPieces(readText(path, { encoding, signal, bytes }), begin, () => each?.(scanner.rows));
  if (scanner.rows === 0) throw new VaeError('ERR_VAE_DATA', `${path}: the file has no rows.`);
  for (const column of scanner.columns) column.finish(scanner.rows);
  return {
    names: scanner.names,
    columns: scanner.columns,
    rows: scanner.rows,
    place: (row) => `line ${scanner.lines.of(row)}`,
    notes: [],
    marks: PLAIN,
  };
};

/** A reader of a binary format, loaded when the first such file comes. */
function readPacked(
  load: () => Promise<
    (path: string, make: (name: string, rows: number) => Column, options: ColumnOptions) => Promise<ColumnTable>
  >,
): ReadColumns {
  return async (path, { makeColumn: _, ...options }) => (await load())(path, columnMaker(options, path), options);
}

/** Readers by ending. A format is a line here. */
const READERS: Readonly<Record<string, ReadColumns>> = {
  '.csv': readDelimited,
  '.tsv': readDelimited,
  '.tab': readDelimited,
  '.txt': readDelimited,
  '.data': readDelimited,
  '.dat': readDelimited,
  '.jsonl': readJson,
  '.ndjson': readJson,
  '.json': readJson,
  '.parquet': readPacked(async () => (await import('./parquet.js')).readParquet),
  '.pq': readPacked(async () => (await import('./parquet.js')).readParquet),
  '.arrow': readPacked(async () => (await import('./arrow.js')).readArrow),
  '.feather': readPacked(async () => (await import('./arrow.js')).readArrow),
};

/** Endings of the files of tables; text is read gzip-compressed too. */
export const TABLE_ENDINGS = Object.entries(READERS).flatMap(([ending, read]) =>
  read === readDelimited || read === readJson ? [ending, `${ending}.gz`] : [ending],
);

/** The columns of a file, in the format that its ending names; delimited text where it names none. */
export function readColumns(path: string, options: ColumnOptions): Promise<ColumnTable> {
  return (READERS[endingOf(path)] ?? readDelimited)(path, options);
}
