import { writeFilesAtomically } from '../../core/files.js';
import { cellText, Missing } from './cells.js';
import type { ColumnOptions } from './column-options.js';
import { Column, type ColumnTable } from './columns.js';
import { encodeColumns } from './encode.js';
import { type OpenOptions, openWithRecipe } from './read.js';
import { readColumns } from './read-columns.js';
import type { TableRecipe } from './recipe.js';
import { decodeRows, type TableRow } from './rows.js';
import { tableWriter } from './write.js';

/** Rows that are put together at once. */
const ROWS = 4096;

/**
 * Writes a table anew with its missing values filled in by `rebuild`, which takes and gives encoded rows. Every other
 * cell stays as it was, also in columns that the model does not know.
 */
export async function fillTable(
  input: string,
  output: string,
  recipe: TableRecipe,
  rebuild: (rows: Float32Array, count: number) => Promise<Float32Array>,
  options: OpenOptions = {},
): Promise<{ rows: number; filled: number }> {
  const { table } = await openWithRecipe(input, recipe, options);
  const delimiter = table.delimiter ?? recipe.delimiter;
  const { decimal } = table.marks;
  const { delimiter: _delimiter, decimal: _decimal, ...rest } = recipe;
  const writer = tableWriter(output, {
    recipe: { ...rest, ...(decimal === ',' && { decimal }), ...(delimiter !== undefined && { delimiter }) },
  });
  const { rows: count, marks } = table;
  const encoded = await encodeColumns(table, recipe, input, options.signal);
  const rebuilt = await rebuild(encoded, count);
  const width = encoded.length / count;
  const { texts: missing, numbers } = new Missing(recipe.missing);
  const known = new Set(recipe.columns.map(({ name }) => name));
  let filled = 0;
  let next = 0;
  const put = (names: readonly string[], cells: (column: number, row: number) => string | undefined, to: number) => {
    for (; next < to; ) {
      const upTo = Math.min(to, next + ROWS);
      const from = next * width;
      const keep = encoded.subarray(from, upTo * width);
      const made = decodeRows(rebuilt.subarray(from, upTo * width), recipe, { keep });
      const rows = made.map((values, index): TableRow => {
        const out: Record<string, string | number | null> = {};
        for (const [column, name] of names.entries()) {
          const cell = cells(column, next + index);
          const none = cell === undefined || cell === '' || missing.has(cell) || isAmong(cell, numbers);
          if (!none) out[name] = cell;
          else if (!known.has(name)) out[name] = cell ?? null;
          else {
            out[name] = values[name]!;
            filled += 1;
          }
        }
        return out;
      });
      writer.add(rows);
      next = upTo;
    }
  };
  // Cells of text files are taken as they are written, piece by piece.
  const raw: { name: string; column: RawColumn }[] = [];
  const again: ColumnOptions = {
    ...options,
    marks,
    makeColumn: (name) => {
      const column = new RawColumn();
      raw.push({ name, column });
      return column;
    },
    each: (rows) => {
      // Cells beyond are of a row that is not complete, and come again.
      put(
        raw.map(({ name }) => name),
        (column, row) => raw[column]!.column.cells.get(row),
        rows,
      );
      for (const { column } of raw) for (const row of column.cells.keys()) if (row < rows) column.cells.delete(row);
    },
  };
  const all: ColumnTable = await readColumns(input, again);
  if (next < all.rows) {
    const texts = all.columns.map(({ pool }) => pool.texts());
    put(all.names, (column, row) => cellText(all.columns[column]!, texts[column]!, row), all.rows);
  }
  await writeFilesAtomically([{ path: output, chunks: await writer.finish() }]);
  return { rows: count, filled };
}

function isAmong(cell: string, numbers: readonly number[]): boolean {
  return numbers.length > 0 && numbers.includes(Number(cell));
}

/** Cells as they are written, until they are taken. */
class RawColumn extends Column {
  readonly cells = new Map<number, string>();

  constructor() {
    super('texts', 0);
  }

  override setText(row: number, bytes: Uint8Array, start: number, end: number): void {
    this.cells.set(row, Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString());
  }

  override setNumber(row: number, value: number): void {
    this.cells.set(row, String(value));
  }

  override finish(): void {}
}
