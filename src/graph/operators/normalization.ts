/** Normalization over batches, channels, groups and layers. */
import type { Dim, Shape } from '../ir.js';
import type { InferenceContext, OperatorDefinition } from './definition.js';
import {
  broadcastOrFail,
  define,
  expectRank,
  expectType,
  float,
  int,
  ints,
  sameAs,
  sameType,
  tensor,
  unify,
} from './helpers.js';

/** The number of channels, axis 1 of [N, C, …]. */
function channels(context: InferenceContext): Dim | undefined {
  return expectRank(context, 0, 1, Number.POSITIVE_INFINITY)?.[1];
}

/** Checks that an input is a list of one number per channel (or per group). */
function expectList(context: InferenceContext, index: number, length: Dim | undefined, what: string): void {
  const shape = expectRank(context, index, 1);
  if (shape !== undefined && length !== undefined) unify(context, shape[0]!, length, `the lengths of ${what}`);
}

const STATISTICS = ['scale and channels', 'bias and channels', 'mean and channels', 'variance and channels'];

function batchNormalization(context: InferenceContext): ReturnType<OperatorDefinition['infer']> {
  const { dtype, shape } = context.input(0);
  const count = shape !== undefined && shape.length === 1 ? 1 : channels(context);
  STATISTICS.forEach((what, index) => {
    expectList(context, index + 1, count, what);
  });
  const list = tensor(context.input(3).dtype, [count ?? context.shape(3)?.[0] ?? context.freshDim()]);
  return [tensor(dtype, shape), list, list, list, list];
}

function batchNormalizationForm(since: number): OperatorDefinition {
  const training = since >= 14 ? { training_mode: int(0) } : {};
  return define('BatchNormalization', {
    since,
    inputs: 5,
    outputs: [1, since >= 14 ? 3 : 5],
    attributes: { epsilon: float(1e-5), momentum: float(0.9), ...training },
    infer: (context) => {
      expectType(context, 0, 'float');
      if (since >= 14 && context.node.outputs.length > 1 && context.int('training_mode') === 0) {
        context.fail('gives its statistics only where training_mode is 1.', 'ERR_VAE_GRAPH');
      }
      return batchNormalization(context);
    },
  });
}

/** Scale (and bias) must be broadcast to the normalized axes. */
function checkScale(context: InferenceContext, indices: readonly number[], normalized: Shape): void {
  for (const index of indices) {
    const scale = context.shape(index);
    if (scale === undefined) continue;
    if (scale.length > normalized.length) {
      // Broadcasting from the left is allowed by the operator, and no exporter uses it.
      continue;
    }
    broadcastOrFail(context, [scale, normalized]);
  }
}

function layerNormalization(context: InferenceContext): ReturnType<OperatorDefinition['infer']> {
  const dtype = expectType(context, 0, 'float');
  const shape = expectRank(context, 0, 1, Number.POSITIVE_INFINITY);
  const stash = context.dtype('stash_type', 'float32');
  if (shape === undefined) return [tensor(dtype, undefined), tensor(stash, undefined), tensor(stash, undefined)];
  const axis = context.axis(context.int('axis'), shape.length);
  checkScale(context, [1, 2], shape.slice(axis));
  const statistics = shape.map((dim, at) => (at < axis ? dim : 1));
  return [tensor(dtype, shape), tensor(stash, statistics), tensor(stash, statistics)];
}

function groupNormalization(since: number): OperatorDefinition {
  return define('GroupNormalization', {
    since,
    inputs: 3,
    attributes: { epsilon: float(1e-5), num_groups: 'int', ...(since >= 21 ? { stash_type: int(1) } : {}) },
    infer: (context) => {
      const dtype = sameType(context, [0, 1, 2], 'float');
      const groups = context.int('num_groups');
      const count = channels(context);
      if (groups < 1 || (typeof count === 'number' && count % groups !== 0)) {
        context.fail(`${count} channels cannot be divided into ${groups} groups.`);
      }
      // One scale per group until opset 21, one per channel since.
      const length = since >= 21 ? count : groups;
      expectList(context, 1, length, since >= 21 ? 'scale and channels' : 'scale and groups');
      expectList(context, 2, length, since >= 21 ? 'bias and channels' : 'bias and groups');
      return [tensor(dtype, context.shape(0))];
    },
  });
}

export const NORMALIZATIONS: readonly OperatorDefinition[] = [
  batchNormalizationForm(13),
  batchNormalizationForm(14),
  define('InstanceNormalization', {
    inputs: 3,
    attributes: { epsilon: float(1e-5) },
    infer: (context) => {
      const dtype = sameType(context, [0, 1, 2], 'float');
      expectList(context, 1, channels(context), 'scale and channels');
      expectList(context, 2, channels(context), 'bias and channels');
      return [tensor(dtype, context.shape(0))];
    },
  }),
  define('LayerNormalization', {
    since: 17,
    inputs: [2, 3],
    outputs: [1, 3],
    attributes: { axis: int(-1), epsilon: float(1e-5), stash_type: int(1) },
    infer: layerNormalization,
  }),
  define('RMSNormalization', {
    since: 23,
    inputs: 2,
    attributes: { axis: int(-1), epsilon: float(1e-5), stash_type: int(1) },
    infer: (context) => {
      const { dtype: scaleType } = context.input(1);
      const shape = expectRank(context, 0, 1, Number.POSITIVE_INFINITY);
      expectType(context, 0, 'float');
      if (shape !== undefined) checkScale(context, [1], shape.slice(context.axis(context.int('axis'), shape.length)));
      return [tensor(scaleType, shape)];
    },
  }),
  groupNormalization(18),
  groupNormalization(21),
  define('LpNormalization', {
    attributes: { axis: int(-1), p: int(2) },
    infer: (context) => {
      const shape = context.shape(0);
      if (shape !== undefined) context.axis(context.int('axis'), shape.length);
      return sameAs(0, 'float')(context);
    },
  }),
  define('MeanVarianceNormalization', { attributes: { axes: ints(0, 2, 3) }, infer: sameAs(0, 'float') }),
  define('LRN', {
    attributes: { alpha: float(0.0001), beta: float(0.75), bias: float(1), size: 'int' },
    infer: sameAs(0, 'float'),
  }),
];
