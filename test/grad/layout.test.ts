import { describe, expect, it } from 'vitest';
import type { GraphBuilder, Value } from '../../src/graph/index.js';
import { checkGradients, type GradientCase, type InputSpec } from './gradient-check.js';

/** One input, squared afterwards so that the gradient that comes back is not constant. */
const layout = (
  name: string,
  spec: InputSpec,
  build: (g: GraphBuilder, x: Value) => Value | readonly Value[],
): GradientCase => ({ name, inputs: { x: spec }, build: (g, { x }) => build(g, g.op('Mul', [x!, x!])) });

interface SliceForm {
  readonly dims: readonly number[];
  readonly shape?: readonly (number | string)[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly axes?: readonly number[];
  readonly steps?: readonly number[];
}

const END = 2147483647;

const SLICES: readonly SliceForm[] = [
  { dims: [5, 6], starts: [1], ends: [4] },
  { dims: [5, 6], starts: [1, 2], ends: [4, -1] },
  { dims: [5, 6], starts: [-3], ends: [END], axes: [1] },
  { dims: [5, 6], starts: [0], ends: [100], axes: [-1] },
  { dims: [5, 6], starts: [0], ends: [END], axes: [1], steps: [2] },
  { dims: [5, 7], starts: [1], ends: [END], axes: [1], steps: [3] },
  { dims: [5, 6], starts: [-1], ends: [-END], axes: [0], steps: [-1] },
  { dims: [5, 6], starts: [4], ends: [0], axes: [1], steps: [-2] },
  { dims: [5, 6], starts: [100], ends: [1], axes: [1], steps: [-2] },
  { dims: [2, 5, 6], starts: [1, 5], ends: [5, 0], axes: [1, 2], steps: [2, -3] },
  { dims: [5, 6], shape: ['N', 6], starts: [1], ends: [-1] },
  { dims: [5, 6], shape: ['N', 6], starts: [0], ends: [-1] },
  { dims: [5, 6], shape: ['N', 6], starts: [-2], ends: [END] },
  { dims: [5, 6], shape: ['N', 'M'], starts: [1, 1], ends: [3, END], steps: [1, 2] },
  { dims: [5, 6], shape: ['N', 'M'], starts: [-1], ends: [-END], axes: [1], steps: [-1] },
  { dims: [7, 6], shape: ['N', 'M'], starts: [-2], ends: [-END], axes: [0], steps: [-3] },
  { dims: [3, 4], shape: ['N', 4], starts: [0], ends: [2], axes: [1] },
];

const SLICE_CASES = SLICES.map((form) =>
  layout(`Slice ${JSON.stringify(form)}`, { dims: form.dims, ...(form.shape ? { shape: form.shape } : {}) }, (g, x) => {
    const axes = form.axes ?? (form.steps ? form.starts.map((_, index) => index) : undefined);
    const lists = [form.starts, form.ends, axes, form.steps];
    return g.op('Slice', [x, ...lists.map((list) => list && g.int64s(list))]);
  }),
);

const CASES: GradientCase[] = [
  layout('Reshape', { dims: [3, 4] }, (g, x) => g.op('Reshape', [x, g.int64s([2, 6])])),
  layout('Reshape with an open length', { dims: [3, 4], shape: ['N', 4] }, (g, x) =>
    g.op('Reshape', [x, g.int64s([-1, 2, 2])]),
  ),
  layout('Reshape of two symbolic lengths', { dims: [2, 3, 4], shape: ['N', 'T', 4] }, (g, x) =>
    g.op('Reshape', [x, g.int64s([-1, 4])]),
  ),
  layout('Reshape of an unknown rank', { dims: [2, 3, 4], shape: null }, (g, x) =>
    g.op('Reshape', [x, g.int64s([-1])]),
  ),
  layout('Flatten', { dims: [2, 3, 4], shape: ['N', 3, 4] }, (g, x) => g.op('Flatten', [x], { axis: 1 })),
  layout('Flatten at 0', { dims: [2, 3, 4] }, (g, x) => g.op('Flatten', [x], { axis: 0 })),
  layout('Squeeze', { dims: [1, 3, 1, 4] }, (g, x) => g.op('Squeeze', [x, g.int64s([0, 2])])),
  layout('Squeeze of all', { dims: [1, 3, 1] }, (g, x) => g.op('Squeeze', [x])),
  layout('Unsqueeze', { dims: [3, 4], shape: ['N', 4] }, (g, x) => g.op('Unsqueeze', [x, g.int64s([0, -1])])),
  layout('Transpose', { dims: [2, 3, 4], shape: ['N', 3, 4] }, (g, x) => g.op('Transpose', [x], { perm: [2, 0, 1] })),
  layout('Transpose by default', { dims: [2, 3, 4] }, (g, x) => g.op('Transpose', [x])),
  layout('Expand', { dims: [3, 1] }, (g, x) => g.op('Expand', [x, g.int64s([2, 3, 4])])),
  layout('Expand by a shorter shape', { dims: [2, 3, 1] }, (g, x) => g.op('Expand', [x, g.int64s([1, 4])])),
  layout('Tile', { dims: [2, 3] }, (g, x) => g.op('Tile', [x, g.int64s([3, 2])])),
  layout('Tile of two symbolic lengths', { dims: [2, 3, 2], shape: ['N', 'T', 2] }, (g, x) =>
    g.op('Tile', [x, g.int64s([1, 2, 3])]),
  ),
  layout('DepthToSpace DCR', { dims: [2, 8, 2, 3] }, (g, x) => g.op('DepthToSpace', [x], { blocksize: 2 })),
  layout('DepthToSpace CRD', { dims: [2, 8, 2, 3], shape: ['N', 8, 'H', 'W'] }, (g, x) =>
    g.op('DepthToSpace', [x], { blocksize: 2, mode: 'CRD' }),
  ),
  layout('SpaceToDepth', { dims: [2, 3, 4, 6] }, (g, x) => g.op('SpaceToDepth', [x], { blocksize: 2 })),
  layout('Trilu upper', { dims: [2, 3, 4] }, (g, x) => g.op('Trilu', [x])),
  layout('Trilu lower, shifted', { dims: [3, 4] }, (g, x) =>
    g.op('Trilu', [x, g.constant([-1], 'int64', [])], { upper: 0 }),
  ),
  layout('ReverseSequence', { dims: [4, 3, 2] }, (g, x) => g.op('ReverseSequence', [x, g.int64s([2, 4, 1])])),
  layout('Split evenly', { dims: [4, 3] }, (g, x) => g.ops('Split', [x], { axis: 0, num_outputs: 2 }, { outputs: 2 })),
  layout('Split with sizes', { dims: [4, 7], shape: ['N', 7] }, (g, x) =>
    g.ops('Split', [x, g.int64s([2, 4, 1])], { axis: 1 }, { outputs: 3 }),
  ),
  layout('Split of which one part is not used', { dims: [4, 7], shape: ['N', 7] }, (g, x) => {
    const [first, , third] = g.ops('Split', [x, g.int64s([2, 4, 1])], { axis: -1 }, { outputs: 3 });
    return [first!, third!];
  }),
  {
    name: 'Concat',
    inputs: {
      a: { dims: [3, 2], shape: ['N', 2] },
      b: { dims: [3, 4], shape: ['N', 4] },
      c: { dims: [3, 1], shape: ['N', 1] },
    },
    build: (g, { a, b, c }) => g.op('Exp', [g.op('Concat', [a!, b!, c!], { axis: -1 })]),
  },
  {
    name: 'Concat of one that is needed among many',
    inputs: {
      a: { dims: [3, 2], wrt: false },
      b: { dims: [3, 4] },
      c: { dims: [3, 1], wrt: false },
    },
    build: (g, { a, b, c }) => g.op('Exp', [g.op('Concat', [a!, b!, c!], { axis: 1 })]),
  },
  {
    name: 'Concat along symbolic lengths',
    inputs: { a: { dims: [2, 3], shape: ['N', 3] }, b: { dims: [4, 3], shape: ['M', 3] } },
    build: (g, { a, b }) => g.op('Exp', [g.op('Concat', [a!, b!], { axis: 0 })]),
  },
  {
    name: 'Concat of a value with itself',
    inputs: { a: { dims: [2, 3] } },
    build: (g, { a }) => g.op('Exp', [g.op('Concat', [a!, a!], { axis: 0 })]),
  },
  {
    name: 'Slice with starts known late',
    inputs: {
      x: { dims: [5, 6] },
      starts: { dims: [1], values: [-4], dtype: 'int64' },
      ends: { dims: [1], values: [4], dtype: 'int64' },
    },
    build: (g, { x, starts, ends }) => g.op('Exp', [g.op('Slice', [x!, starts, ends, g.int64s([1])])]),
  },
  ...SLICE_CASES,
];

describe('gradients of layout operators', () => {
  it.each(CASES.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    expect(await checkGradients(one)).toBe('float64');
  });
});
