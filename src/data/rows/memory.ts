import { elementCount } from '../../core/dtype.js';
import { allocateRows, type RowArray } from '../values.js';
import type { IndexedMemory, Rows } from './rows.js';

type Description = Pick<Rows, 'rowShape' | 'labels' | 'names' | 'recipe' | 'notes'>;

/** Rows one after another in an array, which is borrowed. */
export function memoryRows(memory: RowArray, { rowShape, labels, names, recipe, notes }: Description): Rows {
  const rowSize = elementCount(rowShape);
  return {
    length: memory.length / rowSize,
    memory,
    ...describe(memory, { rowShape, ...(labels && { labels }), ...(names && { names }), recipe, notes }),
    read: async (rows) => gather(memory, rows, rowSize),
  };
}

/** Chosen rows of an array, which is borrowed. */
export function indexedRows(indexed: IndexedMemory, { rowShape, labels, names, recipe, notes }: Description): Rows {
  const rowSize = elementCount(rowShape);
  return {
    length: indexed.rows.length,
    indexed,
    ...describe(indexed.memory, { rowShape, ...(labels && { labels }), ...(names && { names }), recipe, notes }),
    read: async (rows) =>
      gather(
        indexed.memory,
        Uint32Array.from(rows, (row) => indexed.rows[row]!),
        rowSize,
      ),
  };
}

function describe(memory: RowArray, description: Description): Description & Pick<Rows, 'dtype'> {
  return { ...description, dtype: memory instanceof Uint8Array ? 'uint8' : 'float32' };
}

function gather(memory: RowArray, rows: ArrayLike<number>, rowSize: number): RowArray {
  const out = allocateRows(memory instanceof Uint8Array ? 'uint8' : 'float32', rows.length * rowSize);
  for (let index = 0; index < rows.length; index += 1) {
    out.set(memory.subarray(rows[index]! * rowSize, (rows[index]! + 1) * rowSize), index * rowSize);
  }
  return out;
}
