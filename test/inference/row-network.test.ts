/** Networks of fully connected layers on single rows, beside ONNX Runtime on the same graph. */
import { describe, expect, test } from 'vitest';
import type { NativeTensor } from '../../src/binding/addon.js';
import { loadAddon } from '../../src/binding/index.js';
import { GraphBuilder, type Model, writeModel } from '../../src/graph/index.js';
import { findRowNetwork, readRowNetwork } from '../../src/inference/row-network.js';

const wave = (length: number, scale: number, phase: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => scale * Math.sin(i * 1.7 + phase));

/** An encoder's form: an activation after each layer but the last, which is there twice. */
function chain(widths: readonly number[], activation: string, last?: string): Model {
  const g = new GraphBuilder();
  const input = g.input('x', 'float32', ['N', 1, widths[0]!]);
  const dense = (from: typeof input, inputs: number, outputs: number, transB: number): typeof input => {
    const weight = g.constant(wave(inputs * outputs, 2 / Math.sqrt(inputs), outputs), 'float32', [
      ...(transB === 1 ? [outputs, inputs] : [inputs, outputs]),
    ]);
    return g.op('Gemm', [from, weight, g.constant(wave(outputs, 0.5, 3), 'float32', [outputs])], { transB });
  };
  let value = g.op('Flatten', [input], { axis: 1 });
  for (let i = 1; i + 1 < widths.length; i += 1) {
    value = g.op(activation, [dense(value, widths[i - 1]!, widths[i]!, i % 2)]);
  }
  const width = widths.at(-1)!;
  for (const [index, name] of ['mean', 'spread'].entries()) {
    const head = dense(value, widths.at(-2)!, width, index);
    const ended = last !== undefined && index === 0 ? g.op(last, [head]) : head;
    g.output(name, g.op('Reshape', [ended, g.int64s([-1, width])]));
  }
  return g.model;
}

function rows(count: number, width: number, data = wave(count * width, 2, 0.3)): NativeTensor {
  return { dtype: 'float32', dims: [count, 1, width], data };
}

/** All outputs in another order than the graph's, from the second run on, which may take the short cut. */
async function both(model: Model, width: number, threads: number): Promise<Float32Array[][]> {
  const results: Float32Array[][] = [];
  for (const rowNetwork of [findRowNetwork(model.graph), undefined]) {
    const options = { intraOpThreads: threads, rowNetwork };
    const session = await loadAddon().createInferenceSession(writeModel(model), options);
    const wanted = [{ name: 'spread' }, { name: 'mean' }];
    await session.run({ x: rows(1, width, wave(width, 1, 9)) }, wanted);
    results.push((await session.run({ x: rows(1, width) }, wanted)).map(({ data }) => data as Float32Array));
    await session.close();
  }
  return results;
}

describe.each([
  // Strips of 16 outputs in every grouping, layers that are shared among threads and layers that are not.
  [[7, 3]],
  [[33, 16, 5]],
  [[100, 81, 40, 17]],
  [[784, 400, 20]],
  [[300, 512, 700, 96]],
])('layers of %j', (widths) => {
  test.each([
    ['Relu', 'Sigmoid', 1],
    ['Tanh', 'Tanh', 2],
    ['Sigmoid', undefined, 2],
    ['Relu', undefined, 0],
  ] as const)('%s, then %s, with %d threads: as ONNX Runtime computes it', async (activation, last, threads) => {
    const model = chain(widths, activation, last);
    expect(findRowNetwork(model.graph)?.layers).toHaveLength(widths.length);
    const [ours, theirs] = await both(model, widths[0]!, threads);
    ours!.forEach((values, output) => {
      const far = values.findIndex((value, i) => {
        const other = theirs![output]![i]!;
        return Math.abs(value - other) > 3e-6 * Math.max(1, Math.abs(other)) * Math.sqrt(widths[0]!);
      });
      expect(far).toBe(-1);
    });
  });
});

test('extreme sums saturate as they should', async () => {
  const g = new GraphBuilder();
  const x = g.input('x', 'float32', ['N', 4]);
  const weight = g.constant([200, 0, 0, 0, 0, -200, 0, 0, 0, 0, 90, 0, 0, 0, 0, 1e-6], 'float32', [4, 4]);
  for (const [name, op] of [
    ['s', 'Sigmoid'],
    ['t', 'Tanh'],
  ] as const) {
    g.output(name, g.op(op, [g.op('Gemm', [x, weight])]));
  }
  const rowNetwork = findRowNetwork(g.model.graph);
  const session = await loadAddon().createInferenceSession(writeModel(g.model), { rowNetwork });
  const run = () =>
    session.run({ x: { dtype: 'float32', dims: [1, 4], data: new Float32Array([1, 1, 1, 1]) } }, [
      { name: 's' },
      { name: 't' },
    ]);
  await run();
  const [s, t] = (await run()).map(({ data }) => [...(data as Float32Array)]);
  expect(s![0]).toBe(1);
  expect(s![1]).toBeGreaterThanOrEqual(0);
  expect(s![1]).toBeLessThan(1e-37);
  expect(s![3]).toBeCloseTo(0.5, 6);
  expect(t!.slice(0, 3)).toEqual([1, -1, 1]);
  expect(t![3]).toBeCloseTo(1e-6, 7);
  await session.close();
});

test('the same row gives the same bits in every run, however many are in flight', async () => {
  const model = chain([784, 400, 20], 'Relu');
  const session = await loadAddon().createInferenceSession(writeModel(model), {
    rowNetwork: findRowNetwork(model.graph),
  });
  const run = async (): Promise<string> => {
    const results = await session.run({ x: rows(1, 784) }, [{ name: 'mean' }, { name: 'spread' }]);
    return results.map(({ data }) => Buffer.from(data.buffer).toString('hex')).join();
  };
  await run();
  const first = await run();
  for (let round = 0; round < 50; round += 1) {
    expect(new Set(await Promise.all(Array.from({ length: 1 + (round % 9) }, run)))).toEqual(new Set([first]));
  }
  await session.close();
});

describe('what is not such a network is left to ONNX Runtime', () => {
  const graphs: Record<string, (g: GraphBuilder) => void> = {
    'another operator': (g) => {
      const x = g.input('x', 'float32', ['N', 4]);
      g.output('y', g.op('Softplus', [x]));
    },
    'a sum of two layers': (g) => {
      const x = g.input('x', 'float32', ['N', 2]);
      const weight = g.constant([1, 2, 3, 4], 'float32', [2, 2]);
      g.output('y', g.op('Add', [g.op('Gemm', [x, weight]), x]));
    },
    'a layer that is seen before and after its activation': (g) => {
      const x = g.input('x', 'float32', ['N', 2]);
      const layer = g.op('Gemm', [x, g.constant([1, 2, 3, 4], 'float32', [2, 2])]);
      g.output('y', g.op('Relu', [layer]));
      g.output('z', g.op('Identity', [layer]));
    },
    'a factor of the product': (g) => {
      const x = g.input('x', 'float32', ['N', 2]);
      g.output('y', g.op('Gemm', [x, g.constant([1, 2, 3, 4], 'float32', [2, 2])], { alpha: 2 }));
    },
    'a row that becomes two': (g) => {
      const x = g.input('x', 'float32', ['N', 4]);
      const halves = g.op('Reshape', [x, g.int64s([-1, 2])]);
      g.output('y', g.op('Gemm', [halves, g.constant([1, 2, 3, 4], 'float32', [2, 2])]));
    },
    'two inputs': (g) => {
      const x = g.input('x', 'float32', ['N', 2]);
      g.output('y', g.op('Gemm', [x, g.input('w', 'float32', [2, 2])]));
    },
  };
  test.each(Object.keys(graphs))('%s', (name) => {
    const g = new GraphBuilder();
    graphs[name]!(g);
    expect(findRowNetwork(g.model.graph)).toBeUndefined();
  });

  test('and so is what cannot be read', async () => {
    expect(await readRowNetwork(new Uint8Array([1, 2, 3]))).toBeUndefined();
    expect(await readRowNetwork('/nowhere/model.onnx')).toBeUndefined();
  });
});

test('NaN and infinity are refused when asked for', async () => {
  const model = chain([40, 20, 3], 'Relu');
  for (const rowNetwork of [findRowNetwork(model.graph), undefined]) {
    const session = await loadAddon().createInferenceSession(writeModel(model), { rowNetwork });
    const wanted = [{ name: 'mean' }, { name: 'spread' }];
    for (const count of [1, 3]) {
      for (let again = 0; again < 3; again += 1) {
        await session.run({ x: rows(count, 40) }, wanted, undefined, true);
        for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
          const data = wave(40 * count, 1, 0);
          data[40 * count - 1 - again] = bad;
          await expect(session.run({ x: rows(count, 40, data) }, wanted, undefined, true)).rejects.toMatchObject({
            code: 'ERR_VAE_DATA',
            message: expect.stringContaining("'x'"),
          });
        }
      }
    }
    await session.close();
  }
});

test('layers that do not fit together are refused', async () => {
  const model = chain([4, 3, 2], 'Relu');
  const layer = { from: 0, inputs: 4, outputs: 2, weights: new Float32Array(8), activation: 'none' as const };
  for (const layers of [
    [{ ...layer, inputs: 5 }],
    [{ ...layer, weights: new Float32Array(7) }],
    [{ ...layer, from: 1 }],
    [{ ...layer, bias: new Float32Array(3) }],
  ]) {
    const rowNetwork = { inputs: 4, layers };
    await expect(loadAddon().createInferenceSession(writeModel(model), { rowNetwork })).rejects.toMatchObject({
      code: 'ERR_VAE_GRAPH',
      message: expect.stringContaining('layer 0'),
    });
  }
});
