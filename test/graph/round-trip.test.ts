import { describe, expect, it } from 'vitest';
import { constantOf, GraphBuilder, type Model, readModel, writeModel } from '../../src/graph/index.js';
import { floats, parseModel, run, waves } from './support.js';

/** A small network that uses most kinds of attribute, literals, parameters and several outputs. */
function network(): Model {
  const g = new GraphBuilder({ name: 'network' });
  const x = g.input('x', 'float32', ['N', 4]);
  const weight = g.initializer('weight', constantOf(Float32Array.from(waves(12)), 'float32', [4, 3]));
  const bias = g.initializer('bias', constantOf([0.1, 0.2, 0.3]));
  const hidden = g.op('LeakyRelu', [g.op('Gemm', [x, weight, bias], { alpha: 0.5 })], { alpha: 0.1 });
  const [left, right] = g.ops('Split', [hidden, g.int64s([1, 2])], { axis: 1 }, { outputs: ['left', 'right'] });
  const mean = g.op('ReduceMean', [right!, g.int64s([1])], { keepdims: 1 });
  const filled = g.op('ConstantOfShape', [g.int64s([1, 1])], { value: constantOf([2.5]) });
  g.output('sum', g.op('Add', [g.op('Mul', [left!, filled]), mean]));
  g.output('right', right!);
  g.model.metadata.set('made by', 'a test');
  return g.model;
}

describe('writeModel and readModel', () => {
  it('give back the model that was written', () => {
    const model = network();
    const again = readModel(writeModel(model));
    expect(again).toEqual(model);
    expect(readModel(writeModel(again))).toEqual(again);
  });

  it('write what onnxruntime-node runs', async () => {
    const x = waves(8);
    const results = await run(network(), { x: floats(x, [2, 4]) });
    const weight = waves(12);
    const hidden = [0, 1].map((row) =>
      [0, 1, 2].map((column) => {
        const product = [0, 1, 2, 3].reduce((sum, k) => sum + x[row * 4 + k]! * weight[k * 3 + column]!, 0);
        const value = 0.5 * product + [0.1, 0.2, 0.3][column]!;
        return value < 0 ? 0.1 * value : value;
      }),
    );
    const sums = hidden.map(([a, b, c]) => 2.5 * a! + (b! + c!) / 2);
    expect(results['sum']!.dims).toEqual([2, 1]);
    (results['sum']!.data as Float32Array).forEach((value, index) => {
      expect(value).toBeCloseTo(sums[index]!, 5);
    });
    expect(results['right']!.dims).toEqual([2, 2]);
  });

  it('write the same bytes for the same model', () => {
    expect(writeModel(network())).toEqual(writeModel(network()));
  });

  it('keep literals as Constant nodes, so that every initializer of the file is a parameter', () => {
    const { graph } = parseModel(writeModel(network()));
    expect(graph!.initializer.map(({ name }) => name)).toEqual(['weight', 'bias']);
    expect(graph!.node.filter(({ opType }) => opType === 'Constant')).toHaveLength(3);
    const { initializers } = readModel(writeModel(network())).graph;
    expect([...initializers].filter(([, { literal }]) => !literal).map(([name]) => name)).toEqual(['weight', 'bias']);
  });

  it('keep 64-bit attributes at the ends of their range', () => {
    const g = new GraphBuilder();
    const value = g.op('Constant', [], { value_ints: [2 ** 63, -(2 ** 63), 5] });
    const shape = g.op('Shape', [g.input('x', 'float32', ['N', 2])], { end: -(2 ** 63) });
    g.output('y', value);
    g.output('shape', shape);
    const proto = parseModel(writeModel(g.model));
    const ints = proto.graph!.node[0]!.attribute[0]!.ints;
    expect(ints).toEqual([2n ** 63n - 1n, -(2n ** 63n), 5n]);
    expect(proto.graph!.node[1]!.attribute[0]!.i).toBe(-(2n ** 63n));
  });

  it('round float attributes as the file does', () => {
    const g = new GraphBuilder();
    g.output('y', g.op('Elu', [g.input('x', 'float32', ['N'])], { alpha: 0.1 }));
    expect(g.graph.nodes[0]!.attributes['alpha']).toEqual({ kind: 'float', value: Math.fround(0.1) });
    expect(readModel(writeModel(g.model))).toEqual(g.model);
  });

  it('carry every element type', () => {
    const g = new GraphBuilder();
    const types = [
      'float64',
      'float16',
      'bfloat16',
      'int8',
      'int16',
      'int32',
      'int64',
      'uint8',
      'uint16',
      'uint32',
      'uint64',
      'bool',
    ] as const;
    for (const dtype of types)
      g.output(`${dtype}_out`, g.op('Identity', [g.initializer(dtype, constantOf([0, 1, 1, 0], dtype, [2, 2]))]));
    g.output('text', g.op('Identity', [g.constant(['a', 'ß', '漢'], 'string')]));
    expect(readModel(writeModel(g.model))).toEqual(g.model);
  });

  it('borrow tensor bytes from the file rather than copy them', () => {
    const bytes = writeModel(network());
    const { data } = readModel(bytes).graph.initializers.get('weight')!;
    expect((data as Uint8Array).buffer).toBe(bytes.buffer);
  });
});

describe('GraphBuilder.from', () => {
  it('goes on with a read model and leaves it unchanged', () => {
    const model = readModel(writeModel(network()));
    const before = structuredClone(model);
    const g = GraphBuilder.from(model);
    expect(g.model).toEqual(model);
    g.output('twice', g.op('Add', [g.value('sum'), g.value('sum')]));
    expect(model).toEqual(before);
    expect(g.graph.outputs.map(({ name }) => name)).toEqual(['sum', 'right', 'twice']);
  });
});
