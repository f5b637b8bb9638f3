/** The forms in which programs hold rows of numbers, as one: used wherever data comes in. */
import { elementCount, type TypedArray } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import { asDense, type DenseTensor, isTensorLike, type Layout } from '../core/tensor.js';
import { type NestedRows, stackRows } from './stack.js';

export interface DenseRowsOptions {
  /** Shape of a row, which a bare typed array does not say. */
  readonly rowShape?: readonly number[] | undefined;
  /** Order of the axes, where the array itself does not say. */
  readonly layout?: Layout | undefined;
}

/** Objects that give themselves as arrays of rows, as matrices of ml-matrix do. */
interface Matrix {
  to2DArray(): number[][];
}

/**
 * A tensor, an array with a shape (also with strides), a bare typed array, rows of numbers, or a matrix, as rows one
 * after another; undefined for anything else.
 *
 * @throws VaeError ERR_VAE_SHAPE for what has no clear shape, ERR_VAE_DATA for no rows.
 */
export function denseRows(
  input: unknown,
  { rowShape, layout }: DenseRowsOptions,
  where: string,
): DenseTensor | undefined {
  if (isTensorLike(input)) return asDense(layout === undefined ? input : { layout, ...fieldsOf(input) }, where);
  if (ArrayBuffer.isView(input)) return fromFlat(input as TypedArray, rowShape, layout, where);
  if (Array.isArray(input) && isRow(input[0])) {
    const stacked = stackRows(input as NestedRows, where);
    return layout === undefined ? stacked : asDense({ data: stacked.data, shape: stacked.dims, layout }, where);
  }
  if (isMatrix(input)) return stackRows(input.to2DArray(), where);
  return undefined;
}

/** Getters of a class instance would be lost by spreading it. */
function fieldsOf(input: object): { data: TypedArray; shape: readonly number[] } {
  const { data, dims, shape, type, stride, strides, offset, layout } = input as Record<string, unknown>;
  return {
    data,
    shape: dims ?? shape,
    ...(type !== undefined && { type }),
    ...((stride ?? strides) !== undefined && { stride: stride ?? strides }),
    ...(offset !== undefined && { offset }),
    ...(layout !== undefined && { layout }),
  } as { data: TypedArray; shape: readonly number[] };
}

/** Numbers or rows of rows, rather than batches. */
function isRow(value: unknown): boolean {
  if (typeof value === 'number') return true;
  if (isTensorLike(value) || typeof value !== 'object' || value === null) return false;
  return ArrayBuffer.isView(value) || Array.isArray(value);
}

function isMatrix(value: unknown): value is Matrix {
  return typeof value === 'object' && value !== null && typeof (value as Partial<Matrix>).to2DArray === 'function';
}

function fromFlat(
  data: TypedArray,
  rowShape: readonly number[] | undefined,
  layout: Layout | undefined,
  where: string,
): DenseTensor {
  if (rowShape === undefined || rowShape.includes(-1)) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${where}: a bare ${data.constructor.name} does not say where rows begin; give { data, shape: [rows, ...] }${rowShape === undefined ? ' or the option rowShape' : ''}.`,
    );
  }
  const rowSize = elementCount(rowShape);
  if (data.length % rowSize !== 0) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `${where}: ${data.length} values are not a whole number of rows of shape [${rowShape.join(', ')}] (${rowSize} values each).`,
    );
  }
  const last = layout === 'nhwc' ? [...rowShape.slice(1), rowShape[0]!] : rowShape;
  return asDense({ data, shape: [data.length / rowSize, ...last], ...(layout && { layout }) }, where);
}
