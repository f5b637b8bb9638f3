import { elementCount } from '../../core/dtype.js';
import { type Labels, selectLabels } from '../labels.js';
import { indexedRows, memoryRows } from './memory.js';
import type { Rows } from './rows.js';

/** Chosen rows of other rows, in the order of `chosen`. */
export function selectedRows(from: Rows, chosen: Uint32Array): Rows {
  const description = {
    rowShape: from.rowShape,
    recipe: from.recipe,
    notes: from.notes,
    ...(from.labels && { labels: selectLabels(from.labels, chosen) }),
    ...(from.names && { names: Array.from(chosen, (row) => from.names![row]!) }),
  };
  if (from.memory) return indexedRows({ memory: from.memory, rows: chosen }, description);
  if (from.indexed) {
    const { memory, rows } = from.indexed;
    return indexedRows({ memory, rows: chosen.map((row) => rows[row]!) }, description);
  }
  return {
    ...description,
    length: chosen.length,
    dtype: from.dtype,
    read: (rows, signal, pass) =>
      from.read(
        Uint32Array.from(rows, (row) => chosen[row]!),
        signal,
        pass,
      ),
  };
}

/** Rows `start` to `end` (not included): views, where the rows lie in memory. */
export function rangeOfRows(from: Rows, start: number, end: number): Rows {
  const description = {
    rowShape: from.rowShape,
    recipe: from.recipe,
    notes: from.notes,
    ...(from.labels && { labels: rangeOfLabels(from.labels, start, end) }),
    ...(from.names && { names: from.names.slice(start, end) }),
  };
  if (from.memory) {
    const rowSize = elementCount(from.rowShape);
    return memoryRows(from.memory.subarray(start * rowSize, end * rowSize), description);
  }
  if (from.indexed) {
    const { memory, rows } = from.indexed;
    return indexedRows({ memory, rows: rows.subarray(start, end) }, description);
  }
  return {
    ...description,
    length: end - start,
    dtype: from.dtype,
    read: (rows, signal, pass) =>
      from.read(
        Uint32Array.from(rows, (row) => row + start),
        signal,
        pass,
      ),
  };
}

function rangeOfLabels({ values, classes }: Labels, start: number, end: number): Labels {
  return { values: values.subarray(start, end), classes };
}
