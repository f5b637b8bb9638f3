/** Convolutions and pooling in one, two and three dimensions. */
import type { DataType } from '../../core/dtype.js';
import { describeShape } from '../infer/broadcast.js';
import { asLength, divideExactly, multiplyDims } from '../infer/dims.js';
import type { Dim, Shape } from '../ir.js';
import type { InferenceContext, OperatorDefinition } from './definition.js';
import {
  define,
  defineAll,
  expectRank,
  expectType,
  float,
  freshShape,
  int,
  sameType,
  tensor,
  unify,
} from './helpers.js';
import { shapeFrom } from './shape.js';
import { spatial, transposedLength, WINDOW_ATTRIBUTES, windowCount, windowGeometry } from './windows.js';

const CONVOLUTION_ATTRIBUTES = { ...WINDOW_ATTRIBUTES, dilations: 'ints', group: int(1) } as const;

/** The kernel's size from the attribute or from the weights; undefined where neither tells. */
function kernelOf(context: InferenceContext, weights: Shape): readonly number[] | undefined {
  const sizes = weights.slice(2);
  const declared = context.ints('kernel_shape');
  if (declared !== undefined && declared.length > 0) {
    sizes.forEach((size, axis) => {
      if (typeof size === 'number' && size !== declared[axis]) {
        context.fail(
          `kernel_shape [${declared.join(', ')}] differs from that of the weights ${describeShape(weights)}.`,
        );
      }
    });
    return declared;
  }
  return sizes.every((size) => typeof size === 'number') ? (sizes as number[]) : undefined;
}

function groupsOf(context: InferenceContext): number {
  const groups = context.int('group');
  if (groups < 1) context.fail(`group must be positive and is ${groups}.`, 'ERR_VAE_GRAPH');
  return groups;
}

/** Shape of a convolution of input `x` with weights `w`, [M, C/group, kernel…]. */
function convolve(context: InferenceContext, x: number, w: number, bias: number): Shape | undefined {
  const weights = expectRank(context, w, 3, Number.POSITIVE_INFINITY);
  const input = context.shape(x);
  if (input === undefined || weights === undefined) return undefined;
  expectRank(context, x, weights.length);
  const lengths = spatial(context, input);
  const groups = groupsOf(context);
  const perGroup = multiplyDims(weights[1], groups);
  if (typeof input[1] === 'number' && typeof perGroup === 'number' && input[1] !== perGroup) {
    context.fail(
      `the input has ${input[1]} channels where weights ${describeShape(weights)} in ${groups} groups take ${perGroup}.`,
    );
  }
  const outputs = weights[0]!;
  if (typeof outputs === 'number' && outputs % groups !== 0)
    context.fail(`${outputs} output channels are not divisible by ${groups} groups.`);
  const biasShape = context.shape(bias);
  if (biasShape !== undefined) {
    expectRank(context, bias, 1);
    unify(context, biasShape[0]!, outputs, 'the lengths of bias and output channels');
  }
  const kernel = kernelOf(context, weights);
  if (kernel === undefined) return [input[0]!, outputs, ...freshShape(context, lengths.length)];
  const geometry = windowGeometry(context, lengths.length, kernel);
  return [input[0]!, outputs, ...lengths.map((length, axis) => windowCount(context, length, geometry, axis))];
}

function convolveTransposed(context: InferenceContext): Shape | undefined {
  const weights = expectRank(context, 1, 3, Number.POSITIVE_INFINITY);
  const input = context.shape(0);
  if (input === undefined || weights === undefined) return undefined;
  expectRank(context, 0, weights.length);
  const lengths = spatial(context, input);
  const groups = groupsOf(context);
  unify(context, input[1]!, weights[0]!, 'the channels of input and weights');
  const channels = asLength(multiplyDims(weights[1], groups)) ?? context.freshDim();
  const bias = context.shape(2);
  if (bias !== undefined) unify(context, bias[0] ?? 1, channels, 'the lengths of bias and output channels');
  const rank = lengths.length;
  const wanted = context.ints('output_shape');
  // Some writers give the whole shape, some only its spatial part.
  if (wanted !== undefined && wanted.length >= rank) return [input[0]!, channels, ...wanted.slice(-rank)];
  const kernel = kernelOf(context, weights);
  if (kernel === undefined) return [input[0]!, channels, ...freshShape(context, rank)];
  const geometry = windowGeometry(context, rank, kernel);
  const extra = context.ints('output_padding') ?? [];
  return [
    input[0]!,
    channels,
    ...lengths.map((length, axis) => {
      const result = transposedLength(length, geometry, axis, extra[axis] ?? 0);
      if (typeof result === 'number' && result < 0) context.fail(`padding leaves ${result} of axis ${axis}.`);
      return asLength(result) ?? context.freshDim();
    }),
  ];
}

function pool(context: InferenceContext): Shape | undefined {
  const input = context.shape(0);
  const kernel = context.ints('kernel_shape') ?? context.fail('attribute "kernel_shape" is missing.', 'ERR_VAE_GRAPH');
  if (input === undefined) return undefined;
  const lengths = spatial(context, input);
  const geometry = windowGeometry(context, lengths.length, kernel);
  const ceil = context.attribute('ceil_mode') !== undefined && context.int('ceil_mode') !== 0;
  return [input[0]!, input[1]!, ...lengths.map((length, axis) => windowCount(context, length, geometry, axis, ceil))];
}

const pooling = (context: InferenceContext) => [tensor(expectType(context, 0, 'float'), pool(context))];

const globalPooling = (context: InferenceContext) => {
  const dtype = expectType(context, 0, 'float');
  const input = context.shape(0);
  if (input === undefined) return [tensor(dtype, undefined)];
  return [tensor(dtype, [input[0]!, input[1]!, ...spatial(context, input).map(() => 1)])];
};

/** Regions of interest pooled to a fixed size: [number of regions, channels, height, width]. */
function regions(context: InferenceContext, height: number, width: number): Dim[] {
  const input = expectRank(context, 0, 4);
  return [context.shape(1)?.[0] ?? context.freshDim(), input?.[1] ?? context.freshDim(), height, width];
}

function foldColumns(context: InferenceContext): Shape | undefined {
  const columns = expectRank(context, 0, 3);
  const image = shapeFrom(context, 1);
  const block = context.numbers(2);
  if (columns === undefined || image === undefined) return undefined;
  const channels =
    divideExactly(
      columns[1],
      block?.reduce((product, size) => product * size, 1),
    ) ?? context.freshDim();
  return [columns[0]!, channels, ...image];
}

export const CONVOLUTIONS: readonly OperatorDefinition[] = [
  define('Conv', {
    inputs: [2, 3],
    attributes: CONVOLUTION_ATTRIBUTES,
    infer: (context) => [tensor(sameType(context, [0, 1, 2], 'float'), convolve(context, 0, 1, 2))],
  }),
  define('ConvTranspose', {
    inputs: [2, 3],
    attributes: { ...CONVOLUTION_ATTRIBUTES, output_padding: 'ints', output_shape: 'ints' },
    infer: (context) => [tensor(sameType(context, [0, 1, 2], 'float'), convolveTransposed(context))],
  }),
  define('ConvInteger', {
    inputs: [2, 4],
    attributes: CONVOLUTION_ATTRIBUTES,
    infer: (context) => {
      expectType(context, 0, 'byte');
      expectType(context, 1, 'byte');
      // Inputs 2 and 3 are zero points; there is no bias.
      return [tensor('int32', convolve(context, 0, 1, -1))];
    },
  }),
  define('QLinearConv', {
    inputs: [8, 9],
    attributes: CONVOLUTION_ATTRIBUTES,
    infer: (context) => [tensor(context.input(7).dtype, convolve(context, 0, 3, 8))],
  }),
  define('DeformConv', {
    since: 19,
    inputs: [3, 5],
    attributes: {
      dilations: 'ints',
      group: int(1),
      kernel_shape: 'ints',
      offset_group: int(1),
      pads: 'ints',
      strides: 'ints',
    },
    infer: (context) => {
      const dtype = sameType(context, [0, 1, 2, 3, 4], 'float');
      const input = context.shape(0);
      const offset = context.shape(2);
      const weights = context.shape(1);
      if (input === undefined || offset === undefined || weights === undefined) return [tensor(dtype, undefined)];
      return [tensor(dtype, [input[0]!, weights[0]!, ...offset.slice(2)])];
    },
  }),

  define('MaxPool', {
    outputs: [1, 2],
    attributes: { ...WINDOW_ATTRIBUTES, ceil_mode: int(0), dilations: 'ints', storage_order: int(0) },
    infer: (context) => {
      const shape = pool(context);
      return [tensor(context.input(0).dtype, shape), tensor('int64', shape)];
    },
  }),
  define('AveragePool', {
    attributes: { ...WINDOW_ATTRIBUTES, ceil_mode: int(0), count_include_pad: int(0) },
    infer: pooling,
  }),
  define('AveragePool', {
    since: 19,
    attributes: { ...WINDOW_ATTRIBUTES, ceil_mode: int(0), count_include_pad: int(0), dilations: 'ints' },
    infer: pooling,
  }),
  define('LpPool', { attributes: { ...WINDOW_ATTRIBUTES, p: int(2) }, infer: pooling }),
  define('LpPool', {
    since: 18,
    attributes: { ...WINDOW_ATTRIBUTES, ceil_mode: int(0), dilations: 'ints', p: int(2) },
    infer: pooling,
  }),
  ...defineAll(['GlobalAveragePool', 'GlobalMaxPool'], { infer: globalPooling }),
  define('GlobalLpPool', { attributes: { p: int(2) }, infer: globalPooling }),
  define('MaxUnpool', {
    inputs: [2, 3],
    attributes: { kernel_shape: 'ints', pads: 'ints', strides: 'ints' },
    infer: (context) => {
      const { dtype } = context.input(0);
      if (context.given(2)) return [tensor(dtype, shapeFrom(context, 2))];
      const input = context.shape(0);
      const kernel =
        context.ints('kernel_shape') ?? context.fail('attribute "kernel_shape" is missing.', 'ERR_VAE_GRAPH');
      if (input === undefined) return [tensor(dtype, undefined)];
      const strides = context.ints('strides') ?? kernel.map(() => 1);
      const pads = context.ints('pads') ?? new Array<number>(2 * kernel.length).fill(0);
      const geometry = { kernel, strides, pads, dilations: kernel.map(() => 1) };
      return [
        tensor(dtype, [
          input[0]!,
          input[1]!,
          ...spatial(context, input).map(
            (length, axis) => asLength(transposedLength(length, geometry, axis, 0)) ?? context.freshDim(),
          ),
        ]),
      ];
    },
  }),
  define('MaxRoiPool', {
    inputs: 2,
    attributes: { pooled_shape: 'ints', spatial_scale: float(1) },
    infer: (context) => {
      const [height = 1, width = 1] = context.ints('pooled_shape') ?? [];
      return [tensor(expectType(context, 0, 'float'), regions(context, height, width))];
    },
  }),
  ...[13, 16].map((since) => roiAlign(since)),
  define('Col2Im', {
    since: 18,
    inputs: 3,
    attributes: { dilations: 'ints', pads: 'ints', strides: 'ints' },
    infer: (context) => [tensor(context.input(0).dtype, foldColumns(context))],
  }),
];

function roiAlign(since: number): OperatorDefinition {
  return define('RoiAlign', {
    since,
    inputs: 3,
    attributes: {
      ...(since >= 16 ? { coordinate_transformation_mode: { kind: 'string', value: 'half_pixel' } } : {}),
      mode: { kind: 'string', value: 'avg' },
      output_height: int(1),
      output_width: int(1),
      sampling_ratio: int(0),
      spatial_scale: float(1),
    },
    infer: (context) => {
      const dtype: DataType = expectType(context, 0, 'float');
      return [tensor(dtype, regions(context, context.int('output_height'), context.int('output_width')))];
    },
  });
}
