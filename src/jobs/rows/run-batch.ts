/** One batch through an operation; rows that the model refuses are told, and the others go through without them. */
import { elementCount } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import type { ColumnData } from '../spool.js';
import type { Piece, RowNote, Rows } from './piece.js';

export interface BatchResult {
  readonly columns: readonly ColumnData[];
  readonly notes: readonly RowNote[];
  readonly errors: readonly { readonly name: string; readonly error: VaeError }[];
}

/** @param run of some rows of the batch, by their notes. */
export async function runBatch(
  { data, notes, errors }: Piece,
  run: (rows: Rows, notes: readonly RowNote[]) => Promise<readonly ColumnData[]>,
): Promise<BatchResult> {
  if (data === undefined || notes.length === 0) return { columns: [], notes: [], errors };
  try {
    return { columns: await run(data, notes), notes, errors };
  } catch (error) {
    if (!isBad(error)) throw error;
  }
  // Which item it is: each by itself, with all of its rows.
  const items = itemsIn(notes);
  const good: number[] = [];
  const bad: { name: string; error: VaeError }[] = [];
  for (const [from, to] of items) {
    try {
      await run(rowsOf(data, from, to), notes.slice(from, to));
      for (let row = from; row < to; row += 1) good.push(row);
    } catch (error) {
      if (!isBad(error)) throw error;
      bad.push({ name: notes[from]!.name, error: error as VaeError });
    }
  }
  const all = [...errors, ...bad];
  if (good.length === 0) return { columns: [], notes: [], errors: all };
  const kept = good.map((row) => notes[row]!);
  return { columns: await run(selected(data, good), kept), notes: kept, errors: all };
}

/** What is wrong with values, rather than with the model, the shape or the machine. */
function isBad(error: unknown): boolean {
  return error instanceof VaeError && (error.code === 'ERR_VAE_DATA' || error.code === 'ERR_VAE_FORMAT');
}

/** Ranges of rows that are one item each. */
function itemsIn(notes: readonly RowNote[]): [number, number][] {
  const ranges: [number, number][] = [];
  for (const [row, { part }] of notes.entries()) {
    if (part !== undefined && part > 0 && ranges.length > 0) ranges.at(-1)![1] = row + 1;
    else ranges.push([row, row + 1]);
  }
  return ranges;
}

function rowsOf({ data, shape }: Rows, from: number, to: number): Rows {
  const size = elementCount(shape.slice(1));
  return { data: data.subarray(from * size, to * size), shape: [to - from, ...shape.slice(1)] };
}

function selected(rows: Rows, wanted: readonly number[]): Rows {
  const { data, shape } = rows;
  const size = elementCount(shape.slice(1));
  const out =
    data instanceof Uint8Array ? new Uint8Array(wanted.length * size) : new Float32Array(wanted.length * size);
  for (const [at, row] of wanted.entries()) out.set(data.subarray(row * size, (row + 1) * size), at * size);
  return { data: out, shape: [wanted.length, ...shape.slice(1)] };
}
