/** Lengths that come out when a window slides over an axis: convolutions and pooling. */
import { describeShape } from '../infer/broadcast.js';
import { addDims, asLength, ceilDivide, floorDivide, multiplyDims, subtractDims } from '../infer/dims.js';
import type { Dim, Shape } from '../ir.js';
import type { Attribute, AttributeKind, InferenceContext } from './definition.js';
import { string } from './helpers.js';

/** The attributes that every sliding window has. */
export const WINDOW_ATTRIBUTES: Readonly<Record<string, AttributeKind | Attribute>> = {
  auto_pad: string('NOTSET'),
  kernel_shape: 'ints',
  pads: 'ints',
  strides: 'ints',
};

export interface WindowGeometry {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** First all beginnings, then all ends; undefined where the padding follows from the input ("SAME"). */
  readonly pads: readonly number[] | undefined;
}

/** Reads the attributes of a window over `rank` axes and checks them. */
export function windowGeometry(context: InferenceContext, rank: number, kernel: readonly number[]): WindowGeometry {
  const list = (name: string, length: number, least: number, otherwise: number): readonly number[] => {
    const values = context.ints(name);
    // Exporters write an empty list where they mean the default.
    if (values === undefined || values.length === 0) return new Array<number>(length).fill(otherwise);
    if (values.length !== length || values.some((value) => value < least)) {
      context.fail(
        `attribute "${name}" is [${values.join(', ')}]; ${rank} spatial axes need ${length} numbers of ${least} or more.`,
      );
    }
    return values;
  };
  if (kernel.length !== rank || kernel.some((size) => size < 1)) {
    context.fail(`a kernel of [${kernel.join(', ')}] does not fit ${rank} spatial axes.`);
  }
  const mode = context.string('auto_pad');
  if (!['NOTSET', 'VALID', 'SAME_UPPER', 'SAME_LOWER', ''].includes(mode)) {
    context.fail(`auto_pad "${mode}" is none of NOTSET, VALID, SAME_UPPER, SAME_LOWER.`, 'ERR_VAE_GRAPH');
  }
  const explicit = mode === 'NOTSET' || mode === '';
  const negativePads = Number.NEGATIVE_INFINITY;
  return {
    kernel,
    strides: list('strides', rank, 1, 1),
    dilations:
      context.attribute('dilations') === undefined ? new Array<number>(rank).fill(1) : list('dilations', rank, 1, 1),
    pads: mode.startsWith('SAME')
      ? undefined
      : explicit
        ? list('pads', 2 * rank, negativePads, 0)
        : new Array<number>(2 * rank).fill(0),
  };
}

/** Number of window positions along one axis. */
export function windowCount(
  context: InferenceContext,
  input: Dim,
  geometry: WindowGeometry,
  axis: number,
  ceilMode = false,
): Dim {
  const stride = geometry.strides[axis]!;
  if (geometry.pads === undefined) return ceilDivide(input, stride) ?? context.freshDim();
  const rank = geometry.kernel.length;
  const before = geometry.pads[axis]!;
  const after = geometry.pads[axis + rank]!;
  const extent = (geometry.kernel[axis]! - 1) * geometry.dilations[axis]! + 1;
  const room = subtractDims(addDims(input, before + after), extent);
  if (typeof room === 'number' && room < 0) {
    context.fail(`a window of ${extent} does not fit an axis of ${input} padded by ${before} and ${after}.`);
  }
  let count = addDims((ceilMode ? ceilDivide : floorDivide)(room, stride), 1);
  if (ceilMode) {
    // A window that would begin in the padding behind the input is left out.
    if (typeof count === 'number' && typeof input === 'number') {
      if ((count - 1) * stride >= input + before) count -= 1;
    } else if (stride > 1 && (after > 0 || extent < stride)) count = undefined;
  }
  return asLength(count) ?? context.freshDim();
}

/** Lengths of the spatial axes of an input [N, C, …]. */
export function spatial(context: InferenceContext, shape: Shape): readonly Dim[] {
  if (shape.length < 3) context.fail(`input 0 has shape ${describeShape(shape)}; it takes [N, C, spatial axes…].`);
  return shape.slice(2);
}

/** Length along one axis of a transposed convolution. */
export function transposedLength(
  input: Dim,
  geometry: WindowGeometry,
  axis: number,
  outputPadding: number,
): Dim | undefined {
  const stride = geometry.strides[axis]!;
  if (geometry.pads === undefined) return multiplyDims(input, stride);
  const extent = (geometry.kernel[axis]! - 1) * geometry.dilations[axis]! + 1;
  const pads = geometry.pads[axis]! + geometry.pads[axis + geometry.kernel.length]!;
  return addDims(multiplyDims(subtractDims(input, 1), stride), outputPadding + extent - pads);
}
