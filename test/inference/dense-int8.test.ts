/** Fully connected layers in 8-bit integers, beside ONNX Runtime on the same graph. */
import { describe, expect, test } from 'vitest';
import type { DenseNetworkSpec, NativeTensor } from '../../src/binding/addon.js';
import { loadAddon } from '../../src/binding/index.js';
import { GraphBuilder, type Model, type Value, writeModel } from '../../src/graph/index.js';
import { quantizedInputs, quantizeModel } from '../../src/inference/int8/quantize-graph.js';
import { findDenseNetwork } from '../../src/inference/sessions/dense-network.js';

const wave = (length: number, scale: number, phase: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => scale * Math.sin(i * 1.7 + phase));

/** Layers with an activation between, the last one twice, quantized. Values in some ranges go beyond what is measured. */
function quantized(widths: readonly number[], activation: string, last?: string): Model {
  const g = new GraphBuilder();
  let value: Value = g.op('Flatten', [g.input('x', 'float32', ['N', 1, widths[0]!])], { axis: 1 });
  const dense = (from: Value, inputs: number, outputs: number, transB: number): Value => {
    const dims = transB === 1 ? [outputs, inputs] : [inputs, outputs];
    const weight = g.constant(wave(inputs * outputs, 2 / Math.sqrt(inputs), outputs), 'float32', dims);
    return g.op('Gemm', [from, weight, g.constant(wave(outputs, 0.5, 3), 'float32', [outputs])], { transB });
  };
  for (let i = 1; i + 1 < widths.length; i += 1) {
    value = g.op(activation, [dense(value, widths[i - 1]!, widths[i]!, i % 2)]);
  }
  for (const [index, name] of ['mean', 'spread'].entries()) {
    const head = dense(value, widths.at(-2)!, widths.at(-1)!, index);
    g.output(name, last !== undefined && index === 0 ? g.op(last, [head]) : head);
  }
  const ranges = quantizedInputs(g.model).map((name, i) => [name, { min: i === 0 ? -1.7 : -0.9, max: 1.3 }] as const);
  return quantizeModel(g.model, new Map(ranges)).model;
}

function rows(count: number, width: number): NativeTensor {
  return { dtype: 'float32', dims: [count, 1, width], data: wave(count * width, 2, 0.3) };
}

async function run(model: Model, feed: NativeTensor, threads: number, denseNetwork?: DenseNetworkSpec) {
  const session = await loadAddon().createInferenceSession(writeModel(model), {
    intraOpThreads: threads,
    denseNetwork,
  });
  const wanted = [{ name: 'spread' }, { name: 'mean' }];
  await session.run({ x: feed }, wanted);
  const results = await session.run({ x: feed }, wanted);
  await session.close();
  return results.map(({ data }) => data as Float32Array);
}

const integers = ({ layers }: DenseNetworkSpec): number => layers.filter(({ int8 }) => int8 !== undefined).length;

/** Half to even, as QuantizeLinear has it. */
function roundEven(value: number): number {
  const near = Math.round(value);
  return near - value === 0.5 && near % 2 !== 0 ? near - 1 : near;
}

/** One row by the definition of the operators, in double precision but for what they round: `spread`, then `mean`. */
function byDefinition({ layers }: DenseNetworkSpec, row: Float32Array): Float32Array[] {
  const values = [row];
  for (const { from, outputs, int8, activation } of layers) {
    const { scale, zero, weights, bias, scales } = int8!;
    const steps = Array.from(values[from]!, (value) => {
      const whole = roundEven(Math.fround(value / scale)) + zero;
      return Math.min(255, Math.max(0, whole)) - zero;
    });
    const sums = Array.from({ length: outputs }, (_, o) =>
      steps.reduce((sum, step, i) => sum + step * weights[i * outputs + o]!, bias?.[o] ?? 0),
    );
    const scaled = Float32Array.from(sums, (sum, o) => Math.fround(sum) * Math.fround(scale * scales[o]!));
    values.push(activation === 'relu' ? scaled.map((value) => Math.max(0, value)) : scaled);
  }
  return [1, 0].map((index) => values[1 + layers.findIndex(({ output }) => output === index)]!);
}

// Elsewhere ONNX Runtime computes, whose kernels round some ties otherwise.
const native = process.arch === 'x64' && process.platform !== 'win32';

describe.runIf(native).each([[[70, 33]], [[100, 81, 40, 37]], [[783, 401, 20]]])('layers of %j', (widths) => {
  test.each([1, 29, 1100])('%d rows: as the operators are defined', async (count) => {
    const model = quantized(widths, 'Relu');
    const network = findDenseNetwork(model.graph)!;
    const [width, outputs] = [widths[0]!, widths.at(-1)!];
    const feed = rows(count, width);
    const results = await run(model, feed, 2, network);
    for (let row = 0; row < count; row += Math.ceil(count / 30)) {
      const right = byDefinition(network, (feed.data as Float32Array).subarray(row * width, (row + 1) * width));
      for (const [index, values] of results.entries()) {
        for (let o = 0; o < outputs; o += 1) {
          expect(Math.abs(values[row * outputs + o]! - right[index]![o]!)).toBeLessThan(2e-6);
        }
      }
    }
  });
});

describe.each([[[70, 33]], [[100, 81, 40, 37]], [[783, 401, 20]], [[300, 512, 700, 96]]])('layers of %j', (widths) => {
  test.each([
    [1, 1],
    [2, 5],
    [1, 13],
    [0, 128],
    [2, 1100],
  ])('with Relu, %d threads and %d rows: as ONNX Runtime', async (threads, count) => {
    const model = quantized(widths, 'Relu');
    const network = findDenseNetwork(model.graph)!;
    expect(integers(network)).toBe(widths.length);
    const feed = rows(count, widths[0]!);
    const [ours, theirs] = [await run(model, feed, threads, network), await run(model, feed, threads)];
    if (widths.length === 2) {
      expect(ours).toEqual(theirs);
      return;
    }
    // Between layers ONNX Runtime multiplies by three scales at once: where that is a tie, a value is a step off.
    const width = widths.at(-1)!;
    for (const [o, right] of theirs.entries()) {
      const different = new Set<number>();
      right.forEach((value, i) => {
        if (value !== ours[o]![i]) different.add(Math.floor(i / width));
        expect(Math.abs(value - ours[o]![i]!)).toBeLessThan(0.02);
      });
      expect(different.size).toBeLessThanOrEqual(Math.ceil(count / 100));
    }
  });

  test.each([
    ['Sigmoid', 'Tanh', 1],
    ['Tanh', 'Sigmoid', 37],
  ])('with %s, then %s: within a step of rounding, hardly ever', async (activation, last, count) => {
    const model = quantized(widths, activation, last);
    const network = findDenseNetwork(model.graph)!;
    const feed = rows(count, widths[0]!);
    const [ours, theirs] = [await run(model, feed, 2, network), await run(model, feed, 2)];
    for (const [o, right] of theirs.entries()) {
      const off = right.map((value, i) => Math.abs(value - ours[o]![i]!));
      // A hidden value at the border between two steps of 2.2 / 255, times a weight of at most 2 / √inputs.
      expect(Math.max(...off)).toBeLessThan(0.02);
      expect(off.reduce((sum, each) => sum + each, 0) / off.length).toBeLessThan(1e-4);
    }
  });
});

test('layers too small for integers stay in float32 between those that are not', async () => {
  const model = quantized([300, 40, 10, 300, 8], 'Relu');
  const network = findDenseNetwork(model.graph)!;
  expect(network.layers.map(({ int8 }) => int8 !== undefined)).toEqual([true, false, true, true, true]);
  const feed = rows(9, 300);
  const [ours, theirs] = [await run(model, feed, 2, network), await run(model, feed, 2)];
  for (const [o, right] of theirs.entries()) {
    right.forEach((value, i) => {
      expect(Math.abs(value - ours[o]![i]!)).toBeLessThan(0.02);
    });
  }
});

test('the same row gives the same bits in any batch; NaN is refused', async () => {
  const model = quantized([784, 400, 20], 'Relu', 'Sigmoid');
  const session = await loadAddon().createInferenceSession(writeModel(model), {
    denseNetwork: findDenseNetwork(model.graph),
  });
  const wanted = [{ name: 'mean' }];
  const all = rows(50, 784);
  await session.run({ x: all }, wanted, undefined, true);
  const [whole] = await session.run({ x: all }, wanted, undefined, true);
  for (const row of [0, 17, 49]) {
    const one: NativeTensor = {
      dtype: 'float32',
      dims: [1, 1, 784],
      data: (all.data as Float32Array).slice(row * 784, (row + 1) * 784),
    };
    await session.run({ x: one }, wanted);
    const [alone] = await session.run({ x: one }, wanted);
    expect(alone!.data).toEqual((whole!.data as Float32Array).slice(row * 20, (row + 1) * 20));
  }
  (all.data as Float32Array)[40 * 784] = Number.NaN;
  await expect(session.run({ x: all }, wanted, undefined, true)).rejects.toMatchObject({ code: 'ERR_VAE_DATA' });
  await session.close();
});

test('integers of another form are left to ONNX Runtime', () => {
  const weights = (largest: number, axis: number, zero: number) => {
    const g = new GraphBuilder();
    const parameters = [g.scalar(0.01), g.constant([128], 'uint8', [])];
    const x = g.op('DequantizeLinear', [
      g.op('QuantizeLinear', [g.input('x', 'float32', ['N', 40]), ...parameters]),
      ...parameters,
    ]);
    const whole = g.constant(new Int8Array(40 * 40).fill(largest), 'int8', [40, 40]);
    const scales = g.constant(new Float32Array(40).fill(0.1));
    const weight = g.op('DequantizeLinear', [whole, scales, g.constant(new Int8Array(40).fill(zero), 'int8', [40])], {
      axis,
    });
    g.output('y', g.op('Gemm', [x, weight]));
    return findDenseNetwork(g.model.graph);
  };
  expect(weights(64, 1, 0)?.layers).toHaveLength(1);
  // Two products would overflow 16 bits; by input; around another point than zero.
  for (const other of [weights(65, 1, 0), weights(-128, 1, 0), weights(64, 0, 0), weights(64, 1, 3)]) {
    expect(other).toBeUndefined();
  }
});

test('layers of integers that do not fit together are refused', async () => {
  const model = quantized([70, 33], 'Relu');
  const int8 = { scale: 1, zero: 0, weights: new Int8Array(70 * 33), scales: new Float32Array(33) };
  for (const [wrong, message] of [
    [{ ...int8, scale: 0 }, /rounds its input to no range/],
    [{ ...int8, zero: 256 }, /rounds its input to no range/],
    [{ ...int8, weights: new Int8Array(7) }, /arrays of the wrong length/],
    [{ ...int8, scales: new Float32Array(7) }, /arrays of the wrong length/],
    [{ ...int8, weights: new Int8Array(70 * 33).fill(65) }, /weights beyond 64/],
  ] as const) {
    const layer = { from: 0, inputs: 70, outputs: 33, activation: 'none' as const, int8: wrong };
    const denseNetwork = { inputs: 70, layers: [layer] };
    const options = { denseNetwork };
    const opened = loadAddon().createInferenceSession(writeModel(model), options);
    // Where ONNX Runtime's kernels are used instead, nothing is looked at.
    if (!native || process.env['NODE_VAE_KERNELS_ISA'] === 'generic') await opened;
    else await expect(opened).rejects.toMatchObject({ code: 'ERR_VAE_GRAPH', message: expect.stringMatching(message) });
  }
});
