/** Files come in pieces that end anywhere: what is read may not depend on where. */
import { describe, expect, it } from 'vitest';
import { Column } from '../../src/data/table/columns.js';
import { NumberReader } from '../../src/data/table/number-bytes.js';
import { CsvScanner } from '../../src/data/table/scan-csv.js';
import { JsonScanner } from '../../src/data/table/scan-json.js';

interface Scanner {
  rows: number;
  scan(bytes: Uint8Array, start: number, end: number, last: boolean): number;
}

/** Gives the scanner the text in pieces, and what it left before the next. */
function feed(scanner: Scanner, text: string, size: number): void {
  const all = Buffer.from(text);
  let rest = new Uint8Array(0);
  for (let at = 0; at < all.length; at += size) {
    const piece = all.subarray(at, at + size);
    const bytes = new Uint8Array(rest.length + piece.length + 1);
    bytes.set(rest);
    bytes.set(piece, rest.length);
    const end = rest.length + piece.length;
    const from = scanner.scan(bytes, 0, end, false);
    rest = bytes.slice(from, end);
  }
  const bytes = new Uint8Array(rest.length + 1);
  bytes.set(rest);
  scanner.scan(bytes, 0, rest.length, true);
}

function cellsOf(columns: readonly Column[], rows: number): (number | string | null)[][] {
  for (const column of columns) column.finish(rows);
  const texts = columns.map(({ pool }) => pool.texts());
  return Array.from({ length: rows }, (_, row) =>
    columns.map(({ codes, values }, index) => {
      const code = codes?.[row] ?? -1;
      if (code >= 0) return texts[index]![code]!;
      return Number.isNaN(values[row]) ? null : values[row]!;
    }),
  );
}

function readCsv(text: string, size: number, delimiter = 44) {
  const columns = Array.from({ length: 3 }, () => new Column('values', 1));
  const scanner = new CsvScanner(columns, { delimiter, decimal: 46, comment: 35, width: 3, firstLine: 1, where: 'x' });
  feed(scanner, text, size);
  return {
    cells: cellsOf(columns, scanner.rows),
    lines: Array.from({ length: scanner.rows }, (_, row) => scanner.lines.of(row)),
  };
}

function readJson(text: string, size: number) {
  const scanner = new JsonScanner((_, rows) => new Column('values', rows), 'x');
  feed(scanner, text, size);
  return { names: scanner.names, cells: cellsOf(scanner.columns, scanner.rows) };
}

const CSV = '1,-2.5e-3, x \r\n\r\n# note\n"4,""5",,\u00e9\u6771\n"a\r\nb"c, 7 ,-\r8,"9",1e\n-,.5,"  "\n\n10,11,12';
const WHITE = ' 1  -2.5e-3\tx \n4 "5 6"  7\n\n 8 9 10 \n';
const JSON_LINES =
  '{"a": 1, "b": [-0.5, 2e-3], "c": {"d": "x\\"\\u00e9"}}\r\n\n{"b": [NaN, -Infinity], "a": null, "e": true}\n {"c": {"d": ""}, "a": -12}';
const JSON_LIST = '[\n {"a": 1, "b": -2.5},\n {"a": 3e2,\n "b": 4}\n]\n';

describe('pieces of any size', () => {
  const sizes = [1, 2, 3, 5, 7, 11, 64];

  it.each(sizes)('of delimited text: %d bytes', (size) => {
    const { cells, lines } = readCsv(CSV, size);
    expect(cells).toEqual([
      [1, -2.5e-3, 'x'],
      ['4,"5', null, 'é東'],
      ['a\r\nbc', 7, '-'],
      [8, 9, '1e'],
      ['-', 0.5, '  '],
      [10, 11, 12],
    ]);
    expect(lines).toEqual([1, 4, 5, 7, 8, 10]);
    expect(readCsv(WHITE, size, -1).cells).toEqual([
      [1, -2.5e-3, 'x'],
      [4, '5 6', 7],
      [8, 9, 10],
    ]);
  });

  it.each(sizes)('of JSON: %d bytes', (size) => {
    const { names, cells } = readJson(JSON_LINES, size);
    expect(names).toEqual(['a', 'b[0]', 'b[1]', 'c.d', 'e']);
    expect(cells).toEqual([
      [1, -0.5, 2e-3, 'x"é', null],
      [null, null, '-Infinity', null, 'true'],
      [-12, null, null, null, null],
    ]);
    expect(readJson(JSON_LIST, size).cells).toEqual([
      [1, -2.5],
      [300, 4],
    ]);
  });

  it.each([
    '{"a": 01x}\n',
    '{"a": }\n',
    '{"a" 1}\n',
    '{"a": 1\n}\n',
    '{"a": nul}\n',
    '[{"a": 1}] x',
    '{"a": "b',
    '"text"\n',
    '{"a": "x\ty"}\n',
    '{"a": "\\q"}\n',
  ])('and what is no JSON is refused in each: %s', (text) => {
    for (const size of sizes) expect(() => readJson(text, size), String(size)).toThrow(/x, line \d/);
  });
});

describe('numbers', () => {
  it('are what Number() reads, to the last bit', () => {
    const reader = new NumberReader(46);
    let state = 12345;
    const random = (): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    const digits = (count: number): string => Array.from({ length: count }, () => Math.floor(random() * 10)).join('');
    for (let round = 0; round < 50_000; round += 1) {
      const fraction = random() < 0.7 ? `.${digits(Math.floor(random() * 20))}` : '';
      const exponent = random() < 0.4 ? `e${random() < 0.5 ? '-' : ''}${Math.floor(random() * 320)}` : '';
      const text = `${random() < 0.3 ? '-' : ''}${digits(1 + Math.floor(random() * 20))}${fraction}${exponent}`;
      const bytes = Buffer.from(`${text},`);
      expect(reader.read(bytes, 0), text).toBe(Number(text));
      expect(reader.end, text).toBe(text.length);
    }
  });
});
