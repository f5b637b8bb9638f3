/** Labels from a table: a row for each file, by its path, or one for each row of the data, in order. */
import { basename, extname } from 'node:path';
import { VaeError } from '../core/errors.js';
import { nearest } from '../core/options.js';
import type { Dataset } from './dataset.js';
import { namedLike } from './find-files.js';
import { TABLES } from './table/read.js';
import { readColumns } from './table/read-columns.js';

/** What columns of paths and of labels are called, in the order in which names are tried. */
const PATHS = ['path', 'file', 'filename', 'file_name', 'image_path', 'image', 'image_id', 'id', 'name'];
const LABELS = ['label', 'labels', 'class', 'class_name', 'target', 'category', 'y', 'breed', 'species', 'diagnosis'];

/** Whether labels are given as a table. */
export function isLabelTable(path: string): boolean {
  return namedLike(path, TABLES);
}

/**
 * The dataset with labels from a table with a column of labels and, for data from files, one of their paths: whole, as ends
 * of paths, or as names with or without ending. Rows that the table does not have stay without a label, which is told.
 *
 * @param column name of the column of labels. Default: the one that is called so, or the only other one.
 * @throws VaeError ERR_VAE_DATA where it is not clear which columns are meant, or none fits.
 */
export async function withLabelTable(
  data: Dataset,
  path: string,
  {
    column,
    classes,
    signal,
  }: { column?: string | undefined; classes?: readonly string[] | undefined; signal?: AbortSignal | undefined },
): Promise<Dataset> {
  const table = await readColumns(path, { modeOf: () => 'texts', ...(signal && { signal }) });
  const { names } = table;
  const cellsOf = (name: string): (string | undefined)[] => {
    const { codes, pool } = table.columns[names.indexOf(name)]!;
    const texts = pool.texts();
    return Array.from({ length: table.rows }, (_, row) => texts[codes?.[row] ?? -1]);
  };
  const pathColumn =
    data.names === undefined
      ? undefined
      : findName(
          names,
          PATHS.filter((name) => name !== column),
        );
  const others = names.filter((name) => name !== pathColumn);
  const label = column ?? findName(others, LABELS) ?? (others.length === 1 ? others[0] : undefined);
  if (label === undefined || !names.includes(label)) {
    const near = column === undefined ? undefined : nearest(column, names);
    throw new VaeError(
      'ERR_VAE_DATA',
      `${path}: ${column === undefined ? 'it is not clear which column holds the labels' : `there is no column "${column}"${near ? `; did you mean "${near}"` : ''}`}. ` +
        `The columns are ${names.join(', ')}; say which: table: { label: "${others[0] ?? names[0]}" } (--label-column).`,
    );
  }
  const labels = cellsOf(label);
  const found =
    pathColumn !== undefined
      ? byPath(data.names!, cellsOf(pathColumn), labels, path)
      : inOrder(labels, data.length, path, data.names !== undefined ? names : undefined);
  const known = classes ?? [...new Set(found.filter((name) => name !== undefined))].sort();
  const numbers = new Map(known.map((name, index) => [name!, index]));
  const without = found.filter((name) => name === undefined).length;
  const values = found.map((name, row) => {
    if (name === undefined) return -1;
    const number = numbers.get(name);
    if (number !== undefined) return number;
    throw new VaeError(
      'ERR_VAE_DATA',
      `${path}: the label "${name}" of row ${row} is not one of the classes ${known.slice(0, 12).join(', ')}.`,
    );
  });
  const from = pathColumn === undefined ? '' : `, by the paths in "${pathColumn}"`;
  return data
    .withLabels(values, known as string[])
    .withNotes([
      `Labels are the column "${label}" of ${path}${from}.`,
      ...(without > 0 ? [`${without} of ${data.length} rows have no label there.`] : []),
    ]);
}

function findName(names: readonly string[], usual: readonly string[]): string | undefined {
  for (const candidate of usual) {
    const found = names.find((name) => name.toLowerCase() === candidate);
    if (found !== undefined) return found;
  }
  return undefined;
}

function inOrder(
  labels: readonly (string | undefined)[],
  rows: number,
  path: string,
  columns: readonly string[] | undefined,
): readonly (string | undefined)[] {
  if (labels.length === rows) return labels;
  const hint = columns ? ` For labels by file, name a column "path"; its columns are ${columns.join(', ')}.` : '';
  throw new VaeError(
    'ERR_VAE_DATA',
    `${path}: expected one label for each of the ${rows} rows, received ${labels.length}.${hint}`,
  );
}

/** The label of each row, by the path of its file. */
function byPath(
  files: readonly string[],
  paths: readonly (string | undefined)[],
  labels: readonly (string | undefined)[],
  where: string,
): (string | undefined)[] {
  const byName = new Map<string, string | undefined>();
  const rows = new Map<string, number>();
  for (const [row, given] of paths.entries()) {
    if (given === undefined) continue;
    const key = clean(given);
    if (byName.has(key) && byName.get(key) !== labels[row]) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${where}: "${given}" has two labels, "${byName.get(key)}" and "${labels[row]}". Keep one.`,
      );
    }
    byName.set(key, labels[row]);
    rows.set(key, row);
  }
  let matched = 0;
  const found = files.map((file) => {
    for (const form of formsOf(file)) {
      if (!byName.has(form)) continue;
      matched += 1;
      return byName.get(form);
    }
    return undefined;
  });
  if (matched > 0) return found;
  throw new VaeError(
    'ERR_VAE_DATA',
    `${where}: none of its paths is one of the files, such as "${paths.find((given) => given !== undefined)}" and "${files[0]}". ` +
      'Write paths as they are, from any folder on, or names of files.',
  );
}

function clean(path: string): string {
  return path.replaceAll('\\', '/').replace(/^\.\//, '');
}

/** A path, its ends from each folder on, and its name without ending; also without the number of a frame or page. */
function* formsOf(file: string): Generator<string> {
  for (const path of [file, file.replace(/[#:@][^/]*$/, ''), file.replace(/ ?[[(][^/]*[\])]$/, '')]) {
    const parts = clean(path).split('/');
    for (let from = 0; from < parts.length; from += 1) yield parts.slice(from).join('/');
    yield clean(path);
    const name = basename(clean(path));
    const bare = name.slice(0, name.length - extname(name).length);
    if (bare !== '') yield bare;
  }
}
