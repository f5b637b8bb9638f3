/** Sub-folder names as labels. */
import type { FoundFile } from './find-files.js';
import { toLabels } from './labels.js';
import type { Rows } from './rows/rows.js';

/**
 * The rows with labels by the first folder of their files, where there are two such folders or more.
 *
 * @param counts rows of each file.
 */
export function withFolders(rows: Rows, files: readonly FoundFile[], counts: readonly number[], where: string): Rows {
  const classes = [...new Set(files.flatMap(({ folder }) => folder ?? []))].sort();
  if (classes.length < 2) return rows;
  const numbers = new Map(classes.map((name, index) => [name, index]));
  const values = files.flatMap(({ folder }, index) =>
    Array<number>(counts[index]!).fill(folder === undefined ? -1 : numbers.get(folder)!),
  );
  return { ...rows, labels: toLabels(values, rows.length, where, classes) };
}
