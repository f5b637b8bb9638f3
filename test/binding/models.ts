/** Small models made for the tests of the addon. */
import { GraphBuilder, type Value, writeModel } from '../../src/graph/index.js';

/** x [N, width] → y = tanh(x W) [N, outputs], sum = row sums of y [N]; W made by a formula. */
export function denseModel(width: number, outputs: number): Uint8Array {
  const builder = new GraphBuilder();
  const x = builder.input('x', 'float32', ['N', width]);
  const weights = Float32Array.from({ length: width * outputs }, (_, i) => Math.sin(i * 0.37) / Math.sqrt(width));
  const w = builder.constant(weights, 'float32', [width, outputs]);
  const y = builder.op('Tanh', [builder.op('MatMul', [x, w])]);
  builder.output('y', y);
  builder.output('sum', builder.op('ReduceSum', [y, builder.int64s([1])], { keepdims: 0 }));
  return writeModel(builder.model);
}

/** A chain of square products, so that a run lasts long enough to be interrupted between operators. */
export function slowModel(layers: number, width: number): Uint8Array {
  const builder = new GraphBuilder();
  let value = builder.input('x', 'float32', ['N', width]);
  const weights = Float32Array.from({ length: width * width }, (_, i) => Math.cos(i * 0.71) / Math.sqrt(width));
  const w = builder.constant(weights, 'float32', [width, width]);
  for (let layer = 0; layer < layers; layer += 1) value = builder.op('Tanh', [builder.op('MatMul', [value, w])]);
  builder.output('y', value);
  return writeModel(builder.model);
}

/** x [N] → the indices of its non-zero elements: a shape that depends on values, not on shapes. */
export function dataDependentModel(): Uint8Array {
  const builder = new GraphBuilder();
  const x = builder.input('x', 'float32', ['N']);
  builder.output('indices', builder.op('NonZero', [x]));
  return writeModel(builder.model);
}

export const LINEAR = { inputs: 3, outputs: 2, noiseStream: 11 } as const;

/**
 * A regression with its gradient written out by hand:
 *   prediction = (x W + b) * gain + noise, loss = weight * mean((prediction - target)^2),
 * W [3, 2] and b [2] trainable, gain [2] frozen, and a running mean of x as state.
 */
export function linearTrainingModel(): Uint8Array {
  const builder = new GraphBuilder();
  const { prediction, x, gain, difference, weight } = linear(builder);
  const loss = builder.op('Mul', [weight, builder.op('ReduceMean', [square(builder, difference)], { keepdims: 0 })]);
  const size = builder.op('Cast', [builder.op('Size', [prediction])], { to: 'float32' });
  const factor = builder.op('Div', [builder.op('Mul', [weight, builder.scalar(2)]), size]);
  const perOutput = builder.op('Mul', [builder.op('Mul', [difference, factor]), gain]);
  const transposed = builder.op('Transpose', [x], { perm: [1, 0] });
  builder.output('loss', loss);
  builder.output('loss_again', builder.op('Identity', [loss]));
  builder.output('W_grad', builder.op('MatMul', [transposed, perOutput]));
  builder.output('b_grad', builder.op('ReduceSum', [perOutput, builder.int64s([0])], { keepdims: 0 }));
  const running = builder.input('running', 'float32', [LINEAR.inputs]);
  const mean = builder.op('ReduceMean', [x, builder.int64s([0])], { keepdims: 0 });
  const kept = builder.op('Mul', [running, builder.scalar(0.75)]);
  builder.output('running_next', builder.op('Add', [kept, builder.op('Mul', [mean, builder.scalar(0.25)])]));
  return writeModel(builder.model);
}

/** The squared error of each example, by the same formula. */
export function linearEvalModel(dtype: 'float32' | 'float64' = 'float32'): Uint8Array {
  const builder = new GraphBuilder();
  const { difference, weight } = linear(builder);
  const perExample = builder.op('ReduceMean', [square(builder, difference), builder.int64s([1])], { keepdims: 0 });
  const weighted = builder.op('Mul', [perExample, weight]);
  builder.output('loss_each', dtype === 'float32' ? weighted : builder.op('Cast', [weighted], { to: dtype }));
  return writeModel(builder.model);
}

function linear(builder: GraphBuilder) {
  const x = builder.input('x', 'float32', ['N', LINEAR.inputs]);
  const target = builder.input('target', 'float32', ['N', LINEAR.outputs]);
  const noise = builder.input('noise', 'float32', ['N', LINEAR.outputs]);
  const weight = builder.input('weight', 'float32', []);
  const w = builder.input('W', 'float32', [LINEAR.inputs, LINEAR.outputs]);
  const gain = builder.input('gain', 'float32', [LINEAR.outputs]);
  const b = builder.input('b', 'float32', [LINEAR.outputs]);
  const affine = builder.op('Add', [builder.op('MatMul', [x, w]), b]);
  const prediction = builder.op('Add', [builder.op('Mul', [affine, gain]), noise]);
  return { x, weight, gain, prediction, difference: builder.op('Sub', [prediction, target]) };
}

function square(builder: GraphBuilder, value: Value): Value {
  return builder.op('Mul', [value, value]);
}
