import { describe, expect, it } from 'vitest';
import { GraphBuilder, type Model, type Node, verifyModel } from '../../src/graph/index.js';
import { expectVaeError } from './support.js';

function chain(): Model {
  const g = new GraphBuilder();
  const x = g.input('x', 'float32', ['N', 4]);
  const a = g.ops('Exp', [x], {}, { name: 'first', outputs: ['a'] })[0]!;
  g.ops('Add', [a, x], {}, { name: 'second', outputs: ['b'] });
  g.ops('Relu', [g.value('b')], {}, { name: 'third', outputs: ['y'] });
  g.output('y', g.value('y'));
  return g.model;
}

/** The chain with one node changed. */
function changed(index: number, change: Partial<Node>): Model {
  const model = chain();
  model.graph.nodes[index] = { ...model.graph.nodes[index]!, ...change };
  return model;
}

describe('verifyModel', () => {
  it('accepts what the builder makes', () => {
    expect(() => verifyModel(chain())).not.toThrow();
  });

  it.each<[string, () => Model, string, string[]]>([
    ['a cycle', () => changed(0, { op: 'Add', inputs: ['x', 'b'] }), 'ERR_VAE_GRAPH', ['cycle', '"first"', '"second"']],
    ['a value that nothing makes', () => changed(1, { inputs: ['a', 'zzz'] }), 'ERR_VAE_GRAPH', ['"zzz"', '"second"']],
    ['a value made twice', () => changed(1, { outputs: ['a'] }), 'ERR_VAE_GRAPH', ['"a"', '"second"']],
    ['an output with the name of an input', () => changed(1, { outputs: ['x'] }), 'ERR_VAE_GRAPH', ['"x"', '"second"']],
    ['two nodes of one name', () => changed(1, { name: 'first' }), 'ERR_VAE_GRAPH', ['"first"']],
    ['a node that makes nothing', () => changed(2, { outputs: [''] }), 'ERR_VAE_GRAPH', ['"third"']],
    ['an unknown operator', () => changed(2, { op: 'Reluu' }), 'ERR_VAE_UNSUPPORTED_OPERATOR', ['Reluu', '"third"']],
    ['a missing attribute', () => changed(2, { op: 'Cast' }), 'ERR_VAE_GRAPH', ['"to"', '"third"']],
    [
      'a type that cannot be',
      () => {
        const m = chain();
        m.graph.types.set('b', { dtype: 'int64', shape: ['N', 4] });
        return m;
      },
      'ERR_VAE_SHAPE',
      ['"b"', 'int64', '"second"'],
    ],
    [
      'a shape that cannot be',
      () => {
        const m = chain();
        m.graph.types.set('b', { dtype: 'float32', shape: ['N', 5] });
        return m;
      },
      'ERR_VAE_SHAPE',
      ['"b"', '[N, 5]'],
    ],
    [
      'an output that nothing makes',
      () => {
        const m = chain();
        m.graph.outputs.push({ name: 'q', dtype: 'float32', shape: [1] });
        return m;
      },
      'ERR_VAE_GRAPH',
      ['"q"'],
    ],
    [
      'an output listed twice',
      () => {
        const m = chain();
        m.graph.outputs.push(m.graph.outputs[0]!);
        return m;
      },
      'ERR_VAE_GRAPH',
      ['"y"', 'twice'],
    ],
    [
      'an output of another type',
      () => {
        const m = chain();
        m.graph.outputs[0] = { name: 'y', dtype: 'float32', shape: ['N', 9] };
        return m;
      },
      'ERR_VAE_SHAPE',
      ['"y"', '[N, 9]'],
    ],
    [
      'an opset out of range',
      () => {
        const m = chain();
        m.opsets.set('', 27);
        return m;
      },
      'ERR_VAE_GRAPH',
      ['27', '13 to 26'],
    ],
  ])('refuses %s', (_, make, code, texts) => {
    expectVaeError(() => verifyModel(make()), code as 'ERR_VAE_GRAPH', ...texts);
  });

  it('refuses nodes out of order', () => {
    const model = chain();
    model.graph.nodes.reverse();
    expectVaeError(() => verifyModel(model), 'ERR_VAE_GRAPH', '"third"', '"b"');
  });
});
