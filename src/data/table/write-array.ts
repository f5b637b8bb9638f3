/** Arrays as files, by the ending of the path: .npy as they are, tables with a column for each value of a row. */
import { extname } from 'node:path';
import { VaeError } from '../../core/errors.js';
import { isSpecial, writeFilesAtomically } from '../../core/files.js';
import { nearest } from '../../core/options.js';
import { asDense, type TensorLike } from '../../core/tensor.js';
import { writeNpy } from '../npy/write.js';
import { WRITTEN_TABLES } from './write.js';

/** Endings that arrays are written to. */
const WRITTEN_ARRAYS: readonly string[] = ['.npy', ...WRITTEN_TABLES];

/** Rows of text that are put together at once. */
const ROWS = 1024;

/** @throws VaeError ERR_VAE_OPTION for an ending that no array is written to. */
export function checkArrayPath(path: string): void {
  const ending = extname(path).toLowerCase();
  if (WRITTEN_ARRAYS.includes(ending)) return;
  const near = nearest(ending, WRITTEN_ARRAYS);
  throw new VaeError(
    'ERR_VAE_OPTION',
    `Arrays are written to a path that ends in ${WRITTEN_ARRAYS.join(', ')}; received "${path}"${near ? `; did you mean ${near}?` : '.'}`,
  );
}

/**
 * Writes an array [rows, ...]: .npy as it is; .csv, .tsv, .jsonl, .ndjson, .json and .parquet as a table with a column for each
 * value of a row.
 *
 * @param names of the columns. Default: `name` and the number of the value, from 0.
 * @throws VaeError ERR_VAE_OPTION for another ending, ERR_VAE_IO where the file cannot be written.
 */
export async function writeArray(
  path: string,
  array: TensorLike,
  { name = 'value', names }: { readonly name?: string; readonly names?: readonly string[] } = {},
): Promise<void> {
  // Standard output, pipes and devices have no ending.
  if (await isSpecial(path)) return writeNpy(path, array);
  checkArrayPath(path);
  const ending = extname(path).toLowerCase();
  if (ending === '.npy') return writeNpy(path, array);
  const { data, dims } = asDense(array, 'writeArray()');
  const rows = dims[0] ?? 1;
  const width = rows === 0 ? 0 : data.length / rows;
  const columns = names ?? Array.from({ length: width }, (_, index) => (width === 1 ? name : `${name}${index}`));
  if (ending === '.parquet') {
    const { parquetWriteBuffer } = await import('hyparquet-writer');
    const columnData = columns.map((column, index) => {
      const values = Array.from({ length: rows }, (_, row) => Number(data[row * width + index]));
      return { name: column, data: values, type: data instanceof Int32Array ? ('INT32' as const) : ('FLOAT' as const) };
    });
    return writeFilesAtomically([{ path, chunks: [new Uint8Array(parquetWriteBuffer({ columnData }))] }]);
  }
  const write = textOf(ending, columns);
  const chunks = function* (): Generator<Uint8Array> {
    yield Buffer.from(write.head);
    for (let from = 0; from < rows; from += ROWS) {
      const lines: string[] = [];
      for (let row = from; row < Math.min(rows, from + ROWS); row += 1) {
        lines.push(
          write.row(Array.from(data.subarray(row * width, (row + 1) * width) as Float32Array, shortest(data)), row),
        );
      }
      yield Buffer.from(lines.join(''));
    }
    yield Buffer.from(write.tail);
  };
  return writeFilesAtomically([{ path, chunks: chunks() }]);
}

/** The shortest text that is the same float32. */
function shortest(data: unknown): (value: number) => string {
  if (!(data instanceof Float32Array)) return String;
  return (value) => {
    for (let digits = 6; digits <= 9; digits += 1) {
      const text = value.toPrecision(digits);
      if (Math.fround(Number(text)) === value) return String(Number(text));
    }
    return String(value);
  };
}

interface TextWriter {
  readonly head: string;
  row(cells: readonly string[], row: number): string;
  readonly tail: string;
}

function textOf(ending: string, columns: readonly string[]): TextWriter {
  if (ending === '.csv' || ending === '.tsv') {
    const mark = ending === '.tsv' ? '\t' : ',';
    return { head: `${columns.join(mark)}\n`, row: (cells) => `${cells.join(mark)}\n`, tail: '' };
  }
  const keys = columns.map((column) => JSON.stringify(column));
  const object = (cells: readonly string[]): string =>
    `{${cells.map((cell, index) => `${keys[index]}:${cell}`).join(',')}}`;
  if (ending === '.json')
    return { head: '[', row: (cells, row) => `${row > 0 ? ',\n' : ''}${object(cells)}`, tail: ']\n' };
  return { head: '', row: (cells) => `${object(cells)}\n`, tail: '' };
}
