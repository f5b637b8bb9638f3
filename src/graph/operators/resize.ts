/** Operators that sample an image at other places: resizing, grids. */
import { asLength, floorDivide, multiplyDims } from '../infer/dims.js';
import type { Dim, Shape } from '../ir.js';
import type { Attribute, AttributeKind, InferenceContext, OperatorDefinition } from './definition.js';
import { define, expectRank, expectType, float, freshShape, int, lengthOf, string, tensor } from './helpers.js';
import { lengthFrom } from './shape.js';

const RESIZE_ATTRIBUTES: Readonly<Record<string, AttributeKind | Attribute>> = {
  coordinate_transformation_mode: string('half_pixel'),
  cubic_coeff_a: float(-0.75),
  exclude_outside: int(0),
  extrapolation_value: float(0),
  mode: string('nearest'),
  nearest_mode: string('round_prefer_floor'),
};

/** floor(length · scale), where it can be told. */
function scaled(length: Dim, scale: Dim | undefined): Dim | undefined {
  if (typeof scale !== 'number') return undefined;
  if (typeof length === 'number') return Math.floor(length * scale);
  if (Number.isInteger(scale)) return multiplyDims(length, scale);
  return Number.isInteger(1 / scale) ? floorDivide(length, 1 / scale) : undefined;
}

/** One scale for all resized axes, which keeps the picture's proportions. */
function keepProportions(
  shape: Shape,
  axes: readonly number[],
  sizes: readonly (Dim | undefined)[],
  policy: string,
): Dim[] | undefined {
  const ratios = axes.map((axis, index) => {
    const [from, to] = [shape[axis], sizes[index]];
    return typeof from === 'number' && typeof to === 'number' ? to / from : Number.NaN;
  });
  const scale = policy === 'not_larger' ? Math.min(...ratios) : Math.max(...ratios);
  if (Number.isNaN(scale)) return undefined;
  return axes.map((axis) => Math.floor(scale * (shape[axis] as number) + 0.5));
}

/** An optional input counts as absent when it is an empty list, as older exporters write it. */
function present(context: InferenceContext, index: number): boolean {
  return context.given(index) && context.shape(index)?.[0] !== 0;
}

function resize(context: InferenceContext): Shape | undefined {
  const shape = context.shape(0);
  if (shape === undefined) {
    const rank = context.ints('axes') ? undefined : lengthOf(context, present(context, 3) ? 3 : 2);
    return rank === undefined ? undefined : freshShape(context, rank);
  }
  const axes = (context.ints('axes') ?? [...shape.keys()]).map((axis) => context.axis(axis, shape.length));
  const bySize = present(context, 3);
  if (bySize === present(context, 2))
    context.fail('takes either scales or sizes, and has both or neither.', 'ERR_VAE_GRAPH');
  const values = context.elements(bySize ? 3 : 2);
  if (values !== undefined && values.length !== axes.length) {
    context.fail(`has ${values.length} ${bySize ? 'sizes' : 'scales'} for ${axes.length} axes.`);
  }
  const policy =
    context.attribute('keep_aspect_ratio_policy') === undefined
      ? 'stretch'
      : context.string('keep_aspect_ratio_policy');
  const kept =
    bySize && values !== undefined && policy !== 'stretch' ? keepProportions(shape, axes, values, policy) : undefined;
  const result = [...shape];
  axes.forEach((axis, index) => {
    if (values === undefined || (policy !== 'stretch' && bySize && kept === undefined))
      result[axis] = context.freshDim();
    else if (kept !== undefined) result[axis] = kept[index]!;
    else if (bySize) result[axis] = lengthFrom(context, values[index]);
    else result[axis] = asLength(scaled(shape[axis]!, values[index])) ?? context.freshDim();
  });
  return result;
}

function resizeForm(since: number): OperatorDefinition {
  const later = { antialias: int(0), axes: 'ints', keep_aspect_ratio_policy: string('stretch') } as const;
  return define('Resize', {
    since,
    inputs: [1, 4],
    attributes: since >= 18 ? { ...RESIZE_ATTRIBUTES, ...later } : RESIZE_ATTRIBUTES,
    infer: (context) => [tensor(context.input(0).dtype, resize(context))],
  });
}

function gridSample(since: number): OperatorDefinition {
  return define('GridSample', {
    since,
    inputs: 2,
    attributes: {
      align_corners: int(0),
      mode: string(since >= 20 ? 'linear' : 'bilinear'),
      padding_mode: string('zeros'),
    },
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      const grid = context.shape(1);
      if (shape === undefined || grid === undefined) return [tensor(dtype, undefined)];
      expectRank(context, 1, shape.length);
      return [tensor(dtype, [shape[0]!, shape[1]!, ...grid.slice(1, -1)])];
    },
  });
}

export const RESIZES: readonly OperatorDefinition[] = [
  ...[13, 18, 19].map(resizeForm),
  ...[16, 20].map(gridSample),
  define('AffineGrid', {
    since: 20,
    inputs: 2,
    attributes: { align_corners: int(0) },
    infer: (context) => {
      const dtype = expectType(context, 0, 'float');
      const size = context.elements(1);
      const rank = size?.length ?? lengthOf(context, 1);
      if (rank === undefined) return [tensor(dtype, undefined)];
      const lengths = size?.map((element) => lengthFrom(context, element)) ?? freshShape(context, rank);
      return [tensor(dtype, [lengths[0]!, ...lengths.slice(2), rank - 2])];
    },
  }),
];
