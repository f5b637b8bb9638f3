import { describe, expect, it } from 'vitest';
import { differentiate } from '../../src/grad/index.js';
import { GraphBuilder, type Value } from '../../src/graph/index.js';
import { checkGradients, type GradientCase } from './gradient-check.js';

const GATES = { LSTM: 4, GRU: 3, RNN: 1 } as const;
type Kind = keyof typeof GATES;

interface Form {
  readonly direction?: 'forward' | 'reverse' | 'bidirectional';
  readonly bias?: boolean;
  readonly state?: boolean;
  readonly layout?: number;
  readonly extra?: Readonly<Record<string, number>>;
  readonly steps?: number;
}

const [BATCH, INPUT, HIDDEN] = [2, 3, 2];

function recurrent(kind: Kind, form: Form): GradientCase {
  const { direction = 'forward', bias = true, state = true, layout = 0, extra = {}, steps = 3 } = form;
  const directions = direction === 'bidirectional' ? 2 : 1;
  const gates = GATES[kind] * HIDDEN;
  const held = layout === 0 ? [directions, BATCH, HIDDEN] : [BATCH, directions, HIDDEN];
  return {
    name: `${kind} ${JSON.stringify(form)}`,
    // ONNX Runtime has recurrent layers in float32 only.
    dtype: 'float32',
    inputs: {
      x:
        layout === 0
          ? { dims: [steps, BATCH, INPUT], shape: [steps, 'N', INPUT] }
          : { dims: [BATCH, steps, INPUT], shape: ['N', steps, INPUT] },
      w: { dims: [directions, gates, INPUT] },
      r: { dims: [directions, gates, HIDDEN] },
      ...(bias ? { b: { dims: [directions, 2 * gates] } } : {}),
      ...(state ? { h: { dims: held } } : {}),
      ...(state && kind === 'LSTM' ? { c: { dims: held } } : {}),
    },
    build: (g, { x, w, r, b, h, c }) => {
      const attributes = { hidden_size: HIDDEN, direction, ...(layout === 0 ? {} : { layout }), ...extra };
      const count = kind === 'LSTM' ? 3 : 2;
      return g.ops(kind, [x, w, r, b, undefined, h, c], attributes, { outputs: count }).map((y) => g.op('Sin', [y]));
    },
  };
}

const FORMS: readonly Form[] = [
  {},
  { direction: 'reverse' },
  { direction: 'bidirectional' },
  { bias: false },
  { state: false },
  { direction: 'bidirectional', bias: false, state: false },
  { steps: 1 },
];

describe('recurrent layers', () => {
  const cases = (Object.keys(GATES) as Kind[]).flatMap((kind) => FORMS.map((form) => recurrent(kind, form)));
  for (const form of [{}, { state: false }, { bias: false }] satisfies Form[]) {
    cases.push(recurrent('GRU', { ...form, extra: { linear_before_reset: 1 } }));
  }
  it.each(cases)('$name', async (one) => {
    await checkGradients(one);
  });

  const build = (change: (g: GraphBuilder, x: Value, w: Value, r: Value) => Value) => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', [3, 'N', INPUT]);
    const w = g.input('w', 'float32', [1, 8, INPUT]);
    const r = g.input('r', 'float32', [1, 8, HIDDEN]);
    g.output('loss', g.op('ReduceSum', [change(g, x, w, r)], { keepdims: 0 }));
    return () => differentiate(g, { loss: 'loss', parameters: ['w'] });
  };

  it.each([
    ['clip', /clips its gates/, { clip: 1 }],
    ['input_forget', /coupled/, { input_forget: 1 }],
    ['activations', /activations are/, { activations: ['Sigmoid', 'Relu', 'Tanh'] }],
  ])('refuses %s by name', (_, message, attributes) => {
    const graph = build((g, x, w, r) => g.op('LSTM', [x, w, r], { hidden_size: HIDDEN, ...(attributes as object) }));
    expect(graph).toThrow(message);
  });

  it('refuses a sequence whose length only the run tells', () => {
    const g = new GraphBuilder();
    const x = g.input('x', 'float32', ['T', 'N', INPUT]);
    const w = g.input('w', 'float32', [1, 8, INPUT]);
    const r = g.input('r', 'float32', [1, 8, HIDDEN]);
    g.output('loss', g.op('ReduceSum', [g.op('LSTM', [x, w, r], { hidden_size: HIDDEN })], { keepdims: 0 }));
    expect(() => differentiate(g, { loss: 'loss', parameters: ['w'] })).toThrow(/written out step by step/);
  });
});
