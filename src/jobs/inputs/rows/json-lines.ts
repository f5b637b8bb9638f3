/** JSON lines of rows: an object for each, with a list of numbers, or a value for each column. */
import { VaeError } from '../../../core/errors.js';
import type { OpenInput } from '../../places/place.js';
import type { Mark } from '../items.js';
import { type ColumnKind, chooseColumns, chunkOf } from './cells.js';
import type { RowFormat } from './row-file.js';

/** Rows between two places that are kept. */
const MARK_EVERY = 1024;
const PIECE = 1 << 20;
/** A line beyond this is refused. */
const MOST_LINE = 256 << 20;
const LINE_END = 0x0a;

export const jsonLinesRows: RowFormat = {
  endings: ['.jsonl', '.ndjson'],
  async open(input, options) {
    const where = input.path;
    const first = await firstLine(input);
    const columns = first === undefined ? [] : Object.entries(parse(first, where, 0)).map(kindOf);
    const chosen = chooseColumns(columns, options, where);
    const marks: Mark[] = [options.mark ?? { row: 0, at: 0 }];
    let rows = Number.MAX_SAFE_INTEGER;
    if (options.mark === undefined) {
      rows = 0;
      for await (const { end } of linesFrom(input, 0, options.signal)) {
        rows += 1;
        if (rows % MARK_EVERY === 0) marks.push({ row: rows, at: end });
      }
    }
    return {
      rows,
      labels: chosen.labelType,
      captions: chosen.captions !== undefined,
      markOf: (row) => marks.findLast((mark) => mark.row <= row),
      async read(from, to, signal) {
        const found = new Map<string, unknown[]>(chosen.wanted.map((name) => [name, new Array<unknown>(to - from)]));
        const mark = marks.findLast(({ row }) => row <= from) ?? { row: 0, at: 0 };
        let row = mark.row;
        for await (const { line, end } of linesFrom(input, mark.at, signal)) {
          if (row >= from) {
            const object = parse(line, where, row);
            for (const name of chosen.wanted) found.get(name)![row - from] = object[name] ?? null;
          }
          row += 1;
          if (row % MARK_EVERY === 0 && row > marks.at(-1)!.row) marks.push({ row, at: end });
          if (row === to) break;
        }
        if (row < to) throw new VaeError('ERR_VAE_FORMAT', `${where}: has fewer rows than it had.`);
        return chunkOf(chosen, found, to - from, where, from);
      },
      async close() {},
    };
  },
};

/** The first line that holds something, of a file that may be a list of paths as well. */
export async function firstLine(input: OpenInput): Promise<string | undefined> {
  for await (const { line } of linesFrom(input, 0)) return line.toString();
  return undefined;
}

/** Lines that are not empty, as text. */
export async function* textLines(input: OpenInput, signal?: AbortSignal): AsyncGenerator<string> {
  for await (const { line } of linesFrom(input, 0, signal)) yield line.toString();
}

/** Lines that are not empty, with the byte behind each. */
async function* linesFrom(
  input: OpenInput,
  start: number,
  signal?: AbortSignal,
): AsyncGenerator<{ line: Buffer; end: number }> {
  let held: Buffer = Buffer.alloc(0);
  let at = start;
  for (let next = start; next < input.size; ) {
    signal?.throwIfAborted();
    const length = Math.min(PIECE, input.size - next);
    const piece = Buffer.from(await input.read(next, length, signal));
    next += length;
    held = held.length === 0 ? piece : Buffer.concat([held, piece]);
    if (held.length > MOST_LINE)
      throw new VaeError('ERR_VAE_FORMAT', `${input.path}: a line is longer than ${MOST_LINE} bytes.`);
    let from = 0;
    for (let end = held.indexOf(LINE_END); end >= 0; end = held.indexOf(LINE_END, from)) {
      const line = held.subarray(from, end);
      from = end + 1;
      if (isBlank(line)) continue;
      yield { line, end: at + from };
    }
    held = held.subarray(from);
    at += from;
  }
  if (!isBlank(held)) yield { line: held, end: input.size };
}

function isBlank(line: Uint8Array): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x0d || byte === 0x09);
}

function parse(line: string | Buffer, where: string, row: number): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line.toString());
  } catch {
    value = undefined;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new VaeError('ERR_VAE_FORMAT', `${where}: line ${row + 1} is no JSON object.`);
}

function kindOf([name, value]: [string, unknown]): ColumnKind {
  if (typeof value === 'number') return { name, holds: 'number' };
  if (typeof value === 'string') return { name, holds: 'text' };
  return { name, holds: Array.isArray(value) ? 'list' : 'other' };
}
