/**
 * What inference says about operators against what ONNX Runtime makes of them, once with every length
 * a number and once with symbolic ones. Covers what the ONNX test data of opset 17 cannot: newer
 * operators and symbolic lengths.
 */
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import {
  type DataType,
  type Dim,
  GraphBuilder,
  registerOperator,
  type Value,
  verifyModel,
  writeModel,
} from '../../src/graph/index.js';
import type { AttributeInput } from '../../src/graph/operators/attributes.js';
import { evaluate, expectVaeError, type Feeds, readBack, run, waves } from './support.js';

interface Case {
  readonly op: string;
  /** Lengths of the inputs; a pair gives a length its symbol in the symbolic round. */
  readonly shapes: readonly (readonly (number | readonly [symbol: string, length: number])[])[];
  readonly attributes?: Readonly<Record<string, AttributeInput>>;
  readonly opset?: number;
  readonly dtype?: DataType;
  readonly outputs?: number;
  /** Inputs after the tensors: literals. */
  readonly literals?: (g: GraphBuilder) => (Value | undefined)[];
  /** Lengths that inference may leave open. */
  readonly open?: boolean;
}

const N: [string, number] = ['N', 2];
const H: [string, number] = ['H', 9];
const W: [string, number] = ['W', 8];
const T: [string, number] = ['T', 6];

const windows: Case[] = [];
for (const strides of [
  [1, 1],
  [2, 3],
]) {
  for (const pads of [
    [0, 0, 0, 0],
    [1, 2, 0, 1],
  ]) {
    for (const dilations of [
      [1, 1],
      [2, 1],
    ]) {
      windows.push({
        op: 'Conv',
        shapes: [
          [N, 2, H, W],
          [3, 2, 3, 2],
        ],
        attributes: { strides, pads, dilations },
      });
      windows.push({
        op: 'ConvTranspose',
        shapes: [
          [N, 2, H, W],
          [2, 3, 3, 3],
        ],
        attributes: { strides, pads, dilations },
      });
      for (const ceil_mode of [0, 1]) {
        windows.push({
          op: 'MaxPool',
          shapes: [[N, 2, H, W]],
          attributes: { kernel_shape: [3, 3], strides, pads, dilations, ceil_mode },
          open: ceil_mode === 1,
        });
      }
    }
    windows.push({
      op: 'AveragePool',
      shapes: [[N, 2, H, W]],
      attributes: { kernel_shape: [3, 3], strides, pads, ceil_mode: 1 },
      open: true,
    });
  }
  for (const auto_pad of ['SAME_UPPER', 'SAME_LOWER', 'VALID']) {
    windows.push({
      op: 'Conv',
      shapes: [
        [N, 2, H, W],
        [3, 2, 3, 2],
      ],
      attributes: { strides, auto_pad },
    });
    windows.push({ op: 'MaxPool', shapes: [[N, 2, H, W]], attributes: { kernel_shape: [3, 2], strides, auto_pad } });
  }
}

const CASES: Case[] = [
  ...windows,
  {
    op: 'Conv',
    shapes: [
      [N, 4, T],
      [6, 2, 3],
    ],
    attributes: { group: 2, pads: [1, 1] },
  },
  {
    op: 'Conv',
    shapes: [
      [N, 2, T, 5, 4],
      [3, 2, 2, 2, 2],
    ],
    attributes: { strides: [2, 1, 1] },
  },
  {
    op: 'ConvTranspose',
    shapes: [
      [N, 4, T],
      [4, 3, 4],
    ],
    attributes: { group: 2, strides: [2], output_padding: [1] },
  },
  {
    op: 'ConvTranspose',
    shapes: [
      [N, 2, 5, 5],
      [2, 3, 3, 3],
    ],
    attributes: { strides: [2, 2], output_shape: [10, 10] },
  },
  { op: 'LpPool', shapes: [[N, 2, H, W]], attributes: { kernel_shape: [3, 3], p: 1 } },
  { op: 'GlobalLpPool', shapes: [[N, 2, H, W]] },
  { op: 'GlobalMaxPool', shapes: [[N, 2, H, W]] },
  { op: 'Gelu', shapes: [[N, 3]], attributes: { approximate: 'tanh' }, opset: 20 },
  { op: 'Swish', shapes: [[N, 3]], attributes: { alpha: 0.5 }, opset: 24 },
  { op: 'Mish', shapes: [[N, 3]] },
  { op: 'LpNormalization', shapes: [[N, 3]], attributes: { axis: 1, p: 1 } },
  { op: 'GroupNormalization', shapes: [[N, 4, H], [4], [4]], attributes: { num_groups: 2 }, opset: 21 },
  { op: 'LayerNormalization', shapes: [[N, T, 4], [4], [4]], outputs: 3 },
  { op: 'RMSNormalization', shapes: [[N, T, 4], [4]], opset: 23 },
  { op: 'InstanceNormalization', shapes: [[N, 3, H], [3], [3]] },
  { op: 'BatchNormalization', shapes: [[N, 3, H], [3], [3], [3], [3]], attributes: { training_mode: 1 }, outputs: 3 },
  {
    op: 'Attention',
    shapes: [
      [N, 2, T, 4],
      [N, 2, 5, 4],
      [N, 2, 5, 3],
    ],
    opset: 23,
  },
  {
    op: 'Attention',
    shapes: [
      [N, T, 8],
      [N, 5, 8],
      [N, 5, 6],
    ],
    attributes: { q_num_heads: 2, kv_num_heads: 2 },
    opset: 23,
  },
  {
    op: 'Attention',
    shapes: [
      [N, 2, T, 4],
      [N, 2, 5, 4],
      [N, 2, 5, 3],
    ],
    opset: 24,
  },
  {
    op: 'TensorScatter',
    shapes: [
      [N, 2, 6, 4],
      [N, 2, 3, 4],
    ],
    opset: 24,
  },
  { op: 'BitCast', shapes: [[N, 3]], attributes: { to: 'int32' }, opset: 26 },
  {
    op: 'RotaryEmbedding',
    shapes: [
      [N, 2, 6, 4],
      [2, 6, 2],
      [2, 6, 2],
    ],
    opset: 23,
  },
  {
    op: 'MatMul',
    shapes: [
      [N, 1, T, 4],
      [3, 4, 5],
    ],
  },
  {
    op: 'Gemm',
    shapes: [
      [4, T],
      [5, 4],
      [1, 5],
    ],
    attributes: { transA: 1, transB: 1 },
  },
  {
    op: 'Einsum',
    shapes: [
      [N, T, 4],
      [N, T, 5],
    ],
    attributes: { equation: 'bti,btj->bij' },
  },
  {
    op: 'Einsum',
    shapes: [
      [3, N, 4],
      [4, 5],
    ],
    attributes: { equation: '...i,ij->...j' },
  },
  { op: 'Einsum', shapes: [[4, 4]], attributes: { equation: 'ii' } },
  { op: 'DepthToSpace', shapes: [[N, 8, H, W]], attributes: { blocksize: 2, mode: 'CRD' } },
  { op: 'SpaceToDepth', shapes: [[N, 2, 6, W]], attributes: { blocksize: 2 }, open: true },
  { op: 'Flatten', shapes: [[N, 3, H, W]], attributes: { axis: 2 } },
  { op: 'Flatten', shapes: [[N, 3, H, W]], attributes: { axis: -1 } },
  { op: 'Transpose', shapes: [[N, 3, H, W]] },
  {
    op: 'Concat',
    shapes: [
      [N, T],
      [N, 3],
      [N, T],
    ],
    attributes: { axis: -1 },
  },
  { op: 'Split', shapes: [[N, 7]], attributes: { axis: 1, num_outputs: 3 }, outputs: 3 },
  { op: 'Split', shapes: [[N, T]], attributes: { axis: 1, num_outputs: 2 }, outputs: 2, open: true },
  { op: 'Expand', shapes: [[N, 1, 3]], literals: (g) => [g.int64s([1, 4, 1])] },
  { op: 'Tile', shapes: [[N, T]], literals: (g) => [g.int64s([2, 3])] },
  {
    op: 'Pad',
    shapes: [[N, T]],
    attributes: { mode: 'edge' },
    literals: (g) => [g.int64s([1, 2]), undefined, g.int64s([-1])],
  },
  { op: 'Slice', shapes: [[N, T]], literals: (g) => [g.int64s([1]), g.int64s([-1]), g.int64s([1]), g.int64s([2])] },
  {
    op: 'Slice',
    shapes: [[N, T]],
    literals: (g) => [g.int64s([-1]), g.int64s([-(2 ** 60)]), g.int64s([1]), g.int64s([-1])],
  },
  {
    op: 'Resize',
    shapes: [[N, 2, H, W]],
    attributes: { mode: 'linear' },
    literals: (g) => [undefined, g.constant([1, 1, 2, 0.5])],
  },
  {
    op: 'Resize',
    shapes: [[N, 2, 6, 8]],
    attributes: { keep_aspect_ratio_policy: 'not_larger', axes: [2, 3] },
    literals: (g) => [undefined, undefined, g.int64s([7, 7])],
  },
  {
    op: 'Resize',
    shapes: [[N, 2, 6, 8]],
    attributes: { keep_aspect_ratio_policy: 'not_smaller', axes: [2, 3] },
    literals: (g) => [undefined, undefined, g.int64s([7, 7])],
  },
  {
    op: 'GridSample',
    shapes: [
      [N, 2, H, W],
      [N, T, 5, 2],
    ],
    attributes: { mode: 'bilinear' },
  },
  { op: 'AffineGrid', shapes: [[2, 2, 3]], opset: 20, literals: (g) => [g.int64s([2, 1, 4, 5])] },
  {
    op: 'Col2Im',
    shapes: [[N, 12, 4]],
    literals: (g) => [g.int64s([4, 4]), g.int64s([2, 2])],
    attributes: { strides: [2, 2] },
  },
  { op: 'CenterCropPad', shapes: [[N, T]], attributes: { axes: [1] }, literals: (g) => [g.int64s([4])] },
  { op: 'ReduceSum', shapes: [[N, T, 3]], literals: (g) => [g.int64s([0, -1])] },
  { op: 'ReduceMax', shapes: [[N, T, 3]], attributes: { keepdims: 0 }, literals: (g) => [g.int64s([1])] },
  { op: 'ReduceMean', shapes: [[N, T]], attributes: { noop_with_empty_axes: 1 }, literals: (g) => [g.int64s([])] },
  { op: 'ArgMax', shapes: [[N, T]], attributes: { axis: -1, keepdims: 0 } },
  { op: 'TopK', shapes: [[N, T]], literals: (g) => [g.int64s([2])], outputs: 2 },
  { op: 'CumSum', shapes: [[N, T]], literals: (g) => [g.constant(1, 'int32')] },
  { op: 'CumProd', shapes: [[N, T]], literals: (g) => [g.constant(1, 'int32')], opset: 26 },
  {
    op: 'Gather',
    shapes: [[N, T, 3]],
    attributes: { axis: 1 },
    literals: (g) => [g.constant([0, 1, 2, 0], 'int64', [2, 2])],
  },
  { op: 'GatherND', shapes: [[4, T, 3]], literals: (g) => [g.constant([0, 1, 2, 0], 'int64', [2, 2])] },
  { op: 'Unsqueeze', shapes: [[N, T]], literals: (g) => [g.int64s([0, -1])] },
  { op: 'Squeeze', shapes: [[N, 1, T]], literals: (g) => [g.int64s([-2])] },
  { op: 'Trilu', shapes: [[N, T, T]], attributes: { upper: 0 } },
  { op: 'RandomNormalLike', shapes: [[N, T]], attributes: { dtype: 'float64' } },
  { op: 'RandomNormal', shapes: [], attributes: { shape: [2, 3], seed: 1 } },
  { op: 'RandomUniform', shapes: [], attributes: { shape: [2, 3] } },
  { op: 'Bernoulli', shapes: [[N, T]], attributes: { dtype: 'bool' } },
  { op: 'Multinomial', shapes: [[N, T]], attributes: { sample_size: 4 } },
  { op: 'Dropout', shapes: [[N, T]], outputs: 2 },
  { op: 'EyeLike', shapes: [[N, T]], attributes: { k: 1 } },
  { op: 'BitwiseAnd', shapes: [[N, 1], [T]], dtype: 'int32' },
  { op: 'BitwiseOr', shapes: [[N, 1], [T]], dtype: 'int32' },
  { op: 'BitwiseXor', shapes: [[N, 1], [T]], dtype: 'int32' },
  { op: 'BitwiseNot', shapes: [[N, T]], dtype: 'int32' },
  {
    op: 'GRU',
    shapes: [
      [T, N, 3],
      [2, 12, 3],
      [2, 12, 4],
    ],
    attributes: { hidden_size: 4, direction: 'bidirectional' },
    outputs: 2,
  },
  {
    op: 'LSTM',
    shapes: [
      [T, N, 3],
      [1, 16, 3],
      [1, 16, 4],
    ],
    attributes: { hidden_size: 4 },
    outputs: 3,
  },
  { op: 'DFT', shapes: [[N, 8, 1]], attributes: { onesided: 1, axis: 1 } },
  { op: 'QuantizeLinear', shapes: [[N, T]], literals: (g) => [g.scalar(0.1), g.constant(0, 'int8', [])] },
  { op: 'DynamicQuantizeLinear', shapes: [[N, T]], outputs: 3 },
  {
    op: 'MaxRoiPool',
    shapes: [
      [1, 2, 8, 8],
      [3, 5],
    ],
    attributes: { pooled_shape: [2, 2] },
  },
];

function build(testCase: Case, symbolic: boolean): GraphBuilder {
  const g = new GraphBuilder({ opset: testCase.opset ?? 18 });
  const inputs = testCase.shapes.map((shape, index) =>
    g.input(
      `x${index}`,
      testCase.dtype ?? 'float32',
      shape.map((dim): Dim => (typeof dim === 'number' ? dim : dim[symbolic ? 0 : 1])),
    ),
  );
  const outputs = g.ops(testCase.op, [...inputs, ...(testCase.literals?.(g) ?? [])], testCase.attributes, {
    outputs: testCase.outputs ?? 1,
  });
  for (const [index, output] of outputs.entries()) g.output(`y${index}`, output);
  return g;
}

function feedsOf({ shapes, dtype = 'float32' }: Case): Feeds {
  return Object.fromEntries(
    shapes.map((shape, index) => {
      const dims = shape.map((dim) => (typeof dim === 'number' ? dim : dim[1]));
      const values = waves(dims.reduce((a, b) => a * b, 1)).map((value) => Math.abs(value));
      const data = dtype === 'int32' ? Int32Array.from(values, (value) => value * 9) : Float32Array.from(values);
      return [`x${index}`, new ort.Tensor(dtype as 'float32', data as Float32Array, dims)];
    }),
  );
}

describe('inference agrees with ONNX Runtime', () => {
  it.each(CASES.map((testCase) => [`${testCase.op} ${JSON.stringify(testCase.attributes ?? {})}`, testCase] as const))(
    '%s',
    async (_, testCase) => {
      const lengths = Object.fromEntries(testCase.shapes.flat().filter((dim) => typeof dim !== 'number'));
      for (const symbolic of [false, true]) {
        const { model } = build(testCase, symbolic);
        verifyModel(model);
        expect(readBack(model)).toEqual(model);
        const results = await run(writeModel(model), feedsOf(testCase));
        for (const { name, dtype, shape } of model.graph.outputs) {
          const actual = results[name]!;
          expect(dtype).toBe(actual.type);
          expect(shape).toHaveLength(actual.dims.length);
          shape!.forEach((dim, axis) => {
            if (symbolic && testCase.open && /^dim/.test(String(dim))) return;
            expect(evaluate(dim, lengths), `axis ${axis} of ${name}: ${dim}`).toBe(actual.dims[axis]);
          });
        }
      }
    },
  );
});

describe('registerOperator', () => {
  registerOperator({
    name: 'Stack2',
    domain: 'test.custom',
    since: 1,
    inputs: [1, 1],
    outputs: [1, 1],
    attributes: { factor: { kind: 'float', value: 2 } },
    infer: (context) => [{ dtype: context.input(0).dtype, shape: context.shape(0) && [2, ...context.shape(0)!] }],
  });

  it("adds an operator of a domain of one's own to building, reading and writing", () => {
    const g = new GraphBuilder();
    const y = g.op('Stack2', [g.input('x', 'float32', ['N', 3])], { factor: 0.5 }, { domain: 'test.custom' });
    g.output('y', y);
    expect(y.shape).toEqual([2, 'N', 3]);
    expect(g.model.opsets.get('test.custom')).toBe(1);
    expect(readBack(g.model)).toEqual(g.model);
    expectVaeError(
      () => g.op('Stack2', [g.value('x')], { other: 1 }, { domain: 'test.custom' }),
      'ERR_VAE_GRAPH',
      'other',
    );
    expectVaeError(
      () => g.op('Stack3', [g.value('x')], {}, { domain: 'test.custom' }),
      'ERR_VAE_UNSUPPORTED_OPERATOR',
      'test.custom.Stack3',
    );
  });

  it('refuses to replace an operator', () => {
    const again = {
      name: 'Relu',
      since: 13,
      inputs: [1, 1],
      outputs: [1, 1],
      attributes: {},
      infer: () => [],
    } as const;
    expectVaeError(() => registerOperator(again), 'ERR_VAE_GRAPH', 'Relu');
  });
});
