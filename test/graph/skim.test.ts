/** A quick look at a graph sees what reading it sees, or says that it cannot tell. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { GraphBuilder, readConstant, readModel, writeModel } from '../../src/graph/index.js';
import { skimGraph } from '../../src/graph/proto/skim.js';

describe('skimGraph()', () => {
  test.each(['encoder', 'decoder'])('sees of mnist-mlp’s %s what readModel() sees', async (half) => {
    const bytes = await readFile(new URL(`../../models/mnist-mlp/${half}.onnx`, import.meta.url));
    const skimmed = skimGraph(bytes)!;
    const { graph } = await readModel(bytes);
    expect(skimmed.inputs).toEqual(graph.inputs);
    expect(skimmed.outputs).toEqual(graph.outputs);
    expect(skimmed.nodes).toEqual(graph.nodes);
    expect([...skimmed.initializers.keys()].sort()).toEqual([...graph.initializers.keys()].sort());
    for (const [name, constant] of graph.initializers) {
      const seen = skimmed.initializers.get(name)!;
      expect([seen.dtype, seen.dims, seen.literal]).toEqual([constant.dtype, constant.dims, constant.literal]);
      expect(readConstant(seen)).toEqual(readConstant(constant));
    }
  });

  test('sees attributes of every simple kind, and literals among the initializers', () => {
    const g = new GraphBuilder({ name: 'g' });
    const x = g.input('x', 'float32', ['N', 4]);
    const y = g.op('Transpose', [x], { perm: [1, 0] });
    const z = g.op('LeakyRelu', [y], { alpha: 0.25 });
    g.output('out', g.op('Add', [g.op('Softmax', [z], { axis: 1 }), g.scalar(0.5)]));
    const skimmed = skimGraph(writeModel(g.model))!;
    expect(skimmed.nodes).toEqual(g.model.graph.nodes);
    expect(
      [...skimmed.initializers.values()].map((constant) => [constant.literal, [...readConstant(constant)]]),
    ).toEqual([[true, [0.5]]]);
    expect(skimmed.inputs).toEqual(g.model.graph.inputs);
  });

  test('says nothing of damaged files, whatever is missing or changed', async () => {
    const whole = await readFile(new URL('../../models/mnist-mlp/decoder.onnx', import.meta.url));
    expect(skimGraph(new Uint8Array(0))).toBeUndefined();
    expect(skimGraph(new Uint8Array([1, 2, 3]))).toBeUndefined();
    for (let cut = 1; cut < 400; cut += 1) expect(skimGraph(whole.subarray(0, cut))).toBeUndefined();
    for (let at = 0; at < 600; at += 1) {
      const changed = Uint8Array.from(whole);
      changed[at] = changed[at]! ^ 0xff;
      expect(() => skimGraph(changed)).not.toThrow();
    }
  });
});
