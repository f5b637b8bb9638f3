/** Arrow files and streams (also Feather), through apache-arrow where it is installed. */
import { VaeError } from '../../core/errors.js';
import { refuseOutOfMemory } from '../../core/memory.js';
import { readDataFile } from '../files.js';
import type { ColumnOptions } from './column-options.js';
import type { Column, ColumnTable } from './columns.js';
import { INDEX_NOTE, indexNames, ValueColumns } from './value-columns.js';

/** First bytes of a compressed frame, https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md. */
const LZ4_FRAME = 0x184d2204;

export async function readArrow(
  path: string,
  make: (name: string, rows: number) => Column,
  { signal }: ColumnOptions,
): Promise<ColumnTable> {
  const bytes = await readDataFile(path, signal);
  const arrow = await import('apache-arrow').catch((cause: unknown) => {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${path}: Arrow files are read by the package apache-arrow, which is not installed. Install it (npm install apache-arrow), or ` +
        'convert the file to Parquet, for instance with pandas: pd.read_feather("x.arrow").to_parquet("x.parquet").',
      { cause },
    );
  });
  await registerCodecs(arrow);
  try {
    const table = arrow.tableFromIPC(bytes);
    const rows = table.numRows;
    if (rows === 0) throw new VaeError('ERR_VAE_DATA', `${path}: the table has no rows.`);
    const index = indexNames(table.schema.metadata.get('pandas'));
    const columns = new ValueColumns(make, rows, path);
    for (const field of table.schema.fields) {
      if (index.has(field.name)) continue;
      const vector = table.getChild(field.name)!;
      const isDate = arrow.DataType.isDate(field.type) || arrow.DataType.isTimestamp(field.type);
      if (!isDate && vector.nullCount === 0 && arrow.DataType.isFloat(field.type) && field.type.precision !== 0) {
        columns.put(field.name, vector.toArray() as ArrayLike<unknown>, 0);
        continue;
      }
      const values: unknown[] = [];
      for (const value of vector) values.push(plainOf(value, isDate));
      columns.put(field.name, values, 0);
    }
    return columns.table(index.size > 0 ? [INDEX_NOTE] : []);
  } catch (error) {
    if (error instanceof VaeError) throw error;
    refuseOutOfMemory(error, path);
    throw new VaeError('ERR_VAE_FORMAT', `${path}: not an Arrow file that can be read: ${(error as Error).message}.`, {
      cause: error,
    });
  }
}

/** A value of a vector as plain numbers, texts, dates and lists. */
export function plainOf(value: unknown, isDate: boolean): unknown {
  if (value === null || value === undefined) return null;
  // Milliseconds since 1970.
  if (isDate) return new Date(Number(value));
  if (typeof value === 'object' && 'toArray' in value) return (value as { toArray(): unknown }).toArray();
  return typeof value === 'object' && 'toJSON' in value ? (value as { toJSON(): unknown }).toJSON() : value;
}

type Arrow = typeof import('apache-arrow');

/** Feather files of pandas are compressed by LZ4 unless they are told otherwise. */
export async function registerCodecs({ compressionRegistry, CompressionType }: Arrow): Promise<void> {
  const { compressors } = await import('hyparquet-compressors');
  if (!compressionRegistry.get(CompressionType.LZ4_FRAME)) {
    compressionRegistry.set(CompressionType.LZ4_FRAME, { decode: (frame) => decodeLz4(frame, compressors.LZ4_RAW!) });
  }
  if (!compressionRegistry.get(CompressionType.ZSTD)) {
    compressionRegistry.set(CompressionType.ZSTD, {
      decode: (frame) => new Uint8Array(compressors.ZSTD!(frame, 0) as Uint8Array),
    });
  }
}

type Block = (input: Uint8Array, outputLength: number) => Uint8Array | Promise<Uint8Array>;

/** One frame of independent or linked blocks. */
function decodeLz4(frame: Uint8Array, block: Block): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view.getUint32(0, true) !== LZ4_FRAME) throw new Error('a compressed buffer is no LZ4 frame');
  const flags = frame[4]!;
  const linked = (flags & 0x20) === 0;
  const most = 1 << (8 + 2 * ((frame[5]! >> 4) & 7));
  let at = 7 + ((flags & 8) !== 0 ? 8 : 0) + ((flags & 1) !== 0 ? 4 : 0);
  const parts: Uint8Array[] = [];
  for (;;) {
    const size = view.getUint32(at, true);
    at += 4;
    if (size === 0) break;
    const length = size & 0x7fffffff;
    const data = frame.subarray(at, at + length);
    if (linked && parts.length > 0)
      throw new Error('its LZ4 blocks are linked; write it with compression="zstd" or none');
    parts.push(size & 0x80000000 ? data : (block(data, lz4Length(data, most)) as Uint8Array));
    at += length + ((flags & 0x10) !== 0 ? 4 : 0);
  }
  // Not Buffer.concat(): numbers of 8 bytes must begin at a multiple of 8.
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** Bytes that an LZ4 block decodes to: its lengths added up. */
function lz4Length(data: Uint8Array, most: number): number {
  let total = 0;
  let at = 0;
  const extended = (base: number): number => {
    let length = base;
    if (base === 15) {
      let byte = 255;
      while (byte === 255) {
        byte = data[at++]!;
        length += byte;
      }
    }
    return length;
  };
  while (at < data.length) {
    const token = data[at++]!;
    const literals = extended(token >> 4);
    at += literals;
    total += literals;
    if (at >= data.length) break;
    at += 2;
    total += extended(token & 15) + 4;
  }
  if (total > most) throw new Error('an LZ4 block is longer than its frame allows');
  return total;
}
