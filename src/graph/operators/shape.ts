/** Operators that give the same elements another shape, and those that ask for shapes. */
import { describeShape } from '../infer/broadcast.js';
import { asLength, divideExactly, productOfDims } from '../infer/dims.js';
import type { Dim, Shape } from '../ir.js';
import type { InferenceContext, KnownElements, OperatorDefinition } from './definition.js';
import { broadcastOrFail, define, expectType, freshShape, int, lengthOf, tensor } from './helpers.js';

/** A length from an element of a shape tensor; stops on a negative number. */
export function lengthFrom(context: InferenceContext, element: Dim | undefined): Dim {
  if (typeof element === 'number' && (!Number.isSafeInteger(element) || element < 0)) {
    context.fail(`asks for a length of ${element}.`);
  }
  return asLength(element) ?? context.freshDim();
}

/** A shape from a shape tensor: its elements where known, otherwise as many unknown lengths. */
export function shapeFrom(context: InferenceContext, index: number): Shape | undefined {
  const elements = context.elements(index);
  if (elements !== undefined) return elements.map((element) => lengthFrom(context, element));
  const rank = lengthOf(context, index);
  return rank === undefined ? undefined : freshShape(context, checkedRank(context, rank));
}

/** Ranks come from files; no real tensor has so many dimensions. */
function checkedRank(context: InferenceContext, rank: number): number {
  if (rank > 64) context.fail(`asks for a tensor of ${rank} dimensions.`);
  return rank;
}

function reshape(context: InferenceContext): Shape | undefined {
  const elements = context.elements(1);
  const input = context.shape(0);
  if (elements === undefined) {
    const rank = lengthOf(context, 1);
    return rank === undefined ? undefined : freshShape(context, checkedRank(context, rank));
  }
  const keepZero = context.attribute('allowzero') !== undefined && context.int('allowzero') !== 0;
  if (elements.filter((element) => element === -1).length > 1) context.fail('its shape holds -1 more than once.');
  const shape: (Dim | undefined)[] = elements.map((element, axis) => {
    if (element === 0 && !keepZero) {
      if (input !== undefined && axis >= input.length) {
        context.fail(`its shape copies axis ${axis}, which input ${describeShape(input)} does not have.`);
      }
      return input?.[axis];
    }
    if (element === -1 || element === undefined) return undefined;
    return lengthFrom(context, element);
  });
  const open = shape.flatMap((dim, axis) => (dim === undefined ? [axis] : []));
  if (input !== undefined && open.length <= 1) {
    const total = productOfDims(input);
    const rest = productOfDims(shape.filter((dim) => dim !== undefined));
    const [axis] = open;
    if (axis !== undefined) {
      if (typeof total === 'number' && typeof rest === 'number' && rest !== 0 && total % rest !== 0)
        refuseReshape(context, shape);
      shape[axis] = rest === 0 && total === 0 ? 0 : divideExactly(total, rest);
    } else if (typeof total === 'number' && typeof rest === 'number' && total !== rest) refuseReshape(context, shape);
  }
  return shape.map((dim) => dim ?? context.freshDim());
}

function refuseReshape(context: InferenceContext, shape: readonly (Dim | undefined)[]): never {
  context.fail(
    `cannot give ${describeShape(context.shape(0))} the shape [${shape.map((dim) => dim ?? -1).join(', ')}].`,
  );
}

const passElements = (context: InferenceContext): KnownElements | undefined => context.elements(0);

const reshapeForm = {
  inputs: 2,
  infer: (context: InferenceContext) => {
    expectType(context, 1, 'index');
    return [tensor(context.input(0).dtype, reshape(context))];
  },
  propagate: passElements,
};

function flatten(context: InferenceContext): Shape | undefined {
  const shape = context.shape(0);
  if (shape === undefined) return freshShape(context, 2);
  const given = context.int('axis');
  const axis = given < 0 ? given + shape.length : given;
  if (axis < 0 || axis > shape.length) context.fail(`axis ${given} lies outside [${-shape.length}, ${shape.length}].`);
  return [
    productOfDims(shape.slice(0, axis)) ?? context.freshDim(),
    productOfDims(shape.slice(axis)) ?? context.freshDim(),
  ];
}

function squeeze(context: InferenceContext): Shape | undefined {
  const shape = context.shape(0);
  if (shape === undefined) return undefined;
  if (!context.given(1)) {
    // Whether a symbolic length is one will be known only when the graph runs.
    return shape.every((dim) => typeof dim === 'number') ? shape.filter((dim) => dim !== 1) : undefined;
  }
  const axes = context.numbers(1);
  if (axes === undefined) {
    const count = lengthOf(context, 1);
    return count === undefined || count > shape.length ? undefined : freshShape(context, shape.length - count);
  }
  const dropped = new Set(axes.map((axis) => context.axis(axis, shape.length)));
  for (const axis of dropped) {
    const dim = shape[axis]!;
    if (typeof dim === 'number' && dim !== 1)
      context.fail(`axis ${axis} of ${describeShape(shape)} is not of length 1.`);
  }
  return shape.filter((_, axis) => !dropped.has(axis));
}

function unsqueeze(context: InferenceContext): Shape | undefined {
  const shape = context.shape(0);
  const count = lengthOf(context, 1);
  if (shape === undefined || count === undefined) return undefined;
  const rank = checkedRank(context, shape.length + count);
  const axes = context.numbers(1);
  if (axes === undefined) return freshShape(context, rank);
  const added = new Set(axes.map((axis) => context.axis(axis, rank)));
  if (added.size !== axes.length) context.fail(`its axes [${axes.join(', ')}] name one axis twice.`);
  const rest = shape[Symbol.iterator]();
  return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : rest.next().value!));
}

/** start and end of Shape, clamped to the rank. */
function shapeRange(context: InferenceContext, rank: number): [number, number] {
  const clamp = (value: number) => Math.min(Math.max(value < 0 ? value + rank : value, 0), rank);
  if (context.opset < 15) return [0, rank];
  return [clamp(context.int('start')), context.has('end') ? clamp(context.int('end')) : rank];
}

const shapeForm = {
  infer: (context: InferenceContext) => {
    const shape = context.shape(0);
    if (shape === undefined) return [tensor('int64', [context.freshDim()])];
    const [start, end] = shapeRange(context, shape.length);
    return [tensor('int64', [Math.max(end - start, 0)])];
  },
  propagate: (context: InferenceContext) => {
    const shape = context.shape(0);
    return shape?.slice(...shapeRange(context, shape.length));
  },
};

export const SHAPES: readonly OperatorDefinition[] = [
  define('Reshape', reshapeForm),
  define('Reshape', { ...reshapeForm, since: 14, attributes: { allowzero: int(0) } }),
  define('Flatten', {
    attributes: { axis: int(1) },
    infer: (context) => [tensor(context.input(0).dtype, flatten(context))],
  }),
  define('Squeeze', {
    inputs: [1, 2],
    infer: (context) => [tensor(context.input(0).dtype, squeeze(context))],
    propagate: passElements,
  }),
  define('Unsqueeze', {
    inputs: 2,
    infer: (context) => [tensor(context.input(0).dtype, unsqueeze(context))],
    propagate: passElements,
  }),
  define('Expand', {
    inputs: 2,
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      const target = shapeFrom(context, 1);
      if (context.elements(1) === undefined && target !== undefined && shape !== undefined) {
        // Which lengths grow is not known, but the rank is.
        return [tensor(dtype, freshShape(context, Math.max(target.length, shape.length)))];
      }
      return [tensor(dtype, broadcastOrFail(context, [shape, target]))];
    },
    propagate: (context) => {
      const elements = context.elements(0);
      const target = context.numbers(1);
      if (elements === undefined || target === undefined || target.length > 1) return undefined;
      if ((context.shape(0)?.length ?? 2) > 1) return undefined;
      const length = Math.max(elements.length, target[0] ?? 1);
      if (length > 64 || target[0] === 0) return undefined;
      return elements.length === length
        ? elements
        : elements.length === 1
          ? new Array(length).fill(elements[0])
          : undefined;
    },
  }),
  define('Shape', shapeForm),
  define('Shape', { ...shapeForm, since: 15, attributes: { start: int(0), end: 'int' } }),
  define('Size', {
    infer: () => [tensor('int64', [])],
    propagate: (context) => {
      const shape = context.shape(0);
      return shape && [productOfDims(shape)];
    },
  }),
];
