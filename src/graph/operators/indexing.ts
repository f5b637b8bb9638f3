/** Operators that pick or place elements by indices. */
import { describeShape } from '../infer/broadcast.js';
import type { Dim, Shape } from '../ir.js';
import type { InferenceContext, OperatorDefinition } from './definition.js';
import { define, expectRank, expectType, freshShape, int, sameType, string, tensor, unifyShapes } from './helpers.js';
import { lengthFrom } from './shape.js';

function gather(context: InferenceContext): Shape | undefined {
  const data = expectRank(context, 0, 1, Number.POSITIVE_INFINITY);
  const indices = context.shape(1);
  if (data === undefined || indices === undefined) return undefined;
  const axis = context.axis(context.int('axis'), data.length);
  return [...data.slice(0, axis), ...indices, ...data.slice(axis + 1)];
}

function checkIndices(context: InferenceContext, length: Dim | undefined): void {
  if (typeof length !== 'number') return;
  for (const index of context.elements(1) ?? []) {
    if (typeof index === 'number' && (index < -length || index >= length)) {
      context.fail(`takes index ${index} of an axis of length ${length}.`);
    }
  }
}

function gatherND(context: InferenceContext): Shape | undefined {
  const data = expectRank(context, 0, 1, Number.POSITIVE_INFINITY);
  const indices = expectRank(context, 1, 1, Number.POSITIVE_INFINITY);
  if (data === undefined || indices === undefined) return undefined;
  const depth = indices[indices.length - 1]!;
  if (typeof depth !== 'number') return undefined;
  const batch = context.int('batch_dims');
  if (batch < 0 || batch + depth > data.length || batch >= indices.length) {
    context.fail(`batch_dims ${batch} and indices ${describeShape(indices)} do not fit data ${describeShape(data)}.`);
  }
  return [...indices.slice(0, -1), ...data.slice(batch + depth)];
}

/** Scatter operators give data's own shape; the reductions they know grew over time. */
function scatter(
  name: 'ScatterElements' | 'ScatterND',
  since: number,
  reductions: readonly string[],
): OperatorDefinition {
  const axis = name === 'ScatterElements' ? { axis: int(0) } : {};
  return define(name, {
    since,
    inputs: 3,
    attributes: reductions.length > 0 ? { ...axis, reduction: string('none') } : axis,
    infer: (context) => {
      const dtype = sameType(context, [0, 2]);
      expectType(context, 1, 'index');
      const data = expectRank(context, 0, 1, Number.POSITIVE_INFINITY);
      if (name === 'ScatterElements') {
        if (data !== undefined) context.axis(context.int('axis'), data.length);
        unifyShapes(context, context.shape(1), context.shape(2), 'indices and updates');
      }
      if (reductions.length > 0 && !reductions.includes(context.string('reduction'))) {
        context.fail(
          `reduction "${context.string('reduction')}" is none of ${reductions.join(', ')}.`,
          'ERR_VAE_GRAPH',
        );
      }
      return [tensor(dtype, data)];
    },
  });
}

export const INDEXING: readonly OperatorDefinition[] = [
  define('Gather', {
    inputs: 2,
    attributes: { axis: int(0) },
    infer: (context) => {
      expectType(context, 1, 'index');
      const shape = context.shape(0);
      if (shape !== undefined && shape.length > 0)
        checkIndices(context, shape[context.axis(context.int('axis'), shape.length)]);
      return [tensor(context.input(0).dtype, gather(context))];
    },
    propagate: (context) => {
      const elements = context.elements(0);
      const indices = context.numbers(1);
      if (elements === undefined || indices === undefined || context.shape(0)?.length !== 1) return undefined;
      return indices.map((index) => elements[index < 0 ? index + elements.length : index]);
    },
  }),
  define('GatherElements', {
    inputs: 2,
    attributes: { axis: int(0) },
    infer: (context) => {
      expectType(context, 1, 'index');
      const shape = context.shape(0);
      if (shape !== undefined) {
        context.axis(context.int('axis'), shape.length);
        expectRank(context, 1, shape.length);
      }
      return [tensor(context.input(0).dtype, context.shape(1))];
    },
  }),
  define('GatherND', {
    inputs: 2,
    attributes: { batch_dims: int(0) },
    infer: (context) => {
      expectType(context, 1, 'index');
      return [tensor(context.input(0).dtype, gatherND(context))];
    },
  }),
  scatter('ScatterElements', 13, []),
  scatter('ScatterElements', 16, ['none', 'add', 'mul']),
  scatter('ScatterElements', 18, ['none', 'add', 'mul', 'max', 'min']),
  scatter('ScatterND', 13, []),
  scatter('ScatterND', 16, ['none', 'add', 'mul']),
  scatter('ScatterND', 18, ['none', 'add', 'mul', 'max', 'min']),
  define('OneHot', {
    inputs: 3,
    attributes: { axis: int(-1) },
    infer: (context) => {
      const { dtype } = context.input(2);
      const indices = context.shape(0);
      if (indices === undefined) return [tensor(dtype, undefined)];
      const axis = context.axis(context.int('axis'), indices.length + 1);
      const depth = lengthFrom(context, context.elements(1)?.[0]);
      return [tensor(dtype, [...indices.slice(0, axis), depth, ...indices.slice(axis)])];
    },
  }),
  define('NonZero', {
    infer: (context) => {
      const shape = context.shape(0);
      return [tensor('int64', [shape?.length ?? context.freshDim(), context.freshDim()])];
    },
  }),
  define('Compress', {
    inputs: 2,
    attributes: { axis: 'int' },
    infer: (context) => {
      expectType(context, 1, 'bool');
      const { dtype, shape } = context.input(0);
      if (!context.has('axis')) return [tensor(dtype, [context.freshDim()])];
      const axis = shape && context.axis(context.int('axis'), shape.length);
      return [
        tensor(
          dtype,
          shape?.map((dim, at) => (at === axis ? context.freshDim() : dim)),
        ),
      ];
    },
  }),
  define('Unique', {
    outputs: [1, 4],
    attributes: { axis: 'int', sorted: int(1) },
    infer: (context) => {
      const { dtype, shape } = context.input(0);
      const count = context.freshDim();
      const axis = context.has('axis') && shape ? context.axis(context.int('axis'), shape.length) : undefined;
      const values = context.has('axis') ? shape?.map((dim, at) => (at === axis ? count : dim)) : [count];
      const [inverse] = axis === undefined ? freshShape(context, 1) : [shape![axis]!];
      return [tensor(dtype, values), tensor('int64', [count]), tensor('int64', [inverse!]), tensor('int64', [count])];
    },
  }),
  define('NonMaxSuppression', {
    inputs: [2, 5],
    attributes: { center_point_box: int(0) },
    infer: (context) => [tensor('int64', [context.freshDim(), 3])],
  }),
];
