/**
 * The two gradients of a convolution in standard operators, each in the form that was fastest.
 *
 * Measured with ONNX Runtime 1.30 on two cores, float32 (GFLOP/s of one thread; forward 80-94):
 *
 * |                                  | 64ch 32² 3×3 | 128ch 16² 3×3 | 64→128ch 32² stride 2 | 32→64ch 14² stride 2 | 3→64ch 32² |
 * |---|---|---|---|---|---|
 * | input: ConvTranspose             | 72 | 79 | 74 | 48 | 51 |
 * | input: Conv, kernel flipped      | 85 | 88 | -  | -  | 17 |
 * | weight: Gather rows, MatMul      | 60 | 69 | 67 | 43 | 29 |
 * | weight: slices, MatMul           | 56 | 68 | 52 | 24 | 48 |
 * | weight: Conv, batch and channels swapped | 31 | 35 | 35 | 31 | 25 |
 *
 * ConvTranspose scatters its result and Slice copies on one thread; Conv, Gather and MatMul use all.
 */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { assembleShape, isStatic, lengthTensor } from '../shapes.js';
import { type ConvGeometry, convAttributes, extent, padsOf, spatialDims } from './conv-geometry.js';

/** Below this many channels Gather copies too little at a time. */
const FEWEST_CHANNELS_TO_GATHER = 8;

/** Gradient of the image [N, C, ...] from that of the map [N, M, ...] and the weight [M, C/group, ...]. */
export function imageGradient(
  context: GradientContext,
  map: Value,
  weight: Value,
  image: Value,
  geometry: ConvGeometry,
): Value {
  return prefersFlippedConv(weight, geometry)
    ? flippedConv(context, map, weight, geometry)
    : transposedConv(context, map, weight, image, geometry);
}

/** With stride 1 a Conv does, unless the map has many more channels to unfold than the image. */
function prefersFlippedConv(weight: Value, geometry: ConvGeometry): boolean {
  const { strides, group, begin, end } = geometry;
  if (strides.some((stride) => stride !== 1)) return false;
  if (begin.some((pad, axis) => Math.max(pad, end[axis]!) >= extent(geometry, axis))) return false;
  const [mapChannels, imageChannels] = weight.shape!;
  if (typeof mapChannels !== 'number' || typeof imageChannels !== 'number') return false;
  return mapChannels <= 2 * imageChannels * group;
}

function flippedConv(context: GradientContext, map: Value, weight: Value, geometry: ConvGeometry): Value {
  const { kernel, dilations, group, begin, end } = geometry;
  const rest = (pads: readonly number[]) => pads.map((pad, axis) => extent(geometry, axis) - 1 - pad);
  return context.op('Conv', [map, flipped(context, exchanged(context, weight, group), kernel)], {
    kernel_shape: kernel,
    dilations,
    group,
    pads: [...rest(begin), ...rest(end)],
  });
}

/** Weight [M, C/g, ...] with the two kinds of channels exchanged within each group: [C, M/g, ...]. */
function exchanged(context: GradientContext, weight: Value, group: number): Value {
  const [first, second, ...kernel] = weight.shape as number[];
  const axes = kernel.map((_, axis) => axis);
  if (group === 1) return context.transpose(weight, [1, 0, ...axes.map((axis) => axis + 2)]);
  const grouped = context.reshape(weight, [group, first! / group, second!, ...kernel]);
  const turned = context.transpose(grouped, [0, 2, 1, ...axes.map((axis) => axis + 3)]);
  return context.reshape(turned, [group * second!, first! / group, ...kernel]);
}

function flipped(context: GradientContext, weight: Value, kernel: readonly number[]): Value {
  const { builder } = context;
  const axes = kernel.flatMap((length, axis) => (length > 1 ? [axis + 2] : []));
  if (axes.length === 0) return weight;
  const all = (value: number) => builder.int64s(axes.map(() => value));
  return context.op('Slice', [weight, all(-1), all(-Number.MAX_SAFE_INTEGER), builder.int64s(axes), all(-1)]);
}

function transposedConv(
  context: GradientContext,
  map: Value,
  weight: Value,
  image: Value,
  geometry: ConvGeometry,
): Value {
  const { builder } = context;
  const { strides, begin, end } = geometry;
  const lengths = spatialDims(image);
  const steps = spatialDims(map);
  // What floor division by the stride left over at the end; where unknown, the most it can be.
  const over = strides.map((stride, axis) => {
    const [length, count] = [lengths[axis]!, steps[axis]!];
    if (stride === 1) return 0;
    if (typeof length !== 'number' || typeof count !== 'number') return stride - 1;
    return length + begin[axis]! + end[axis]! - ((count - 1) * stride + extent(geometry, axis));
  });
  const result = context.op('ConvTranspose', [map, weight], {
    ...convAttributes(geometry),
    pads: padsOf(geometry),
    ...(over.some((count) => count > 0) ? { output_padding: over } : {}),
  });
  const cut = strides.flatMap((stride, axis) =>
    stride > 1 && (typeof lengths[axis] !== 'number' || typeof steps[axis] !== 'number') ? [axis + 2] : [],
  );
  if (cut.length === 0) return result;
  const ends = assembleShape(
    builder,
    cut.map((axis) => lengthTensor(builder, image, axis)),
  );
  return context.op('Slice', [result, builder.int64s(cut.map(() => 0)), ends, builder.int64s(cut)]);
}

/**
 * Gradient of the weight [M, C/group, ...]: for each kernel position the product of the map
 * [N, M, ...] with the image [N, C, ...] seen from there, summed over batch and places.
 */
export function weightGradient(
  context: GradientContext,
  image: Value,
  map: Value,
  weight: Value,
  geometry: ConvGeometry,
): Value {
  const { kernel, strides, begin, end, group } = geometry;
  const channels = image.shape![1];
  if (!isStatic(spatialDims(image)) || !isStatic(spatialDims(map)) || typeof channels !== 'number') {
    return swappedConv(context, image, map, weight, geometry);
  }
  const isPointwise =
    group === 1 &&
    kernel.every((length) => length === 1) &&
    strides.every((stride) => stride === 1) &&
    [...begin, ...end].every((pad) => pad === 0);
  if (isPointwise) {
    const product = context.op('MatMul', [
      flatPlaces(context, map),
      context.transpose(flatPlaces(context, image), [0, 2, 1]),
    ]);
    return context.reshapeLike(context.reduceSum(product, [0], false), weight);
  }
  const exchanged = exchangedRoles(image, map, geometry);
  if (exchanged !== undefined) {
    const turned = unfolded(context, map, image, exchanged);
    return flipped(context, context.transpose(turned, [1, 0, ...kernel.map((_, axis) => axis + 2)]), kernel);
  }
  return unfolded(context, image, map, geometry);
}

/**
 * With stride 1 image and map may change places, the kernel then being read backwards: the one with
 * fewer channels is unfolded.
 */
function exchangedRoles(image: Value, map: Value, geometry: ConvGeometry): ConvGeometry | undefined {
  const { strides, group, begin, end } = geometry;
  const [imageChannels, mapChannels] = [image.shape![1] as number, map.shape![1] as number];
  if (group !== 1 || mapChannels * 2 > imageChannels || strides.some((stride) => stride !== 1)) return undefined;
  const rest = (pads: readonly number[]) => pads.map((pad, axis) => extent(geometry, axis) - 1 - pad);
  const exchanged = { ...geometry, begin: rest(begin), end: rest(end) };
  return padsOf(exchanged).some((pad) => pad < 0) ? undefined : exchanged;
}

/** The weight gradient [M, C/group, ...] by unfolding the image. */
function unfolded(context: GradientContext, image: Value, map: Value, geometry: ConvGeometry): Value {
  const channels = image.shape![1] as number;
  const shape = [map.shape![1] as number, channels / geometry.group, ...geometry.kernel];
  return geometry.group === 1 && channels >= FEWEST_CHANNELS_TO_GATHER
    ? byGather(context, image, map, shape, geometry)
    : bySlices(context, image, map, shape, geometry);
}

/** [N, C, ...] as [N, C, places]. */
function flatPlaces(context: GradientContext, value: Value): Value {
  if (value.shape!.length === 3) return value;
  return context.reshape(value, [0, value.shape![1] as number, -1]);
}

function padded(context: GradientContext, image: Value, { begin, end }: ConvGeometry): Value {
  if ([...begin, ...end].every((pad) => pad === 0)) return image;
  return context.op('Pad', [image, context.builder.int64s([0, 0, ...begin, 0, 0, ...end])]);
}

/**
 * Channels last, each place a row: one Gather lays the rows under a kernel row side by side, and a
 * product sums over places. One kernel row at a time, so that the unfolded image stays small.
 */
function byGather(
  context: GradientContext,
  image: Value,
  map: Value,
  shape: readonly number[],
  geometry: ConvGeometry,
): Value {
  const { builder } = context;
  const { kernel, strides, dilations } = geometry;
  const mapChannels = map.shape![1] as number;
  const channels = image.shape![1] as number;
  const steps = spatialDims(map) as readonly number[];
  const wide = padded(context, image, geometry);
  const lengths = spatialDims(wide) as readonly number[];
  const places = steps.reduce((product, length) => product * length, 1);
  const rows = context.transpose(flatPlaces(context, wide), [0, 2, 1]);
  // Summing over places alone leaves a product per example; with more of those than places, sum over all at once.
  const atOnce = mapChannels >= places;
  const left = atOnce
    ? context.reshape(context.transpose(flatPlaces(context, map), [0, 2, 1]), [-1, mapChannels])
    : flatPlaces(context, map);
  const inner = kernel.slice(1).reduce((product, length) => product * length, 1);
  const parts = Array.from({ length: kernel[0]! }, (_, first) => {
    const indices = placesUnder([first], geometry, steps, lengths);
    const columns = context.op('Gather', [rows, builder.int64s(indices)], { axis: 1 });
    const width = inner * channels;
    if (atOnce) {
      const product = context.op('Gemm', [left, context.reshape(columns, [-1, width])], { transA: 1 });
      return context.reshape(product, [mapChannels, 1, inner, channels]);
    }
    const product = context.op('MatMul', [left, context.reshape(columns, [0, places, width])]);
    return context.reshape(context.reduceSum(product, [0], false), [mapChannels, 1, inner, channels]);
  });
  const whole = parts.length === 1 ? parts[0]! : context.op('Concat', parts, { axis: 1 });
  const ordered = context.transpose(context.reshape(whole, [mapChannels, kernel[0]! * inner, channels]), [0, 2, 1]);
  return context.reshape(ordered, shape);

  function placesUnder(
    fixed: readonly number[],
    { kernel: sizes }: ConvGeometry,
    counts: readonly number[],
    within: readonly number[],
  ): number[] {
    const list: number[] = [];
    forEachIndex(counts, (step) =>
      forEachIndex(sizes.slice(fixed.length), (tap) => {
        let place = 0;
        for (const [axis, length] of within.entries()) {
          const offset = axis < fixed.length ? fixed[axis]! : tap[axis - fixed.length]!;
          place = place * length + step[axis]! * strides[axis]! + offset * dilations[axis]!;
        }
        list.push(place);
      }),
    );
    return list;
  }
}

/** Any number of groups: a slice of the image for each kernel position, then a product within each group. */
function bySlices(
  context: GradientContext,
  image: Value,
  map: Value,
  shape: readonly number[],
  geometry: ConvGeometry,
): Value {
  const { builder } = context;
  const { kernel, strides, dilations, group } = geometry;
  const wide = padded(context, image, geometry);
  const channels = image.shape![1] as number;
  const steps = spatialDims(map) as readonly number[];
  const places = steps.reduce((product, length) => product * length, 1);
  const axes = builder.int64s(kernel.map((_, axis) => axis + 2));
  const views: Value[] = [];
  forEachIndex(kernel, (tap) => {
    const starts = tap.map((offset, axis) => offset * dilations[axis]!);
    const ends = starts.map((start, axis) => start + (steps[axis]! - 1) * strides[axis]! + 1);
    const view = context.op('Slice', [
      wide,
      builder.int64s(starts),
      builder.int64s(ends),
      axes,
      builder.int64s(strides),
    ]);
    views.push(context.reshape(view, [0, channels, 1, places]));
  });
  const taps = views.length;
  const columns = taps === 1 ? views[0]! : context.op('Concat', views, { axis: 2 });
  const right = context.reshape(columns, [0, group, (channels / group) * taps, places]);
  const left = context.reshape(map, [0, group, (map.shape![1] as number) / group, places]);
  const product = context.op('MatMul', [left, context.transpose(right, [0, 1, 3, 2])]);
  return context.reshape(context.reduceSum(product, [0], false), shape);
}

/**
 * Lengths that only the run tells: a Conv whose batch is the image's channels, whose kernel is the
 * map, and whose channels are the examples.
 */
function swappedConv(context: GradientContext, image: Value, map: Value, weight: Value, geometry: ConvGeometry): Value {
  const { builder } = context;
  const { kernel, strides, dilations, group } = geometry;
  const axes = kernel.map((_, axis) => axis + 2);
  let batch = context.transpose(image, [1, 0, ...axes]);
  if (group > 1) {
    // [C, N, ...] to [C/g, g·N, ...]: the groups of the swapped Conv are those of the first.
    const lengths = axes.map((axis) => lengthTensor(builder, image, axis));
    const channels = image.shape![1];
    if (typeof channels !== 'number') context.fail('the number of channels is not known');
    const per = (channels as number) / group;
    const shape = (front: readonly number[]) => assembleShape(builder, [...front, ...lengths]);
    const grouped = context.op('Reshape', [batch, assembleShape(builder, [group, per, -1, ...lengths])]);
    const turned = context.transpose(grouped, [1, 0, 2, ...axes.map((axis) => axis + 1)]);
    batch = context.op('Reshape', [turned, shape([per, -1])]);
  }
  const result = context.op('Conv', [batch, context.transpose(map, [1, 0, ...axes])], {
    strides: dilations,
    dilations: strides,
    group,
    pads: padsOf(geometry),
  });
  // Elements that the stride left over at the end reach past the kernel.
  const all = (value: number) => builder.int64s(axes.map(() => value));
  const cut = context.op('Slice', [result, all(0), builder.int64s(kernel), builder.int64s(axes)]);
  return context.reshapeLike(context.transpose(cut, [1, 0, ...axes]), weight);
}

/** Every index into a box, last axis fastest. */
function forEachIndex(box: readonly number[], visit: (index: readonly number[]) => void): void {
  const index = box.map(() => 0);
  for (;;) {
    visit([...index]);
    let axis = box.length - 1;
    while (axis >= 0 && ++index[axis]! >= box[axis]!) index[axis--] = 0;
    if (axis < 0) return;
  }
}
