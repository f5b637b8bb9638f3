import { Tensor } from 'onnxruntime-common';
import { elementCount, type TypedArray } from '../../core/dtype.js';
import { gatherStrided } from '../../core/tensor.js';
import { elementsOf } from '../byte-order.js';
import { readDataFile } from '../files.js';
import { elementError, formatError } from './error.js';
import { readNpyHeader } from './header.js';
import { parseDescr } from './types.js';

/**
 * Reads a .npy file, plain or gzip-compressed: numbers of every NumPy type but complex ones. Arrays
 * in Fortran order are transposed to C order.
 *
 * @throws VaeError ERR_VAE_IO where it cannot be read, ERR_VAE_FORMAT where it is not a valid .npy file
 *   or holds something else than numbers.
 */
export async function readNpy(path: string, signal?: AbortSignal): Promise<Tensor> {
  return parseNpy(await readDataFile(path, signal), path);
}

/** The same from bytes, which are borrowed where the element type and its alignment allow it. */
export function parseNpy(bytes: Uint8Array, where = 'parseNpy()'): Tensor {
  const { header, dataStart } = readNpyHeader(bytes, where);
  const { descr, fortranOrder, shape } = header;
  const type = parseDescr(descr);
  if (!type) throw elementError(where, descr);
  const count = elementCount(shape);
  const expected = count * type.Type.BYTES_PER_ELEMENT;
  if (bytes.length - dataStart !== expected) {
    throw formatError(
      where,
      `shape [${shape.join(', ')}] of ${descr} needs ${expected} bytes of data, the file has ${bytes.length - dataStart}` +
        (bytes.indexOf(0x93, dataStart + expected) === dataStart + expected
          ? '; another array follows: save several with np.savez(path, a, b) instead'
          : ''),
    );
  }
  const stored = elementsOf(bytes.subarray(dataStart), count, type.Type, type.bigEndian);
  const data = fortranOrder && shape.length > 1 ? fromFortranOrder(stored, shape) : stored;
  return new Tensor(type.dtype, data as Float32Array, shape);
}

/** Element (i, j, k) of a Fortran-ordered array lies at i + I (j + J k). */
function fromFortranOrder(stored: TypedArray, shape: readonly number[]): TypedArray {
  let stride = 1;
  const strides = shape.map((dim) => {
    const own = stride;
    stride *= dim;
    return own;
  });
  return gatherStrided(stored, shape, strides);
}
