import { describe, it } from 'vitest';
import { checkGradients, type GradientCase, type InputSpec } from './gradient-check.js';

const LAYER: GradientCase[] = (
  [
    [[3, 5], ['N', 5], -1, [5], true],
    [[2, 3, 4], [2, 3, 4], 1, [3, 4], true],
    [[2, 3, 4], ['N', 'T', 4], 2, [4], false],
    [[2, 3, 4], ['N', 3, 4], -2, [3, 4], false],
  ] as const
).map(
  ([dims, shape, axis, scale, biased]): GradientCase => ({
    name: `LayerNormalization of [${dims}] at ${axis}${biased ? '' : ' without bias'}`,
    inputs: { x: { dims, shape }, scale: { dims: scale }, ...(biased ? { bias: { dims: scale } } : {}) },
    build: (g, { x, scale: s, bias }) =>
      g.op('Sin', [g.op('LayerNormalization', [x!, s!, bias], { axis, epsilon: 1e-3 })]),
  }),
);

const ROOT_MEAN_SQUARE: GradientCase[] = (
  [
    [[3, 5], ['N', 5], -1, [5]],
    [[2, 3, 4], ['N', 'T', 4], 1, [3, 4]],
  ] as const
).map(
  ([dims, shape, axis, scale]): GradientCase => ({
    name: `RMSNormalization of [${dims}] at ${axis}`,
    opset: 23,
    inputs: { x: { dims, shape }, scale: { dims: scale } },
    build: (g, { x, scale: s }) => g.op('Sin', [g.op('RMSNormalization', [x!, s!], { axis, epsilon: 1e-3 })]),
  }),
);

const VECTORS: GradientCase[] = [
  ...[1, 2].flatMap((p) =>
    [-1, 1].map(
      (axis): GradientCase => ({
        name: `LpNormalization p ${p} at ${axis}`,
        inputs: { x: { dims: [2, 3, 4], kinks: [0] } },
        build: (g, { x }) => g.op('Sin', [g.op('LpNormalization', [x!], { p, axis })]),
      }),
    ),
  ),
  {
    name: 'MeanVarianceNormalization',
    dtype: 'float32',
    inputs: { x: { dims: [2, 3, 4, 3] } },
    build: (g, { x }) => g.op('Sin', [g.op('MeanVarianceNormalization', [x!])]),
  },
  {
    name: 'MeanVarianceNormalization over given axes',
    dtype: 'float32',
    inputs: { x: { dims: [2, 3, 4, 3] } },
    build: (g, { x }) => g.op('Sin', [g.op('MeanVarianceNormalization', [x!], { axes: [-1, 2] })]),
  },
];

const IMAGES: readonly (readonly [dims: readonly number[], shape: readonly (number | string)[]])[] = [
  [
    [3, 4, 5],
    ['N', 4, 5],
  ],
  [
    [2, 4, 3, 4],
    ['N', 4, 3, 4],
  ],
  [
    [2, 4, 2, 3, 2],
    ['N', 4, 2, 3, 2],
  ],
  [
    [2, 4, 3, 4],
    ['N', 4, 'H', 'W'],
  ],
];

const vector = (length: number): InputSpec => ({ dims: [length] });

const CHANNELS: GradientCase[] = IMAGES.flatMap(([dims, shape]): GradientCase[] => [
  {
    name: `InstanceNormalization of [${shape}]`,
    inputs: { x: { dims, shape }, scale: vector(4), bias: vector(4) },
    build: (g, { x, scale, bias }) =>
      g.op('Sin', [g.op('InstanceNormalization', [x!, scale!, bias!], { epsilon: 1e-3 })]),
  },
  ...[1, 2, 4].map(
    (groups): GradientCase => ({
      name: `GroupNormalization of [${shape}] in ${groups}`,
      opset: 21,
      inputs: { x: { dims, shape }, scale: vector(4), bias: vector(4) },
      // In double precision throughout: by default the statistics are float32.
      build: (g, { x, scale, bias }) =>
        g.op('Sin', [
          g.op('GroupNormalization', [x!, scale!, bias!], { num_groups: groups, epsilon: 1e-3, stash_type: 11 }),
        ]),
    }),
  ),
  {
    name: `GroupNormalization of operator set 18 of [${shape}]`,
    opset: 18,
    // Its statistics are float32 whatever the data.
    dtype: 'float32',
    inputs: { x: { dims, shape }, scale: vector(2), bias: vector(2) },
    build: (g, { x, scale, bias }) =>
      g.op('Sin', [g.op('GroupNormalization', [x!, scale!, bias!], { num_groups: 2, epsilon: 1e-3 })]),
  },
  {
    name: `BatchNormalization in training of [${shape}]`,
    inputs: {
      x: { dims, shape },
      scale: vector(4),
      bias: vector(4),
      mean: { dims: [4], wrt: false },
      variance: { dims: [4], range: [0.5, 2], wrt: false },
    },
    build: (g, { x, scale, bias, mean, variance }) => {
      const attributes = { training_mode: 1, epsilon: 1e-3, momentum: 0.7 };
      const inputs = [x!, scale!, bias!, mean!, variance!];
      return g.op('Sin', [g.ops('BatchNormalization', inputs, attributes, { outputs: 3 })[0]!]);
    },
  },
  {
    name: `BatchNormalization in inference of [${shape}]`,
    inputs: {
      x: { dims, shape },
      scale: vector(4),
      bias: vector(4),
      mean: vector(4),
      variance: { dims: [4], range: [0.5, 2] },
    },
    build: (g, { x, scale, bias, mean, variance }) =>
      g.op('Sin', [g.op('BatchNormalization', [x!, scale!, bias!, mean!, variance!], { epsilon: 1e-3 })]),
  },
]);

const EXPORTED: GradientCase[] = [
  {
    name: 'group normalisation as exporters write it for older operator sets',
    inputs: { x: { dims: [2, 6, 3, 4], shape: ['N', 6, 3, 4] }, scale: { dims: [6, 1, 1] }, bias: { dims: [6, 1, 1] } },
    build: (g, { x, scale, bias }, dtype) => {
      const rows = g.op('Reshape', [x!, g.int64s([0, 3, -1])]);
      const unit = [1, 0].map((value) => g.constant([value, value, value], dtype, [3]));
      const normal = g.op('InstanceNormalization', [rows, ...unit], { epsilon: 1e-3 });
      const back = g.op('Reshape', [normal, g.op('Shape', [x!])]);
      return g.op('Sin', [g.op('Add', [g.op('Mul', [back, scale!]), bias!])]);
    },
  },
  {
    name: 'only the scale of a group normalisation',
    opset: 21,
    inputs: { x: { dims: [2, 4, 3], wrt: false }, scale: vector(4), bias: { dims: [4], wrt: false } },
    build: (g, { x, scale, bias }) =>
      g.op('Sin', [g.op('GroupNormalization', [x!, scale!, bias!], { num_groups: 2, stash_type: 11 })]),
  },
];

const CASES = [...LAYER, ...ROOT_MEAN_SQUARE, ...VECTORS, ...CHANNELS, ...EXPORTED];

describe('gradients of normalisations', () => {
  it.each(CASES.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    await checkGradients(one);
  });
});
