import { closeSync, ftruncateSync, openSync, statSync, writeSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  constantOf,
  GraphBuilder,
  type Model,
  numbersOf,
  readModel,
  simplifyModel,
  writeModel,
} from '../../src/graph/index.js';
import { temporaryFolderOfTest } from '../support/temporary.js';
import { expectVaeError, graphBytes, valueInfo } from './support.js';

/** About 500 nodes of convolution, normalization by arithmetic, attention-like reshapes and shape arithmetic. */
function deepGraph(): Model {
  const g = new GraphBuilder();
  let x = g.input('x', 'float32', ['N', 16, 'H', 'W']);
  for (let block = 0; block < 33; block += 1) {
    const weight = g.initializer(
      `w${block}`,
      constantOf(new Float32Array(16 * 16 * 9).fill(0.01), 'float32', [16, 16, 3, 3]),
    );
    const hidden = g.op('Conv', [x, weight], { pads: [1, 1, 1, 1] });
    const shape = g.op('Shape', [hidden]);
    const batch = g.op('Slice', [shape, g.int64s([0]), g.int64s([1])]);
    const grouped = g.op('Reshape', [hidden, g.op('Concat', [batch, g.int64s([4, -1])], { axis: 0 })]);
    const mean = g.op('ReduceMean', [grouped, g.int64s([2])]);
    const centred = g.op('Sub', [grouped, mean]);
    const variance = g.op('ReduceMean', [g.op('Mul', [centred, centred]), g.int64s([2])]);
    const normal = g.op('Div', [centred, g.op('Sqrt', [g.op('Add', [variance, g.scalar(1e-5)])])]);
    const back = g.op('Reshape', [normal, shape]);
    x = g.op('Add', [x, g.op('Mul', [back, g.op('Sigmoid', [back])])]);
  }
  g.output('y', x);
  return g.model;
}

function time(action: () => void): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}

/** The best of some tries: what the work takes when nothing else runs. */
function bestTime(action: () => void, tries = 5): number {
  return Math.min(...Array.from({ length: tries }, () => time(action)));
}

describe('a graph of 500 nodes', () => {
  it('is built, written, read and simplified in well under a second', () => {
    const model = deepGraph();
    expect(model.graph.nodes.length).toBeGreaterThan(490);
    const bytes = writeModel(model);
    const times = {
      build: bestTime(deepGraph),
      write: bestTime(() => writeModel(model)),
      read: bestTime(() => readModel(bytes)),
      simplify: bestTime(() => simplifyModel(readModel(bytes))),
    };
    // Measured on two busy cores: 9, 2, 26 and 85 ms; the bounds leave room for slow machines.
    for (const [name, milliseconds] of Object.entries(times)) expect(milliseconds, name).toBeLessThan(400);
  });

  it('keeps every shape known through its reshapes', () => {
    const model = readModel(writeModel(deepGraph()));
    simplifyModel(model);
    expect(model.graph.outputs[0]!.shape).toEqual(['N', 16, 'H', 'W']);
    const unknown = [...model.graph.types.values()].filter(
      ({ shape }) => shape === undefined || shape.some((dim) => /^dim/.test(String(dim))),
    );
    expect(unknown).toEqual([]);
  });
});

describe('ten thousand nodes', () => {
  it('take time in proportion to their number', () => {
    const chain = (count: number) => {
      const g = new GraphBuilder();
      let x = g.input('x', 'float32', ['N', 8]);
      for (let index = 0; index < count; index += 1) x = g.op('Add', [x, index % 2 === 0 ? g.scalar(index) : x]);
      g.output('y', x);
      return writeModel(g.model);
    };
    const [small, large] = [chain(1000), chain(10_000)];
    const work = (bytes: Uint8Array) => bestTime(() => simplifyModel(readModel(bytes)), 2);
    work(small);
    // Linear would be 10; quadratic 100.
    expect(work(large) / work(small)).toBeLessThan(35);
  });
});

describe('a model of 300 MB with external data', () => {
  it('is read without its weights coming into memory', async () => {
    const folder = temporaryFolderOfTest('scale');
    const length = 300 * 2 ** 20;
    const data = openSync(path.join(folder, 'weights.bin'), 'w');
    ftruncateSync(data, length);
    writeSync(data, Buffer.from(Float32Array.of(2.5).buffer), 0, 4, length - 4);
    closeSync(data);
    const tensors = 30;
    const bytes = graphBytes({
      name: 'g',
      input: [valueInfo('x', ['N'])],
      initializer: Array.from({ length: tensors }, (_, index) => ({
        name: `w${index}`,
        dataType: 1,
        dims: [BigInt(length / 4 / tensors)],
        dataLocation: 1,
        externalData: [
          { key: 'location', value: 'weights.bin' },
          { key: 'offset', value: String((length / tensors) * index) },
        ],
      })),
      node: Array.from({ length: tensors }, (_, index) => ({
        opType: 'ReduceSum',
        input: [`w${index}`],
        output: [`s${index}`],
      })),
      output: Array.from({ length: tensors }, (_, index) => ({ name: `s${index}` })),
    });
    const before = process.memoryUsage();
    const model = readModel(bytes, { folder });
    simplifyModel(model);
    const after = process.memoryUsage();
    expect(after.heapUsed - before.heapUsed).toBeLessThan(20e6);
    expect(after.external - before.external).toBeLessThan(20e6);
    // One tensor at a time, and outside the heap.
    const last = numbersOf({ ...model.graph.initializers.get('w29')! });
    expect(last[last.length - 1]).toBe(2.5);
    // Written again tensor by tensor: the file is as large as its data.
    await writeModel(model, path.join(folder, 'copy.onnx'), { externalData: true });
    expect(statSync(path.join(folder, 'copy.onnx.data')).size).toBe(length);
  });
});

describe('more weights than one file can hold', () => {
  it('are refused with the way out', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', ['N']);
    // Several names for the same bytes: a file would hold them once for each.
    const data = new Uint8Array(2 ** 28);
    for (let index = 0; index < 9; index += 1) {
      const weight = g.initializer(`w${index}`, { dtype: 'uint8', dims: [2 ** 28], data });
      g.output(`y${index}`, g.op('Add', [x, g.op('Cast', [g.op('ReduceMax', [weight])], { to: 'float32' })]));
    }
    expectVaeError(() => writeModel(g.model), 'ERR_VAE_GRAPH', '2 GB', 'externalData');
  });
});
