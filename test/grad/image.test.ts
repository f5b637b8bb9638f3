import { describe, it } from 'vitest';
import type { AttributeInput, Dim } from '../../src/graph/index.js';
import { checkGradients, type GradientCase } from './gradient-check.js';

interface Pool {
  readonly dims: readonly number[];
  readonly shape?: readonly Dim[];
  readonly attributes: Readonly<Record<string, AttributeInput>>;
  readonly opset?: number;
}

const POOLS: readonly Pool[] = [
  { dims: [2, 3, 4, 6], attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
  { dims: [2, 3, 4, 6], shape: ['N', 3, 4, 6], attributes: { kernel_shape: [2, 3], strides: [2, 3] } },
  { dims: [2, 3, 5, 6], attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
  { dims: [2, 3, 5, 6], attributes: { kernel_shape: [3, 2] } },
  { dims: [2, 3, 5, 6], attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] } },
  { dims: [2, 3, 5, 6], attributes: { kernel_shape: [3, 3], strides: [2, 1], pads: [0, 1, 1, 0] } },
  { dims: [2, 3, 5, 6], attributes: { kernel_shape: [2, 2], strides: [2, 2], ceil_mode: 1 } },
  { dims: [2, 3, 5, 6], attributes: { kernel_shape: [3, 3], strides: [2, 2], auto_pad: 'SAME_UPPER' } },
  { dims: [2, 3, 5, 6], attributes: { kernel_shape: [2, 2], auto_pad: 'SAME_LOWER' } },
  {
    dims: [2, 3, 5, 6],
    shape: ['N', 3, 'H', 'W'],
    attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
  },
  { dims: [2, 3, 8], attributes: { kernel_shape: [2], strides: [2] } },
  { dims: [2, 3, 8], attributes: { kernel_shape: [3], strides: [2], pads: [1, 1] } },
  { dims: [2, 2, 4, 4, 2], attributes: { kernel_shape: [2, 2, 2], strides: [2, 2, 2] } },
  { dims: [2, 2, 4, 4, 3], attributes: { kernel_shape: [2, 2, 2] } },
];

const pooling = (op: string, { dims, shape, attributes, opset }: Pool): GradientCase => ({
  name: `${op} of [${shape ?? dims}] ${JSON.stringify(attributes)}`,
  inputs: { x: { dims, ...(shape ? { shape } : {}), distinct: true } },
  ...(opset ? { opset } : {}),
  build: (g, { x }) => g.op('Sin', [g.op(op, [x!], attributes)]),
});

const POOLINGS: GradientCase[] = [
  ...POOLS.flatMap((pool) => [pooling('MaxPool', pool), pooling('AveragePool', pool)]),
  ...POOLS.filter(({ attributes }) => 'pads' in attributes).map(({ attributes, ...pool }) =>
    pooling('AveragePool', { ...pool, attributes: { ...attributes, count_include_pad: 1 } }),
  ),
  pooling('MaxPool', { dims: [2, 3, 7, 6], attributes: { kernel_shape: [2, 2], dilations: [2, 3] } }),
  pooling('AveragePool', { dims: [2, 3, 7, 6], attributes: { kernel_shape: [2, 2], dilations: [2, 3] }, opset: 19 }),
  pooling('GlobalAveragePool', { dims: [2, 3, 4, 5], shape: ['N', 3, 'H', 'W'], attributes: {} }),
  pooling('GlobalMaxPool', { dims: [2, 3, 4, 5], shape: ['N', 3, 'H', 'W'], attributes: {} }),
  {
    name: 'MaxUnpool',
    inputs: {
      x: { dims: [1, 1, 2, 2] },
      i: { dims: [1, 1, 2, 2], values: [0, 3, 9, 14], dtype: 'int64' },
    },
    build: (g, { x, i }) => g.op('Sin', [g.op('MaxUnpool', [x!, i!], { kernel_shape: [2, 2], strides: [2, 2] })]),
  },
];

interface Scaling {
  readonly dims: readonly number[];
  readonly shape?: readonly Dim[];
  readonly scales?: readonly number[];
  readonly sizes?: readonly number[];
  readonly attributes: Readonly<Record<string, AttributeInput>>;
}

const RESIZES: readonly Scaling[] = [
  {
    dims: [2, 3, 4, 5],
    shape: ['N', 3, 4, 5],
    scales: [1, 1, 2, 2],
    attributes: { mode: 'nearest', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' },
  },
  { dims: [2, 3, 4, 5], scales: [1, 1, 3, 2], attributes: { mode: 'nearest' } },
  { dims: [2, 3, 4], scales: [1, 1, 2], attributes: { mode: 'nearest' } },
  { dims: [2, 2, 3, 4, 2], scales: [1, 1, 2, 2, 2], attributes: { mode: 'nearest' } },
  { dims: [2, 3, 4, 5], scales: [1, 1, 2, 2], attributes: { mode: 'nearest', nearest_mode: 'ceil' } },
  { dims: [2, 3, 6, 5], sizes: [2, 3, 4, 7], attributes: { mode: 'nearest' } },
  { dims: [2, 3, 4, 5], shape: ['N', 3, 4, 5], scales: [1, 1, 2, 2], attributes: { mode: 'linear' } },
  {
    dims: [2, 3, 4, 5],
    scales: [1, 1, 2, 1.5],
    attributes: { mode: 'linear', coordinate_transformation_mode: 'align_corners' },
  },
  {
    dims: [2, 3, 4, 5],
    scales: [1, 1, 2, 2],
    attributes: { mode: 'linear', coordinate_transformation_mode: 'pytorch_half_pixel' },
  },
  { dims: [2, 3, 6, 8], sizes: [2, 3, 3, 5], attributes: { mode: 'linear' } },
  { dims: [2, 3, 6, 8], sizes: [2, 3, 3, 5], attributes: { mode: 'linear', antialias: 1 } },
  { dims: [2, 3, 4, 5], scales: [2, 2], attributes: { mode: 'linear', axes: [2, 3] } },
  { dims: [2, 3, 4, 5], scales: [1, 1, 2, 2], attributes: { mode: 'cubic' } },
  {
    dims: [2, 3, 4, 5],
    scales: [1, 1, 2, 2],
    attributes: { mode: 'cubic', coordinate_transformation_mode: 'align_corners', cubic_coeff_a: -0.5 },
  },
  { dims: [2, 3, 4], scales: [1, 1, 2], attributes: { mode: 'linear' } },
  { dims: [2, 3, 4, 5], shape: ['N', 3, 'H', 'W'], scales: [1, 1, 2, 2], attributes: { mode: 'linear' } },
  { dims: [2, 3, 4, 5], shape: ['N', 3, 'H', 'W'], scales: [1, 1, 2, 2], attributes: { mode: 'nearest' } },
];

const RESIZINGS = RESIZES.map(
  ({ dims, shape, scales, sizes, attributes }): GradientCase => ({
    name: `Resize of [${shape ?? dims}] ${JSON.stringify({ scales, sizes, ...attributes })}`,
    inputs: { x: { dims, ...(shape ? { shape } : {}) } },
    build: (g, { x }) => {
      const scale = scales && g.constant(scales, 'float32', [scales.length]);
      return g.op('Sin', [g.op('Resize', [x!, undefined, scale, sizes && g.int64s(sizes)], attributes)]);
    },
  }),
);

interface Padding {
  readonly dims: readonly number[];
  readonly shape?: readonly Dim[];
  readonly pads: readonly number[];
  readonly axes?: readonly number[];
  readonly mode: string;
  readonly opset?: number;
}

const PADS: readonly Padding[] = [
  { dims: [3, 4], pads: [1, 2, 0, 3], mode: 'constant' },
  { dims: [3, 4], shape: ['N', 4], pads: [0, 2, 0, 3], mode: 'constant' },
  { dims: [3, 6], pads: [1, -2, 0, -1], mode: 'constant' },
  { dims: [2, 3, 4, 5], pads: [1, 1, 2, 0], axes: [2, -1], mode: 'constant' },
  { dims: [2, 3, 4, 5], shape: ['N', 3, 4, 5], pads: [0, 0, 1, 2, 0, 0, 2, 3], mode: 'reflect' },
  { dims: [2, 3, 4, 5], shape: ['N', 3, 'H', 'W'], pads: [0, 0, 1, 2, 0, 0, 2, 1], mode: 'reflect' },
  { dims: [2, 3, 4, 5], pads: [0, 0, 3, 0, 0, 0, 1, 6], mode: 'edge' },
  { dims: [2, 3, 4], pads: [0, 1, 0, 1, 1, 0], mode: 'edge' },
  { dims: [2, 3, 4], pads: [2, 1], axes: [1], mode: 'reflect' },
  { dims: [2, 3, 4], pads: [0, 0, 2, 0, 0, 1], mode: 'wrap', opset: 19 },
];

const PADDINGS: GradientCase[] = [
  ...PADS.map(
    ({ dims, shape, pads, axes, mode, opset }): GradientCase => ({
      name: `Pad of [${shape ?? dims}] ${mode} by [${pads}]${axes ? ` along [${axes}]` : ''}`,
      inputs: { x: { dims, ...(shape ? { shape } : {}) } },
      ...(opset ? { opset } : {}),
      build: (g, { x }) => {
        const list = axes && g.int64s(axes);
        return g.op('Sin', [g.op('Pad', [x!, g.int64s(pads), undefined, list], { mode })]);
      },
    }),
  ),
  {
    name: 'Pad with a value that is learned and amounts known late',
    inputs: {
      x: { dims: [3, 4] },
      pads: { dims: [4], values: [1, 0, 2, 3], dtype: 'int64' },
      fill: { dims: [] },
    },
    build: (g, { x, pads, fill }) => g.op('Sin', [g.op('Pad', [x!, pads, fill])]),
  },
];

describe('gradients of image operators', () => {
  const cases = [...POOLINGS, ...RESIZINGS, ...PADDINGS];
  it.each(cases.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    await checkGradients(one);
  });
});
