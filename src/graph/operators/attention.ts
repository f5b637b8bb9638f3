/** Attention and what goes with it. */
import { describeShape } from '../infer/broadcast.js';
import { addDims, asLength, divideExactly, multiplyDims } from '../infer/dims.js';
import type { Dim, Shape } from '../ir.js';
import type { InferenceContext, OperatorDefinition } from './definition.js';
import {
  type Definition,
  define,
  expectRank,
  expectType,
  float,
  int,
  sameType,
  string,
  tensor,
  unify,
} from './helpers.js';

interface Heads {
  readonly batch: Dim;
  readonly heads: Dim;
  readonly length: Dim;
  readonly size: Dim;
}

/** [batch, heads, length, size], from that form or from [batch, length, heads · size]. */
function headsOf(context: InferenceContext, shape: Shape, attribute: string): Heads {
  if (shape.length === 4) {
    const [batch, heads, length, size] = shape as [Dim, Dim, Dim, Dim];
    return { batch, heads, length, size };
  }
  if (!context.has(attribute))
    context.fail(`attribute "${attribute}" is needed with three-dimensional inputs.`, 'ERR_VAE_GRAPH');
  const [batch, length, width] = shape as [Dim, Dim, Dim];
  const heads = context.int(attribute);
  const size = divideExactly(width, heads);
  if (size === undefined && typeof width === 'number') {
    context.fail(`a width of ${width} cannot be divided among ${heads} heads (${describeShape(shape)}).`);
  }
  return { batch, heads, length, size: size ?? context.freshDim() };
}

function attention(context: InferenceContext): ReturnType<OperatorDefinition['infer']> {
  const dtype = expectType(context, 0, 'float');
  const keyType = context.input(1).dtype;
  const valueType = context.input(2).dtype;
  const shapes = [0, 1, 2].map((index) => expectRank(context, index, 3, 4));
  const [query, key, value] = shapes;
  if (query === undefined || key === undefined || value === undefined) {
    return [dtype, keyType, valueType, dtype].map((type) => tensor(type, undefined));
  }
  const q = headsOf(context, query, 'q_num_heads');
  const k = headsOf(context, key, 'kv_num_heads');
  const v = headsOf(context, value, 'kv_num_heads');
  unify(context, q.size, k.size, 'the head sizes of query and key');
  unify(context, k.length, v.length, 'the lengths of key and value');
  const past = context.given(4) ? (context.shape(4)?.[2] ?? context.freshDim()) : 0;
  const total = asLength(addDims(past, k.length)) ?? context.freshDim();
  const output: Dim[] =
    query.length === 4
      ? [q.batch, q.heads, q.length, v.size]
      : [q.batch, q.length, asLength(multiplyDims(q.heads, v.size)) ?? context.freshDim()];
  return [
    tensor(dtype, output),
    tensor(keyType, [q.batch, k.heads, total, k.size]),
    tensor(valueType, [q.batch, v.heads, total, v.size]),
    tensor(dtype, [q.batch, q.heads, q.length, total]),
  ];
}

const ATTENTION: Definition['attributes'] = {
  is_causal: int(0),
  kv_num_heads: 'int',
  q_num_heads: 'int',
  qk_matmul_output_mode: int(0),
  scale: 'float',
  softcap: float(0),
  softmax_precision: 'int',
};

export const ATTENTIONS: readonly OperatorDefinition[] = [
  define('Attention', { since: 23, inputs: [3, 6], outputs: [1, 4], attributes: ATTENTION, infer: attention }),
  // With the number of keys of each row that are no padding.
  define('Attention', { since: 24, inputs: [3, 7], outputs: [1, 4], attributes: ATTENTION, infer: attention }),
  define('TensorScatter', {
    since: 24,
    inputs: [2, 3],
    attributes: { mode: string('linear'), axis: int(-2) },
    infer: (context) => {
      sameType(context, [0, 1], 'any');
      if (context.given(2)) expectType(context, 2, 'index');
      const shape = context.shape(0);
      if (shape !== undefined) context.axis(context.int('axis'), shape.length);
      return [context.input(0)];
    },
  }),
  define('RotaryEmbedding', {
    since: 23,
    inputs: [3, 4],
    attributes: { interleaved: int(0), num_heads: 'int', rotary_embedding_dim: int(0) },
    infer: (context) => {
      expectType(context, 0, 'float');
      expectRank(context, 0, 3, 4);
      return [context.input(0)];
    },
  }),
];
