/** Rows of a data set as decode() gives rows: in the units of the model's data. */
import { scaleRows } from '../../data/array/recipe.js';
import type { Dataset } from '../../data/dataset.js';
import type { RowArray } from '../../data/values.js';
import type { ByteRange } from '../../inference/networks.js';

function naturalValues(data: RowArray, bytes: ByteRange): Float32Array {
  if (data instanceof Float32Array) return data;
  const { scale, offset } = bytes;
  return Float32Array.from(data, (value) => value * scale + offset);
}

/** The rows of these numbers. */
export async function naturalRows(
  data: Dataset,
  rows: readonly number[],
  bytes: ByteRange,
  signal: AbortSignal,
): Promise<Float32Array> {
  const values = naturalValues(await data.read(rows, signal, 0), bytes);
  const { recipe } = data;
  if (recipe?.kind === 'array') scaleRows(values, 0, recipe, 'out');
  return values;
}
