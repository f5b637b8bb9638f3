/** Parquet, in and out. */

import { open } from 'node:fs/promises';
import { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';
import { refusePointer } from '../../core/lfs.js';
import { refuseOutOfMemory } from '../../core/memory.js';
import { readInto } from '../../core/ranges.js';
import type { ColumnOptions } from './column-options.js';
import type { Column, ColumnTable } from './columns.js';
import type { TableRow } from './rows.js';
import type { TableWriter } from './table-writer.js';
import { INDEX_NOTE, indexNames, ValueColumns } from './value-columns.js';

/** Rows that are decoded at once. */
const ROWS = 1 << 16;

export async function readParquet(
  path: string,
  make: (name: string, rows: number) => Column,
  { signal }: ColumnOptions,
): Promise<ColumnTable> {
  const { parquetMetadataAsync, parquetRead, parquetSchema } = await import('hyparquet');
  const { compressors } = await import('hyparquet-compressors');
  const file = await open(path, 'r').catch((error: unknown) => {
    throw ioError(error, `reading ${path}`);
  });
  try {
    const byteLength = (await file.stat()).size;
    const slice = async (start: number, end = byteLength): Promise<ArrayBuffer> => {
      const bytes = new Uint8Array(Math.max(0, end - start));
      if ((await readInto(file, bytes, start, signal)) < bytes.length) {
        throw new VaeError(
          'ERR_VAE_FORMAT',
          `${path}: the file is shorter than its parts say, or was cut while it was read.`,
        );
      }
      return bytes.buffer;
    };
    refusePointer(new Uint8Array(await slice(0, Math.min(byteLength, 64))), path);
    const source = { byteLength, slice };
    const metadata = await parquetMetadataAsync(source);
    const rows = Number(metadata.num_rows);
    if (rows === 0) throw new VaeError('ERR_VAE_DATA', `${path}: the table has no rows.`);
    const all = parquetSchema(metadata).children.map(({ element }) => element.name);
    const index = indexNames(metadata.key_value_metadata?.find(({ key }) => key === 'pandas')?.value);
    const names = all.filter((name) => !index.has(name));
    const notes = names.length < all.length ? [INDEX_NOTE] : [];
    const columns = new ValueColumns(make, rows, path);
    for (let from = 0; from < rows; from += ROWS) {
      signal?.throwIfAborted();
      const rowEnd = Math.min(rows, from + ROWS);
      await parquetRead({
        ...{ file: source, metadata, columns: names, rowStart: from, rowEnd, compressors },
        onChunk: ({ columnName, columnData, rowStart }) => {
          // Chunks may hold rows beside those asked for; putting a row twice does no harm.
          columns.put(columnName, columnData as ArrayLike<unknown>, rowStart);
        },
      });
    }
    return columns.table(notes);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (error instanceof VaeError) throw error;
    refuseOutOfMemory(error, path);
    throw new VaeError('ERR_VAE_FORMAT', `${path}: not a Parquet file that can be read: ${(error as Error).message}.`, {
      cause: error,
    });
  } finally {
    await file.close();
  }
}

/** Columns of numbers as DOUBLE, or INT64 where all are whole; others as text. */
export function parquetWriter(): TableWriter {
  const columns = new Map<string, (number | string | null)[]>();
  let rows = 0;
  return {
    add(added) {
      for (const row of added as readonly TableRow[]) {
        for (const [name, value] of Object.entries(row)) {
          let column = columns.get(name);
          if (column === undefined) {
            column = new Array<number | string | null>(rows).fill(null);
            columns.set(name, column);
          }
          column.push(value);
        }
        rows += 1;
      }
    },
    async finish() {
      const { parquetWriteBuffer } = await import('hyparquet-writer');
      const columnData = [...columns].map(([name, values]) => {
        const isNumeric = values.every((value) => value === null || typeof value === 'number');
        const data = isNumeric ? values : values.map((value) => (value === null ? null : String(value)));
        return { name, data, type: isNumeric ? ('DOUBLE' as const) : ('STRING' as const), nullable: true };
      });
      return [new Uint8Array(parquetWriteBuffer({ columnData }))];
    },
  };
}
