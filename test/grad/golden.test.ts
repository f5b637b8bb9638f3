/** Gradients against those that PyTorch 2.13 computes (test/golden/make-grad-golden.py). */
import { readdirSync, readFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { differentiate } from '../../src/grad/index.js';
import { type AttributeInput, GraphBuilder, type Value, writeModel } from '../../src/graph/index.js';

const FOLDER = new URL('../golden/grad/', import.meta.url);
/** Largest error relative to the norm of the golden tensor. */
const TOLERANCE = 1e-5;

interface Golden {
  readonly dtype: 'float32' | 'int64';
  readonly dims: readonly number[];
  readonly values: readonly number[];
}

interface GoldenCase {
  readonly name: string;
  readonly inputs: Readonly<Record<string, Golden>>;
  readonly weights: Golden;
  readonly output: Golden;
  readonly gradients: Readonly<Record<string, Golden>>;
}

type Build = (g: GraphBuilder, inputs: Readonly<Record<string, Value>>) => Value;

/** One operator over the inputs in the order of the golden file. */
const op =
  (name: string, attributes: Readonly<Record<string, AttributeInput>> = {}): Build =>
  (g, inputs) =>
    g.op(name, Object.values(inputs), attributes);

const floats = (g: GraphBuilder, values: readonly number[]) => g.constant(values, 'float32', [values.length]);

const resize =
  (size: readonly number[] | undefined, attributes: Readonly<Record<string, AttributeInput>>): Build =>
  (g, { x }) =>
    g.op('Resize', [x, undefined, size ? undefined : floats(g, [1, 1, 2, 2]), size && g.int64s(size)], attributes);

const pad =
  (mode: string, value?: number): Build =>
  (g, { x }) =>
    g.op('Pad', [x, g.int64s([0, 0, 2, 1, 0, 0, 1, 2]), value === undefined ? undefined : g.scalar(value)], { mode });

const BUILDS: Readonly<Record<string, Build>> = {
  Relu: op('Relu'),
  LeakyRelu: op('LeakyRelu', { alpha: 0.2 }),
  Elu: op('Elu', { alpha: 0.8 }),
  Selu: op('Selu'),
  Celu: op('Celu', { alpha: 1.5 }),
  Gelu: op('Gelu'),
  'Gelu tanh': op('Gelu', { approximate: 'tanh' }),
  SiLU: (g, { x }) => g.op('Mul', [x, g.op('Sigmoid', [x])]),
  Sigmoid: op('Sigmoid'),
  HardSigmoid: op('HardSigmoid', { alpha: 1 / 6, beta: 0.5 }),
  HardSwish: op('HardSwish'),
  Softplus: op('Softplus'),
  Softsign: op('Softsign'),
  Mish: op('Mish'),
  Tanh: op('Tanh'),
  Erf: op('Erf'),
  Softmax: op('Softmax', { axis: -1 }),
  LogSoftmax: op('LogSoftmax', { axis: 0 }),
  Abs: op('Abs'),
  'Relu at zero': op('Relu'),
  'Abs at zero': op('Abs'),
  PRelu: (g, { x, s }) => g.op('PRelu', [x, g.op('Reshape', [s, g.int64s([3, 1])])]),

  'Div broadcast': op('Div'),
  Pow: op('Pow'),
  'Max with ties': op('Max'),
  'Min with ties': op('Min'),
  'Clip at its bounds': (g, { x }) => g.op('Clip', [x, g.scalar(-1), g.scalar(1)]),
  Where: (g, { a, b }) => g.op('Where', [g.op('Greater', [a, b]), g.op('Mul', [a, b]), g.op('Sub', [b, a])]),

  Linear: op('Gemm', { transB: 1 }),
  'MatMul broadcast': op('MatMul'),
  Einsum: op('Einsum', { equation: 'bhqd,bhkd->bhqk' }),
  Attention: op('Attention', { is_causal: 1 }),
  CrossEntropy: op('SoftmaxCrossEntropyLoss'),

  Mean: (g, { x }) => g.op('ReduceMean', [x, g.int64s([0, 2])], { keepdims: 0 }),
  LogSumExp: (g, { x }) => g.op('ReduceLogSumExp', [x, g.int64s([1])], { keepdims: 0 }),
  'Max with ties (amax)': (g, { x }) => g.op('ReduceMax', [x, g.int64s([1])], { keepdims: 0 }),
  Norm: (g, { x }) => g.op('ReduceL2', [x, g.int64s([1])], { keepdims: 0 }),
  'Norm of zeros': (g, { x }) => g.op('ReduceL2', [x, g.int64s([1])], { keepdims: 0 }),
  'Product with zeros': (g, { x }) => g.op('ReduceProd', [x, g.int64s([1])], { keepdims: 0 }),
  CumSum: (g, { x }) => g.op('CumSum', [x, g.constant([1], 'int64', [])]),

  'Conv 3x3': op('Conv', { pads: [1, 1, 1, 1] }),
  'Conv many channels': op('Conv', { pads: [1, 1, 1, 1] }),
  'Conv stride 2': op('Conv', { strides: [2, 2], pads: [1, 1, 1, 1] }),
  'Conv groups': op('Conv', { pads: [1, 1, 1, 1], group: 2 }),
  'Conv dilated': op('Conv', { dilations: [2, 2] }),
  'Conv 1-D': op('Conv', { strides: [2], pads: [1, 1] }),
  'Conv 3-D': op('Conv', { pads: [1, 1, 1, 1, 1, 1] }),
  'ConvTranspose stride 2': op('ConvTranspose', { strides: [2, 2], pads: [1, 1, 1, 1] }),
  'ConvTranspose output padding': op('ConvTranspose', {
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    output_padding: [1, 1],
    group: 2,
  }),

  'MaxPool 2': op('MaxPool', { kernel_shape: [2, 2], strides: [2, 2] }),
  'MaxPool 3': op('MaxPool', { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
  AveragePool: op('AveragePool', { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }),
  'AveragePool with padding': op('AveragePool', {
    kernel_shape: [3, 3],
    strides: [2, 2],
    pads: [1, 1, 1, 1],
    count_include_pad: 1,
  }),
  Nearest: resize(undefined, {
    mode: 'nearest',
    coordinate_transformation_mode: 'asymmetric',
    nearest_mode: 'floor',
  }),
  Bilinear: resize(undefined, { mode: 'linear', coordinate_transformation_mode: 'half_pixel' }),
  'Bilinear, corners aligned': resize([2, 3, 5, 7], {
    mode: 'linear',
    coordinate_transformation_mode: 'align_corners',
  }),
  Bicubic: resize(undefined, {
    mode: 'cubic',
    coordinate_transformation_mode: 'half_pixel',
    cubic_coeff_a: -0.75,
  }),
  PixelShuffle: op('DepthToSpace', { blocksize: 2, mode: 'CRD' }),
  'Pad reflect': pad('reflect'),
  'Pad edge': pad('edge'),
  'Pad constant': pad('constant', 0.5),

  BatchNorm: (g, { x, s, b }) => {
    const statistics = [0, 1].map((value) => floats(g, [value, value, value, value]));
    return g.ops('BatchNormalization', [x, s, b, ...statistics], { training_mode: 1 }, { outputs: 3 })[0]!;
  },
  InstanceNorm: op('InstanceNormalization'),
  GroupNorm: op('GroupNormalization', { num_groups: 2 }),
  LayerNorm: op('LayerNormalization', { axis: 1 }),
  RMSNorm: op('RMSNormalization'),
  Normalize: op('LpNormalization', { axis: 1 }),

  Embedding: op('Gather'),
  Gather: op('GatherElements', { axis: 1 }),
  ScatterAdd: op('ScatterElements', { axis: 1, reduction: 'add' }),
  Slice: (g, { x }) => {
    const cut = [
      [1, 0],
      [100, 100],
      [0, 1],
      [1, 2],
    ].map((list) => g.int64s(list));
    return g.op('Mul', [g.op('Slice', [x, ...cut]), g.scalar(2)]);
  },
  Concat: (g, { a, b }) => g.op('Sin', [g.op('Concat', [a!, b!, a!], { axis: 1 })]),
  Tile: (g, { x }) => {
    const ramp = g.constant(
      Array.from({ length: 36 }, (_, index) => index),
      'float32',
      [4, 9],
    );
    return g.op('Mul', [g.op('Sin', [g.op('Tile', [x, g.int64s([2, 3])])]), ramp]);
  },
};

function tensorOf({ dtype, dims, values }: Golden): Tensor {
  return dtype === 'int64'
    ? new Tensor('int64', BigInt64Array.from(values, BigInt), dims)
    : new Tensor('float32', Float32Array.from(values), dims);
}

function errorOf(ours: Tensor, golden: Golden): number {
  expect(ours.dims).toEqual(golden.dims);
  const data = ours.data as Float32Array;
  const norm = Math.hypot(...golden.values);
  return Math.hypot(...golden.values.map((value, index) => data[index]! - value)) / Math.max(norm, 1e-6);
}

async function check(golden: GoldenCase, build: Build): Promise<void> {
  const g = new GraphBuilder({ opset: 23 });
  const inputs: Record<string, Value> = {};
  for (const [name, { dtype, dims }] of Object.entries(golden.inputs)) inputs[name] = g.input(name, dtype, dims);
  const y = build(g, inputs);
  const weights = g.input('weights', 'float32', golden.weights.dims);
  const loss = g.op('ReduceSum', [g.op('Mul', [y, weights])], { keepdims: 0 });
  const parameters = Object.keys(golden.gradients);
  const { gradients } = differentiate(g, { loss, parameters });
  g.output('y', y);
  for (const name of parameters) g.output(`${name}_grad`, gradients.get(name)!);
  const session = await InferenceSession.create(writeModel(g.model), { logSeverityLevel: 4 });
  const feeds = Object.entries({ ...golden.inputs, weights: golden.weights }).map(([name, each]) => [
    name,
    tensorOf(each),
  ]);
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  expect(errorOf(results['y']!, golden.output), 'result').toBeLessThan(TOLERANCE);
  for (const name of parameters) {
    expect(errorOf(results[`${name}_grad`]!, golden.gradients[name]!), `gradient of ${name}`).toBeLessThan(TOLERANCE);
  }
}

for (const file of readdirSync(FOLDER).sort()) {
  const { torch, cases } = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as {
    torch: string;
    cases: GoldenCase[];
  };
  describe(`${file} of PyTorch ${torch}`, () => {
    it.each(cases.map((golden) => [golden.name, golden] as const))('%s', async (name, golden) => {
      await check(golden, BUILDS[name]!);
    });
  });
}
