/** The filters of PNG's rows (ISO/IEC 15948, section 9). */
import { setImmediate } from 'node:timers/promises';

const NONE = 0;
const SUB = 1;
const UP = 2;
const AVERAGE = 3;
const PAETH = 4;
/** Bytes that are worked on before others have their turn. */
const SLICE_BYTES = 1 << 20;

function paeth(left: number, up: number, corner: number): number {
  const a = Math.abs(up - corner);
  const b = Math.abs(left - corner);
  const c = Math.abs(left + up - 2 * corner);
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/**
 * Undoes a filter where the row stands.
 *
 * @param above where the row above begins; below 0 where there is none.
 * @throws Error for a filter that does not exist.
 */
export function unfilterRow(
  bytes: Uint8Array,
  start: number,
  above: number,
  length: number,
  step: number,
  filter: number,
): void {
  if (filter === NONE) return;
  if (filter === SUB) {
    for (let x = step; x < length; x += 1) bytes[start + x] = bytes[start + x]! + bytes[start + x - step]!;
  } else if (filter === UP) {
    if (above >= 0) for (let x = 0; x < length; x += 1) bytes[start + x] = bytes[start + x]! + bytes[above + x]!;
  } else if (filter === AVERAGE) {
    for (let x = 0; x < length; x += 1) {
      const left = x < step ? 0 : bytes[start + x - step]!;
      const up = above < 0 ? 0 : bytes[above + x]!;
      bytes[start + x] = bytes[start + x]! + ((left + up) >> 1);
    }
  } else if (filter === PAETH) {
    if (above < 0) {
      for (let x = step; x < length; x += 1) bytes[start + x] = bytes[start + x]! + bytes[start + x - step]!;
      return;
    }
    for (let x = 0; x < Math.min(step, length); x += 1) bytes[start + x] = bytes[start + x]! + bytes[above + x]!;
    for (let x = step; x < length; x += 1) {
      const nearest = paeth(bytes[start + x - step]!, bytes[above + x]!, bytes[above + x - step]!);
      bytes[start + x] = bytes[start + x]! + nearest;
    }
  } else throw new Error(`a row has filter ${filter}`);
}

/** Filters a row of `rows` into `out`, behind the byte of its filter. */
function filterRow(
  rows: Uint8Array,
  from: number,
  above: number,
  length: number,
  step: number,
  filter: number,
  out: Uint8Array,
  to: number,
): void {
  out[to] = filter;
  const at = to + 1;
  if (filter === NONE) out.set(rows.subarray(from, from + length), at);
  else if (filter === SUB) {
    for (let x = 0; x < length; x += 1) out[at + x] = rows[from + x]! - (x < step ? 0 : rows[from + x - step]!);
  } else if (filter === UP) {
    for (let x = 0; x < length; x += 1) out[at + x] = rows[from + x]! - (above < 0 ? 0 : rows[above + x]!);
  } else if (filter === AVERAGE) {
    for (let x = 0; x < length; x += 1) {
      const left = x < step ? 0 : rows[from + x - step]!;
      const up = above < 0 ? 0 : rows[above + x]!;
      out[at + x] = rows[from + x]! - ((left + up) >> 1);
    }
  } else {
    for (let x = 0; x < length; x += 1) {
      const left = x < step ? 0 : rows[from + x - step]!;
      const up = above < 0 ? 0 : rows[above + x]!;
      const corner = x < step || above < 0 ? 0 : rows[above + x - step]!;
      out[at + x] = rows[from + x]! - paeth(left, up, corner);
    }
  }
}

/** How much a filtered row is apart from zero: the rule of thumb that libpng has. */
function weightOf(bytes: Uint8Array, start: number, length: number): number {
  let sum = 0;
  for (let x = start; x < start + length; x += 1) {
    const value = bytes[x]!;
    sum += value < 128 ? value : 256 - value;
  }
  return sum;
}

export type FilterChoice =
  /** The filter of the least sum of absolute differences, row by row. */
  | 'each'
  /** The filter of each row, given. */
  | Uint8Array;

/** Rows with their filters, each behind the byte that names it. Nothing stands above the first. */
export async function filterRows(
  rows: Uint8Array,
  rowBytes: number,
  step: number,
  choice: FilterChoice,
): Promise<Uint8Array> {
  const height = rows.length / rowBytes;
  const out = new Uint8Array(height * (rowBytes + 1));
  const trial = new Uint8Array(rowBytes + 1);
  let since = 0;
  for (let y = 0; y < height; y += 1) {
    const from = y * rowBytes;
    const above = y === 0 ? -1 : from - rowBytes;
    const to = y * (rowBytes + 1);
    if (choice !== 'each') filterRow(rows, from, above, rowBytes, step, choice[y]!, out, to);
    else {
      let least = Number.POSITIVE_INFINITY;
      for (let filter = NONE; filter <= PAETH; filter += 1) {
        filterRow(rows, from, above, rowBytes, step, filter, trial, 0);
        const weight = weightOf(trial, 1, rowBytes);
        if (weight >= least) continue;
        least = weight;
        out.set(trial, to);
      }
    }
    since += choice === 'each' ? 5 * rowBytes : rowBytes;
    if (since < SLICE_BYTES) continue;
    since = 0;
    await setImmediate();
  }
  return out;
}

/** The other way round. @throws Error for filters that do not exist, or another length. */
export async function unfilterRows(
  filtered: Uint8Array,
  rowBytes: number,
  step: number,
  height: number,
): Promise<Uint8Array> {
  if (filtered.length !== height * (rowBytes + 1)) throw new Error('its rows have another length than they should');
  const rows = new Uint8Array(height * rowBytes);
  let since = 0;
  for (let y = 0; y < height; y += 1) {
    const from = y * (rowBytes + 1);
    const to = y * rowBytes;
    rows.set(filtered.subarray(from + 1, from + 1 + rowBytes), to);
    unfilterRow(rows, to, y === 0 ? -1 : to - rowBytes, rowBytes, step, filtered[from]!);
    since += rowBytes;
    if (since < SLICE_BYTES) continue;
    since = 0;
    await setImmediate();
  }
  return rows;
}
