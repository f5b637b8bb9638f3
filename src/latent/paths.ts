/** Walks through latent space, to be decoded: between two latents, and along one dimension. */
import type { Tensor } from 'onnxruntime-common';
import { z } from 'zod';
import { VaeError } from '../core/errors.js';
import { type InputOf, parseOptions } from '../core/options.js';
import { floatTensor, type TensorLike } from '../core/tensor.js';
import { checkSameShape, oneLatent } from './rows.js';

const interpolateSchema = z.strictObject({
  /** Latents on the way, both ends included. Default 8. */
  steps: z.int().min(2).max(100_000).default(8),
  /**
   * `linear` (default), or `spherical`: along the great circle (Shoemake 1985), so that latents keep the
   * length that draws from a normal prior have (White 2016, "Sampling generative networks").
   */
  path: z.enum(['linear', 'spherical']).default('linear'),
});

export interface InterpolateOptions extends InputOf<typeof interpolateSchema> {}

/**
 * Latents from `from` to `to`.
 *
 * @param from one latent, float32 [...latent] or [1, ...latent]; as `to`.
 * @returns float32 [steps, ...latent]; the first row is `from`, the last `to`.
 * @throws VaeError ERR_VAE_SHAPE where the two differ in shape.
 */
export function interpolate(from: TensorLike, to: TensorLike, options: InterpolateOptions = {}): Tensor {
  const where = 'interpolate()';
  const { steps, path } = parseOptions(interpolateSchema, options, where);
  const a = oneLatent(from, where);
  const b = oneLatent(to, where);
  checkSameShape(a, b, where);
  const { width } = a;
  const out = new Float32Array(steps * width);
  const angle = path === 'spherical' ? angleBetween(a.data, b.data) : 0;
  for (let step = 0; step < steps; step += 1) {
    const t = step / (steps - 1);
    const [weightA, weightB] = weights(t, angle);
    for (let index = 0; index < width; index += 1) {
      out[step * width + index] = weightA * a.data[index]! + weightB * b.data[index]!;
    }
  }
  return floatTensor(out, [steps, ...a.shape]);
}

/** Below this angle the arc is a straight line to float32, and its formula divides by almost nothing. */
const SMALL_ANGLE = 1e-4;

function weights(t: number, angle: number): [number, number] {
  const sine = Math.sin(angle);
  if (t === 0) return [1, 0];
  if (t === 1) return [0, 1];
  if (sine < SMALL_ANGLE) return [1 - t, t];
  return [Math.sin((1 - t) * angle) / sine, Math.sin(t * angle) / sine];
}

function angleBetween(a: Float32Array, b: Float32Array): number {
  let dot = 0;
  let squareA = 0;
  let squareB = 0;
  for (let index = 0; index < a.length; index += 1) {
    dot += a[index]! * b[index]!;
    squareA += a[index]! ** 2;
    squareB += b[index]! ** 2;
  }
  const lengths = Math.sqrt(squareA * squareB);
  return lengths === 0 ? 0 : Math.acos(Math.min(1, Math.max(-1, dot / lengths)));
}

const traverseSchema = z.strictObject({
  /** Number of the element that changes, counted over the whole latent. */
  dimension: z.int().min(0),
  /** First value. Default −3: three standard deviations of the prior. */
  from: z.number().default(-3),
  /** Last value. Default 3. */
  to: z.number().default(3),
  /** Default 7. */
  steps: z.int().min(2).max(100_000).default(7),
});

export interface TraverseOptions extends InputOf<typeof traverseSchema> {}

/**
 * Copies of a latent in which one dimension runs through a range of values.
 *
 * @param latent float32 [...latent] or [1, ...latent].
 * @returns float32 [steps, ...latent].
 * @throws VaeError ERR_VAE_OPTION for a dimension that the latent does not have.
 */
export function traverse(latent: TensorLike, options: TraverseOptions): Tensor {
  const where = 'traverse()';
  const { dimension, from, to, steps } = parseOptions(traverseSchema, options, where);
  const { data, width, shape } = oneLatent(latent, where);
  if (dimension >= width) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${where}: option "dimension": expected 0 to ${width - 1} for latents [${shape.join(', ')}], received ${dimension}.`,
    );
  }
  const out = new Float32Array(steps * width);
  for (let step = 0; step < steps; step += 1) {
    out.set(data, step * width);
    out[step * width + dimension] = from + ((to - from) * step) / (steps - 1);
  }
  return floatTensor(out, [steps, ...shape]);
}
