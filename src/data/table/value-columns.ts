/** Columns from values that a library has decoded: numbers, texts, dates, lists and objects of them. */
import { VaeError } from '../../core/errors.js';
import { type Column, type ColumnTable, PLAIN } from './columns.js';

/** Values of a column that are looked at to tell its decimals: the text of each is made for it. */
const LOOKED_AT = 1000;
/** Digits that float32 keeps. */
const FLOAT32_DIGITS = 7;

export const INDEX_NOTE = 'The index of pandas is no column and was left out.';

/** Columns that pandas takes for the index of a table, by what it writes beside the table. */
export function indexNames(pandas: string | undefined): ReadonlySet<string> {
  if (pandas === undefined) return new Set();
  try {
    const { index_columns: names } = JSON.parse(pandas) as { readonly index_columns?: readonly unknown[] };
    return new Set(names?.filter((name) => typeof name === 'string'));
  } catch {
    return new Set();
  }
}

export class ValueColumns {
  readonly names: string[] = [];
  readonly #columns = new Map<string, Column>();
  readonly #make: (name: string, rows: number) => Column;
  readonly #rows: number;
  readonly #where: string;

  constructor(make: (name: string, rows: number) => Column, rows: number, where: string) {
    this.#make = make;
    this.#rows = rows;
    this.#where = where;
  }

  /** Values of consecutive rows of one column. */
  put(name: string, values: ArrayLike<unknown>, firstRow: number): void {
    if (ArrayBuffer.isView(values) && !(values instanceof BigInt64Array || values instanceof BigUint64Array)) {
      this.#numbers(
        this.#column(name),
        values as unknown as ArrayLike<number>,
        firstRow,
        values instanceof Float32Array,
      );
      return;
    }
    for (let index = 0; index < values.length; index += 1) this.#value(name, values[index], firstRow + index);
  }

  table(notes: readonly string[]): ColumnTable {
    const columns = this.names.map((name) => this.#columns.get(name)!);
    for (const column of columns) column.finish(this.#rows);
    return {
      ...{ names: this.names, columns, rows: this.#rows, notes, marks: PLAIN },
      place: (row) => `row ${row + 1}`,
    };
  }

  #column(name: string): Column {
    let column = this.#columns.get(name);
    if (column === undefined) {
      column = this.#make(name, this.#rows);
      this.#columns.set(name, column);
      this.names.push(name);
    }
    return column;
  }

  #numbers(column: Column, values: ArrayLike<number>, firstRow: number, short: boolean): void {
    if (column.mode === 'skip') return;
    for (let index = 0; index < values.length; index += 1) {
      this.#number(column, values[index]!, firstRow + index, short);
    }
  }

  #number(column: Column, value: number, row: number, short: boolean): void {
    if (Number.isNaN(value)) return;
    if (column.mode === 'values' && Number.isFinite(value)) {
      column.setNumber(row, value);
      if (row < LOOKED_AT && !Number.isInteger(value)) {
        column.decimals = Math.max(
          column.decimals,
          decimalsOf(short ? Number(value.toPrecision(FLOAT32_DIGITS)) : value),
        );
      }
    } else this.#text(column, String(value), row);
  }

  #text(column: Column, text: string, row: number): void {
    if (text === '' || column.mode === 'skip') return;
    const bytes = Buffer.from(text);
    column.setText(row, bytes, 0, bytes.length);
  }

  #value(name: string, value: unknown, row: number): void {
    switch (typeof value) {
      case 'number':
        this.#number(this.#column(name), value, row, false);
        return;
      case 'bigint':
        this.#number(this.#column(name), Number(value), row, false);
        return;
      case 'string':
        this.#text(this.#column(name), value, row);
        return;
      case 'boolean':
        this.#text(this.#column(name), String(value), row);
        return;
    }
    if (value === null || value === undefined) this.#column(name);
    else if (value instanceof Date) this.#text(this.#column(name), dateText(value), row);
    else if (Array.isArray(value) || ArrayBuffer.isView(value)) {
      const items = value as unknown as ArrayLike<unknown>;
      const short = value instanceof Float32Array;
      for (let index = 0; index < items.length; index += 1) {
        const item = items[index];
        const path = `${name}[${index}]`;
        if (typeof item === 'number') this.#number(this.#column(path), item, row, short);
        else this.#value(path, item, row);
      }
    } else if (typeof value === 'object') {
      if (name.includes('[')) {
        throw new VaeError(
          'ERR_VAE_DATA',
          `${this.#where}, row ${row + 1}: "${name}" is an object in a list; only values can be read.`,
        );
      }
      for (const [key, item] of Object.entries(value)) this.#value(`${name}.${key}`, item, row);
    }
  }
}

/** As pandas writes dates in text. */
function dateText(date: Date): string {
  const text = date.toISOString();
  const [day, time] = [text.slice(0, 10), text.slice(11, 23)];
  if (time === '00:00:00.000') return day;
  return `${day} ${time.endsWith('.000') ? time.slice(0, 8) : time}`;
}

function decimalsOf(value: number): number {
  const [, fraction = '', exponent = '0'] = /^[^.e]*\.?(\d*)(?:e([+-]?\d+))?$/.exec(String(value)) ?? [];
  return Math.max(0, fraction.length - Number(exponent));
}
