import { describe, it } from 'vitest';
import type { Dim } from '../../src/graph/index.js';
import { checkGradients, type GradientCase, type InputSpec } from './gradient-check.js';

const OPERATORS: Readonly<Record<string, Partial<InputSpec>>> = {
  ReduceSum: {},
  ReduceMean: {},
  ReduceMax: { distinct: true },
  ReduceMin: { distinct: true },
  ReduceProd: { range: [0.5, 1.5] },
  ReduceL1: { kinks: [0] },
  ReduceL2: {},
  ReduceSumSquare: {},
  ReduceLogSum: { range: [0.5, 2] },
  ReduceLogSumExp: {},
};

interface Form {
  readonly name: string;
  readonly axes?: readonly number[];
  readonly keepdims?: number;
  readonly noop?: number;
  readonly shape?: readonly Dim[] | null;
  /** Axes as a graph input, known only at run time. */
  readonly late?: boolean;
}

const FORMS: readonly Form[] = [
  { name: 'all axes' },
  { name: 'all axes, none kept', keepdims: 0 },
  { name: 'first axis, none kept', axes: [0], keepdims: 0 },
  { name: 'last axis', axes: [-1] },
  { name: 'last axis, none kept', axes: [-1], keepdims: 0 },
  { name: 'outer axes, none kept', axes: [2, 0], keepdims: 0 },
  { name: 'inner axes of a symbolic shape', axes: [1, 2], keepdims: 0, shape: ['N', 'T', 4] },
  { name: 'every axis of an unknown rank', keepdims: 0, shape: null },
  { name: 'no axes, as it is', noop: 1 },
  { name: 'axes known late', axes: [1], late: true, keepdims: 0 },
];

const CASES: GradientCase[] = Object.entries(OPERATORS).flatMap(([op, spec]) =>
  FORMS.map(
    (form): GradientCase => ({
      name: `${op}: ${form.name}`,
      inputs: {
        x: { dims: [2, 3, 4], ...(form.shape === undefined ? {} : { shape: form.shape }), ...spec },
        ...(form.late ? { axes: { dims: [form.axes!.length], values: form.axes!, dtype: 'int64' as const } } : {}),
      },
      build: (g, { x, axes }) => {
        const list = form.late ? axes : form.axes && g.int64s(form.axes);
        const reduced = g.op(op, [x!, list], { keepdims: form.keepdims ?? 1, noop_with_empty_axes: form.noop ?? 0 });
        // Squared, so that the gradient that comes in is not constant; shifted to stay away from zero.
        return g.op('Mul', [reduced, reduced]);
      },
    }),
  ),
);

const OTHERS: GradientCase[] = [
  ...[0, 1].flatMap((exclusive) =>
    [0, 1].map(
      (reverse): GradientCase => ({
        name: `CumSum exclusive ${exclusive} reverse ${reverse}`,
        inputs: { x: { dims: [2, 3, 4] } },
        build: (g, { x }) => g.op('CumSum', [x!, g.constant([1], 'int64', [])], { exclusive, reverse }),
      }),
    ),
  ),
  {
    name: 'ReduceProd with zeros',
    inputs: { x: { dims: [3, 4], values: [1.5, 0, 2, -1, 0, 0.5, 0, 2, 1, 2, 3, -0.5] } },
    build: (g, { x }) => g.op('ReduceProd', [x!, g.int64s([1])], { keepdims: 0 }),
  },
  {
    name: 'the mean of a mean of a product',
    inputs: { x: { dims: [3, 4], shape: ['N', 4] }, w: { dims: [4] } },
    build: (g, { x, w }) =>
      g.op('ReduceMean', [g.op('ReduceMean', [g.op('Mul', [x!, w!]), g.int64s([1])], { keepdims: 0 })], {
        keepdims: 0,
      }),
  },
  {
    name: 'a sum that is broadcast again',
    inputs: { x: { dims: [3, 4], shape: ['N', 4], range: [0.5, 2] } },
    build: (g, { x }) => g.op('Div', [x!, g.op('ReduceSum', [x!, g.int64s([0])])]),
  },
];

describe('gradients of reductions', () => {
  it.each([...CASES, ...OTHERS].map((one) => [one.name, one] as const))('%s', async (_, one) => {
    await checkGradients(one);
  });
});
