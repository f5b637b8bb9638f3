/**
 * The IDX format of the MNIST files (LeCun, Cortes and Burges): two zero bytes, a type byte, the number
 * of axes, one big-endian 32-bit length for each axis, then the elements in big-endian order.
 */
import { elementCount } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import type { ArrayWithShape } from '../../core/tensor.js';
import { elementsOf } from '../byte-order.js';

const TYPES = {
  8: Uint8Array,
  9: Int8Array,
  11: Int16Array,
  12: Int32Array,
  13: Float32Array,
  14: Float64Array,
} as const;

const MOST_AXES = 8;

/**
 * Reads the bytes of an IDX file. uint8 data is a view of `bytes`.
 *
 * @param where the file, for messages.
 * @throws VaeError ERR_VAE_FORMAT for bytes that are no IDX file, or fewer or more than its header says.
 */
export function parseIdx(bytes: Uint8Array, where: string): ArrayWithShape {
  const refuse = (why: string) => new VaeError('ERR_VAE_FORMAT', `${where}: not a valid IDX file: ${why}.`);
  if (bytes.length < 4) throw refuse(`it has ${bytes.length} bytes, a header needs at least 4`);
  if (bytes[0] !== 0 || bytes[1] !== 0) {
    throw refuse(`it must begin with two zero bytes, received ${bytes[0]} and ${bytes[1]}`);
  }
  const Type = TYPES[bytes[2] as keyof typeof TYPES];
  if (Type === undefined) {
    throw refuse(`element type 0x${bytes[2]!.toString(16)} is unknown; known are 0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e`);
  }
  const axes = bytes[3]!;
  if (axes < 1 || axes > MOST_AXES) throw refuse(`it says it has ${axes} axes; expected 1 to ${MOST_AXES}`);
  const start = 4 + 4 * axes;
  if (bytes.length < start) throw refuse(`it ends inside its header of ${start} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
  const count = elementCount(shape);
  const expected = start + count * Type.BYTES_PER_ELEMENT;
  if (bytes.length !== expected) {
    throw refuse(`shape [${shape.join(', ')}] needs ${expected} bytes in all, the file has ${bytes.length}`);
  }
  return { data: elementsOf(bytes.subarray(start), count, Type, true), shape };
}
