/** What a file declares about a value, used where inference alone cannot tell. */
import type { TensorType } from '../ir.js';

/**
 * The inferred type, with declared lengths in the place of unknown ones. What was inferred is never
 * overruled: declared shapes are often those of one example the exporter ran.
 */
export function refineType(
  inferred: TensorType,
  declared: TensorType | undefined,
  isUnknown: (dim: string) => boolean,
): TensorType {
  if (declared?.shape === undefined || declared.dtype !== inferred.dtype) return inferred;
  if (inferred.shape === undefined) return declared;
  if (inferred.shape.length !== declared.shape.length) return inferred;
  if (!inferred.shape.some((dim) => typeof dim === 'string' && isUnknown(dim))) return inferred;
  const { shape } = declared;
  return {
    dtype: inferred.dtype,
    shape: inferred.shape.map((dim, axis) => (typeof dim === 'string' && isUnknown(dim) ? shape[axis]! : dim)),
  };
}
