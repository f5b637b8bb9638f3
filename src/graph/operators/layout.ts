/** Operators that move whole elements about: transpose, join, cut, repeat, pad. */
import { describeShape } from '../infer/broadcast.js';
import { addDims, asLength, ceilDivide, divideExactly, multiplyDims, subtractDims } from '../infer/dims.js';
import type { Dim, Shape } from '../ir.js';
import type { Attribute, InferenceContext, KnownElements, OperatorDefinition } from './definition.js';
import {
  allInputs,
  define,
  expectRank,
  expectType,
  freshShape,
  int,
  lengthOf,
  sameType,
  string,
  tensor,
  unify,
} from './helpers.js';

function transpose(context: InferenceContext): Shape | undefined {
  const shape = context.shape(0);
  const order = context.ints('perm') ?? (shape && [...shape.keys()].reverse());
  if (order === undefined) return undefined;
  const rank = shape?.length ?? order.length;
  const seen = new Set(order);
  if (order.length !== rank || seen.size !== rank || !order.every((axis) => axis >= 0 && axis < rank)) {
    context.fail(`perm [${order.join(', ')}] is not an order of the axes of ${describeShape(shape)}.`);
  }
  return shape === undefined ? freshShape(context, rank) : order.map((axis) => shape[axis]!);
}

function concat(context: InferenceContext): Shape | undefined {
  let result: Dim[] | undefined;
  for (const index of allInputs(context)) {
    const shape = expectRank(context, index, 1, Number.POSITIVE_INFINITY);
    if (shape === undefined) return undefined;
    const axis = context.axis(context.int('axis'), shape.length);
    if (result === undefined) {
      result = [...shape];
      continue;
    }
    if (result.length !== shape.length) {
      context.fail(`input ${index} of shape ${describeShape(shape)} has another rank than the ones before it.`);
    }
    result = result.map((dim, at) =>
      at === axis
        ? (addDims(dim, shape[at]) ?? context.freshDim())
        : unify(context, dim, shape[at]!, `the lengths of axis ${at} of its inputs`),
    );
  }
  return result;
}

/** Lengths of the parts along the axis. */
function splitLengths(context: InferenceContext, length: Dim | undefined): Dim[] {
  const count = context.node.outputs.length;
  if (context.given(1)) {
    const parts = context.elements(1);
    if (parts === undefined) return freshShape(context, count);
    if (parts.length !== count) context.fail(`has ${count} outputs and ${parts.length} lengths to split into.`);
    const total = parts.reduce<Dim | undefined>((sum, part) => addDims(sum, part), 0);
    if (typeof total === 'number' && typeof length === 'number' && total !== length) {
      context.fail(`splits an axis of length ${length} into parts of ${total} in all.`);
    }
    return parts.map((part) => asLength(part) ?? context.freshDim());
  }
  if (context.attribute('num_outputs') !== undefined && context.int('num_outputs') !== count) {
    context.fail(`has ${count} outputs where num_outputs is ${context.int('num_outputs')}.`, 'ERR_VAE_GRAPH');
  }
  const chunk = ceilDivide(length, count);
  if (chunk === undefined) return freshShape(context, count);
  const last = subtractDims(length, multiplyDims(chunk, count - 1));
  if (typeof last === 'number' && last < 0) context.fail(`cannot split a length of ${length} into ${count} parts.`);
  if (typeof length === 'string' && divideExactly(length, count) === undefined) return freshShape(context, count);
  return Array.from({ length: count }, (_, index) => (index === count - 1 ? last : chunk) ?? context.freshDim());
}

function split(context: InferenceContext): ReturnType<OperatorDefinition['infer']> {
  const { dtype, shape } = context.input(0);
  if (shape === undefined) return context.node.outputs.map(() => tensor(dtype, undefined));
  const axis = context.axis(context.int('axis'), shape.length);
  return splitLengths(context, shape[axis]).map((part) =>
    tensor(
      dtype,
      shape.map((dim, at) => (at === axis ? part : dim)),
    ),
  );
}

/** The length of a slice, where it can be told. */
function sliceLength(
  dim: Dim,
  start: Dim | undefined,
  end: Dim | undefined,
  step: number | undefined,
): Dim | undefined {
  if (step === undefined || start === undefined || end === undefined) return undefined;
  if (typeof dim === 'number' && typeof start === 'number' && typeof end === 'number') {
    const [low, high] = step > 0 ? [0, dim] : [-1, dim - 1];
    const clamp = (value: number, least: number) => Math.min(Math.max(value < 0 ? value + dim : value, least), high);
    const from = step > 0 ? clamp(start, 0) : clamp(start, low);
    const to = clamp(end, low);
    return Math.max(Math.ceil((to - from) / step), 0);
  }
  if (step < 0) {
    // The whole axis backwards, as flips are written.
    const whole = step === -1 && start === -1 && typeof end === 'number' && end < -(2 ** 31) + 2;
    return whole ? dim : undefined;
  }
  // A symbolic axis: everything from a fixed start, or to a fixed distance from the end.
  if (typeof start !== 'number' || start < 0) return undefined;
  const toEnd = end === dim || (typeof end === 'number' && end >= 2 ** 31 - 1);
  const stop = toEnd ? dim : typeof end === 'number' && end < 0 ? addDims(dim, end) : undefined;
  return ceilDivide(subtractDims(stop, start), step);
}

interface SliceRange {
  readonly axis: number;
  readonly start: Dim | undefined;
  readonly end: Dim | undefined;
  readonly step: number | undefined;
}

/** The ranges of a Slice, or undefined where not even the axes are known. */
function sliceRanges(context: InferenceContext, rank: number): SliceRange[] | undefined {
  const count = lengthOf(context, 1) ?? lengthOf(context, 2);
  if (count === undefined || count > rank) return undefined;
  const axes = context.given(3) ? context.numbers(3) : Array.from({ length: count }, (_, axis) => axis);
  if (axes === undefined) return undefined;
  const starts = context.elements(1);
  const ends = context.elements(2);
  const steps = context.given(4) ? context.elements(4) : new Array<number>(count).fill(1);
  for (const list of [starts, ends, steps, axes]) {
    if (list !== undefined && list.length !== count) context.fail('its starts, ends, axes and steps differ in length.');
  }
  return axes.map((given, index) => {
    const step = steps?.[index];
    if (step === 0) context.fail('its step is zero.');
    const axis = context.axis(given, rank);
    return { axis, start: starts?.[index], end: ends?.[index], step: typeof step === 'number' ? step : undefined };
  });
}

function slice(context: InferenceContext): Shape | undefined {
  const shape = context.shape(0);
  if (shape === undefined) return undefined;
  const ranges = sliceRanges(context, shape.length);
  if (ranges === undefined) return freshShape(context, shape.length);
  const result = [...shape];
  for (const { axis, start, end, step } of ranges) {
    result[axis] = asLength(sliceLength(shape[axis]!, start, end, step)) ?? context.freshDim();
  }
  return result;
}

function sliceElements(context: InferenceContext): KnownElements | undefined {
  const elements = context.elements(0);
  const shape = context.shape(0);
  if (elements === undefined || shape === undefined || !isStatic(shape)) return undefined;
  // Which positions of each axis are taken, in order.
  const positions = shape.map((length) => Array.from({ length }, (_, index) => index));
  const ranges = sliceRanges(context, shape.length);
  if (ranges === undefined) return undefined;
  for (const { axis, start, end, step } of ranges) {
    const length = shape[axis]!;
    const count = sliceLength(length, start, end, step);
    if (typeof start !== 'number' || step === undefined || typeof count !== 'number') return undefined;
    const high = step > 0 ? length : length - 1;
    const first = Math.min(Math.max(start < 0 ? start + length : start, 0), high);
    positions[axis] = Array.from({ length: count }, (_, index) => first + index * step);
  }
  return pick(elements, shape, positions);
}

/** The elements at all combinations of these positions, in row-major order. */
function pick(
  elements: KnownElements,
  shape: readonly number[],
  positions: readonly (readonly number[])[],
): KnownElements {
  let offsets = [0];
  shape.forEach((length, axis) => {
    offsets = offsets.flatMap((offset) => positions[axis]!.map((position) => offset * length + position));
  });
  return offsets.map((offset) => elements[offset]);
}

function isStatic(shape: Shape): shape is readonly number[] {
  return shape.every((dim) => typeof dim === 'number');
}

function transposeElements(context: InferenceContext): KnownElements | undefined {
  const elements = context.elements(0);
  const shape = context.shape(0);
  if (elements === undefined || shape === undefined || !isStatic(shape)) return undefined;
  const order = context.ints('perm') ?? [...shape.keys()].reverse();
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, length) => product * length, 1));
  let offsets = [0];
  for (const axis of order) {
    offsets = offsets.flatMap((offset) =>
      Array.from({ length: shape[axis]! }, (_, index) => offset + index * strides[axis]!),
    );
  }
  return offsets.map((offset) => elements[offset]);
}

function concatElements(context: InferenceContext): KnownElements | undefined {
  const rank = context.shape(0)?.length;
  // Joining along the first axis is joining the lists.
  if (rank === undefined || context.axis(context.int('axis'), rank) !== 0) return undefined;
  const parts = allInputs(context).map((index) => context.elements(index));
  return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
}

function pad(context: InferenceContext): Shape | undefined {
  const shape = context.shape(0);
  if (shape === undefined) return undefined;
  let axes: readonly number[] | undefined = [...shape.keys()];
  if (context.given(3)) {
    axes = context.numbers(3);
    if (axes === undefined) return freshShape(context, shape.length);
  }
  const pads = context.elements(1);
  if (pads === undefined) return freshShape(context, shape.length);
  if (pads.length !== 2 * axes.length) {
    context.fail(`has ${pads.length} pads where ${axes.length} axes need ${2 * axes.length}.`);
  }
  const result = [...shape];
  axes.forEach((given, index) => {
    const axis = context.axis(given, shape.length);
    const padded = addDims(addDims(shape[axis], pads[index]), pads[index + axes.length]);
    if (typeof padded === 'number' && padded < 0) context.fail(`takes away more of axis ${axis} than it has.`);
    result[axis] = padded ?? context.freshDim();
  });
  return result;
}

function padOperator(since: number): OperatorDefinition {
  return define('Pad', {
    since,
    inputs: [2, since >= 18 ? 4 : 3],
    attributes: { mode: string('constant') },
    infer: (context) => {
      const dtype = sameType(context, [0, 2]);
      const modes = since >= 19 ? ['constant', 'reflect', 'edge', 'wrap'] : ['constant', 'reflect', 'edge'];
      if (!modes.includes(context.string('mode'))) {
        context.fail(`mode "${context.string('mode')}" is none of ${modes.join(', ')}.`, 'ERR_VAE_GRAPH');
      }
      return [tensor(dtype, pad(context))];
    },
  });
}

/** Moves blocks between channels and space; `exponent` is 1 when space grows. */
function blocks(name: string, attributes: Record<string, Attribute | 'int'>, grow: boolean): OperatorDefinition {
  return define(name, {
    attributes: { blocksize: 'int', ...attributes },
    infer: (context) => {
      const { dtype } = context.input(0);
      const shape = expectRank(context, 0, 4);
      const size = context.int('blocksize');
      if (size < 1) context.fail(`blocksize must be positive and is ${size}.`, 'ERR_VAE_GRAPH');
      if (shape === undefined) return [tensor(dtype, freshShape(context, 4))];
      const shrinkBy = (dim: Dim, by: number) => {
        if (typeof dim === 'number' && dim % by !== 0) context.fail(`a length of ${dim} is not divisible by ${by}.`);
        return divideExactly(dim, by) ?? context.freshDim();
      };
      const growBy = (dim: Dim, by: number) => multiplyDims(dim, by) ?? context.freshDim();
      const [batch, channels, height, width] = shape as [Dim, Dim, Dim, Dim];
      return [
        tensor(
          dtype,
          grow
            ? [batch, shrinkBy(channels, size * size), growBy(height, size), growBy(width, size)]
            : [batch, growBy(channels, size * size), shrinkBy(height, size), shrinkBy(width, size)],
        ),
      ];
    },
  });
}

export const LAYOUT: readonly OperatorDefinition[] = [
  define('Transpose', {
    attributes: { perm: 'ints' },
    infer: (context) => [tensor(context.input(0).dtype, transpose(context))],
    propagate: transposeElements,
  }),
  define('Concat', {
    inputs: [1, Number.POSITIVE_INFINITY],
    attributes: { axis: 'int' },
    infer: (context) => [tensor(sameType(context, allInputs(context)), concat(context))],
    propagate: concatElements,
  }),
  define('Split', {
    inputs: [1, 2],
    outputs: [1, Number.POSITIVE_INFINITY],
    attributes: { axis: int(0) },
    infer: split,
  }),
  define('Split', {
    since: 18,
    inputs: [1, 2],
    outputs: [1, Number.POSITIVE_INFINITY],
    attributes: { axis: int(0), num_outputs: 'int' },
    infer: split,
  }),
  define('Slice', {
    inputs: [3, 5],
    infer: (context) => {
      for (const index of [1, 2, 3, 4]) if (context.given(index)) expectType(context, index, 'index');
      return [tensor(context.input(0).dtype, slice(context))];
    },
    propagate: sliceElements,
  }),
  define('Tile', {
    inputs: 2,
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      const repeats = context.elements(1);
      if (shape === undefined) return [tensor(dtype, undefined)];
      if (repeats !== undefined && repeats.length !== shape.length) {
        context.fail(`has ${repeats.length} repeats for an input of ${shape.length} dimensions.`);
      }
      return [
        tensor(
          dtype,
          shape.map((dim, axis) => asLength(multiplyDims(dim, repeats?.[axis])) ?? context.freshDim()),
        ),
      ];
    },
  }),
  ...[13, 18, 19].map(padOperator),
  blocks('DepthToSpace', { mode: string('DCR') }, true),
  blocks('SpaceToDepth', {}, false),
  define('Trilu', {
    since: 14,
    inputs: [1, 2],
    attributes: { upper: int(1) },
    infer: (context) => {
      expectRank(context, 0, 2, Number.POSITIVE_INFINITY);
      return [context.input(0)];
    },
  }),
  define('ReverseSequence', {
    inputs: 2,
    attributes: { batch_axis: int(1), time_axis: int(0) },
    infer: (context) => {
      expectRank(context, 0, 2, Number.POSITIVE_INFINITY);
      return [context.input(0)];
    },
  }),
  define('CenterCropPad', {
    since: 18,
    inputs: 2,
    attributes: { axes: 'ints' },
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      if (shape === undefined) return [tensor(dtype, undefined)];
      const axes = context.ints('axes') ?? [...shape.keys()];
      const lengths = context.elements(1);
      const result = [...shape];
      axes.forEach((given, index) => {
        result[context.axis(given, shape.length)] = asLength(lengths?.[index]) ?? context.freshDim();
      });
      return [tensor(dtype, result)];
    },
  }),
];
