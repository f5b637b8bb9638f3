import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { lowerSlowOperators } from '../../src/grad/index.js';
import { GraphBuilder, type Value, writeModel } from '../../src/graph/index.js';

const COUNT = 4001;
const XS = Float32Array.from({ length: COUNT }, (_, index) => -40 + index * 0.02);
const exact = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

function graph(use: (g: GraphBuilder, y: Value) => Value): GraphBuilder {
  const g = new GraphBuilder();
  const y = g.op('Softplus', [g.input('x', 'float32', [COUNT])]);
  g.output('result', use(g, y));
  return g;
}

async function run(g: GraphBuilder, output: string): Promise<Float32Array> {
  const session = await InferenceSession.create(writeModel(g.model), { logSeverityLevel: 4 });
  const results = await session.run({ x: new Tensor('float32', XS, [COUNT]) });
  await session.release();
  return results[output]!.data as Float32Array;
}

describe('lowerSlowOperators', () => {
  it('rewrites a Softplus that is summed, and keeps its value', async () => {
    const g = graph((b, y) => b.op('ReduceSum', [b.op('Sub', [y, b.value('x')])], { keepdims: 0 }));
    expect(lowerSlowOperators(g)).toBe(1);
    expect(g.graph.nodes.map(({ op }) => op)).not.toContain('Softplus');
    g.output('elements', g.value('Softplus_out'));
    const elements = await run(g, 'elements');
    const errors = Array.from(XS, (x, index) => Math.abs(elements[index]! - exact(x)) / Math.max(1, exact(x)));
    expect(Math.max(...errors)).toBeLessThan(1.3e-7);
    const total = XS.reduce((sum, x) => sum + exact(x) - x, 0);
    expect((await run(g, 'result'))[0]! / total).toBeCloseTo(1, 5);
  });

  it('leaves one alone whose small values matter', async () => {
    const g = graph((b, y) => b.op('ReduceSum', [b.op('Log', [y])], { keepdims: 0 }));
    expect(lowerSlowOperators(g)).toBe(0);
    const total = XS.reduce((sum, x) => sum + Math.log(exact(x)), 0);
    expect((await run(g, 'result'))[0]! / total).toBeCloseTo(1, 5);
  });
});
