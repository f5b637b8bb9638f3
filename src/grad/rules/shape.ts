/** Operators that move, repeat or leave out elements without computing with them. */
import type { Value } from '../../graph/builder.js';
import type { GradientContext } from '../context.js';
import { type GradientTable, rule } from '../registry.js';
import { lengthTensor, targetOf } from '../shapes.js';

type Gradients = readonly (Value | undefined)[];

/** Same elements, other shape: the gradient takes the input's shape back. */
function reshaped(context: GradientContext): Gradients {
  return [context.reshapeLike(context.gradient(), context.input(0))];
}

function transposed(context: GradientContext): Gradients {
  const x = context.input(0);
  const rank = context.rank(x);
  const order = context.ints('perm') ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
  const inverse = Array.from({ length: rank }, (_, axis) => order.indexOf(axis));
  return [context.transpose(context.gradient(), inverse)];
}

function concatenated(context: GradientContext): Gradients {
  const { builder } = context;
  const axis = context.axis(0, context.inputs.find((input) => input?.shape !== undefined) ?? context.input(0));
  const gradient = context.gradient();
  const wanted = context.inputs.map((_, index) => context.needs(index));
  const lengths = context.inputs.map((input) => input!.shape?.[axis]);
  if (lengths.every((length) => typeof length === 'number') && wanted.filter(Boolean).length * 2 <= wanted.length) {
    // A few pieces of many: cut those out.
    let start = 0;
    return lengths.map((length, index) => {
      const from = start;
      start += length as number;
      return wanted[index] ? sliceAxis(context, gradient, axis, from, start) : undefined;
    });
  }
  if (context.inputs.length === 1) return [gradient];
  const sizes = context.inputs.map((input) => lengthTensor(builder, input!, axis));
  const split = lengths.every((length) => typeof length === 'number')
    ? builder.int64s(lengths as number[])
    : context.op('Concat', sizes, { axis: 0 });
  const pieces = context.ops('Split', [gradient, split], { axis }, context.inputs.length);
  return pieces.map((piece, index) => (wanted[index] ? piece : undefined));
}

function sliceAxis(context: GradientContext, value: Value, axis: number, start: number, end: number): Value {
  const { builder } = context;
  return context.op('Slice', [value, builder.int64s([start]), builder.int64s([end]), builder.int64s([axis])]);
}

function split(context: GradientContext): Gradients {
  const outputs = context.node.outputs;
  if (outputs.includes('')) context.fail('a Split with an output left out');
  const pieces = outputs.map((_, index) => context.gradient(index));
  const whole = pieces.length === 1 ? pieces[0]! : context.op('Concat', pieces, { axis: context.axis(0) });
  return [whole, undefined];
}

function expanded(context: GradientContext): Gradients {
  return [context.unbroadcast(context.compactGradient(), context.input(0)), undefined];
}

/** Each axis was laid down `repeats` times: seen as [repeats, length], the first is summed. */
function tiled(context: GradientContext): Gradients {
  const { builder } = context;
  const x = context.input(0);
  const rank = context.rank(x);
  if (rank === 0) return [context.gradient(), undefined];
  const repeats = context.elements(1);
  const pairs =
    repeats &&
    targetOf(
      builder,
      repeats.flatMap((count, axis) => [count, x.shape![axis]!]),
    );
  const interleaved =
    pairs ??
    context.op('Reshape', [
      context.op(
        'Concat',
        [context.input(1), context.shapeOf(x)].map((list) => context.op('Unsqueeze', [list, builder.int64s([1])])),
        { axis: 1 },
      ),
      builder.int64s([-1]),
    ]);
  const copies = context.op('Reshape', [context.gradient(), interleaved]);
  return [
    context.reduceSum(
      copies,
      Array.from({ length: rank }, (_, axis) => 2 * axis),
      false,
    ),
    undefined,
  ];
}

/** Blocks of an image's pixels moved into channels and back. */
function depthToSpace(context: GradientContext): Gradients {
  const blocksize = context.int('blocksize', 1);
  const gradient = context.gradient();
  if (context.string('mode', 'DCR') === 'DCR') return [context.op('SpaceToDepth', [gradient], { blocksize })];
  // CRD: channels are [C, block, block]; SpaceToDepth would make [block, block, C].
  const x = context.input(0);
  const channels = x.shape?.[1];
  if (typeof channels !== 'number') context.fail('DepthToSpace in CRD mode with an unknown number of channels');
  const moved = context.op('SpaceToDepth', [gradient], { blocksize });
  const { builder } = context;
  const grouped = context.op('Reshape', [
    moved,
    builder.int64s([0, blocksize * blocksize, (channels as number) / (blocksize * blocksize), -1]),
  ]);
  return [context.reshapeLike(context.transpose(grouped, [0, 2, 1, 3]), x)];
}

function reversedSequence(context: GradientContext): Gradients {
  const gradient = context.op('ReverseSequence', [context.gradient(), context.input(1)], {
    batch_axis: context.int('batch_axis', 1),
    time_axis: context.int('time_axis', 0),
  });
  return [gradient, undefined];
}

export const SHAPE: GradientTable = {
  Reshape: rule(reshaped),
  Flatten: rule(reshaped),
  Squeeze: rule(reshaped),
  Unsqueeze: rule(reshaped),
  Transpose: rule(transposed),
  Concat: rule(concatenated),
  Split: rule(split),
  Expand: rule(expanded),
  Tile: rule(tiled),
  DepthToSpace: rule(depthToSpace),
  SpaceToDepth: rule((context) => [
    context.op('DepthToSpace', [context.gradient()], { blocksize: context.int('blocksize', 1), mode: 'DCR' }),
  ]),
  Trilu: rule((context) => [
    context.op('Trilu', [context.gradient(), context.inputs[1]], { upper: context.int('upper', 1) }),
    undefined,
  ]),
  ReverseSequence: rule(reversedSequence),
};
