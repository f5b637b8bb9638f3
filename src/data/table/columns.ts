/** A table as columns: 8 bytes for a number, 4 for a text that is one of few, no object for any cell. */
import { TextPool } from './text-pool.js';

/** How the cells of a column are kept. */
export type ColumnMode =
  /** Numbers where they are plain numbers, texts elsewhere. */
  | 'values'
  /** Texts, whatever they look like. */
  | 'texts'
  /** Not at all. */
  | 'skip';

/** Different texts of a column that are kept at most; beyond, none can be a category or a number written in full. */
const MOST_TEXTS = 1 << 20;
const MOST_TEXT_BYTES = 1 << 28;
/** A text beyond those that are kept. */
export const NOT_KEPT = -2;
/** A cell without a text: a number, or missing. */
export const NO_TEXT = -1;

/** One column as it is read. Cells that are never set are missing. */
export class Column {
  readonly mode: ColumnMode;
  /** NaN where the cell is no plain number; empty for columns of texts. */
  values: Float64Array;
  /** Numbers of texts; absent where the column has none. */
  codes: Int32Array | undefined;
  readonly pool = new TextPool();
  /** Decimals of the plain number that has most. */
  decimals = 0;
  /** Whether a number begins with zeros that its value does not show, as codes do. */
  leadingZeros = false;
  #capacity: number;

  constructor(mode: ColumnMode, capacity: number) {
    this.mode = mode;
    this.#capacity = mode === 'skip' ? 0 : capacity;
    this.values = mode === 'values' ? new Float64Array(capacity).fill(Number.NaN) : new Float64Array(0);
    this.codes = mode === 'texts' ? new Int32Array(capacity).fill(NO_TEXT) : undefined;
  }

  setNumber(row: number, value: number): void {
    if (row >= this.#capacity) this.#grow(row);
    this.values[row] = value;
  }

  setText(row: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.mode === 'skip') return;
    if (row >= this.#capacity) this.#grow(row);
    this.codes ??= new Int32Array(this.#capacity).fill(NO_TEXT);
    this.codes[row] =
      this.pool.size >= MOST_TEXTS || this.pool.byteLength >= MOST_TEXT_BYTES
        ? NOT_KEPT
        : this.pool.codeOf(bytes, start, end);
  }

  /** Without the room for more rows. */
  finish(rows: number): void {
    if (this.mode === 'skip') return;
    if (rows > this.#capacity) this.#grow(rows - 1);
    if (this.mode === 'values') this.values = this.values.subarray(0, rows);
    this.codes = this.codes?.subarray(0, rows);
  }

  #grow(row: number): void {
    const capacity = Math.max(row + 1, Math.ceil(1.5 * this.#capacity), 64);
    if (this.mode === 'values') {
      const values = new Float64Array(capacity);
      values.set(this.values);
      values.fill(Number.NaN, this.values.length);
      this.values = values;
    }
    if (this.codes !== undefined) {
      const codes = new Int32Array(capacity);
      codes.set(this.codes);
      codes.fill(NO_TEXT, this.codes.length);
      this.codes = codes;
    }
    this.#capacity = capacity;
  }
}

/** A table before anything is known of its columns. */
export interface ColumnTable {
  readonly names: readonly string[];
  readonly columns: readonly Column[];
  readonly rows: number;
  /** Where a row stands in its file, such as "line 3". */
  place(row: number): string;
  /** What reading it guessed or left out. */
  readonly notes: readonly string[];
  /** How numbers are written in it. */
  readonly marks: NumberMarks;
  /** Between its values, for tables of text. */
  readonly delimiter?: string | undefined;
}

/** The marks inside numbers. */
export interface NumberMarks {
  /** Between whole part and fraction. */
  readonly decimal: '.' | ',';
  /** Between groups of three digits; none where it is empty. */
  readonly thousands: string;
}

export const PLAIN: NumberMarks = { decimal: '.', thousands: '' };

/** Line numbers of rows: kept only where they do not follow one another. */
export class RowLines {
  readonly #rows: number[] = [];
  readonly #lines: number[] = [];
  #next = -1;

  add(row: number, line: number): void {
    if (line !== this.#next) {
      this.#rows.push(row);
      this.#lines.push(line);
    }
    this.#next = line + 1;
  }

  of(row: number): number {
    let low = 0;
    let high = this.#rows.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#rows[middle]! <= row) low = middle;
      else high = middle;
    }
    return (this.#lines[low] ?? 1) + row - (this.#rows[low] ?? 0);
  }
}
