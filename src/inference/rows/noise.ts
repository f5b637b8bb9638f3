import type { NativeTensor } from '../../binding/addon.js';
import { loadAddon } from '../../binding/index.js';
import { elementCount } from '../../core/dtype.js';

/** Standard normal rows [rows, ...shape]; the same for the same seed, stream and counter. */
export function normalRows(
  rows: number,
  shape: readonly number[],
  seed: bigint,
  stream: number,
  counter: number,
): NativeTensor {
  const data = new Float32Array(rows * elementCount(shape));
  loadAddon().random.fillNormal(data, seed, stream, BigInt(counter));
  return { dtype: 'float32', dims: [rows, ...shape], data };
}
