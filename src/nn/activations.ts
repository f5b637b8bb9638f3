/** Activations by name, each a small graph fragment of standard operators. */
import type { GraphBuilder, Value } from '../graph/builder.js';

type Activation = (g: GraphBuilder, x: Value) => Value;

export const ACTIVATIONS = {
  relu: (g, x) => g.op('Relu', [x]),
  leakyRelu: (g, x) => g.op('LeakyRelu', [x], { alpha: 0.01 }),
  elu: (g, x) => g.op('Elu', [x], { alpha: 1 }),
  selu: (g, x) => g.op('Selu', [x]),
  celu: (g, x) => g.op('Celu', [x], { alpha: 1 }),
  /** Hendrycks and Gimpel 2016, the exact form: x Φ(x). */
  gelu: (g, x) => {
    const erf = g.op('Erf', [g.op('Mul', [x, g.scalar(Math.SQRT1_2)])]);
    return g.op('Mul', [g.op('Mul', [x, g.scalar(0.5)]), g.op('Add', [erf, g.scalar(1)])]);
  },
  /** Elfwing et al. 2018, also called swish: x σ(x). */
  silu: (g, x) => g.op('Mul', [x, g.op('Sigmoid', [x])]),
  sigmoid: (g, x) => g.op('Sigmoid', [x]),
  tanh: (g, x) => g.op('Tanh', [x]),
  softplus: (g, x) => g.op('Softplus', [x]),
  softsign: (g, x) => g.op('Softsign', [x]),
  mish: (g, x) => g.op('Mish', [x]),
  hardSigmoid: (g, x) => g.op('HardSigmoid', [x], { alpha: 1 / 6, beta: 0.5 }),
  hardSwish: (g, x) => g.op('HardSwish', [x]),
} as const satisfies Record<string, Activation>;

export type ActivationName = keyof typeof ACTIVATIONS;
export const ACTIVATION_NAMES = Object.keys(ACTIVATIONS) as ActivationName[];

export function activate(g: GraphBuilder, x: Value, name: ActivationName): Value {
  return ACTIVATIONS[name](g, x);
}
