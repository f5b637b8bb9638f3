/** .npy files: rows are read where they lie; in Fortran order, column by column. */
import { elementCount } from '../../../core/dtype.js';
import { VaeError } from '../../../core/errors.js';
import { elementError, formatError } from '../../../data/npy/error.js';
import { readNpyHeader } from '../../../data/npy/header.js';
import { parseDescr } from '../../../data/npy/types.js';
import type { OpenInput } from '../../places/place.js';
import { readRows, rowsIn, type StoredArray } from './arrays.js';
import type { RowFormat } from './row-file.js';

/** A header is at most so long. */
const HEAD_BYTES = 10_240;

/** @param start byte of the file at which the .npy begins; @param length of it. */
export async function readArrayHeader(
  input: OpenInput,
  where: string,
  start = 0,
  length = input.size,
  signal?: AbortSignal,
): Promise<StoredArray> {
  const head = await input.read(start, Math.min(HEAD_BYTES, length), signal);
  if (head[0] === 0x1f && head[1] === 0x8b) {
    throw new VaeError(
      'ERR_VAE_FORMAT',
      `${where}: is compressed by gzip, in which rows cannot be found. Unpack it first: gunzip.`,
    );
  }
  const { header, dataStart } = readNpyHeader(head, where);
  const type = parseDescr(header.descr);
  if (!type) throw elementError(where, header.descr);
  const bytes = elementCount(header.shape) * type.Type.BYTES_PER_ELEMENT;
  if (length - dataStart !== bytes) {
    throw formatError(where, `its shape needs ${bytes} bytes of data, the file has ${length - dataStart}`);
  }
  return {
    ...{ dtype: type.dtype, Type: type.Type, bigEndian: type.bigEndian },
    ...{ shape: header.shape, start: start + dataStart, fortran: header.fortranOrder },
  };
}

export const npyRows: RowFormat = {
  endings: ['.npy'],
  async open(input, { signal }) {
    const where = input.path;
    const array = await readArrayHeader(input, where, 0, input.size, signal);
    return {
      rows: rowsIn(array, where),
      read: async (from, to, abort, lend) => ({
        content: { kind: 'array', array: await readRows(input, array, from, to, where, abort, lend) },
      }),
      async close() {},
    };
  },
};
