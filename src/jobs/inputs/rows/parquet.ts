/** Parquet files, by ranges of rows: only the row groups that hold them are read. */
import { VaeError } from '../../../core/errors.js';
import { refuseOutOfMemory } from '../../../core/memory.js';
import { type ColumnKind, chooseColumns, chunkOf } from './cells.js';
import type { RowFormat } from './row-file.js';

type Tree = import('hyparquet').SchemaTree;

export const parquetRows: RowFormat = {
  endings: ['.parquet', '.pq'],
  async open(input, options) {
    const where = input.path;
    const { parquetMetadataAsync, parquetRead, parquetSchema } = await import('hyparquet');
    const { compressors } = await import('hyparquet-compressors');
    const file = {
      byteLength: input.size,
      async slice(start: number, end = input.size): Promise<ArrayBuffer> {
        const bytes = await input.read(start, Math.max(0, end - start), options.signal);
        return bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength
          ? (bytes.buffer as ArrayBuffer)
          : (new Uint8Array(bytes).buffer as ArrayBuffer);
      },
    };
    const refuse = (error: unknown): VaeError => {
      if (error instanceof VaeError) return error;
      refuseOutOfMemory(error, where);
      return new VaeError(
        'ERR_VAE_FORMAT',
        `${where}: not a Parquet file that can be read: ${(error as Error).message}.`,
        {
          cause: error,
        },
      );
    };
    try {
      const metadata = await parquetMetadataAsync(file);
      const columns = parquetSchema(metadata).children.map(kindOf);
      const chosen = chooseColumns(columns, options, where);
      const ends: number[] = [];
      for (const { num_rows } of metadata.row_groups) ends.push((ends.at(-1) ?? 0) + Number(num_rows));
      return {
        rows: Number(metadata.num_rows),
        // A row group is unpacked whole, whatever is wanted of it.
        cutOf: (row) => ends.find((end) => end > row) ?? row + 1,
        labels: chosen.labelType,
        captions: chosen.captions !== undefined,
        async read(from, to, signal) {
          signal?.throwIfAborted();
          const found = new Map<string, ArrayLike<unknown>>();
          try {
            for (const name of chosen.wanted) found.set(name, new Array<unknown>(to - from));
            await parquetRead({
              ...{ file, metadata, compressors, columns: [...chosen.wanted], rowStart: from, rowEnd: to },
              utf8: false,
              onChunk: ({ columnName, columnData, rowStart }) => {
                const into = found.get(columnName) as unknown[];
                for (let row = Math.max(from, rowStart); row < Math.min(to, rowStart + columnData.length); row += 1) {
                  into[row - from] = columnData[row - rowStart];
                }
              },
            });
          } catch (error) {
            throw refuse(error);
          }
          return chunkOf(chosen, found, to - from, where, from);
        },
        async close() {},
      };
    } catch (error) {
      throw refuse(error);
    }
  },
};

function kindOf({ element, children }: Tree): ColumnKind {
  const { name, type, converted_type, logical_type } = element;
  if (children.length > 0) {
    const bytes = children.find((child) => child.element.name === 'bytes' && child.element.type === 'BYTE_ARRAY');
    if (bytes !== undefined) return { name, holds: 'files' };
    return { name, holds: isListOfNumbers(children) ? 'list' : 'other' };
  }
  if (type === 'BYTE_ARRAY') {
    const isText = converted_type === 'UTF8' || logical_type?.type === 'STRING' || converted_type === 'ENUM';
    return { name, holds: isText ? 'text' : 'files' };
  }
  if (element.repetition_type === 'REPEATED') return { name, holds: 'list' };
  const isTime = logical_type?.type === 'TIMESTAMP' || logical_type?.type === 'DATE' || converted_type === 'DATE';
  const isNumber = !isTime && ['INT32', 'INT64', 'FLOAT', 'DOUBLE'].includes(type ?? '');
  return { name, holds: isNumber ? 'number' : 'other' };
}

function isListOfNumbers(children: readonly Tree[]): boolean {
  let at: readonly Tree[] = children;
  while (at.length === 1) {
    const [{ element, children: below }] = at as [Tree];
    if (below.length === 0) return ['INT32', 'INT64', 'FLOAT', 'DOUBLE'].includes(element.type ?? '');
    at = below;
  }
  return false;
}
