/** Tables as files. A format that is written is a line in WRITERS. */
import { extname } from 'node:path';
import { VaeError } from '../../core/errors.js';
import { writeFilesAtomically } from '../../core/files.js';
import { nearest } from '../../core/options.js';
import { type NumberMarks, PLAIN } from './columns.js';
import { writeNumber } from './notation.js';
import { parquetWriter } from './parquet.js';
import type { TableRecipe } from './recipe.js';
import type { TableRow } from './rows.js';
import type { TableWriter } from './table-writer.js';

export interface WriteTableOptions {
  /** Of the training data: text is written as that was, with its marks, units and what separates values. */
  readonly recipe?: TableRecipe | undefined;
}

const WRITERS: Readonly<Record<string, (recipe: TableRecipe | undefined) => TableWriter>> = {
  '.csv': (recipe) => csvWriter(recipe, recipe?.delimiter === ' ' ? ',' : (recipe?.delimiter ?? ',')),
  '.tsv': (recipe) => csvWriter(recipe, '\t'),
  '.jsonl': () => jsonLinesWriter(),
  '.ndjson': () => jsonLinesWriter(),
  '.json': () => jsonWriter(),
  '.parquet': () => parquetWriter(),
};

/** Endings that tables are written to. */
export const WRITTEN_TABLES = Object.keys(WRITERS);

/**
 * A writer for a path, by its ending.
 *
 * @throws VaeError ERR_VAE_OPTION for an ending that no table is written to.
 */
export function tableWriter(path: string, { recipe }: WriteTableOptions = {}): TableWriter {
  const ending = extname(path).toLowerCase();
  const make = WRITERS[ending];
  if (make !== undefined) return make(recipe);
  const near = nearest(ending, WRITTEN_TABLES);
  throw new VaeError(
    'ERR_VAE_OPTION',
    `Tables are written to a path that ends in ${WRITTEN_TABLES.join(', ')}; received "${path}"${near ? `; did you mean ${near}?` : '.'}`,
  );
}

/**
 * Writes rows as a table, in the format that the ending of the path names: .csv, .tsv, .jsonl, .ndjson, .json, .parquet.
 *
 * @throws VaeError ERR_VAE_OPTION for another ending, ERR_VAE_IO where the file cannot be written.
 */
export async function writeTable(
  path: string,
  rows: readonly TableRow[],
  options: WriteTableOptions = {},
): Promise<void> {
  const writer = tableWriter(path, options);
  writer.add(rows);
  await writeFilesAtomically([{ path, chunks: await writer.finish() }]);
}

/** RFC 4180, with the marks of the recipe. */
function csvWriter(recipe: TableRecipe | undefined, delimiter: string): TableWriter {
  const marks: NumberMarks = { decimal: recipe?.decimal ?? PLAIN.decimal, thousands: '' };
  const units = new Map(
    recipe?.columns.map((column) => [column.name, column.type === 'number' ? column.unit : undefined]) ?? [],
  );
  const special = new RegExp(`["\\r\\n${delimiter === '|' ? '\\|' : delimiter}]|^\\s|\\s$|^#`);
  const quoted = (text: string): string => (special.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const cell = (value: number | string | null | undefined, name: string): string => {
    if (value === null || value === undefined) return '';
    if (typeof value === 'string') return quoted(value);
    const unit = units.get(name);
    return quoted(writeNumber(value, marks, unit?.prefix ?? '', unit?.suffix ?? ''));
  };
  let names: string[] | undefined;
  const chunks: Uint8Array[] = [];
  return {
    add(rows) {
      if (rows.length === 0) return;
      const lines: string[] = [];
      if (names === undefined) {
        names = Object.keys(rows[0]!);
        lines.push(names.map(quoted).join(delimiter));
      }
      const columns = names;
      for (const row of rows) {
        const line = columns.map((name) => cell(row[name], name)).join(delimiter);
        // An empty line would be no row.
        lines.push(line === '' ? '""' : line);
      }
      chunks.push(Buffer.from(`${lines.join('\n')}\n`));
    },
    finish: () => (chunks.length > 0 ? chunks : [Buffer.from('\n')]),
  };
}

function jsonLinesWriter(): TableWriter {
  const chunks: Uint8Array[] = [];
  return {
    add(rows) {
      if (rows.length > 0) chunks.push(Buffer.from(`${rows.map((row) => JSON.stringify(row)).join('\n')}\n`));
    },
    finish: () => chunks,
  };
}

function jsonWriter(): TableWriter {
  const chunks: Uint8Array[] = [];
  return {
    add(rows) {
      if (rows.length === 0) return;
      chunks.push(
        Buffer.from(`${chunks.length === 0 ? '[' : ','}${rows.map((row) => JSON.stringify(row)).join(',\n')}`),
      );
    },
    finish: () => [...chunks, Buffer.from(chunks.length === 0 ? '[]\n' : ']\n')],
  };
}
