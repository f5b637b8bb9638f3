/** Reductions over axes, and their relatives that search or accumulate along one. */
import type { DataType } from '../../core/dtype.js';
import { addDims, multiplyDims } from '../infer/dims.js';
import type { Dim, Shape } from '../ir.js';
import { asType } from './arithmetic.js';
import type { InferenceContext, KnownElements, OperatorDefinition } from './definition.js';
import {
  type Category,
  type Definition,
  define,
  defineAll,
  expectRank,
  expectType,
  freshShape,
  int,
  lengthOf,
  tensor,
} from './helpers.js';

type Fold = (left: Dim, right: Dim, dtype: DataType) => Dim | undefined;

interface Reduction {
  readonly category: Category;
  /** Set in which the axes became an input. */
  readonly axesInputSince: number;
  readonly fold?: Fold;
}

const numbers =
  (operation: (left: number, right: number) => number): Fold =>
  (left, right, dtype) =>
    typeof left === 'number' && typeof right === 'number' ? asType(operation(left, right), dtype) : undefined;

const whole =
  (operation: (left: Dim, right: Dim) => Dim | undefined): Fold =>
  (left, right, dtype) =>
    dtype === 'int64' || dtype === 'int32' ? operation(left, right) : undefined;

const REDUCE: Readonly<Record<string, Reduction>> = {
  ReduceSum: { category: 'number', axesInputSince: 13, fold: whole(addDims) },
  ReduceMean: { category: 'number', axesInputSince: 18 },
  ReduceProd: { category: 'number', axesInputSince: 18, fold: whole(multiplyDims) },
  // From opset 20 on, bool counts as 0 and 1.
  ReduceMax: { category: 'any', axesInputSince: 18, fold: numbers(Math.max) },
  ReduceMin: { category: 'any', axesInputSince: 18, fold: numbers(Math.min) },
  ReduceL1: { category: 'number', axesInputSince: 18 },
  ReduceL2: { category: 'number', axesInputSince: 18 },
  ReduceLogSum: { category: 'number', axesInputSince: 18 },
  ReduceLogSumExp: { category: 'number', axesInputSince: 18 },
  ReduceSumSquare: { category: 'number', axesInputSince: 18 },
};

function reduction(name: string, { category, axesInputSince, fold }: Reduction): OperatorDefinition[] {
  const propagate = (context: InferenceContext): KnownElements | undefined => {
    const elements = context.elements(0);
    const shape = context.shape(0);
    if (fold === undefined || elements === undefined || shape?.length !== 1 || elements.length === 0) return undefined;
    let result = elements[0];
    for (const element of elements.slice(1)) {
      if (result === undefined || element === undefined) return undefined;
      result = fold(result, element, context.input(0).dtype);
    }
    return result === undefined ? undefined : [result];
  };
  const withInput = define(name, {
    since: axesInputSince,
    inputs: [1, 2],
    attributes: { keepdims: int(1), noop_with_empty_axes: int(0) },
    infer: (context) => {
      const dtype = expectType(context, 0, category);
      const keep = context.int('keepdims') !== 0;
      const none = !context.given(1) || lengthOf(context, 1) === 0;
      if (none) {
        const nothing = context.int('noop_with_empty_axes') !== 0;
        return [tensor(dtype, nothing ? context.shape(0) : reduceShape(context, undefined, keep))];
      }
      const axes = context.numbers(1);
      if (axes === undefined) return [tensor(dtype, unknownAxes(context, lengthOf(context, 1), keep))];
      return [tensor(dtype, reduceShape(context, axes, keep))];
    },
    ...(fold === undefined ? {} : { propagate }),
  });
  if (axesInputSince === 13) return [withInput];
  const withAttribute = define(name, {
    attributes: { axes: 'ints', keepdims: int(1) },
    infer: (context) => {
      const dtype = expectType(context, 0, category);
      return [tensor(dtype, reduceShape(context, context.ints('axes'), context.int('keepdims') !== 0))];
    },
    ...(fold === undefined ? {} : { propagate }),
  });
  return [withAttribute, withInput];
}

/** The shape after reducing these axes, or all. */
function reduceShape(context: InferenceContext, axes: readonly number[] | undefined, keep: boolean): Shape | undefined {
  const shape = context.shape(0);
  if (shape === undefined) return axes === undefined && !keep ? [] : undefined;
  const reduced = new Set(axes?.map((axis) => context.axis(axis, shape.length)) ?? shape.keys());
  if (keep) return shape.map((dim, axis) => (reduced.has(axis) ? 1 : dim));
  return shape.filter((_, axis) => !reduced.has(axis));
}

function unknownAxes(context: InferenceContext, count: number | undefined, keep: boolean): Shape | undefined {
  const shape = context.shape(0);
  if (shape === undefined) return undefined;
  if (keep) return freshShape(context, shape.length);
  return count === undefined ? undefined : freshShape(context, shape.length - count);
}

/** Sums or products so far, along an axis that is given as a number. */
const CUMULATIVE: Definition = {
  inputs: 2,
  attributes: { exclusive: int(0), reverse: int(0) },
  infer: (context) => {
    expectType(context, 0, 'number');
    const shape = context.shape(0);
    const axis = context.numbers(1)?.[0];
    if (shape !== undefined && axis !== undefined) context.axis(axis, shape.length);
    return [context.input(0)];
  },
};

export const REDUCTIONS: readonly OperatorDefinition[] = [
  ...Object.entries(REDUCE).flatMap(([name, form]) => reduction(name, form)),
  ...defineAll(['ArgMax', 'ArgMin'], {
    attributes: { axis: int(0), keepdims: int(1), select_last_index: int(0) },
    infer: (context) => {
      expectType(context, 0, 'number');
      return [tensor('int64', reduceShape(context, [context.int('axis')], context.int('keepdims') !== 0))];
    },
  }),
  define('TopK', {
    inputs: 2,
    outputs: 2,
    attributes: { axis: int(-1), largest: int(1), sorted: int(1) },
    infer: (context) => {
      const dtype = expectType(context, 0, 'number');
      const shape = expectRank(context, 0, 1, Number.POSITIVE_INFINITY);
      const axis = shape === undefined ? 0 : context.axis(context.int('axis'), shape.length);
      const count = context.elements(1)?.[0] ?? context.freshDim();
      const length = shape?.[axis];
      if (typeof count === 'number' && typeof length === 'number' && (count < 0 || count > length)) {
        context.fail(`asks for the ${count} largest of ${length} elements.`);
      }
      const result = shape?.map((dim, index) => (index === axis ? count : dim));
      return [tensor(dtype, result), tensor('int64', result)];
    },
  }),
  define('CumSum', CUMULATIVE),
  define('CumProd', { since: 26, ...CUMULATIVE }),
];
