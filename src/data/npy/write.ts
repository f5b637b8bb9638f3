import type { DataType, TypedArray } from '../../core/dtype.js';
import { VaeError } from '../../core/errors.js';
import { writeFilesAtomically } from '../../core/files.js';
import { asDense, type TensorLike } from '../../core/tensor.js';
import { writeNpyHeader } from './header.js';
import { descrOf } from './types.js';

/**
 * Writes a .npy file (version 1.0, C order, little-endian) that NumPy opens with `numpy.load`. The
 * file appears under its name only when it is complete.
 *
 * @throws VaeError ERR_VAE_SHAPE for element types NumPy does not have (bfloat16), ERR_VAE_IO where
 *   the file cannot be written.
 */
export async function writeNpy(path: string, tensor: TensorLike): Promise<void> {
  const { dtype, dims, data } = asDense(tensor, 'writeNpy()');
  await writeFilesAtomically([{ path, chunks: encode(dtype, dims, data) }]);
}

/** The bytes of a .npy file. */
export function formatNpy(tensor: TensorLike): Uint8Array {
  const { dtype, dims, data } = asDense(tensor, 'formatNpy()');
  return new Uint8Array(Buffer.concat(encode(dtype, dims, data)));
}

function encode(dtype: DataType, shape: readonly number[], data: TypedArray): [Uint8Array, Uint8Array] {
  const descr = descrOf(dtype);
  if (!descr) throw new VaeError('ERR_VAE_SHAPE', `NumPy has no element type for ${dtype}; convert to float32 first.`);
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [writeNpyHeader({ descr, fortranOrder: false, shape }), bytes];
}
