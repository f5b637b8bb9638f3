/**
 * Delimited text into columns, byte by byte. Quotes are as pandas and csv of Python have them: one at the beginning of a
 * cell opens it, two inside stand for one, what follows the closing one belongs to the cell, and one in the middle of a cell
 * is a character like others.
 */
import { VaeError } from '../../core/errors.js';
import { type Column, RowLines } from './columns.js';
import { NumberReader } from './number-bytes.js';

/** Between cells: one byte, or runs of blanks. */
export const BLANKS = -1;

const LF = 10;
const CR = 13;
const SPACE = 32;
const TAB = 9;
const QUOTE = 34;

export interface CsvScanOptions {
  readonly delimiter: number;
  /** Byte of the decimal mark. */
  readonly decimal: number;
  /** Lines that begin with this byte are left out; −1 for none. */
  readonly comment: number;
  /** Cells of a row. */
  readonly width: number;
  /** Number of the first line in its file. */
  readonly firstLine: number;
  readonly where: string;
}

export class CsvScanner {
  rows = 0;
  readonly lines = new RowLines();
  /** Lines left out as comments. */
  comments = 0;
  /** Cells behind the last column that were empty. */
  trailing = 0;
  readonly #columns: readonly Column[];
  readonly #options: CsvScanOptions;
  readonly #number: NumberReader;
  #line: number;
  #scratch = new Uint8Array(256);
  #scratchLength = 0;
  /** Set by #quoted(). */
  #cellStart = 0;
  #cellEnd = 0;
  #cellBytes: Uint8Array = this.#scratch;
  #cellLines = 0;

  constructor(columns: readonly Column[], options: CsvScanOptions) {
    this.#columns = columns;
    this.#options = options;
    this.#number = new NumberReader(options.decimal);
    this.#line = options.firstLine;
  }

  /**
   * Reads the rows that are complete.
   *
   * @param bytes with one writable byte behind `end`.
   * @param last whether the file ends at `end`.
   * @returns where the first row that is not complete begins.
   * @throws VaeError ERR_VAE_DATA for a row of another width, ERR_VAE_FORMAT for a quote that does not close.
   */
  scan(bytes: Uint8Array, start: number, end: number, last: boolean): number {
    // No digit, no delimiter and no blank: every loop below stops at it.
    bytes[end] = 0;
    let stop = end;
    if (last) {
      bytes[end] = LF;
      stop = end + 1;
    }
    const { delimiter, comment } = this.#options;
    let at = start;
    while (at < stop) {
      const rowStart = at;
      let byte = bytes[at]!;
      // Blank lines, as pandas leaves them out.
      let first = at;
      while (byte === SPACE || (byte === TAB && delimiter !== TAB)) byte = bytes[++first]!;
      if (first >= stop) return rowStart;
      if (byte === LF || byte === CR) {
        if (byte === CR && first + 1 >= stop && !last) return rowStart;
        at = first + (byte === CR && bytes[first + 1] === LF && first + 1 < stop ? 2 : 1);
        this.#line += 1;
        continue;
      }
      if (byte === comment) {
        while (first < stop && bytes[first] !== LF && bytes[first] !== CR) first += 1;
        if (first >= stop) return rowStart;
        if (bytes[first] === CR && first + 1 >= stop && !last) return rowStart;
        at = first + (bytes[first] === CR && bytes[first + 1] === LF && first + 1 < stop ? 2 : 1);
        this.#line += 1;
        this.comments += 1;
        continue;
      }
      at = this.#row(bytes, delimiter === BLANKS ? first : at, stop, last);
      if (at < 0) return rowStart;
    }
    return at;
  }

  /** @returns behind the row's end; −1 where it is not complete. */
  #row(bytes: Uint8Array, start: number, stop: number, last: boolean): number {
    const { delimiter, width } = this.#options;
    const number = this.#number;
    const row = this.rows;
    let at = start;
    let lines = 1;
    let extra = 0;
    for (let index = 0; ; index += 1) {
      const column = index < width ? this.#columns[index]! : undefined;
      let byte = bytes[at]!;
      while (byte === SPACE || (byte === TAB && delimiter !== TAB)) byte = bytes[++at]!;
      let from = at;
      let done = false;
      if (byte === QUOTE) {
        at = this.#quoted(bytes, at, stop, last);
        if (at < 0) return -1;
        byte = bytes[at]!;
        lines += this.#cellLines;
        done = true;
        if (this.#cellEnd > this.#cellStart) {
          if (column === undefined) extra = index + 1;
          else this.#take(row, column, this.#cellBytes, this.#cellStart, this.#cellEnd);
        }
      } else if (column !== undefined && column.mode === 'values') {
        const value = number.read(bytes, at);
        if (Number.isFinite(value)) {
          let next = number.end;
          byte = bytes[next]!;
          while (byte === SPACE || (byte === TAB && delimiter !== TAB)) byte = bytes[++next]!;
          const ends = byte === delimiter || byte === LF || byte === CR || (delimiter === BLANKS && next > number.end);
          if (next >= stop) return -1;
          if (ends) {
            column.setNumber(row, value);
            if (number.decimals > column.decimals) column.decimals = number.decimals;
            if (number.leadingZeros) column.leadingZeros = true;
            at = next;
            done = true;
          }
        }
      }
      if (!done) {
        from = at;
        byte = bytes[at]!;
        if (delimiter === BLANKS) {
          while (at < stop && byte !== SPACE && byte !== TAB && byte !== LF && byte !== CR) byte = bytes[++at]!;
        } else {
          while (at < stop && byte !== delimiter && byte !== LF && byte !== CR) byte = bytes[++at]!;
        }
        if (at >= stop) return -1;
        let to = at;
        while (to > from && (bytes[to - 1] === SPACE || bytes[to - 1] === TAB)) to -= 1;
        if (to > from) {
          if (column === undefined) extra = index + 1;
          else column.setText(row, bytes, from, to);
        }
        while (delimiter === BLANKS && (byte === SPACE || byte === TAB)) byte = bytes[++at]!;
        if (at >= stop) return -1;
      }
      if (byte === LF || byte === CR) {
        if (byte === CR && at + 1 >= stop && !last) return -1;
        at += byte === CR && bytes[at + 1] === LF && at + 1 < stop ? 2 : 1;
        // Something follows in the row, or nothing does: an empty last cell is a cell, a blank at the end is none.
        this.#endRow(index + 1, extra, lines);
        return at;
      }
      // White space after a quoted cell or a number was passed already.
      if (delimiter !== BLANKS) at += 1;
    }
  }

  #endRow(count: number, extra: number, lines: number): void {
    const { width, where, delimiter } = this.#options;
    if (count !== width) {
      if (count < width || extra > 0) {
        const mark = delimiter === BLANKS ? 'white space' : `"${String.fromCharCode(delimiter)}"`;
        throw new VaeError(
          'ERR_VAE_DATA',
          `${where}, line ${this.#line}: expected ${width} values separated by ${mark}, received ${count}. ` +
            'Correct the row; if its values are separated otherwise, name the mark (delimiter); if it is a comment, name its first character (comment).',
        );
      }
      this.trailing += 1;
    }
    this.lines.add(this.rows, this.#line);
    this.rows += 1;
    this.#line += lines;
  }

  /** A cell in quotes: its content as #cellBytes from #cellStart to #cellEnd. @returns where it ends, or −1. */
  #quoted(bytes: Uint8Array, start: number, stop: number, last: boolean): number {
    const { delimiter } = this.#options;
    let at = start + 1;
    this.#cellLines = 0;
    this.#scratchLength = 0;
    let from = at;
    let copied = false;
    for (;;) {
      const byte = bytes[at]!;
      if (at >= stop) {
        if (!last) return -1;
        throw new VaeError(
          'ERR_VAE_FORMAT',
          `${this.#options.where}, line ${this.#line}: not a valid CSV file: a quote opens here and does not close. ` +
            'Close it, or write two quotes where one is meant.',
        );
      }
      if (byte === LF && at + 1 < stop) this.#cellLines += 1;
      if (byte !== QUOTE) {
        at += 1;
        continue;
      }
      if (at + 1 >= stop) return -1;
      if (bytes[at + 1] === QUOTE) {
        this.#copy(bytes, from, at + 1);
        copied = true;
        at += 2;
        from = at;
        continue;
      }
      break;
    }
    let end = at;
    at += 1;
    let byte = bytes[at]!;
    while (byte === SPACE || (byte === TAB && delimiter !== TAB)) byte = bytes[++at]!;
    const ends =
      delimiter === BLANKS
        ? at > end + 1 || byte === LF || byte === CR
        : byte === delimiter || byte === LF || byte === CR;
    if (at >= stop) return -1;
    if (!ends) {
      // What follows the closing quote belongs to the cell.
      this.#copy(bytes, from, end);
      copied = true;
      from = end + 1;
      at = from;
      byte = bytes[at]!;
      while (
        at < stop &&
        byte !== LF &&
        byte !== CR &&
        !(delimiter === BLANKS ? byte === SPACE || byte === TAB : byte === delimiter)
      ) {
        byte = bytes[++at]!;
      }
      if (at >= stop) return -1;
      end = at;
      while (delimiter === BLANKS && (byte === SPACE || byte === TAB)) byte = bytes[++at]!;
      if (at >= stop) return -1;
    }
    if (copied) {
      this.#copy(bytes, from, end);
      this.#cellBytes = this.#scratch;
      this.#cellStart = 0;
      this.#cellEnd = this.#scratchLength;
      // So that a number that ends the cell ends there.
      this.#scratch[this.#scratchLength] = 0;
    } else {
      this.#cellBytes = bytes;
      this.#cellStart = from;
      this.#cellEnd = end;
    }
    return at;
  }

  #copy(bytes: Uint8Array, start: number, end: number): void {
    const length = this.#scratchLength + end - start;
    if (length + 1 > this.#scratch.length) {
      const wider = new Uint8Array(2 * (length + 1));
      wider.set(this.#scratch.subarray(0, this.#scratchLength));
      this.#scratch = wider;
    }
    this.#scratch.set(bytes.subarray(start, end), this.#scratchLength);
    this.#scratchLength = length;
  }

  /** Content of a cell in quotes: a number in quotes is a number, as for pandas. */
  #take(row: number, column: Column, bytes: Uint8Array, start: number, end: number): void {
    if (column.mode === 'values') {
      const number = this.#number;
      const value = number.read(bytes, start);
      if (number.end === end && Number.isFinite(value)) {
        column.setNumber(row, value);
        column.decimals = Math.max(column.decimals, number.decimals);
        if (number.leadingZeros) column.leadingZeros = true;
        return;
      }
    }
    column.setText(row, bytes, start, end);
  }
}
