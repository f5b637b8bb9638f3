/** Attention and rotary embedding, rewritten in the products and softmax that they are made of. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type Expanded, expansion, type GradientTable } from '../registry.js';
import { assembleShape, lengthTensor } from '../shapes.js';

/** [batch, heads, length, size], from that form or from [batch, length, heads·size]. */
function splitHeads(context: GradientContext, value: Value, heads: number): Value {
  if (context.rank(value) === 4) return value;
  if (heads === 0) context.fail('three-dimensional inputs need the number of heads');
  return context.transpose(context.reshape(value, [0, 0, heads, -1]), [0, 2, 1, 3]);
}

/** Keys or values repeated so that every query head has its own (Ainslie et al. 2023). */
function repeatHeads(context: GradientContext, value: Value, times: number): Value {
  if (times === 1) return value;
  const [, heads, , size] = value.shape!;
  if (typeof heads !== 'number' || typeof size !== 'number') {
    return context.fail('shared heads need a known number and size of heads');
  }
  const { builder } = context;
  const lengths = [0, 2].map((axis) => lengthTensor(builder, value, axis));
  const shape = assembleShape(builder, [lengths[0]!, heads, times, lengths[1]!, size]);
  const repeated = context.op('Expand', [context.op('Unsqueeze', [value, builder.int64s([2])]), shape]);
  return context.reshape(repeated, [0, heads * times, -1, size]);
}

/** 0 where a query may look and -∞ where it may not. */
function maskToBias(context: GradientContext, allowed: Value, like: Value): Value {
  const { builder } = context;
  const forbidden = builder.scalar(Number.NEGATIVE_INFINITY, like.dtype);
  return context.op('Where', [allowed, builder.scalar(0, like.dtype), forbidden]);
}

/** Query i sees keys up to i, those of the past included. */
function causalBias(context: GradientContext, query: Value, key: Value, past: Value | undefined): Value {
  const { builder } = context;
  const shape = assembleShape(builder, [lengthTensor(builder, query, 2), lengthTensor(builder, key, 2)]);
  const ones = context.op('Expand', [context.scalar(1, query.dtype), shape]);
  const shift = past && context.op('Squeeze', [lengthTensor(builder, past, 2), builder.int64s([0])]);
  const seen = context.op('Trilu', [ones, shift], { upper: 0 });
  return maskToBias(context, context.cast(seen, 'bool'), query);
}

/** Scaled dot-product attention (Vaswani et al. 2017) as the operator sets 23 and 24 define it. */
function attention(context: GradientContext): Expanded {
  const [first, second, third] = [context.input(0), context.input(1), context.input(2)];
  const query = splitHeads(context, first, context.int('q_num_heads', 0));
  let key = splitHeads(context, second, context.int('kv_num_heads', 0));
  let value = splitHeads(context, third, context.int('kv_num_heads', 0));
  const [, , , mask, pastKey, pastValue, unpadded] = context.inputs;
  if (unpadded) context.fail('rows with padding among their keys (nonpad_kv_seqlen) cannot be trained');
  if (pastKey) key = context.op('Concat', [pastKey, key], { axis: 2 });
  if (pastValue) value = context.op('Concat', [pastValue, value], { axis: 2 });
  const size = query.shape?.[3];
  const [queryHeads, keyHeads] = [query.shape?.[1], key.shape?.[1]];
  if (typeof size !== 'number') return context.fail('the head size is not known');
  let times = 1;
  if (queryHeads !== keyHeads) {
    if (typeof queryHeads !== 'number' || typeof keyHeads !== 'number')
      return context.fail('the number of heads is not known');
    times = queryHeads / keyHeads;
  }
  const scaled = context.scale(query, context.float('scale', 1 / Math.sqrt(size)));
  const turned = context.transpose(repeatHeads(context, key, times), [0, 1, 3, 2]);
  const scores = context.op('MatMul', [scaled, turned]);
  let biased = scores;
  if (mask) biased = context.add(biased, mask.dtype === 'bool' ? maskToBias(context, mask, query) : mask);
  if (context.int('is_causal', 0) !== 0) biased = context.add(biased, causalBias(context, query, key, pastKey));
  const cap = context.float('softcap', 0);
  const capped = cap === 0 ? biased : context.scale(context.op('Tanh', [context.scale(biased, 1 / cap)]), cap);
  const weights = context.op('Softmax', [capped], { axis: -1 });
  const seen = context.op('MatMul', [weights, repeatHeads(context, value, times)]);
  const result = context.rank(first) === 4 ? seen : context.reshape(context.transpose(seen, [0, 2, 1, 3]), [0, 0, -1]);
  const stages = [scores, biased, capped, weights];
  return { outputs: [result, key, value, stages[context.int('qk_matmul_output_mode', 0)]] };
}

/** Pairs of elements turned by an angle that grows with the position (Su et al. 2021). */
function rotaryEmbedding(context: GradientContext): Expanded {
  const { builder } = context;
  const x = context.input(0);
  const [, cosines, sines, positions] = context.inputs;
  const isFlat = context.rank(x) === 3;
  const heads = isFlat ? context.reshape(x, [0, 0, context.int('num_heads', 0), -1]) : x;
  const size = heads.shape!.at(-1);
  if (typeof size !== 'number') return context.fail('the head size is not known');
  const turning = context.int('rotary_embedding_dim', 0) || size;
  const half = turning / 2;
  const cut = (value: Value, start: number, end: number, step = 1) =>
    context.op('Slice', [
      value,
      builder.int64s([start]),
      builder.int64s([end]),
      builder.int64s([3]),
      builder.int64s([step]),
    ]);
  const angles = (cache: Value) => {
    const rows = positions ? context.op('Gather', [cache, positions], { axis: 0 }) : cache;
    return context.op('Unsqueeze', [rows, builder.int64s([isFlat ? 2 : 1])]);
  };
  const [cos, sin] = [angles(cosines!), angles(sines!)];
  const interleaved = context.int('interleaved', 0) !== 0;
  const [left, right] = interleaved
    ? [cut(heads, 0, turning, 2), cut(heads, 1, turning, 2)]
    : [cut(heads, 0, half), cut(heads, half, turning)];
  const real = context.sub(context.mul(cos, left), context.mul(sin, right));
  const imaginary = context.add(context.mul(sin, left), context.mul(cos, right));
  let turned: Value;
  if (interleaved) {
    const pair = [real, imaginary].map((part) => context.op('Unsqueeze', [part, builder.int64s([4])]));
    const shape = [0, 0, 0, turning];
    turned = context.reshape(context.op('Concat', pair, { axis: 4 }), shape);
  } else turned = context.op('Concat', [real, imaginary], { axis: 3 });
  const whole = turning === size ? turned : context.op('Concat', [turned, cut(heads, turning, size)], { axis: 3 });
  return { outputs: [context.reshapeLike(whole, x)] };
}

export const ATTENTION: GradientTable = {
  Attention: expansion(attention),
  RotaryEmbedding: expansion(rotaryEmbedding),
};
