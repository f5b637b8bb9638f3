import { elementCount } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import { describeValue } from '../../core/options.js';
import { type LabelsInput, toLabels } from '../labels.js';
import { checkFinite, type RowArray, type RowType } from '../values.js';
import type { Rows } from './rows.js';

/** The least that a dataset of one's own must offer: a new kind of data is one of these. */
export interface DatasetSource {
  /** Number of rows. */
  readonly length: number;
  /** Shape of one row, channels first: [1, 28, 28] for a grey image of 28 by 28. */
  readonly rowShape: readonly number[];
  /** Default float32. */
  readonly dtype?: RowType;
  readonly labels?: LabelsInput;
  /** A name for each row, such as the file it came from. */
  readonly names?: readonly string[];
  /**
   * The rows of these numbers, one after another, as an array of `dtype` that nobody else writes to. Where they
   * differ from pass to pass, `pass` says which one it is; undefined: the next, whatever that is.
   */
  read(rows: ArrayLike<number>, signal?: AbortSignal, pass?: number): Promise<RowArray> | RowArray;
}

/** Rows that a source reads when asked; what it returns is checked every time. */
export function customRows(source: DatasetSource, where: string): Rows {
  const { length, rowShape, dtype = 'float32', labels, names } = source;
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${where}: \`length\` must be a whole number, received ${describeValue(length)}.`,
    );
  }
  checkDescription({ length, rowShape, names }, where);
  if (dtype !== 'float32' && dtype !== 'uint8') {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${where}: \`dtype\` must be "uint8" or "float32", received ${describeValue(dtype)}.`,
    );
  }
  const rowSize = elementCount(rowShape);
  return {
    length,
    rowShape: [...rowShape],
    dtype,
    ...(labels && { labels: toLabels(labels, length, where) }),
    ...(names && { names }),
    async read(rows, signal, pass) {
      const data = await source.read(rows, signal, pass);
      const expected = dtype === 'uint8' ? Uint8Array : Float32Array;
      if (!(data instanceof expected) || data.length !== rows.length * rowSize) {
        throw new VaeError(
          'ERR_VAE_SHAPE',
          `${where}: read() must return a ${expected.name} of ${rows.length * rowSize} values for ${rows.length} rows ` +
            `of shape [${rowShape.join(', ')}], received ${describeValue(data)}.`,
        );
      }
      checkFinite(data, rowSize, where, rows);
      return data;
    },
  };
}

/** @throws VaeError ERR_VAE_DATA for no rows, empty rows or names of another length. */
export function checkDescription(
  { length, rowShape, names }: { length: number; rowShape: readonly number[]; names?: readonly string[] | undefined },
  where: string,
): void {
  if (!Array.isArray(rowShape) || !rowShape.every((dim) => Number.isSafeInteger(dim) && dim >= 1)) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${where}: rows need a shape of whole numbers from 1, received ${describeValue(rowShape)}.`,
    );
  }
  if (length === 0) throw new VaeError('ERR_VAE_DATA', `${where}: the data is empty; at least one row is needed.`);
  if (names !== undefined && names.length !== length) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${where}: expected one name for each of the ${length} rows, received ${names.length} names.`,
    );
  }
}
