import { describe, it } from 'vitest';
import type { AttributeInput } from '../../src/graph/index.js';
import { checkGradients, type GradientCase, type InputSpec } from './gradient-check.js';

const EINSUMS: readonly (readonly [equation: string, ...operands: readonly (readonly number[])[]])[] = [
  ['ij,jk->ik', [3, 4], [4, 5]],
  ['bhqd,bhkd->bhqk', [2, 2, 3, 4], [2, 2, 5, 4]],
  ['bhqk,bhkd->bqhd', [2, 2, 3, 5], [2, 2, 5, 4]],
  ['bij,bjk', [2, 3, 4], [2, 4, 5]],
  ['ij,ij->i', [3, 4], [3, 4]],
  ['i,j->ij', [3], [4]],
  ['ij->ji', [3, 4]],
  ['ij->i', [3, 4]],
  ['ijk->', [2, 3, 4]],
  ['ij,jk->k', [3, 4], [4, 5]],
  ['...ij,...jk->...ik', [2, 3, 4], [2, 4, 5]],
  ['...ij,jk->...ik', [2, 2, 3, 4], [4, 5]],
  ['...i,...i->...', [2, 3, 4], [2, 3, 4]],
  ['ab,bc,cd->ad', [2, 3], [3, 4], [4, 2]],
  ['n c h w, k c -> n k h w', [2, 3, 2, 2], [4, 3]],
];

const PRODUCTS = EINSUMS.map(
  ([equation, ...operands]): GradientCase => ({
    name: `Einsum ${equation}`,
    inputs: Object.fromEntries(operands.map((dims, index) => [`x${index}`, { dims }])),
    build: (g, inputs) => g.op('Sin', [g.op('Einsum', Object.values(inputs), { equation })]),
  }),
);

interface Form {
  readonly name: string;
  readonly q: readonly number[];
  readonly k: readonly number[];
  readonly v: readonly number[];
  readonly mask?: InputSpec;
  readonly past?: number;
  readonly attributes?: Readonly<Record<string, AttributeInput>>;
}

const HEADS = { q_num_heads: 2, kv_num_heads: 2 };

const ATTENTIONS: readonly Form[] = [
  { name: 'in four dimensions', q: [2, 2, 3, 4], k: [2, 2, 5, 4], v: [2, 2, 5, 3] },
  { name: 'in three dimensions', q: [2, 3, 8], k: [2, 5, 8], v: [2, 5, 6], attributes: HEADS },
  { name: 'with a scale', q: [2, 2, 3, 4], k: [2, 2, 5, 4], v: [2, 2, 5, 3], attributes: { scale: 0.3 } },
  { name: 'causal', q: [2, 2, 4, 3], k: [2, 2, 4, 3], v: [2, 2, 4, 3], attributes: { is_causal: 1 } },
  { name: 'with an additive mask', q: [2, 2, 3, 4], k: [2, 2, 5, 4], v: [2, 2, 5, 3], mask: { dims: [3, 5] } },
  {
    name: 'with a mask of truths',
    q: [2, 2, 2, 4],
    k: [2, 2, 3, 4],
    v: [2, 2, 3, 3],
    mask: { dims: [2, 3], values: [1, 0, 1, 1, 1, 0], dtype: 'bool' },
  },
  { name: 'with shared heads', q: [2, 4, 3, 4], k: [2, 2, 5, 4], v: [2, 2, 5, 3] },
  { name: 'with a soft cap', q: [2, 2, 3, 4], k: [2, 2, 5, 4], v: [2, 2, 5, 3], attributes: { softcap: 1.5 } },
  { name: 'with a past', q: [2, 2, 3, 4], k: [2, 2, 3, 4], v: [2, 2, 3, 3], past: 2 },
];

const ATTENDING = [23, 24].flatMap((opset) =>
  ATTENTIONS.map(
    ({ name, q, k, v, mask, past, attributes }): GradientCase => ({
      name: `Attention ${name}, opset ${opset}`,
      opset,
      // ONNX Runtime works in float32 inside it, whatever the data.
      dtype: 'float32',
      inputs: {
        q: { dims: q, shape: q.map((length, axis) => (axis === 0 ? 'N' : length)) },
        k: { dims: k, shape: k.map((length, axis) => (axis === 0 ? 'N' : length)) },
        v: { dims: v, shape: v.map((length, axis) => (axis === 0 ? 'N' : length)) },
        ...(mask ? { mask } : {}),
        ...(past
          ? { pastKey: { dims: [k[0]!, k[1]!, past, k[3]!] }, pastValue: { dims: [v[0]!, v[1]!, past, v[3]!] } }
          : {}),
      },
      build: (g, inputs) => {
        const operands = [
          inputs['q'],
          inputs['k'],
          inputs['v'],
          inputs['mask'],
          inputs['pastKey'],
          inputs['pastValue'],
        ];
        return g.ops('Attention', operands, attributes ?? {}, { outputs: past ? 3 : 1 })[0]!;
      },
    }),
  ),
);

const ROTARY: GradientCase[] = [0, 1].flatMap((interleaved) =>
  [0, 4].map(
    (turning): GradientCase => ({
      name: `RotaryEmbedding ${interleaved ? 'interleaved' : 'in halves'}, ${turning || 'all'} elements`,
      opset: 23,
      inputs: {
        x: { dims: [2, 3, 4, 6] },
        cos: { dims: [5, (turning || 6) / 2] },
        sin: { dims: [5, (turning || 6) / 2] },
        at: { dims: [2, 4], values: [0, 1, 2, 3, 1, 2, 3, 4], dtype: 'int64' },
      },
      build: (g, { x, cos, sin, at }) =>
        g.op('RotaryEmbedding', [x!, cos!, sin!, at!], { interleaved, rotary_embedding_dim: turning }),
    }),
  ),
);

const EXPORTED: GradientCase = {
  name: 'multi-head attention as exporters write it',
  inputs: {
    x: { dims: [2, 3, 8], shape: ['N', 'T', 8] },
    wq: { dims: [8, 8] },
    wk: { dims: [8, 8] },
    wv: { dims: [8, 8] },
    b: { dims: [8] },
  },
  build: (g, { x, wq, wk, wv, b }, dtype) => {
    const length = g.op('Gather', [g.op('Shape', [x!]), g.int64s([1])]);
    const batch = g.op('Gather', [g.op('Shape', [x!]), g.int64s([0])]);
    const shape = g.op('Concat', [batch, length, g.int64s([2]), g.int64s([4])], { axis: 0 });
    const heads = (w: typeof wq, perm: number[]) =>
      g.op('Transpose', [g.op('Reshape', [g.op('Add', [g.op('MatMul', [x!, w!]), b!]), shape])], { perm });
    const scores = g.op('Div', [
      g.op('MatMul', [heads(wq, [0, 2, 1, 3]), heads(wk, [0, 2, 3, 1])]),
      g.scalar(2, dtype),
    ]);
    const seen = g.op('MatMul', [g.op('Softmax', [scores], { axis: -1 }), heads(wv, [0, 2, 1, 3])]);
    const joined = g.op('Concat', [batch, length, g.int64s([8])], { axis: 0 });
    return g.op('Reshape', [g.op('Transpose', [seen], { perm: [0, 2, 1, 3] }), joined]);
  },
};

const LABELS = { dims: [4], values: [2, 0, 1, 2], dtype: 'int64' } as const;

const LOSSES: GradientCase[] = (['mean', 'sum', 'none'] as const).flatMap((reduction): GradientCase[] => [
  {
    name: `SoftmaxCrossEntropyLoss, ${reduction}`,
    inputs: { scores: { dims: [4, 3], shape: ['N', 3] }, labels: LABELS },
    build: (g, { scores, labels }) => g.op('SoftmaxCrossEntropyLoss', [scores!, labels!], { reduction }),
  },
  {
    name: `SoftmaxCrossEntropyLoss with weights and an ignored label, ${reduction}`,
    inputs: { scores: { dims: [4, 3] }, labels: LABELS, weights: { dims: [3], range: [0.5, 1.5], wrt: false } },
    build: (g, { scores, labels, weights }) =>
      g.op('SoftmaxCrossEntropyLoss', [scores!, labels!, weights], { reduction, ignore_index: 0 }),
  },
  {
    name: `NegativeLogLikelihoodLoss of maps, ${reduction}`,
    inputs: {
      scores: { dims: [2, 3, 2] },
      labels: { dims: [2, 2], values: [2, 0, 1, 2], dtype: 'int64' },
      weights: { dims: [3], range: [0.5, 1.5] },
    },
    build: (g, { scores, labels, weights }) =>
      g.op('NegativeLogLikelihoodLoss', [scores!, labels!, weights], { reduction }),
  },
]);

describe('gradients of attention, Einsum and losses', () => {
  const cases = [...PRODUCTS, ...ATTENDING, ...ROTARY, EXPORTED, ...LOSSES];
  it.each(cases.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    await checkGradients(one);
  });
});
