/** The order in which gradients are computed. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { generateArtifacts } from '../../src/artifacts/generate.js';
import { orderForRelease } from '../../src/artifacts/release-order.js';
import { loadAddon } from '../../src/binding/index.js';
import { constantOf, GraphBuilder, verifyModel, writeModel } from '../../src/graph/index.js';
import { temporaryFolder } from '../support/temporary.js';

const LAYERS = [1, 2, 3, 4, 5];
const SIZE = 8;

const folder = temporaryFolder('order');

function chain() {
  const g = new GraphBuilder();
  let h = g.input('x', 'float32', ['N', SIZE]);
  for (const layer of LAYERS) {
    const data = Float32Array.from({ length: SIZE * SIZE }, (_, i) => Math.sin(i + layer));
    const w = g.initializer(`w${layer}`, constantOf(data, 'float32', [SIZE, SIZE]));
    h = g.op('Tanh', [g.op('MatMul', [h, w], {}, { name: `layer${layer}` })]);
  }
  g.output('loss', g.op('ReduceSum', [h], { keepdims: 0 }));
  const optimizer = {
    type: 'sgd',
    learningRate: 0.1,
    momentum: 0,
    nesterov: false,
    dampening: 0,
    weightDecay: 0,
  } as const;
  return generateArtifacts({ model: g.model, optimizer });
}

test('each weight’s gradient runs before the gradient of the layer in front', async () => {
  const { trainingModel, manifest } = chain();
  const session = await loadAddon().createTrainingSession({
    trainingModel: writeModel(trainingModel),
    parameters: manifest.parameters.map(({ name, dims, gradient }) => ({ name, dims, gradient, trainable: true })),
    states: [],
    feeds: [{ kind: 'given', name: 'x' }],
    scalars: ['loss'],
    perExample: [],
    optimizer: { type: 'sgd', momentum: 0, nesterov: false, dampening: 0, weightDecay: 0 },
    // Fused nodes have other names.
    optimizationLevel: 1,
    profilePrefix: join(folder, 'profile'),
    seed: 1n,
  });
  await session.accumulate({
    indices: new Uint32Array(4),
    batchSizes: Uint32Array.of(4),
    firstMicroBatch: 0,
    scalars: {},
    learningRates: Float64Array.of(0),
    accumulate: 1,
    given: { x: { dtype: 'float32', dims: [4, SIZE], data: new Float32Array(4 * SIZE).fill(0.5) } },
  });
  const events = JSON.parse(await readFile(session.endProfiling(), 'utf8')) as { name: string; ts: number }[];
  await session.close();
  const at = (name: string): number => {
    const found = events.filter((event) => event.name === `${name}_kernel_time`);
    expect(found.map((event) => event.name)).toHaveLength(1);
    return found[0]!.ts;
  };
  const makers = new Map(
    trainingModel.graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)),
  );
  const gradientNode = (layer: number): string => {
    let node = makers.get(`w${layer}_grad`)!;
    while (node.op === 'Identity' || node.op === 'Reshape') node = makers.get(node.inputs[0]!)!;
    return node.name;
  };
  const times = LAYERS.map((layer) => at(gradientNode(layer)));
  expect([...times].sort((a, b) => b - a)).toEqual(times);
  // The way back through layer 4 needs what the gradient of w5 does; it must not come first.
  const back = trainingModel.graph.nodes.find(
    ({ name, inputs }) => name.startsWith('layer4/grad/') && inputs.includes('w4'),
  )!;
  expect(times[4]).toBeLessThan(at(back.name));
});

test('only the order changes, and it stays one in which nodes can run', () => {
  const { trainingModel } = chain();
  const names = trainingModel.graph.nodes.map(({ name }) => name);
  verifyModel(trainingModel);
  orderForRelease(trainingModel.graph);
  verifyModel(trainingModel);
  expect(trainingModel.graph.nodes.map(({ name }) => name).sort()).toEqual(names.sort());
});
