/** Latents as users give them: rows of float32. */
import { elementCount } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import { firstNonFinite } from '../core/finite.js';
import { asDense, type TensorLike } from '../core/tensor.js';

export interface LatentRows {
  readonly data: Float32Array;
  readonly rows: number;
  /** Elements of one latent. */
  readonly width: number;
  /** Shape of one latent. */
  readonly shape: readonly number[];
}

/**
 * Views latents [N, ...latent]; borrowed where they are float32.
 *
 * @throws VaeError ERR_VAE_SHAPE where there are no rows, ERR_VAE_DATA for NaN and infinity.
 */
export function latentRows(latents: TensorLike, where: string): LatentRows {
  const { data, dims } = asDense(latents, where);
  const shape = dims.slice(1);
  if (dims.length < 2 || dims.includes(0)) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${where}: expected latents [N, latentDim] (or [N, ...latent]) with at least one row, received [${dims.join(', ')}].`,
    );
  }
  const values = data instanceof Float32Array ? data : Float32Array.from(data as ArrayLike<number>, Number);
  const bad = firstNonFinite(values);
  if (bad >= 0) {
    throw new VaeError('ERR_VAE_DATA', `${where}: a latent holds ${values[bad]}; every value must be finite.`);
  }
  return { data: values, rows: dims[0]!, width: elementCount(shape), shape };
}

/** One latent, [...latent] or [1, ...latent]. */
export function oneLatent(latent: TensorLike, where: string): LatentRows {
  const { data, dims } = asDense(latent, where);
  const rows = latentRows(dims.length === 1 ? { data, shape: [1, ...dims] } : latent, where);
  if (rows.rows === 1) return rows;
  throw new VaeError('ERR_VAE_SHAPE', `${where}: expected one latent, received ${rows.rows} rows.`);
}

/** @throws VaeError ERR_VAE_SHAPE where latents of different models meet. */
export function checkSameShape(a: LatentRows, b: LatentRows, where: string): void {
  if (a.shape.length === b.shape.length && a.shape.every((dim, axis) => dim === b.shape[axis])) return;
  throw new VaeError(
    'ERR_VAE_SHAPE',
    `${where}: expected latents of one shape, received [${a.shape.join(', ')}] and [${b.shape.join(', ')}].`,
  );
}
