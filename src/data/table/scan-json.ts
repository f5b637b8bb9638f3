/**
 * JSON lines, or one JSON array of rows, into columns, byte by byte. A row is an object, or a list of numbers; an object inside
 * one becomes columns `name.key`, a list columns `name[0]`. NaN, Infinity and -Infinity are read as Python writes them.
 */
import { VaeError } from '../../core/errors.js';
import { type Column, RowLines } from './columns.js';
import { NumberReader } from './number-bytes.js';

/** Where values are in a row: columns by key, or by place. */
class Path {
  readonly name: string;
  column: Column | undefined;
  /** In the order in which keys came first: rows mostly repeat it. */
  readonly keys: { readonly bytes: Uint8Array; readonly path: Path }[] = [];
  readonly byKey = new Map<string, Path>();
  readonly items: Path[] = [];

  constructor(name: string) {
    this.name = name;
  }
}

const SPACE = 32;
const QUOTE = 34;
const COMMA = 44;
const OPEN_LIST = 91;
const BACKSLASH = 92;
const CLOSE_LIST = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

/** Thrown where the bytes end inside a row. */
const CUT_OFF = Symbol('cut off');
const MOST_DEPTH = 64;
/** Bytes that the longest number or word fits in. */
const CLOSE = 512;

export class JsonScanner {
  rows = 0;
  readonly names: string[] = [];
  readonly columns: Column[] = [];
  readonly lines = new RowLines();
  readonly #make: (name: string, rows: number) => Column;
  readonly #where: string;
  readonly #root = new Path('');
  readonly #number = new NumberReader(46);
  /** Rows are the items of one list. */
  #isList = false;
  #begun = false;
  #ended = false;
  #line = 1;
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #stop = 0;
  #last = false;
  #depth = 0;

  /** Rows that there are about, so that columns need not grow. */
  expected = 64;

  constructor(make: (name: string, rows: number) => Column, where: string) {
    this.#make = make;
    this.#where = where;
  }

  /** As CsvScanner.scan(). */
  scan(bytes: Uint8Array, start: number, end: number, last: boolean): number {
    bytes[end] = 0;
    this.#bytes = bytes;
    this.#stop = end;
    this.#last = last;
    this.#at = start;
    let done = start;
    let doneLine = this.#line;
    try {
      for (;;) {
        this.#skipBetween();
        done = this.#at;
        doneLine = this.#line;
        if (this.#at >= end) return done;
        if (!this.#begun) this.#begin(last);
        else if (this.#ended) this.#fail('expected nothing behind the list');
        else if (this.#isList && bytes[this.#at] === CLOSE_LIST) {
          this.#ended = true;
          this.#at += 1;
        } else {
          const line = this.#line;
          this.#depth = 0;
          this.#row();
          // A row is whole when what ends it is there: a number could go on.
          this.lines.add(this.rows, line);
          this.rows += 1;
        }
        done = this.#at;
      }
    } catch (error) {
      if (error !== CUT_OFF) throw error;
      if (last) this.#fail('the file ends inside a row');
      this.#line = doneLine;
      return done;
    }
  }

  /** One list of rows, or rows one to a line: told by what stands in the first bracket. */
  #begin(last: boolean): void {
    if (this.#bytes[this.#at] !== OPEN_LIST) {
      this.#begun = true;
      return;
    }
    let next = this.#at + 1;
    while (next < this.#stop && (isBlank(this.#bytes[next]!) || this.#bytes[next] === 10)) next += 1;
    if (next >= this.#stop) {
      if (last) this.#fail('the file ends inside a list');
      throw CUT_OFF;
    }
    this.#begun = true;
    if (this.#bytes[next] === OPEN_OBJECT || this.#bytes[next] === OPEN_LIST) {
      this.#isList = true;
      this.#at += 1;
    }
  }

  /** Line ends and blanks; in a list commas too. */
  #skipBetween(): void {
    for (;;) {
      const byte = this.#bytes[this.#at]!;
      if (byte === 10) this.#line += 1;
      else if (!isBlank(byte) && !(byte === COMMA && this.#isList && this.rows > 0)) return;
      if (this.#at >= this.#stop) return;
      this.#at += 1;
    }
  }

  #row(): void {
    const byte = this.#bytes[this.#at];
    if (byte === OPEN_OBJECT) this.#object(this.#root);
    else if (byte === OPEN_LIST) this.#list(this.#root);
    else {
      const from = this.#at;
      let to = from;
      while (to < this.#stop && this.#bytes[to] !== 10) to += 1;
      if (to >= this.#stop && to - from < 64) throw CUT_OFF;
      const shown = Buffer.from(this.#bytes.subarray(from, Math.min(to, from + 40)))
        .toString()
        .trim();
      if (/^(-?\d|"|true|false|null)/.test(shown)) {
        throw new VaeError(
          'ERR_VAE_DATA',
          `${this.#where}, line ${this.#line}: expected an object or a list of numbers, received ${shown}.`,
        );
      }
      this.#fail(`expected an object or a list of numbers, received ${JSON.stringify(shown)}`);
    }
  }

  #object(path: Path): void {
    if (path.name.includes('[')) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${this.#where}, line ${this.#line}: "${path.name}" is an object in a list; only values can be read.`,
      );
    }
    this.#deeper();
    this.#at += 1;
    let guess = 0;
    if (this.#next() === CLOSE_OBJECT) {
      this.#at += 1;
      return;
    }
    for (;;) {
      if (this.#next() !== QUOTE) this.#fail('expected a name in quotes');
      const start = this.#at + 1;
      this.#passString();
      const child = this.#childOf(path, start, this.#at - 1, guess);
      guess = child.guess + 1;
      if (this.#next() !== 58) this.#fail('expected ":"');
      this.#at += 1;
      this.#value(child.path);
      const byte = this.#next();
      this.#at += 1;
      if (byte === CLOSE_OBJECT) break;
      if (byte !== COMMA) this.#fail('expected "," or "}"', -1);
    }
    this.#depth -= 1;
  }

  #list(path: Path): void {
    this.#deeper();
    this.#at += 1;
    if (this.#next() === CLOSE_LIST) {
      this.#at += 1;
      this.#depth -= 1;
      return;
    }
    for (let index = 0; ; index += 1) {
      let item = path.items[index];
      if (item === undefined) {
        item = new Path(`${path.name}[${index}]`);
        path.items.push(item);
      }
      this.#value(item);
      const byte = this.#next();
      this.#at += 1;
      if (byte === CLOSE_LIST) break;
      if (byte !== COMMA) this.#fail('expected "," or "]"', -1);
    }
    this.#depth -= 1;
  }

  #value(path: Path): void {
    const byte = this.#next();
    switch (byte) {
      case OPEN_OBJECT:
        this.#object(path);
        return;
      case OPEN_LIST:
        this.#list(path);
        return;
      case QUOTE: {
        const start = this.#at + 1;
        const escaped = this.#passString();
        this.#setText(path, start, this.#at - 1, escaped);
        return;
      }
      case 110: // null
        this.#word('null');
        this.#columnOf(path);
        return;
      case 116:
      case 102: {
        const start = this.#at;
        this.#word(byte === 116 ? 'true' : 'false');
        this.#columnOf(path).setText(this.rows, this.#bytes, start, this.#at);
        return;
      }
      case 78: // NaN: missing, as for pandas
        this.#word('NaN');
        this.#columnOf(path);
        return;
    }
    const start = this.#at;
    const column = this.#columnOf(path);
    if (byte === 73 || (byte === 45 && this.#bytes[start + 1] === 73)) {
      if (byte === 45) this.#at += 1;
      this.#word('Infinity');
      column.setText(this.rows, this.#bytes, start, this.#at);
      return;
    }
    const value = this.#number.read(this.#bytes, start);
    if (Number.isNaN(value) || byte === 43) this.#fail('expected a value');
    this.#at = this.#number.end;
    if (this.#at >= this.#stop) throw CUT_OFF;
    if (column.mode === 'values' && Number.isFinite(value)) {
      column.setNumber(this.rows, value);
      if (this.#number.decimals > column.decimals) column.decimals = this.#number.decimals;
    } else {
      // One text for one number, however it is written.
      const text = Buffer.from(String(value));
      column.setText(this.rows, text, 0, text.length);
    }
  }

  #setText(path: Path, start: number, end: number, escaped: boolean): void {
    const column = this.#columnOf(path);
    if (column.mode === 'skip' || end === start) return;
    if (!escaped) {
      column.setText(this.rows, this.#bytes, start, end);
      return;
    }
    const text = Buffer.from(this.#parseString(start - 1, end + 1));
    if (text.length > 0) column.setText(this.rows, text, 0, text.length);
  }

  #columnOf(path: Path): Column {
    if (path.column === undefined) {
      path.column = this.#make(path.name, Math.max(this.expected, this.rows + 1));
      this.names.push(path.name);
      this.columns.push(path.column);
    }
    return path.column;
  }

  #childOf(path: Path, start: number, end: number, guess: number): { path: Path; guess: number } {
    const expected = path.keys[guess];
    if (expected !== undefined && equals(expected.bytes, this.#bytes, start, end))
      return { path: expected.path, guess };
    const key = this.#parseString(start - 1, end + 1);
    const known = path.byKey.get(key);
    if (known !== undefined) return { path: known, guess: path.keys.findIndex((entry) => entry.path === known) };
    const child = new Path(path.name === '' ? key : `${path.name}.${key}`);
    path.byKey.set(key, child);
    path.keys.push({ bytes: this.#bytes.slice(start, end), path: child });
    return { path: child, guess: path.keys.length - 1 };
  }

  /** The next byte that is no blank. */
  #next(): number {
    let byte = this.#bytes[this.#at]!;
    while (isBlank(byte) || byte === 10) {
      if (byte === 10) {
        if (!this.#isList) this.#fail('the line ends inside a row');
        this.#line += 1;
      }
      this.#at += 1;
      byte = this.#bytes[this.#at]!;
    }
    if (this.#at >= this.#stop) throw CUT_OFF;
    return byte;
  }

  /** @returns whether it holds escapes. */
  #passString(): boolean {
    let at = this.#at + 1;
    let escaped = false;
    for (;;) {
      const byte = this.#bytes[at]!;
      if (at >= this.#stop) throw CUT_OFF;
      if (byte === QUOTE) break;
      if (byte === BACKSLASH) {
        escaped = true;
        at += 1;
      } else if (byte < SPACE) this.#fail('a text may not hold line ends; write \\n', at);
      at += 1;
    }
    this.#at = at + 1;
    return escaped;
  }

  #parseString(start: number, end: number): string {
    try {
      return JSON.parse(Buffer.from(this.#bytes.subarray(start, end)).toString()) as string;
    } catch {
      return this.#fail('a text with an escape that is not known', start);
    }
  }

  #word(word: string): void {
    for (let index = 0; index < word.length; index += 1) {
      if (this.#at + index >= this.#stop) throw CUT_OFF;
      if (this.#bytes[this.#at + index] !== word.charCodeAt(index)) this.#fail(`expected ${word}`);
    }
    this.#at += word.length;
  }

  #deeper(): void {
    this.#depth += 1;
    if (this.#depth > MOST_DEPTH) this.#fail(`more than ${MOST_DEPTH} lists or objects in one another`);
  }

  #fail(problem: string, place = this.#at): never {
    const at = place < 0 ? this.#at - 1 : place;
    // What looks wrong so close to the end may only be cut off.
    if (!this.#last && this.#stop - at < CLOSE) throw CUT_OFF;
    const shown = Buffer.from(this.#bytes.subarray(at, Math.min(this.#stop, at + 24)))
      .toString()
      .split('\n')[0]!;
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `${this.#where}, line ${this.#line}: not valid JSON: ${problem}${shown === '' ? '' : `, at ${JSON.stringify(shown)}`}.`,
    );
  }
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === 13 || byte === 9;
}

function equals(own: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (own.length !== end - start) return false;
  for (let index = 0; index < own.length; index += 1) if (own[index] !== bytes[start + index]) return false;
  return true;
}
