import { describe, it } from 'vitest';
import type { AttributeInput } from '../../src/graph/index.js';
import { checkGradients, type GradientCase, type InputSpec } from './gradient-check.js';

/** Domain of each function of one input, away from its edges and kinks. */
const DOMAINS: Readonly<Record<string, Partial<InputSpec>>> = {
  Identity: {},
  Neg: {},
  Abs: { kinks: [0] },
  Exp: {},
  Log: { range: [0.3, 3] },
  Sqrt: { range: [0.3, 3] },
  Reciprocal: { range: [0.4, 2] },
  Erf: {},
  Sin: {},
  Cos: {},
  Tan: { range: [-1, 1] },
  Asin: { range: [-0.8, 0.8] },
  Acos: { range: [-0.8, 0.8] },
  Atan: {},
  Sinh: {},
  Cosh: {},
  Asinh: {},
  Acosh: { range: [1.3, 3] },
  Atanh: { range: [-0.8, 0.8] },
};

const unary = (
  op: string,
  spec: Partial<InputSpec>,
  attributes: Record<string, AttributeInput> = {},
): GradientCase => ({
  name: `${op}${Object.keys(attributes).length > 0 ? ` ${JSON.stringify(attributes)}` : ''}`,
  inputs: { x: { dims: [3, 4], ...spec } },
  build: (g, { x }) => g.op(op, [x!], attributes),
});

const ACTIVATIONS: GradientCase[] = [
  unary('Relu', { kinks: [0] }),
  unary('LeakyRelu', { kinks: [0] }),
  unary('LeakyRelu', { kinks: [0] }, { alpha: 0.3 }),
  unary('ThresholdedRelu', { kinks: [0.5] }, { alpha: 0.5 }),
  unary('Elu', { kinks: [0] }),
  unary('Elu', { kinks: [0] }, { alpha: 0.7 }),
  unary('Selu', { kinks: [0] }),
  unary('Celu', { kinks: [0] }),
  unary('Celu', { kinks: [0] }, { alpha: 2 }),
  { ...unary('Gelu', {}), opset: 20 },
  { ...unary('Gelu', {}, { approximate: 'tanh' }), opset: 20 },
  unary('Sigmoid', {}),
  unary('HardSigmoid', { range: [-4, 4], kinks: [-2.5, 2.5] }),
  unary('HardSigmoid', { range: [-4, 4], kinks: [-3, 3] }, { alpha: 1 / 6, beta: 0.5 }),
  unary('HardSwish', { range: [-4, 4], kinks: [-3, 3] }),
  unary('Softplus', {}),
  unary('Softsign', { kinks: [0] }),
  unary('Mish', {}),
  unary('Tanh', {}),
  // ONNX Runtime computes Shrink in float32 whatever the type.
  { ...unary('Shrink', { kinks: [-0.5, 0.5] }), dtype: 'float32' },
  { ...unary('Shrink', { kinks: [-1, 1] }, { lambd: 1, bias: 0.3 }), dtype: 'float32' },
  ...[-1, 0, 1].flatMap((axis) => [
    unary('Softmax', { dims: [2, 3, 4] }, { axis }),
    unary('LogSoftmax', { dims: [2, 3, 4] }, { axis }),
  ]),
  unary('Softmax', { dims: [3, 5], shape: ['N', 5] }),
  ...(
    [
      [[3, 4], [4]],
      [
        [2, 3, 4],
        [3, 1],
      ],
      [[3, 4], [1]],
      [
        [3, 4],
        [3, 4],
      ],
    ] as const
  ).map(
    ([dims, slope]): GradientCase => ({
      name: `PRelu [${dims}] by [${slope}]`,
      inputs: { x: { dims, kinks: [0] }, slope: { dims: slope, range: [0.1, 0.9] } },
      build: (g, inputs) => g.op('PRelu', [inputs['x'], inputs['slope']]),
    }),
  ),
];

const EXTREMES: GradientCase[] = (['Min', 'Max'] as const).flatMap((op) => [
  {
    name: `${op} of two`,
    inputs: { a: { dims: [3, 4], range: [0, 1] }, b: { dims: [4], range: [0.3, 0.6], kinks: [] } },
    build: (g, { a, b }) => g.op(op, [a!, b!]),
  } satisfies GradientCase,
  {
    name: `${op} of three`,
    inputs: { a: { dims: [3, 4] }, b: { dims: [4] }, c: { dims: [1] } },
    build: (g, { a, b, c }) => g.op(op, [a!, b!, c!]),
  } satisfies GradientCase,
  {
    name: `${op} of one`,
    inputs: { a: { dims: [3, 4] } },
    build: (g, { a }) => g.op(op, [a!]),
  } satisfies GradientCase,
]);

const CHOICES: GradientCase[] = [
  ...EXTREMES,
  ...(['Sum', 'Mean'] as const).map(
    (op): GradientCase => ({
      name: `${op} of three`,
      inputs: { a: { dims: [3, 4] }, b: { dims: [4] }, c: { dims: [3, 1] } },
      build: (g, { a, b, c }) => g.op(op, [a!, b!, c!]),
    }),
  ),
  {
    name: 'Clip with both bounds',
    inputs: { x: { dims: [4, 5], kinks: [-0.5, 0.75] } },
    build: (g, { x }, dtype) => g.op('Clip', [x!, g.scalar(-0.5, dtype), g.scalar(0.75, dtype)]),
  },
  {
    name: 'Clip from below only',
    inputs: { x: { dims: [4, 5], kinks: [0] } },
    build: (g, { x }, dtype) => g.op('Clip', [x!, g.scalar(0, dtype)]),
  },
  {
    name: 'Clip with bounds that are learned',
    inputs: {
      x: { dims: [4, 5], kinks: [-0.5, 0.75] },
      low: { dims: [], values: [-0.5] },
      high: { dims: [], values: [0.75] },
    },
    build: (g, { x, low, high }) => g.op('Clip', [x!, low, high]),
  },
  {
    name: 'Where, all broadcast',
    inputs: {
      c: { dims: [3, 1], values: [1, 0, 1], dtype: 'bool' },
      a: { dims: [4] },
      b: { dims: [2, 1, 1] },
    },
    build: (g, { c, a, b }) => g.op('Where', [c!, a!, b!]),
  },
  ...[2, 3, 0.5, -1, 1, 0, 2.5, -0.5].map(
    (exponent): GradientCase => ({
      name: `Pow by ${exponent}`,
      inputs: { x: { dims: [3, 4], range: [0.5, 2] } },
      build: (g, { x }, dtype) => g.op('Add', [g.op('Pow', [x!, g.scalar(exponent, dtype)]), x!]),
    }),
  ),
  {
    name: 'Pow of negative numbers by an integer',
    inputs: { x: { dims: [3, 4], kinks: [0] } },
    build: (g, { x }) => g.op('Pow', [x!, g.constant([4], 'int64', [])]),
  },
  {
    name: 'Mod with fmod',
    inputs: {
      a: { dims: [3, 4], values: [1.3, -2.2, 3.1, 0.4, 5.7, -4.4, 2.2, 0.9, -0.3, 1.7, 6.2, -3.3] },
      b: { dims: [1], values: [1.5] },
    },
    build: (g, { a, b }) => g.op('Mod', [a!, b!], { fmod: 1 }),
  },
  {
    name: 'x·σ(x), as exporters write SiLU',
    inputs: { x: { dims: [3, 4] } },
    build: (g, { x }) => g.op('Sin', [g.op('Mul', [x!, g.op('Sigmoid', [x!])])]),
  },
  {
    name: 'σ(x)·x with σ(x) used once more',
    inputs: { x: { dims: [3, 4] } },
    build: (g, { x }) => {
      const gate = g.op('Sigmoid', [x!]);
      return g.op('Sin', [g.op('Add', [g.op('Mul', [gate, x!]), g.op('Exp', [gate])])]);
    },
  },
  {
    name: 'Mul by itself',
    inputs: { x: { dims: [3, 4] } },
    build: (g, { x }) => g.op('Mul', [x!, x!]),
  },
  {
    name: 'a value used four times',
    inputs: { x: { dims: [3, 4], range: [0.5, 2] } },
    build: (g, { x }) => {
      const y = g.op('Exp', [x!]);
      return g.op('Div', [g.op('Mul', [g.op('Add', [y, x!]), y]), g.op('Sqrt', [y])]);
    },
  },
  {
    name: 'Cast there and back',
    dtype: 'float32',
    inputs: { x: { dims: [3, 4] } },
    build: (g, { x }) => g.op('Cast', [g.op('Exp', [g.op('Cast', [x!], { to: 'float64' })])], { to: 'float32' }),
  },
];

const CASES = [...Object.entries(DOMAINS).map(([op, spec]) => unary(op, spec)), ...ACTIVATIONS, ...CHOICES];

describe('gradients of elementwise functions', () => {
  it.each(CASES.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    await checkGradients(one);
  });
});
