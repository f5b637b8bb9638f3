/** How the rows of a shard become files. A format is a file and a line of the table in index.ts. */
import type { OperationName } from '../job.js';
import type { RowNote } from '../rows/piece.js';

export interface ContentColumn {
  readonly name: string;
  /** Of one row; none: a number. */
  readonly dims: readonly number[];
  /** float32 [to − from, ...dims] */
  read(from: number, to: number): Promise<Float32Array>;
}

/** What a shard holds, read as a stream. */
export interface ShardContent {
  readonly operation: OperationName;
  readonly rows: number;
  /** The first is what the job is about. */
  readonly columns: readonly ContentColumn[];
  /** Of all rows in order, some at a time. */
  notes(): AsyncIterable<readonly RowNote[]>;
  /** Type of labels, where any item of the job has one: all shards have the same columns. */
  readonly labels: 'number' | 'text' | undefined;
  readonly captions: boolean;
  /** Whether an item may give several rows. */
  readonly parts: boolean;
  /** Whether rows are pictures, values from 0 to 1. */
  readonly pictures: boolean;
}

export interface NewFile {
  readonly name: string;
  readonly chunks: AsyncIterable<Uint8Array>;
}

export interface Format {
  /** Of the files that other programs are given. */
  readonly ending: string;
  /** @returns the files of a shard, the one that shows that it is whole last. */
  files(stem: string, content: ShardContent): readonly NewFile[];
}

/** Rows that are read at once: about this many bytes. */
const PIECE_BYTES = 4 << 20;

function rowsAtOnce({ dims }: Pick<ContentColumn, 'dims'>): number {
  const size = dims.reduce((product, dim) => product * dim, 1);
  return Math.max(1, Math.floor(PIECE_BYTES / 4 / Math.max(1, size)));
}

/** All rows of a column as bytes, little-endian. */
export async function* bytesOf(column: ContentColumn, rows: number): AsyncGenerator<Uint8Array> {
  const step = rowsAtOnce(column);
  for (let from = 0; from < rows; from += step) {
    const data = await column.read(from, Math.min(rows, from + step));
    yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
}

/** A whole number of each row as int64, little-endian; -1 where there is none. */
export async function* integersOf(
  { notes: all }: Pick<ShardContent, 'notes'>,
  of: (note: RowNote) => number,
): AsyncGenerator<Uint8Array> {
  for await (const notes of all()) {
    const bytes = Buffer.alloc(notes.length * 8);
    for (const [row, note] of notes.entries()) {
      const value = of(note);
      bytes.writeBigInt64LE(BigInt(Number.isFinite(value) ? Math.trunc(value) : -1), row * 8);
    }
    yield bytes;
  }
}

/** Rows in pieces, with the notes of each. */
export async function* pieces(content: ShardContent): AsyncGenerator<{
  readonly from: number;
  readonly columns: readonly Float32Array[];
  readonly notes: readonly RowNote[];
}> {
  const step = Math.min(...content.columns.map(rowsAtOnce), 8192);
  const stream = content.notes()[Symbol.asyncIterator]();
  let notes: readonly RowNote[] = [];
  for (let from = 0; from < content.rows; from += step) {
    const to = Math.min(content.rows, from + step);
    const columns: Float32Array[] = [];
    for (const column of content.columns) columns.push(await column.read(from, to));
    while (notes.length < to - from) notes = notes.concat((await stream.next()).value as readonly RowNote[]);
    yield { from, columns, notes: notes.slice(0, to - from) };
    notes = notes.slice(to - from);
  }
}

/** A row's label as the type that all of the job have. */
export function labelOf(note: RowNote, type: 'number' | 'text'): number | string | null {
  const { label } = note;
  if (label === undefined) return null;
  return type === 'number' ? Number(label) : String(label);
}

/** The shortest text that is the same float32. */
export function shortest(value: number): string {
  if (!Number.isFinite(value)) return 'null';
  for (let digits = 6; digits <= 8; digits += 1) {
    const text = Number(value.toPrecision(digits));
    if (Math.fround(text) === value) return String(text);
  }
  return String(Number(value.toPrecision(9)));
}
