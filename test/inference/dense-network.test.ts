/** Networks of fully connected layers, beside ONNX Runtime on the same graph. */
import { describe, expect, test } from 'vitest';
import type { DenseNetworkSpec, NativeTensor } from '../../src/binding/addon.js';
import { loadAddon } from '../../src/binding/index.js';
import { GraphBuilder, type Model, writeModel } from '../../src/graph/index.js';
import { findDenseNetwork, readDenseNetwork } from '../../src/inference/sessions/dense-network.js';

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

const off = (values: Float32Array, right: number[], row: number, value: number, i: number): number =>
  Math.abs(value - values[row * right.length + i]!);

const ACTIVATIONS = {
  none: (x: number) => x,
  relu: (x: number) => Math.max(0, x),
  sigmoid: (x: number) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
};

/** Some of the rows in double precision: the outputs of each in the order in which both() has them. */
function* exact({ inputs, layers }: DenseNetworkSpec, { data, dims }: NativeTensor): Generator<[number, number[][]]> {
  const count = dims[0]!;
  for (let row = 0; row < count; row += Math.ceil(count / 9)) {
    const values = [Array.from(data.subarray(row * inputs, (row + 1) * inputs) as Float32Array)];
    for (const { from, outputs, weights, bias, activation } of layers) {
      const sums = Array.from({ length: outputs }, (_, o) => bias?.[o] ?? 0);
      values[from]!.forEach((value, i) => {
        for (let o = 0; o < outputs; o += 1) sums[o]! += value * weights![i * outputs + o]!;
      });
      values.push(sums.map(ACTIVATIONS[activation]));
    }
    const heads = [1, 0].map((index) => values[1 + layers.findIndex(({ output }) => output === index)]!);
    yield [row, heads];
  }
}

/** All outputs in another order than the graph's, from the second run on, which may take the short cut. */
async function both(model: Model, width: number, threads: number, count: number): Promise<Float32Array[][]> {
  const results: Float32Array[][] = [];
  for (const denseNetwork of [findDenseNetwork(model.graph), undefined]) {
    const options = { intraOpThreads: threads, denseNetwork };
    const session = await loadAddon().createInferenceSession(writeModel(model), options);
    const wanted = [{ name: 'spread' }, { name: 'mean' }];
    await session.run({ x: rows(count, width, wave(count * width, 1, 9)) }, wanted);
    results.push((await session.run({ x: rows(count, width) }, wanted)).map(({ data }) => data as Float32Array));
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
    ['Relu', 'Sigmoid', 1, 1],
    ['Tanh', 'Tanh', 2, 1],
    ['Sigmoid', undefined, 2, 5],
    ['Relu', undefined, 0, 1],
    ['Tanh', 'Sigmoid', 1, 13],
    ['Relu', 'Tanh', 0, 37],
    ['Relu', 'Sigmoid', 2, 1100],
  ] as const)('%s, then %s, with %d threads and %d rows: as ONNX Runtime', async (activation, last, threads, count) => {
    const model = chain(widths, activation, last);
    expect(findDenseNetwork(model.graph)?.layers).toHaveLength(widths.length);
    const [ours, theirs] = await both(model, widths[0]!, threads, count);
    for (const [row, outputs] of exact(findDenseNetwork(model.graph)!, rows(count, widths[0]!))) {
      const worst = (results: Float32Array[]): number =>
        Math.max(...outputs.flatMap((right, o) => right.map((value, i) => off(results[o]!, right, row, value, i))));
      expect(worst(ours!)).toBeLessThan(8 * worst(theirs!) + 1e-6);
    }
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
  const denseNetwork = findDenseNetwork(g.model.graph);
  const session = await loadAddon().createInferenceSession(writeModel(g.model), { denseNetwork });
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
    denseNetwork: findDenseNetwork(model.graph),
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

// There, batches are ONNX Runtime's (native/inference/session.cc).
test.skipIf(process.platform === 'win32')('a row gives the same bits in any batch and by any threads', async () => {
  const model = chain([784, 400, 20], 'Relu', 'Sigmoid');
  const all = wave(300 * 784, 1, 0.1);
  const results: string[] = [];
  for (const intraOpThreads of [1, 2]) {
    const session = await loadAddon().createInferenceSession(writeModel(model), {
      intraOpThreads,
      denseNetwork: findDenseNetwork(model.graph),
    });
    const wanted = [{ name: 'mean' }, { name: 'spread' }];
    for (const size of [1, 7, 64, 300]) {
      const found = wanted.map(() => new Float32Array(300 * 20));
      for (let again = 0; again < 2; again += 1) {
        for (let from = 0; from < 300; from += size) {
          const count = Math.min(size, 300 - from);
          const data = all.slice(from * 784, (from + count) * 784);
          const outputs = await session.run({ x: rows(count, 784, data) }, wanted);
          outputs.forEach((output, i) => {
            found[i]!.set(output.data as Float32Array, from * 20);
          });
        }
      }
      results.push(found.map((values) => Buffer.from(values.buffer).toString('base64')).join());
    }
    await session.close();
  }
  expect(new Set(results).size).toBe(1);
});

test('aborted or closed in the middle, a run ends, and the next one is right', async () => {
  const model = chain([784, 1024, 1024, 20], 'Relu');
  const session = await loadAddon().createInferenceSession(writeModel(model), {
    denseNetwork: findDenseNetwork(model.graph),
  });
  const wanted = [{ name: 'mean' }];
  const feeds = { x: rows(512, 784) };
  await session.run(feeds, wanted);
  const [expected] = await session.run(feeds, wanted);
  let aborted = 0;
  for (let round = 0; round < 30; round += 1) {
    const flag = new (loadAddon().AbortFlag)();
    const running = session.run(feeds, wanted, flag).then(
      ([output]) => expect(output!.data).toEqual(expected!.data),
      (error) => {
        expect(error).toMatchObject({ name: 'AbortError' });
        aborted += 1;
      },
    );
    for (let turn = 0; turn < round % 10; turn += 1) await new Promise(setImmediate);
    flag.abort();
    await running;
  }
  expect(aborted).toBeGreaterThan(0);
  const last = session.run(feeds, wanted);
  await session.close();
  expect((await last)[0]!.data).toEqual(expected!.data);
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
    expect(findDenseNetwork(g.model.graph)).toBeUndefined();
  });

  test('and so is what cannot be read', async () => {
    expect(await readDenseNetwork(new Uint8Array([1, 2, 3]))).toBeUndefined();
    expect(await readDenseNetwork('/nowhere/model.onnx')).toBeUndefined();
  });
});

test('NaN and infinity are refused when asked for', async () => {
  const model = chain([40, 20, 3], 'Relu');
  for (const denseNetwork of [findDenseNetwork(model.graph), undefined]) {
    const session = await loadAddon().createInferenceSession(writeModel(model), { denseNetwork });
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
    const denseNetwork = { inputs: 4, layers };
    await expect(loadAddon().createInferenceSession(writeModel(model), { denseNetwork })).rejects.toMatchObject({
      code: 'ERR_VAE_GRAPH',
      message: expect.stringContaining('layer 0'),
    });
  }
});
