/** Tables as text cells, whatever file they come from. */
import { extname } from 'node:path';
import { Readable } from 'node:stream';
import { parse } from 'csv-parse';
import { VaeError } from '../../core/errors.js';
import { readDataFile } from '../files.js';

/** A table before anything is known of its columns; `undefined` where a row has no such cell. */
export interface Cells {
  readonly names: readonly string[];
  readonly rows: readonly (readonly (string | undefined)[])[];
  /** Number of a row within its file, from 1, as an editor shows it. */
  readonly lines: readonly number[];
}

export interface CellOptions {
  /** Between the values of a CSV file. Default: told from the first line. */
  readonly delimiter?: string | undefined;
  /** Whether the first line of a CSV file names the columns. Default true. */
  readonly header?: boolean | undefined;
}

const JSON_LINES = ['.jsonl', '.ndjson'];

export async function readCells(path: string, options: CellOptions, signal?: AbortSignal): Promise<Cells> {
  const bytes = await readDataFile(path, signal);
  if (bytes.length === 0) throw new VaeError('ERR_VAE_DATA', `${path}: the file is empty (0 bytes).`);
  checkText(bytes, path);
  return JSON_LINES.includes(extname(path.replace(/\.gz$/i, '')).toLowerCase())
    ? readJsonLines(bytes, path)
    : readCsv(bytes, path, options, signal);
}

/** @throws VaeError ERR_VAE_FORMAT for bytes that are no UTF-8 text. */
function checkText(bytes: Uint8Array, path: string): void {
  const refuse = (what: string, remedy: string): never => {
    throw new VaeError('ERR_VAE_FORMAT', `${path}: not a text file in UTF-8: ${what}. ${remedy}`);
  };
  const zero = bytes.subarray(0, 4096).indexOf(0);
  if (zero >= 0) refuse(`byte ${zero} is zero`, 'Is this a table? Spreadsheets must be exported as CSV first.');
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    refuse('it has bytes that are no characters', 'Convert it, for instance with iconv -f latin1 -t utf-8.');
  }
}

async function readCsv(bytes: Uint8Array, path: string, options: CellOptions, signal?: AbortSignal): Promise<Cells> {
  const { header = true, delimiter = delimiterOf(bytes) } = options;
  const parser = parse({
    delimiter,
    bom: true,
    trim: true,
    skip_empty_lines: true,
    relax_column_count: true,
    relax_quotes: false,
    info: true,
  });
  const rows: string[][] = [];
  const lines: number[] = [];
  try {
    for await (const { record, info } of Readable.from(pieces(bytes), signal ? { signal } : {}).pipe(parser)) {
      signal?.throwIfAborted();
      rows.push(record);
      lines.push(info.lines);
    }
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw new VaeError('ERR_VAE_FORMAT', `${path}: not a valid CSV file: ${(error as Error).message}.`, {
      cause: error,
    });
  }
  const width = Math.max(0, ...(header ? rows.slice(0, 1) : rows).map(({ length }) => length));
  const names = header ? (rows.shift() ?? []) : Array.from({ length: width }, (_, index) => `column${index + 1}`);
  if (header) lines.shift();
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${path}: two columns are named "${twice}". Rename one${header ? ', or say that there is no line of names (header: false)' : ''}.`,
    );
  }
  const uneven = rows.findIndex(({ length }) => length !== width);
  if (uneven >= 0) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${path}, line ${lines[uneven]}: expected ${width} values separated by "${delimiter}", received ${rows[uneven]!.length}.`,
    );
  }
  if (rows.length === 0) throw new VaeError('ERR_VAE_DATA', `${path}: the table has no rows besides its names.`);
  return { names, rows, lines };
}

/** Of a file in memory: small enough for an abort to be seen between them. */
function* pieces(bytes: Uint8Array): Generator<Uint8Array> {
  const size = 1 << 20;
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

/** The mark that stands most often in the first line, outside of quotes. */
function delimiterOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(10);
  const line = Buffer.from(bytes.subarray(0, end < 0 ? bytes.length : end))
    .toString()
    .replace(/"[^"]*"/g, '');
  const counts = [',', '\t', ';', '|'].map((mark) => [mark, line.split(mark).length] as const);
  return counts.sort((a, b) => b[1] - a[1])[0]![0];
}

/** Objects with the same keys, or arrays of numbers; one to a line. An array inside an object becomes columns. */
function readJsonLines(bytes: Uint8Array, path: string): Cells {
  const numbers = new Map<string, number>();
  const rows: (string | undefined)[][] = [];
  const lines: number[] = [];
  const text = new TextDecoder().decode(bytes);
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const where = `${path}, line ${index + 1}`;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (cause) {
      throw new VaeError('ERR_VAE_FORMAT', `${where}: not valid JSON: ${(cause as Error).message}.`, { cause });
    }
    const row: (string | undefined)[] = [];
    for (const [name, cell] of flatten(value, where)) {
      let at = numbers.get(name);
      if (at === undefined) {
        at = numbers.size;
        numbers.set(name, at);
      }
      row[at] = cell;
    }
    rows.push(row);
    lines.push(index + 1);
  }
  if (rows.length === 0) throw new VaeError('ERR_VAE_DATA', `${path}: the file has no rows.`);
  return { names: [...numbers.keys()], rows, lines };
}

function* flatten(value: unknown, where: string, prefix = ''): Generator<[string, string | undefined]> {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* flatten(item, where, `${prefix}[${index}]`);
  } else if (typeof value === 'object' && value !== null) {
    if (prefix.includes('[')) {
      throw new VaeError('ERR_VAE_DATA', `${where}: "${prefix}" is an object in a list; only values can be read.`);
    }
    for (const [key, item] of Object.entries(value)) yield* flatten(item, where, prefix ? `${prefix}.${key}` : key);
  } else if (prefix === '') {
    throw new VaeError('ERR_VAE_DATA', `${where}: expected an object or a list of numbers, received ${String(value)}.`);
  } else {
    yield [prefix, value === null ? undefined : String(value)];
  }
}
