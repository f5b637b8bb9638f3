import type { Tensor } from 'onnxruntime-common';
import { VaeError } from '../core/errors.js';
import { floatTensor, type TensorLike } from '../core/tensor.js';
import { checkSameShape, type LatentRows, latentRows } from './rows.js';

/** A group of latents, and how much its mean counts. */
export type WeightedLatents = readonly [weight: number, latents: TensorLike];

/**
 * Sums and differences of means of groups of latents (Radford et al. 2016, section 6.3.2): the mean of
 * each group [N, ...latent] times its weight, added up.
 *
 * ```ts
 * const glasses = arithmetic([[1, withGlasses], [-1, without], [1, face]]);
 * ```
 *
 * @returns float32 [1, ...latent].
 * @throws VaeError ERR_VAE_SHAPE where groups differ in the shape of their latents.
 */
export function arithmetic(terms: readonly WeightedLatents[]): Tensor {
  const where = 'arithmetic()';
  let first: LatentRows | undefined;
  let sum = new Float64Array(0);
  for (const [weight, latents] of terms) {
    if (typeof weight !== 'number' || !Number.isFinite(weight)) {
      throw new VaeError('ERR_VAE_OPTION', `${where}: a weight is a finite number, received ${String(weight)}.`);
    }
    const group = latentRows(latents, where);
    if (first === undefined) {
      first = group;
      sum = new Float64Array(group.width);
    } else {
      checkSameShape(first, group, where);
    }
    const share = weight / group.rows;
    for (let index = 0; index < group.data.length; index += 1) {
      const at = index % group.width;
      sum[at] = sum[at]! + share * group.data[index]!;
    }
  }
  if (first === undefined) {
    throw new VaeError('ERR_VAE_OPTION', `${where}: expected at least one pair [weight, latents], received none.`);
  }
  return floatTensor(Float32Array.from(sum), [1, ...first.shape]);
}
