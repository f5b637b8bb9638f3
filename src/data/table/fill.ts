import { type CellOptions, readCells } from './cells.js';
import type { TableRecipe } from './recipe.js';
import { decodeRows, encodeCells, type TableRow } from './rows.js';
import { isMissing } from './study.js';
import { writeTable } from './write.js';

/**
 * Writes a table anew with its missing values filled in by `rebuild`, which takes and gives encoded rows. Every other
 * cell stays as it was, also in columns that the model does not know.
 */
export async function fillTable(
  input: string,
  output: string,
  recipe: TableRecipe,
  rebuild: (rows: Float32Array, count: number) => Promise<Float32Array>,
  options: CellOptions & { readonly signal?: AbortSignal | undefined } = {},
): Promise<{ rows: number; filled: number }> {
  const cells = await readCells(input, options, options.signal);
  const encoded = encodeCells(cells, recipe, input);
  const rebuilt = decodeRows(await rebuild(encoded, cells.rows.length), recipe, { keep: encoded });
  const known = new Set(recipe.columns.map(({ name }) => name));
  let filled = 0;
  const rows = cells.rows.map((row, index): TableRow => {
    const out: Record<string, string | number | null> = {};
    for (const [column, name] of cells.names.entries()) {
      const cell = row[column];
      if (!isMissing(cell, recipe.missing)) out[name] = cell;
      else if (!known.has(name)) out[name] = cell ?? null;
      else {
        out[name] = rebuilt[index]![name]!;
        filled += 1;
      }
    }
    return out;
  });
  await writeTable(output, rows);
  return { rows: rows.length, filled };
}
