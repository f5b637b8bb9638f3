/** How a text file holds its table: what separates values, where it begins, whether it names its columns. */
import { extname } from 'node:path';
import { VaeError } from '../../core/errors.js';
import { writtenNumber } from './notation.js';
import { BLANKS } from './scan-csv.js';

export interface DialectOptions {
  readonly delimiter?: string | undefined;
  readonly header?: boolean | undefined;
  readonly comment?: string | undefined;
}

export interface Dialect {
  /** Its byte, or BLANKS. */
  readonly delimiter: number;
  /** Bytes before the first row of values, and the number of that row's line. */
  readonly start: number;
  readonly firstLine: number;
  readonly names: readonly string[];
  readonly named: boolean;
  readonly notes: readonly string[];
}

const MARKS = [',', '\t', ';', '|'] as const;
/** Lines that are looked at. */
const MOST_LINES = 200;
/** Files that by custom have no line of names. */
const BARE_ENDINGS = ['.data', '.dat'];
const BARE_IF_NUMBERS = ['.data', '.dat', '.txt'];

interface Line {
  readonly cells: readonly string[];
  /** Where it begins and ends in the text, and the number of its line. */
  readonly start: number;
  readonly end: number;
  readonly number: number;
}

/**
 * @param text the beginning of the file, or all of it.
 * @param whole whether it is all of it.
 */
export function dialectOf(text: string, whole: boolean, path: string, options: DialectOptions): Dialect {
  const notes: string[] = [];
  const ending = extname(path.replace(/\.gz$/i, '')).toLowerCase();
  const told = /^sep=(.)\r?(?:\n|$)/i.exec(text);
  let skipped = told ? told[0].length : 0;
  if (told) notes.push(`The first line says that "${told[1] === '\t' ? '\\t' : told[1]}" separates values.`);
  const mark = options.delimiter ?? told?.[1] ?? guessMark(text.slice(skipped), whole, ending, options.comment);
  const sampled = linesOf(text.slice(skipped), mark, whole, options.comment);
  if (sampled.length === 0) throw new VaeError('ERR_VAE_DATA', `${path}: the table has no rows besides its names.`);
  const width = commonWidth(sampled);
  let lines = sampled;
  let heading: readonly string[] | undefined;
  while (lines.length > 1 && isPreamble(lines, width)) {
    const [line] = lines as [Line];
    const joined = text.slice(skipped).slice(line.start, line.end).trim();
    const shown = joined.length > 60 ? `${joined.slice(0, 57)}...` : joined;
    heading = headingIn(joined, mark, lines[1]!, width);
    notes.push(
      heading
        ? `The comment "${shown}" names the columns.`
        : `Line ${line.number + (told ? 1 : 0)} is no part of the table and was left out: "${shown}".`,
    );
    lines = lines.slice(1);
  }
  const [first] = lines as [Line];
  const numbers = first.cells.filter((cell) => writtenNumber(cell) !== undefined).length;
  const filled = first.cells.filter((cell) => cell !== '').length;
  const bare =
    (BARE_ENDINGS.includes(ending) && numbers > 0) ||
    ((BARE_IF_NUMBERS.includes(ending) || mark === ' ') && numbers === filled && filled > 0);
  const named = options.header ?? (heading === undefined && !bare);
  if (options.header === undefined && heading === undefined && bare) {
    notes.push(
      'The first line holds values, so the columns are named column1, column2, … (header: true, --header, where it names them).',
    );
  }
  let names: string[];
  if (named) {
    names = first.cells.map((name, index) => (index === 0 ? name.replace(/^#\s*/, '') : name));
    const below = lines[1]?.cells ?? [];
    const numeric = names.filter((name, index) => writtenNumber(name) && writtenNumber(below[index] ?? '')).length;
    if (options.header === undefined && numeric > 0 && (numeric === names.length || numeric * 2 >= names.length)) {
      notes.push(
        `The first row is being taken as names, and holds numbers (${names.slice(0, 3).join(', ')}); if it is data, say so: header: false (--no-header).`,
      );
    }
  } else {
    names = [...(heading ?? Array.from({ length: width }, (_, index) => `column${index + 1}`))];
  }
  const from = named ? first.end : first.start;
  const start = Buffer.byteLength(text.slice(0, skipped + from));
  skipped = 0;
  return {
    delimiter: mark === ' ' ? BLANKS : mark.charCodeAt(0),
    start,
    firstLine: first.number + (told ? 1 : 0) + (named ? linesWithin(text, first) : 0),
    names,
    named,
    notes,
  };
}

/** Lines that a row of names takes: one, or more where a name has line ends in it. */
function linesWithin(_: string, line: Line): number {
  return 1 + line.cells.reduce((sum, cell) => sum + (cell.match(/\n/g)?.length ?? 0), 0);
}

/** The width most lines have, the wider one where two are as common. */
function commonWidth(lines: readonly Line[]): number {
  const counts = new Map<number, number>();
  for (const { cells } of lines) counts.set(cells.length, (counts.get(cells.length) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || b[0] - a[0])[0]![0];
}

/** A title, or a comment, above the table. */
function isPreamble(lines: readonly Line[], width: number): boolean {
  const [{ cells }, next] = lines as [Line, Line];
  const comment = /^[#%]/.test(cells[0] ?? '');
  if (comment && cells.length !== width) return true;
  if (next === undefined) return false;
  const filled = cells.filter((cell) => cell !== '').length;
  // As spreadsheets write a title: one cell, and empty ones beside it.
  if (cells.length === width)
    return width > 2 && filled === 1 && next.cells.every((cell) => cell !== '') && next.cells.length === width;
  const rest = lines.slice(1);
  return (
    cells.length === 1 &&
    width > 1 &&
    rest.length > 1 &&
    rest.every((line) => line.cells.length >= width || line.cells.length === 1)
  );
}

/** Names in a comment straight above values, as numpy.savetxt() writes them. */
function headingIn(comment: string, mark: string, next: Line, width: number): string[] | undefined {
  if (!/^[#%]/.test(comment)) return undefined;
  if (next.cells.length !== width || !next.cells.some((cell) => writtenNumber(cell))) return undefined;
  const text = comment.replace(/^[#%]+\s*/, '');
  const names = (mark === ' ' ? text.split(/[ \t]+/) : text.split(mark)).map((name) => name.trim());
  const fits = names.length === width && names.every((name) => name !== '' && !writtenNumber(name));
  return fits ? names : undefined;
}

/** The mark under which the lines look most like a table. */
function guessMark(text: string, whole: boolean, ending: string, comment: string | undefined): string {
  let best: string | undefined;
  let bestScore = 0;
  for (const mark of MARKS) {
    const lines = linesOf(text, mark, whole, comment);
    const width = commonWidth(lines.length > 0 ? lines : [{ cells: [''], start: 0, end: 0, number: 1 }]);
    const wide = lines.filter(({ cells }) => cells.length === width);
    if (width < 2) {
      // One line of many may still say it: a row that lacks a cell is a fault of the row.
      continue;
    }
    const cells = wide.flatMap((line) => line.cells);
    const clean = cells.filter((cell) => cell === '' || anyNumber(cell) || !/[,;\t|]/.test(cell)).length / cells.length;
    const headed = lines[0]!.cells.length === width ? 0.2 : 0;
    const score = 2 * (wide.length / lines.length) + clean + headed + (ending === '.tsv' && mark === '\t' ? 1 : 0);
    if (score > bestScore + 1e-9) {
      best = mark;
      bestScore = score;
    }
  }
  // Decimal commas in a single column: a name without commas above numbers with one each.
  if (best === ',') {
    const raw = linesOf(text, '\n', whole, comment).map(({ cells }) => cells[0]!);
    const [name, ...rest] = raw;
    if (!name!.includes(',') && rest.length > 0 && rest.every((line) => /^[+-]?\d+,\d+$/.test(line))) return ';';
  }
  if (best !== undefined) return best;
  return looksBlankSeparated(text, whole, comment) ? ' ' : ending === '.tsv' ? '\t' : ',';
}

function anyNumber(cell: string): boolean {
  return (
    writtenNumber(cell) !== undefined ||
    writtenNumber(cell, { decimal: ',', thousands: '.' }) !== undefined ||
    writtenNumber(cell, { decimal: '.', thousands: ',' }) !== undefined
  );
}

/** Where nothing else separates: rows of as many words, most of which are numbers. */
function looksBlankSeparated(text: string, whole: boolean, comment: string | undefined): boolean {
  const lines = linesOf(text, ' ', whole, comment).filter(({ cells }) => !/^[#%]/.test(cells[0]!));
  const width = commonWidth(lines.length > 0 ? lines : [{ cells: [], start: 0, end: 0, number: 1 }]);
  if (width < 2 || !lines.every(({ cells }) => cells.length === width)) return false;
  const cells = lines.slice(lines.length > 1 ? 1 : 0).flatMap((line) => line.cells);
  return cells.filter((cell) => anyNumber(cell)).length * 2 >= cells.length;
}

/** The first lines of a text as cells; a line that the text may cut off is left out. */
function linesOf(text: string, mark: string, whole: boolean, comment: string | undefined): Line[] {
  const lines: Line[] = [];
  const blanks = mark === ' ';
  let at = 0;
  let number = 1;
  while (at < text.length && lines.length < MOST_LINES) {
    const start = at;
    const cells: string[] = [];
    let breaks = 0;
    let complete = false;
    let quotedAny = false;
    while (at <= text.length) {
      while (text[at] === ' ' || (text[at] === '\t' && mark !== '\t')) at += 1;
      let cell = '';
      let quoted = false;
      if (text[at] === '"' && mark !== '\n') {
        quoted = true;
        quotedAny = true;
        at += 1;
        for (; at < text.length; at += 1) {
          if (text[at] === '"') {
            if (text[at + 1] !== '"') break;
            at += 1;
          }
          if (text[at] === '\n') breaks += 1;
          cell += text[at];
        }
        at += 1;
      }
      const from = at;
      while (
        at < text.length &&
        text[at] !== '\n' &&
        text[at] !== '\r' &&
        !(blanks ? text[at] === ' ' || text[at] === '\t' : text[at] === mark)
      ) {
        at += 1;
      }
      const rest = text.slice(from, at);
      cells.push(quoted ? cell + rest.trimEnd() : rest.trim());
      if (blanks) while (text[at] === ' ' || text[at] === '\t') at += 1;
      const end = text[at];
      if (end === undefined) {
        complete = whole;
        at = text.length + 1;
        break;
      }
      if (end === '\n' || end === '\r') {
        at += end === '\r' && text[at + 1] === '\n' ? 2 : 1;
        complete = true;
        break;
      }
      if (!blanks) at += 1;
    }
    const blank = cells.length === 1 && cells[0] === '' && !quotedAny;
    const left = comment !== undefined && comment !== '' && cells[0]?.startsWith(comment);
    if (complete && !blank && !left) lines.push({ cells, start, end: Math.min(at, text.length), number });
    number += 1 + breaks;
  }
  return lines;
}
