/**
 * Columns of float32, and of lists of them that all have one length, added to row groups of hyparquet-writer. That one
 * walks arrays of arrays value by value; here values go into a page as they lie in memory, and the levels of a page, the
 * same for as many rows, are coded once. The bytes are those that it would write.
 */
import type { ByteWriter, ParquetWriter } from 'hyparquet-writer';

type RowGroup = ParquetWriter['row_groups'][number];
/** What is known of a column of a row group: its chunk, and where its pages are. */
type Written = ParquetWriter['pendingIndexes'][number];
type OffsetIndex = NonNullable<Written['offsetIndex']>;

/** A page holds so much at most, but whole rows: what hyparquet-writer does where nothing is said. */
const PAGE_BYTES = 1 << 20;
const VALUE_BYTES = 4;
const TYPE = 'FLOAT';

interface Library {
  readonly ByteWriter: typeof ByteWriter;
  readonly pages: typeof import('hyparquet-writer/src/datapage.js');
  readonly runs: typeof import('hyparquet-writer/src/encoding.js');
  readonly dictionaries: typeof import('hyparquet-writer/src/dictionary.js');
  readonly columns: typeof import('hyparquet-writer/src/column.js');
}

interface Levels {
  readonly bytes: Uint8Array;
  readonly repetition: number;
  readonly definition: number;
}

export interface FloatColumn {
  readonly name: string;
  /** Values of a row; undefined: the row is a number rather than a list. */
  readonly size: number | undefined;
  /** Row after row. */
  readonly data: Float32Array;
}

export class FloatColumns {
  readonly #library: Library;
  readonly #parquet: ParquetWriter;
  readonly #levels = new Map<string, Levels>();

  private constructor(library: Library, parquet: ParquetWriter) {
    this.#library = library;
    this.#parquet = parquet;
  }

  static async of(parquet: ParquetWriter): Promise<FloatColumns> {
    const [{ ByteWriter }, pages, runs, dictionaries, columns] = await Promise.all([
      import('hyparquet-writer'),
      import('hyparquet-writer/src/datapage.js'),
      import('hyparquet-writer/src/encoding.js'),
      import('hyparquet-writer/src/dictionary.js'),
      import('hyparquet-writer/src/column.js'),
    ]);
    return new FloatColumns({ ByteWriter, pages, runs, dictionaries, columns }, parquet);
  }

  /** Adds a column to the row group that was written last, behind those that it has. */
  append(column: FloatColumn): void {
    const { writer, row_groups: groups, pendingIndexes } = this.#parquet;
    const group = groups.at(-1)!;
    const start = writer.offset;
    const { data } = column;
    // Values that are few, such as those of a model that has collapsed, are told by their numbers in a dictionary.
    const { dictionary } = this.#library.dictionaries.useDictionary(data, TYPE, undefined, undefined);
    const written = dictionary === undefined ? this.#plain(column) : this.#byLibrary(column);
    group.columns.push(written.chunk);
    pendingIndexes.push(written);
    grow(group, writer.offset - start);
  }

  #plain(column: FloatColumn): Written {
    const { writer } = this.#parquet;
    const { size = 1, data } = column;
    const rows = data.length / size;
    // A page ends with the row in which its bytes, and the first value of the next one, are as many.
    const most = Math.max(1, Math.ceil((PAGE_BYTES / VALUE_BYTES - 1) / size));
    const start = writer.offset;
    const places: OffsetIndex['page_locations'] = [];
    for (let row = 0; row < rows; row += most) {
      const offset = writer.offset;
      this.#page(column, row, Math.min(rows, row + most));
      places.push({
        offset: BigInt(offset),
        compressed_page_size: writer.offset - offset,
        first_row_index: BigInt(row),
      });
    }
    const bytes = BigInt(writer.offset - start);
    const chunk: Written['chunk'] = {
      meta_data: {
        ...{ type: TYPE, encodings: ['PLAIN'], path_in_schema: pathOf(column), codec: 'UNCOMPRESSED' },
        ...{ num_values: BigInt(data.length), total_compressed_size: bytes, total_uncompressed_size: bytes },
        data_page_offset: BigInt(start),
      },
      file_offset: BigInt(start),
    };
    return { chunk, ...(places.length > 1 && { offsetIndex: { page_locations: places } }) };
  }

  #page({ size, data }: FloatColumn, from: number, to: number): void {
    const { writer } = this.#parquet;
    const width = size ?? 1;
    const values = data.subarray(from * width, to * width);
    const levels = this.#levelsOf(to - from, size);
    const length = levels.bytes.length + values.byteLength;
    this.#library.pages.writePageHeader(writer, {
      ...{ type: 'DATA_PAGE_V2', uncompressed_page_size: length, compressed_page_size: length },
      data_page_header_v2: {
        ...{ num_values: values.length, num_nulls: 0, num_rows: to - from, encoding: 'PLAIN' },
        definition_levels_byte_length: levels.definition,
        repetition_levels_byte_length: levels.repetition,
        is_compressed: true,
      },
    });
    writer.appendBytes(levels.bytes);
    writer.appendBytes(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }

  /** Of lists: 0 where a row begins and 1 behind it, and 1 for each value that is there. */
  #levelsOf(rows: number, size: number | undefined): Levels {
    if (size === undefined) return { bytes: new Uint8Array(0), repetition: 0, definition: 0 };
    const key = `${rows},${size}`;
    let levels = this.#levels.get(key);
    if (levels === undefined) {
      const writer = new this.#library.ByteWriter();
      const { writeRleBitPackedHybrid: write } = this.#library.runs;
      const { repetition, definition } = eachLevel(rows, size);
      const counts = { repetition: write(writer, repetition, 1), definition: write(writer, definition, 1) };
      levels = { bytes: writer.getBytes(), ...counts };
      this.#levels.set(key, levels);
    }
    return levels;
  }

  #byLibrary(column: FloatColumn): Written {
    const { writer, schema, statistics } = this.#parquet;
    const { name, size, data } = column;
    const at = schema.findIndex((element) => element.name === name);
    const path = [schema[0]!, ...schema.slice(at, at + pathOf(column).length)];
    const rows = data.length / (size ?? 1);
    const { repetition, definition } = size === undefined ? NO_LEVELS : eachLevel(rows, size);
    return this.#library.columns.writeColumn({
      writer,
      column: {
        ...{ columnName: pathOf(column).join('.'), element: path.at(-1)!, schemaPath: path },
        ...{ codec: 'UNCOMPRESSED', compressors: {}, stats: statistics, pageSize: PAGE_BYTES },
        ...{ columnIndex: false, offsetIndex: true },
      },
      pageData: {
        values: data,
        // They are sliced and gone through, no more.
        repetitionLevels: repetition as unknown as number[],
        definitionLevels: definition as unknown as number[],
        maxDefinitionLevel: size === undefined ? 0 : 1,
      },
    });
  }
}

interface EachLevel {
  readonly repetition: Uint8Array;
  readonly definition: Uint8Array;
}

const NO_LEVELS: EachLevel = { repetition: new Uint8Array(0), definition: new Uint8Array(0) };

function eachLevel(rows: number, size: number): EachLevel {
  const repetition = new Uint8Array(rows * size).fill(1);
  for (let row = 0; row < rows; row += 1) repetition[row * size] = 0;
  return { repetition, definition: new Uint8Array(rows * size).fill(1) };
}

function pathOf({ name, size }: FloatColumn): string[] {
  return size === undefined ? [name] : [name, 'list', 'element'];
}

function grow(group: RowGroup, bytes: number): void {
  group.total_byte_size += BigInt(bytes);
  group.total_compressed_size = (group.total_compressed_size ?? 0n) + BigInt(bytes);
}
