/** Resize in every mode that works along one axis at a time. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type GradientTable, rule } from '../registry.js';
import { axisFromFront, lengthTensor } from '../shapes.js';
import { transposeMap, unitVectors } from './axis-map.js';

type Gradients = readonly (Value | undefined)[];

function resize(context: GradientContext): Gradients {
  const [x, y] = [context.input(0), context.output()];
  const rank = context.rank(x);
  if (context.string('coordinate_transformation_mode', 'half_pixel') === 'tf_crop_and_resize') {
    context.fail('tf_crop_and_resize is not differentiated');
  }
  if (context.string('keep_aspect_ratio_policy', 'stretch') !== 'stretch') {
    context.fail('only keep_aspect_ratio_policy "stretch" is differentiated');
  }
  const scales = scalesByAxis(context, rank);
  const changed = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => {
    if (scales !== undefined) return scales[axis] !== 1;
    return x.shape![axis] !== y.shape?.[axis];
  });
  const repeats = repeatsOf(context, changed);
  if (repeats !== undefined) return [sumOfCopies(context, repeats)];
  let gradient = context.gradient();
  for (const axis of changed) gradient = transposeMap(context, gradient, axis, mapAlong(context, axis, scales?.[axis]));
  return [gradient];
}

/** The scale of each axis where they are given and known; axes that are not named keep theirs. */
function scalesByAxis(context: GradientContext, rank: number): number[] | undefined {
  const given = context.inputs[2];
  if (given === undefined || given.shape?.[0] === 0) return undefined;
  const constant = context.numbers(2);
  if (constant === undefined) return undefined;
  const axes = context.ints('axes')?.map((axis) => axisFromFront(axis, rank));
  const scales = new Array<number>(rank).fill(1);
  for (const [index, scale] of constant.entries()) scales[axes?.[index] ?? index] = scale;
  return scales;
}

/**
 * How often each element is copied along each axis, where that is all that happens: nearest with
 * whole scales, in the roundings that exporters write.
 */
function repeatsOf(context: GradientContext, changed: readonly number[]): number[] | undefined {
  if (context.string('mode', 'nearest') !== 'nearest') return undefined;
  const coordinates = context.string('coordinate_transformation_mode', 'half_pixel');
  const rounding = context.string('nearest_mode', 'round_prefer_floor');
  const copies =
    (coordinates === 'asymmetric' && rounding === 'floor') ||
    (coordinates === 'half_pixel' && rounding.startsWith('round'));
  if (!copies) return undefined;
  const [x, y] = [context.input(0).shape!, context.output().shape];
  const repeats = x.map(() => 1);
  for (const axis of changed) {
    const [before, after] = [x[axis], y?.[axis]];
    if (typeof before !== 'number' || typeof after !== 'number' || after % before !== 0) return undefined;
    repeats[axis] = after / before;
  }
  return repeats;
}

function sumOfCopies(context: GradientContext, repeats: readonly number[]): Value {
  const x = context.input(0);
  const gradient = context.gradient();
  const spatial = repeats.slice(2);
  if (x.dtype === 'float32' && repeats.length === 4 && repeats[0] === 1 && repeats[1] === 1) {
    // The mean over each tile is the fastest of the sums.
    const mean = context.op('AveragePool', [gradient], { kernel_shape: spatial, strides: spatial });
    return context.scale(
      mean,
      spatial.reduce((product, count) => product * count, 1),
    );
  }
  // Unchanged leading axes stay as one.
  const first = repeats.findIndex((count) => count > 1);
  if (first < 0) return gradient;
  const lengths = x.shape!.slice(first) as number[];
  const apart = context.reshape(gradient, [-1, ...lengths.flatMap((length, axis) => [length, repeats[first + axis]!])]);
  const axes = lengths.map((_, axis) => 2 + 2 * axis);
  return context.reshapeLike(context.reduceSum(apart, axes, false), x);
}

/** What Resize makes of the unit vectors along an axis: [before, after]. */
function mapAlong(context: GradientContext, axis: number, scale: number | undefined): Value {
  const { builder } = context;
  const [x, y] = [context.input(0), context.output()];
  const eye = context.op('Unsqueeze', [unitVectors(context, x, axis), builder.int64s([0, 1])]);
  const sizes = () =>
    context.op('Concat', [builder.int64s([1, 1]), lengthTensor(builder, x, axis), lengthTensor(builder, y, axis)], {
      axis: 0,
    });
  const resized = context.op(
    'Resize',
    scale === undefined
      ? [eye, undefined, undefined, sizes()]
      : [eye, undefined, builder.constant([1, 1, 1, scale], 'float32', [4])],
    {
      mode: context.string('mode', 'nearest'),
      coordinate_transformation_mode: context.string('coordinate_transformation_mode', 'half_pixel'),
      nearest_mode: context.string('nearest_mode', 'round_prefer_floor'),
      cubic_coeff_a: context.float('cubic_coeff_a', -0.75),
      exclude_outside: context.int('exclude_outside', 0),
      extrapolation_value: 0,
      ...(context.int('antialias', 0) === 0 ? {} : { antialias: 1 }),
    },
  );
  return context.op('Squeeze', [resized, builder.int64s([0, 1])]);
}

export const RESIZE: GradientTable = {
  Resize: rule((context) => [...resize(context), undefined, undefined, undefined]),
};
