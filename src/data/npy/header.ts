/**
 * The .npy format, versions 1 to 3, as NumPy's `numpy.lib.format` documents it: a magic string, a
 * version, the length of a header, and the header itself, a Python literal such as
 * `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, padded to a multiple of 64 bytes.
 */
import { formatError, structuredError } from './error.js';
import { type PythonValue, parsePythonDict } from './python-literal.js';

const MAGIC = new Uint8Array([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]);
/** Data begins at a multiple of this, so that readers may map it. */
const ALIGNMENT = 64;
/** NumPy itself refuses longer headers by default. */
const MOST_HEADER_BYTES = 10_000;
const MOST_AXES = 32;

export interface NpyHeader {
  /** Element type as NumPy writes it, such as `<f4`. */
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
}

/**
 * @returns the header, and where the data begins.
 * @throws VaeError ERR_VAE_FORMAT for bytes that are no .npy file, or whose header is not what NumPy writes.
 */
export function readNpyHeader(bytes: Uint8Array, where: string): { header: NpyHeader; dataStart: number } {
  if (bytes.length < 10 || !MAGIC.every((byte, index) => bytes[index] === byte)) {
    throw formatError(where, 'it does not begin with the bytes \\x93NUMPY');
  }
  const major = bytes[6]!;
  if (major < 1 || major > 3)
    throw formatError(where, `its version is ${major}.${bytes[7]}; known are 1.0, 2.0 and 3.0`);
  const lengthBytes = major === 1 ? 2 : 4;
  const start = 8 + lengthBytes;
  if (bytes.length < start) throw formatError(where, 'it ends inside its header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MOST_HEADER_BYTES) {
    throw formatError(where, `its header is ${length} bytes long; at most ${MOST_HEADER_BYTES} are read`);
  }
  if (bytes.length < start + length) throw formatError(where, 'it ends inside its header');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, length).toString(major === 3 ? 'utf8' : 'latin1');
  return { header: interpret(parsePythonDict(text, where), where), dataStart: start + length };
}

/** The bytes before the data; version 1.0, which every reader knows. */
export function writeNpyHeader({ descr, fortranOrder, shape }: NpyHeader): Uint8Array {
  const axes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${descr}', 'fortran_order': ${fortranOrder ? 'True' : 'False'}, 'shape': (${axes}), }`;
  const used = MAGIC.length + 4 + text.length + 1;
  const total = Math.ceil(used / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(total).fill(0x20);
  bytes.set(MAGIC);
  bytes.set([1, 0], 6);
  new DataView(bytes.buffer).setUint16(8, total - 10, true);
  bytes.set(Buffer.from(text, 'latin1'), 10);
  bytes[total - 1] = 0x0a;
  return bytes;
}

function interpret(dict: ReadonlyMap<string, PythonValue>, where: string): NpyHeader {
  const descr = dict.get('descr');
  const fortranOrder = dict.get('fortran_order');
  const shape = dict.get('shape');
  if (dict.size !== 3 || descr === undefined || fortranOrder === undefined || shape === undefined) {
    throw formatError(
      where,
      `its header must hold descr, fortran_order and shape, received ${[...dict.keys()].join(', ') || 'nothing'}`,
    );
  }
  if (typeof descr !== 'string') throw structuredError(where);
  if (typeof fortranOrder !== 'boolean') throw formatError(where, 'fortran_order must be True or False');
  if (
    !Array.isArray(shape) ||
    shape.length > MOST_AXES ||
    !shape.every((dim) => Number.isSafeInteger(dim) && (dim as number) >= 0)
  ) {
    throw formatError(where, 'its shape must be a tuple of whole numbers from 0');
  }
  return { descr, fortranOrder, shape: shape as number[] };
}
