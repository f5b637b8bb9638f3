/** Operators that make tensors from nothing: constants, ranges, random numbers, windows. */
import type { DataType } from '../../core/dtype.js';
import { constantOf, int64Of, numbersOf } from '../constants.js';
import { subtractDims } from '../infer/dims.js';
import { knownElementsOf, MAX_KNOWN_ELEMENTS } from '../infer/known-elements.js';
import type { Constant } from '../ir.js';
import type { InferenceContext, KnownElements, OperatorDefinition } from './definition.js';
import { define, defineAll, expectRank, expectType, float, int, sameType, tensor } from './helpers.js';
import { shapeFrom } from './shape.js';

const CONSTANT_KINDS = {
  value: 'tensor',
  value_float: 'float',
  value_floats: 'floats',
  value_int: 'int',
  value_ints: 'ints',
  value_string: 'string',
  value_strings: 'strings',
} as const;

/** The tensor that a Constant node holds; undefined where it has none of the known attributes. */
export function constantOfNode(attributes: InferenceContext['node']['attributes']): Constant | undefined {
  for (const name of Object.keys(CONSTANT_KINDS)) {
    if (!Object.hasOwn(attributes, name)) continue;
    const attribute = attributes[name]!;
    switch (attribute.kind) {
      case 'tensor':
        return attribute.value;
      case 'float':
        return constantOf([attribute.value], 'float32', []);
      case 'floats':
        return constantOf(attribute.value, 'float32');
      case 'int':
        return constantOf([int64Of(attribute.value)], 'int64', []);
      case 'ints':
        return constantOf(attribute.value.map(int64Of), 'int64');
      case 'string':
        return constantOf([attribute.value], 'string', []);
      case 'strings':
        return constantOf(attribute.value, 'string');
      default:
        return undefined;
    }
  }
  return undefined;
}

function requireConstant(context: InferenceContext): Constant {
  return constantOfNode(context.node.attributes) ?? context.fail('has no value.', 'ERR_VAE_GRAPH');
}

function fillValue(context: InferenceContext): Constant | undefined {
  const value = context.attribute('value');
  return value?.kind === 'tensor' ? value.value : undefined;
}

function range(context: InferenceContext): ReturnType<OperatorDefinition['infer']> {
  const dtype = sameType(context, [0, 1, 2], 'number');
  const [start, limit, delta] = [0, 1, 2].map((index) => context.elements(index)?.[0]);
  if (typeof start === 'number' && typeof limit === 'number' && typeof delta === 'number') {
    if (delta === 0) context.fail('its step is zero.');
    return [tensor(dtype, [Math.max(Math.ceil((limit - start) / delta), 0)])];
  }
  const length = delta === 1 ? subtractDims(limit, start) : undefined;
  return [tensor(dtype, [typeof length === 'string' ? length : context.freshDim()])];
}

function rangeElements(context: InferenceContext): KnownElements | undefined {
  const { dtype } = context.input(0);
  const [start] = context.numbers(0) ?? [];
  const [limit] = context.numbers(1) ?? [];
  const [delta] = context.numbers(2) ?? [];
  if (start === undefined || limit === undefined || !delta || (dtype !== 'int64' && dtype !== 'int32'))
    return undefined;
  const length = Math.max(Math.ceil((limit - start) / delta), 0);
  return length > MAX_KNOWN_ELEMENTS ? undefined : Array.from({ length }, (_, index) => start + index * delta);
}

/** The type that `dtype` asks for, by default that of the input. */
const like = (context: InferenceContext): ReturnType<OperatorDefinition['infer']> => [
  tensor(context.dtype('dtype', context.input(0).dtype), context.shape(0)),
];

const randomShape = (context: InferenceContext): ReturnType<OperatorDefinition['infer']> => {
  const shape = context.ints('shape') ?? context.fail('attribute "shape" is missing.', 'ERR_VAE_GRAPH');
  if (shape.some((dim) => dim < 0)) context.fail(`asks for the shape [${shape.join(', ')}].`);
  return [tensor(context.dtype('dtype', 'float32'), shape)];
};

function dropout(context: InferenceContext): ReturnType<OperatorDefinition['infer']> {
  expectType(context, 0, 'float');
  return [context.input(0), tensor('bool' as DataType, context.shape(0))];
}

const FLOAT_CODE = int(1);

export const CONSTANTS: readonly OperatorDefinition[] = [
  define('Constant', {
    inputs: 0,
    attributes: CONSTANT_KINDS,
    infer: (context) => {
      const constant = requireConstant(context);
      return [tensor(constant.dtype, constant.dims)];
    },
    propagate: (context) => knownElementsOf(requireConstant(context)),
  }),
  define('ConstantOfShape', {
    attributes: { value: 'tensor' },
    infer: (context) => {
      expectType(context, 0, 'index');
      return [tensor(fillValue(context)?.dtype ?? 'float32', shapeFrom(context, 0))];
    },
    propagate: (context) => {
      const dims = context.numbers(0);
      const length = dims?.reduce((product, dim) => product * dim, 1);
      if (length === undefined || !(length <= MAX_KNOWN_ELEMENTS)) return undefined;
      const value = fillValue(context);
      return new Array<number>(length).fill(value === undefined ? 0 : numbersOf(value)[0]!);
    },
  }),
  define('Range', { inputs: 3, infer: range, propagate: rangeElements }),
  define('EyeLike', {
    attributes: { dtype: 'int', k: int(0) },
    infer: (context) => {
      expectRank(context, 0, 2);
      return like(context);
    },
  }),
  define('RandomNormal', {
    inputs: 0,
    attributes: { dtype: FLOAT_CODE, mean: float(0), scale: float(1), seed: 'float', shape: 'ints' },
    infer: randomShape,
  }),
  define('RandomUniform', {
    inputs: 0,
    attributes: { dtype: FLOAT_CODE, high: float(1), low: float(0), seed: 'float', shape: 'ints' },
    infer: randomShape,
  }),
  define('RandomNormalLike', {
    attributes: { dtype: 'int', mean: float(0), scale: float(1), seed: 'float' },
    infer: like,
  }),
  define('RandomUniformLike', {
    attributes: { dtype: 'int', high: float(1), low: float(0), seed: 'float' },
    infer: like,
  }),
  define('Bernoulli', { since: 15, attributes: { dtype: 'int', seed: 'float' }, infer: like }),
  define('Multinomial', {
    attributes: { dtype: int(6), sample_size: int(1), seed: 'float' },
    infer: (context) => {
      const shape = expectRank(context, 0, 2);
      return [tensor(context.dtype('dtype', 'int32'), [shape?.[0] ?? context.freshDim(), context.int('sample_size')])];
    },
  }),
  define('Dropout', { inputs: [1, 3], outputs: [1, 2], attributes: { seed: 'int' }, infer: dropout }),
  ...defineAll(['HannWindow', 'HammingWindow', 'BlackmanWindow'], {
    since: 17,
    attributes: { output_datatype: FLOAT_CODE, periodic: int(1) },
    infer: (context) => {
      const length = context.elements(0)?.[0];
      return [tensor(context.dtype('output_datatype', 'float32'), [length ?? context.freshDim()])];
    },
  }),
];
