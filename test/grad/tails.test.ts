/** Slopes far from 0, in float32 on ONNX Runtime, against float64: what rounds to 0 or to noise there stops training. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { differentiate } from '../../src/grad/index.js';
import { GraphBuilder, type Value, writeModel } from '../../src/graph/index.js';

const sigma = (x: number): number => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)));
/** tanh(softplus(x)) and 1 minus it, each without loss. */
const gate = (x: number): [number, number] => {
  const w = Math.exp(Math.min(x, 0));
  const v = Math.exp(-Math.max(x, 0));
  const whole = w * w + 2 * w * v + 2 * v * v;
  return [(w * w + 2 * w * v) / whole, (2 * v * v) / whole];
};
const c = Math.sqrt(2 / Math.PI);
const density = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
/** (1 - Φ(t))/φ(t) for t >= 0: Laplace's continued fraction from 2 on, below it the integral by Simpson's rule. */
function mills(t: number): number {
  if (t >= 2) {
    let rest = t;
    for (let k = 200; k >= 1; k -= 1) rest = t + k / rest;
    return 1 / rest;
  }
  const steps = 2000;
  const width = 12 / steps;
  let sum = 0;
  for (let k = 0; k <= steps; k += 1) {
    const s = k * width;
    sum += (k === 0 || k === steps ? 1 : k % 2 === 1 ? 4 : 2) * Math.exp(-t * s - 0.5 * s * s);
  }
  return (sum * width) / 3;
}

interface Tail {
  readonly build: (g: GraphBuilder, x: Value) => Value;
  /** The slope in float64. */
  readonly slope: (x: number) => number;
  /** Default: from -60 to 60. */
  readonly at?: readonly number[];
  readonly tolerance?: number;
  /** Default 20. */
  readonly opset?: number;
}

const op =
  (name: string, attributes = {}): Tail['build'] =>
  (g, x) =>
    g.op(name, [x], attributes);
const EVERYWHERE = [-60, -30, -20, -18.5, -17, -16, -12, -5, -1, -0.1, 0.1, 1, 5, 12, 16, 17, 18.5, 20, 30, 60];

const TAILS: Readonly<Record<string, Tail>> = {
  Softplus: { build: op('Softplus'), slope: sigma },
  Sigmoid: { build: op('Sigmoid'), slope: (x) => sigma(x) * sigma(-x) },
  Tanh: {
    build: op('Tanh'),
    slope: (x) => 4 * sigma(2 * x) * sigma(-2 * x),
    at: EVERYWHERE.filter((x) => Math.abs(x) < 40),
  },
  SiLU: {
    build: (g, x) => g.op('Mul', [x, g.op('Sigmoid', [x])]),
    slope: (x) => sigma(x) * (1 + x * sigma(-x)),
  },
  Swish: {
    build: op('Swish', { alpha: 0.5 }),
    slope: (x) => sigma(x / 2) * (1 + (x / 2) * sigma(-x / 2)),
    opset: 24,
  },
  Mish: {
    build: op('Mish'),
    slope: (x) => {
      const [t, rest] = gate(x);
      return t + x * sigma(x) * rest * (1 + t);
    },
  },
  Elu: { build: op('Elu'), slope: (x) => (x > 0 ? 1 : Math.exp(x)) },
  'Elu of another size': { build: op('Elu', { alpha: 0.5 }), slope: (x) => (x > 0 ? 1 : 0.5 * Math.exp(x)) },
  Selu: {
    build: op('Selu'),
    slope: (x) => 1.0507010221481323 * (x > 0 ? 1 : 1.6732631921768188 * Math.exp(x)),
  },
  Celu: { build: op('Celu', { alpha: 2 }), slope: (x) => (x > 0 ? 1 : Math.exp(x / 2)) },
  Gelu: {
    build: op('Gelu'),
    slope: (x) => {
      const m = density(x) * (Math.abs(x) - mills(Math.abs(x)));
      return x > 0 ? 1 + m : -m;
    },
    // Its slope is 0 at -0.7518, where nothing relative can be asked.
    at: Array.from({ length: 241 }, (_, index) => (index - 120) / 10).filter((x) => x !== -0.7 && x !== -0.8),
  },
  'Gelu by tanh': {
    build: op('Gelu', { approximate: 'tanh' }),
    slope: (x) => {
      const u = 2 * c * (x + 0.044715 * x ** 3);
      return sigma(u) + x * 2 * c * (1 + 3 * 0.044715 * x * x) * sigma(u) * sigma(-u);
    },
    // Beyond, the slope is smaller than float32 can be.
    at: [-6, -4.5, -3, -1, -0.1, 0.1, 1, 3, 6, 20],
    tolerance: 1e-4,
  },
  Softsign: { build: op('Softsign'), slope: (x) => 1 / (1 + Math.abs(x)) ** 2 },
  Erf: { build: op('Erf'), slope: (x) => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x), at: [-8, -5, -2, 0.5, 4, 8] },
  Atanh: { build: op('Atanh'), slope: (x) => 1 / ((1 - x) * (1 + x)), at: [-0.9999, -0.99, 0.5, 0.99, 0.9999] },
  Asin: { build: op('Asin'), slope: (x) => 1 / Math.sqrt((1 - x) * (1 + x)), at: [-0.9999, 0.5, 0.9999] },
  Acos: { build: op('Acos'), slope: (x) => -1 / Math.sqrt((1 - x) * (1 + x)), at: [-0.9999, 0.5, 0.9999] },
  Acosh: { build: op('Acosh'), slope: (x) => 1 / Math.sqrt((x - 1) * (x + 1)), at: [1.0001, 1.5, 1e4] },
};

describe('slopes far from 0', () => {
  it.each(Object.keys(TAILS))('%s', async (name) => {
    const { build, slope, at = EVERYWHERE, tolerance = 2e-5, opset = 20 } = TAILS[name]!;
    const g = new GraphBuilder({ opset });
    const x = g.input('x', 'float32', [at.length]);
    const y = build(g, x);
    // Weighed, so that the gradient is not constant.
    const loss = g.op('ReduceSum', [g.op('Mul', [y, g.input('weights', 'float32', [at.length])])], { keepdims: 0 });
    const { gradients } = differentiate(g, { loss, parameters: ['x'] });
    g.output('gradient', gradients.get('x')!);
    const session = await InferenceSession.create(writeModel(g.model), { logSeverityLevel: 3 });
    const points = Float32Array.from(at);
    const { gradient } = await session.run({
      x: new Tensor('float32', points, [at.length]),
      weights: new Tensor('float32', new Float32Array(at.length).fill(2), [at.length]),
    });
    await session.release();
    const found = [...(gradient!.data as Float32Array)];
    const errors = found.map((value, index) => Math.abs(value / (2 * slope(points[index]!)) - 1));
    const wrong = found.flatMap((value, index) =>
      errors[index]! < tolerance ? [] : [`at ${at[index]}: ${value / 2}, not ${slope(points[index]!)}`],
    );
    expect(wrong).toEqual([]);
  });
});
