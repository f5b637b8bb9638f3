import { describe, expect, it } from 'vitest';
import {
  constantOf,
  foldConstants,
  GraphBuilder,
  type Model,
  mergeCommonSubexpressions,
  removeDeadNodes,
  removeIdentities,
  simplifyModel,
  specializeDims,
  verifyModel,
} from '../../src/graph/index.js';
import { expectVaeError, type Feeds, floats, run, waves } from './support.js';

const opsOf = (model: Model) => model.graph.nodes.map(({ op }) => op);

/** Applies a pass to a copy and expects the same results from both. */
async function unchanged(model: Model, pass: (model: Model) => void, feeds: Feeds): Promise<Model> {
  const copy = structuredClone(model);
  pass(copy);
  verifyModel(copy);
  const [before, after] = [await run(model, feeds), await run(copy, feeds)];
  expect(Object.keys(after)).toEqual(Object.keys(before));
  for (const name of Object.keys(before)) expect(after[name]!.data).toEqual(before[name]!.data);
  return copy;
}

const x = floats(waves(12), [3, 4]);

describe('removeDeadNodes', () => {
  it('removes nodes, initializers and types that no output needs, and keeps the inputs', async () => {
    const g = new GraphBuilder();
    const input = g.input('x', 'float32', ['N', 4]);
    g.input('spare', 'float32', [1]);
    g.op('MatMul', [g.op('Exp', [input]), g.initializer('unused', constantOf(waves(8), 'float32', [4, 2]))]);
    g.output('y', g.op('Relu', [input]));
    const copy = await unchanged(g.model, removeDeadNodes, { x, spare: floats([1]) });
    expect(opsOf(copy)).toEqual(['Relu', 'Identity']);
    expect([...copy.graph.initializers.keys()]).toEqual([]);
    expect([...copy.graph.types.keys()].sort()).toEqual(['Relu_out', 'spare', 'x', 'y']);
  });
});

describe('removeIdentities', () => {
  it('removes chains, and keeps the names of outputs', async () => {
    const g = new GraphBuilder();
    const input = g.input('x', 'float32', ['N', 4]);
    const chain = g.op('Identity', [g.op('Identity', [input])]);
    const value = g.op('Relu', [chain]);
    g.output('y', value);
    g.output('copy', value);
    g.output('z', g.op('Identity', [g.op('Exp', [g.op('Identity', [value])])]));
    g.output('same', input);
    const copy = await unchanged(g.model, removeIdentities, { x });
    // Two outputs of one value need one Identity; an input that is an output needs another.
    expect(opsOf(copy).sort()).toEqual(['Exp', 'Identity', 'Identity', 'Relu']);
  });
});

describe('mergeCommonSubexpressions', () => {
  it('computes equal things once, through chains', async () => {
    const g = new GraphBuilder();
    const input = g.input('x', 'float32', ['N', 4]);
    const branch = () => g.op('Softmax', [g.op('Mul', [g.op('Exp', [input]), g.scalar(2)])], { axis: 1 });
    g.output('y', g.op('Add', [branch(), branch()]));
    g.output('z', g.op('Sub', [branch(), g.op('Softmax', [input], { axis: 0 })]));
    const copy = await unchanged(g.model, (model) => mergeCommonSubexpressions(model), { x });
    expect(
      opsOf(copy)
        .filter((op) => op !== 'Identity')
        .sort(),
    ).toEqual(['Add', 'Exp', 'Mul', 'Softmax', 'Softmax', 'Sub']);
  });

  it('keeps apart what is random, what differs, and parameters that only start out equal', () => {
    const g = new GraphBuilder();
    const input = g.input('x', 'float32', ['N', 4]);
    const noise = () => g.op('RandomNormalLike', [input], { seed: 1 });
    g.output('noise', g.op('Add', [noise(), noise()]));
    g.output('slopes', g.op('Add', [g.op('Elu', [input], { alpha: 0 }), g.op('Elu', [input], { alpha: -0 })]));
    const zeros = (name: string) => g.op('Add', [input, g.initializer(name, constantOf([0, 0, 0, 0]))]);
    g.output('biases', g.op('Mul', [zeros('a'), zeros('b')]));
    const before = g.graph.nodes.length;
    expect(mergeCommonSubexpressions(g.model)).toBe(0);
    expect(g.graph.nodes).toHaveLength(before);
    expect([...g.graph.initializers.keys()]).toEqual(['a', 'b']);
  });

  it('never loses a graph output', async () => {
    const g = new GraphBuilder();
    const input = g.input('x', 'float32', ['N', 4]);
    for (const name of ['a', 'b']) g.ops('Exp', [input], {}, { outputs: [name] });
    for (const name of ['a', 'b']) g.output(name, g.value(name));
    await unchanged(g.model, (model) => mergeCommonSubexpressions(model), { x });
  });
});

describe('foldConstants', () => {
  it('works out literals and leaves parameters', async () => {
    const g = new GraphBuilder();
    const input = g.input('x', 'float32', ['N', 4]);
    const factor = g.op('Div', [
      g.scalar(1),
      g.op('Sqrt', [
        g.op('Cast', [g.op('Gather', [g.op('Shape', [input]), g.constant(1, 'int64')])], { to: 'float32' }),
      ]),
    ]);
    const parameter = g.initializer('scale', constantOf([2]));
    const trained = g.op('Mul', [g.op('Neg', [parameter]), factor]);
    g.output('y', g.op('Mul', [input, trained]));
    const copy = await unchanged(
      g.model,
      (model) => {
        foldConstants(model);
        removeDeadNodes(model);
      },
      { x },
    );
    expect(opsOf(copy)).toEqual(['Neg', 'Mul', 'Mul', 'Identity']);
    const all = structuredClone(g.model);
    foldConstants(all, { isParameter: () => false });
    removeDeadNodes(all);
    expect(opsOf(all)).toEqual(['Mul', 'Identity']);
  });

  it('gives Reshape a constant shape where lengths are copied or one is left', async () => {
    const g = new GraphBuilder();
    const input = g.input('x', 'float32', ['N', 4]);
    const count = g.op('Slice', [g.op('Shape', [input]), g.int64s([0]), g.int64s([1])]);
    const same = g.op('Reshape', [input, g.op('Concat', [count, g.int64s([2, 2])], { axis: 0 })]);
    const moved = g.op('Reshape', [input, g.op('Concat', [g.int64s([2]), count, g.int64s([2])], { axis: 0 })]);
    g.output('same', same);
    g.output('moved', moved);
    const copy = await unchanged(g.model, (model) => simplifyModel(model), { x });
    expect(opsOf(copy)).toEqual(['Reshape', 'Reshape']);
    const shapes = copy.graph.nodes.map((node) => copy.graph.initializers.get(node.inputs[1]!)!);
    expect(shapes.map(({ data }) => [...new BigInt64Array((data as Uint8Array).slice().buffer)])).toEqual([
      [0n, 2n, 2n],
      [2n, -1n, 2n],
    ]);
  });
});

describe('specializeDims', () => {
  it('makes every shape a number, and then leaves no shape arithmetic', async () => {
    const g = new GraphBuilder();
    const input = g.input('x', 'float32', ['N', 'C']);
    const shape = g.op('Shape', [input]);
    const turned = g.op('Concat', [g.op('Gather', [shape, g.int64s([1])]), g.op('Gather', [shape, g.int64s([0])])], {
      axis: 0,
    });
    g.output('y', g.op('Expand', [g.op('ReduceSum', [input]), turned]));
    const copy = await unchanged(
      g.model,
      (model) => {
        specializeDims(model, { N: 3, C: 4 });
        simplifyModel(model);
      },
      { x },
    );
    expect(copy.graph.outputs).toEqual([{ name: 'y', dtype: 'float32', shape: [4, 3] }]);
    expect(opsOf(copy)).toEqual(['ReduceSum', 'Expand']);
  });

  it('refuses symbols that are not there and lengths that do not fit', () => {
    const model = () => {
      const g = new GraphBuilder();
      g.output(
        'y',
        g.op('MatMul', [
          g.input('a', 'float32', ['N', 'K']),
          g.initializer('w', constantOf(waves(8), 'float32', [4, 2])),
        ]),
      );
      return g.model;
    };
    expectVaeError(() => specializeDims(model(), { M: 3 }), 'ERR_VAE_OPTION', '"M"', 'N, K');
    expectVaeError(() => specializeDims(model(), { N: -1 }), 'ERR_VAE_OPTION', '-1');
    expectVaeError(() => specializeDims(model(), { K: 5 }), 'ERR_VAE_SHAPE', 'MatMul', '5 and 4');
  });
});
