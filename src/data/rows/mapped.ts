import { elementCount } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import { allocateRows, checkFinite, type RowArray, type RowType } from '../values.js';
import type { Rows } from './rows.js';

/** Makes a row from a row; `index` is its number in the dataset that is mapped, `pass` that of Dataset.read. */
export type RowMapper = (
  row: RowArray,
  index: number,
  pass: number | undefined,
) => ArrayLike<number> | Promise<ArrayLike<number>>;

/** Rows passed through a function whenever they are read. */
export function mappedRows(from: Rows, mapper: RowMapper, rowShape: readonly number[], dtype: RowType): Rows {
  const sizeIn = elementCount(from.rowShape);
  const sizeOut = elementCount(rowShape);
  return {
    length: from.length,
    rowShape,
    dtype,
    ...(from.labels && { labels: from.labels }),
    ...(from.names && { names: from.names }),
    async read(rows, signal, pass) {
      const before = await from.read(rows, signal, pass);
      const after = allocateRows(dtype, rows.length * sizeOut);
      for (let index = 0; index < rows.length; index += 1) {
        const mapped = await mapper(before.subarray(index * sizeIn, (index + 1) * sizeIn), rows[index]!, pass);
        if (mapped?.length !== sizeOut) {
          throw new VaeError(
            'ERR_VAE_SHAPE',
            `map(): the function must return ${sizeOut} values for rows of shape [${rowShape.join(', ')}], ` +
              `but returned ${mapped?.length ?? String(mapped)} for row ${rows[index]}. Give \`rowShape\` where it changes.`,
          );
        }
        after.set(mapped, index * sizeOut);
      }
      checkFinite(after, sizeOut, 'map()', rows);
      return after;
    },
  };
}
