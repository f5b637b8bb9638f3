/** Many dimensions seen in the two in which they spread most. */
import { VaeError } from '../core/errors.js';
import type { ArrayWithShape } from '../core/tensor.js';

export interface Projection {
  /** [N, 2], one point after another. */
  readonly points: Float64Array;
  /** Names of the axes. */
  readonly axes: readonly [string, string];
}

/** Rows beyond these do not change the axes visibly; they are projected all the same. */
const MOST_FITTED_ROWS = 20_000;

/**
 * The first two principal axes (Pearson 1901) of [N, D] values; the values themselves where D is 2, and
 * against zero where D is 1.
 *
 * @throws VaeError ERR_VAE_SHAPE for other shapes, or fewer than two rows.
 */
export async function projectToPlane({ data, shape }: ArrayWithShape, what: string): Promise<Projection> {
  const [rows, dims] = shape as [number, number];
  if (shape.length !== 2 || rows < 2 || dims < 1) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `Drawing ${what} needs [N, dimensions] with at least two rows, received [${shape.join(', ')}].`,
    );
  }
  const points = new Float64Array(rows * 2);
  if (dims <= 2) {
    for (let row = 0; row < rows; row += 1) {
      points[2 * row] = Number(data[row * dims]);
      points[2 * row + 1] = dims === 2 ? Number(data[row * dims + 1]) : 0;
    }
    return { points, axes: [`${what}, dimension 1`, dims === 2 ? `${what}, dimension 2` : ''] };
  }
  const { PCA } = await import('ml-pca');
  const row = (index: number): number[] => Array.from(data.subarray(index * dims, (index + 1) * dims) as Float32Array);
  const all = Array.from({ length: rows }, (_, index) => row(index));
  const step = Math.ceil(rows / MOST_FITTED_ROWS);
  const pca = new PCA(step === 1 ? all : all.filter((_, index) => index % step === 0), { method: 'covarianceMatrix' });
  const projected = pca.predict(all, { nComponents: 2 });
  for (let index = 0; index < rows; index += 1) {
    points[2 * index] = projected.get(index, 0);
    points[2 * index + 1] = projected.get(index, 1);
  }
  const share = pca.getExplainedVariance().map((part) => `${Math.round(part * 100)} % of variance`);
  return { points, axes: [`first principal axis (${share[0]})`, `second principal axis (${share[1]})`] };
}
