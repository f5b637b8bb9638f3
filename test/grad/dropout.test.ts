/** Dropout is random, so it is checked within one run: what came through forward comes back backward. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { differentiate } from '../../src/grad/index.js';
import { GraphBuilder, type Value, writeModel } from '../../src/graph/index.js';
import { checkGradients, type GradientCase } from './gradient-check.js';

const COUNT = 200;

interface Form {
  readonly name: string;
  readonly ratio?: number;
  /** Mode and ratio as inputs that only the run tells. */
  readonly late?: boolean;
  readonly training?: boolean;
}

function graph({ ratio, late, training = true }: Form): GraphBuilder {
  const g = new GraphBuilder();
  const x = g.input('x', 'float32', ['N']);
  const weights = g.input('weights', 'float32', ['N']);
  let share: Value | undefined = ratio === undefined ? undefined : g.scalar(ratio);
  let mode: Value | undefined = g.constant([training ? 1 : 0], 'bool', []);
  if (late) {
    share = g.input('ratio', 'float32', []);
    mode = g.input('training', 'bool', []);
  }
  const y = g.op('Dropout', [x, share, mode], { seed: 7 });
  const loss = g.op('ReduceSum', [g.op('Mul', [y, weights])], { keepdims: 0 });
  const { gradients } = differentiate(g, { loss, parameters: ['x'] });
  g.output('y', y);
  g.output('dx', gradients.get('x')!);
  return g;
}

async function run(form: Form) {
  const session = await InferenceSession.create(writeModel(graph(form).model), { logSeverityLevel: 4 });
  const elements = (seed: number) => Float32Array.from({ length: COUNT }, (_, i) => 1 + Math.sin(seed + i) / 2);
  const feeds: Record<string, Tensor> = {
    x: new Tensor('float32', elements(1), [COUNT]),
    weights: new Tensor('float32', elements(2), [COUNT]),
  };
  if (form.late) {
    feeds['ratio'] = new Tensor('float32', [form.ratio!], []);
    feeds['training'] = new Tensor('bool', Uint8Array.of(form.training === false ? 0 : 1), []);
  }
  const results = await session.run(feeds);
  await session.release();
  const [y, dx] = [results['y']!.data as Float32Array, results['dx']!.data as Float32Array];
  return { x: elements(1), weights: elements(2), y, dx };
}

describe('gradients of Dropout', () => {
  const forms: Form[] = [
    { name: 'with its own ratio' },
    { name: 'with a given ratio', ratio: 0.2 },
    { name: 'with ratio and mode known late', ratio: 0.3, late: true },
    { name: 'with mode known late and off', ratio: 0.3, late: true, training: false },
    { name: 'off', ratio: 0.3, training: false },
  ];
  it.each(forms.map((form) => [form.name, form] as const))('%s', async (_, form) => {
    const { x, weights, y, dx } = await run(form);
    const factor = form.training === false ? 1 : 1 / (1 - (form.ratio ?? 0.5));
    const kept = y.filter((value) => value !== 0).length;
    if (form.training === false) expect(kept).toBe(COUNT);
    else expect(Math.abs(kept / COUNT - 1 / factor)).toBeLessThan(0.15);
    for (let i = 0; i < COUNT; i += 1) {
      const passed = y[i] === 0 ? 0 : factor;
      expect(y[i]).toBeCloseTo(passed * x[i]!, 5);
      expect(dx[i]).toBeCloseTo(passed * weights[i]!, 5);
    }
  });

  it('keeps the same elements under the same seed', async () => {
    const [first, second] = [await run({ name: '' }), await run({ name: '' })];
    expect(first.y).toEqual(second.y);
    expect(first.dx).toEqual(second.dx);
  });

  it('is nothing where no mode is given', async () => {
    const one: GradientCase = {
      name: 'Dropout',
      inputs: { x: { dims: [3, 4] } },
      build: (g, { x }) => g.op('Dropout', [x]),
    };
    await checkGradients(one);
  });
});
