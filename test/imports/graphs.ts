/** Small encoders and decoders in the shapes in which PyTorch's two exporters write them, at any opset. */
import { constantOf, GraphBuilder, type Value, writeModel } from '../../src/graph/index.js';

export type Exporter = 'torchscript' | 'dynamo';
export const EXPORTERS: readonly Exporter[] = ['torchscript', 'dynamo'];
export const OPSETS: readonly number[] = Array.from({ length: 14 }, (_, index) => 13 + index);

export const DATA = 6;
export const LATENT = 2;

/** Writes a graph as one of the exporters does. */
export class Writer {
  readonly g: GraphBuilder;
  readonly #exporter: Exporter;
  #count = 0;

  constructor(exporter: Exporter, opset: number) {
    this.g = new GraphBuilder({ name: exporter === 'dynamo' ? 'main_graph' : 'torch_jit', opset });
    this.#exporter = exporter;
  }

  /** A number of the formula: a Constant node of the one exporter, an initializer without dimensions of the other. */
  number(value: number): Value {
    if (this.#exporter === 'torchscript') return this.g.scalar(value);
    return this.g.initializer(this.g.unique('val'), constantOf([value], 'float32', []));
  }

  weight(name: string, dims: readonly number[], scale = 1): Value {
    const count = dims.reduce((product, dim) => product * dim, 1);
    const seed = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
    const data = Float32Array.from({ length: count }, (_, index) => scale * Math.sin(seed + 1.7 * index));
    return this.g.initializer(name, constantOf(data, 'float32', dims));
  }

  /** A layer, x Wᵀ + b. */
  linear(name: string, x: Value, inputs: number, outputs: number, scale = 1): Value {
    const weights = [
      this.weight(`${name}.weight`, [outputs, inputs], scale),
      this.weight(`${name}.bias`, [outputs], scale),
    ];
    return this.op('Gemm', [x, ...weights], { transB: 1 }, `/${name}/Gemm`);
  }

  op(op: string, inputs: (Value | undefined)[], attributes = {}, name = `/${op}`): Value {
    this.#count += 1;
    const output = this.#exporter === 'dynamo' ? `${op.toLowerCase()}_${this.#count}` : `${name}_output_${this.#count}`;
    return this.g.ops(op, inputs, attributes, { name: `n${this.#count}`, outputs: [output] })[0]!;
  }

  bytes(): Uint8Array {
    return writeModel(this.g.model);
  }
}

/** What stands at the end of a decoder, and what it makes of the last layer's output. */
export interface Ending {
  readonly end: (w: Writer, x: Value) => Value;
  /** What a reader has to take it for; `ask`: nobody can tell. */
  readonly values: 'logits' | 'probabilities' | 'ask';
}

const sigmoid = (w: Writer, x: Value): Value => w.op('Sigmoid', [x]);

export const ENDINGS: Readonly<Record<string, Ending>> = {
  linear: { end: (_, x) => x, values: 'logits' },
  sigmoid: { end: sigmoid, values: 'probabilities' },
  'sigmoid, clamped': {
    end: (w, x) => w.op('Clip', [sigmoid(w, x), w.number(1e-6), w.number(1 - 1e-6)]),
    values: 'probabilities',
  },
  'sigmoid, scaled and shifted': {
    end: (w, x) => w.op('Add', [w.op('Mul', [sigmoid(w, x), w.number(0.999)]), w.number(0.0005)]),
    values: 'probabilities',
  },
  'sigmoid, another layout': {
    end: (w, x) =>
      w.op('Identity', [w.op('Transpose', [w.op('Transpose', [sigmoid(w, x)], { perm: [1, 0] })], { perm: [1, 0] })]),
    values: 'probabilities',
  },
  'one minus sigmoid': { end: (w, x) => w.op('Sub', [w.number(1), sigmoid(w, x)]), values: 'probabilities' },
  'tanh to 0 and 1': {
    end: (w, x) => w.op('Div', [w.op('Add', [w.op('Tanh', [x]), w.number(1)]), w.number(2)]),
    values: 'probabilities',
  },
  'hard sigmoid': { end: (w, x) => w.op('HardSigmoid', [x], { alpha: 1 / 6, beta: 0.5 }), values: 'probabilities' },
  'clip to 0 and 1': { end: (w, x) => w.op('Clip', [x, w.number(0), w.number(1)]), values: 'probabilities' },
  'min of max': {
    end: (w, x) => w.op('Min', [w.op('Max', [x, w.number(0)]), w.number(1)]),
    values: 'probabilities',
  },
  'quotient of exponentials': {
    end: (w, x) => w.op('Div', [w.number(1), w.op('Add', [w.number(1), w.op('Exp', [w.op('Neg', [x])])])]),
    values: 'probabilities',
  },
  'softplus under an exponential': {
    end: (w, x) => w.op('Exp', [w.op('Neg', [w.op('Softplus', [x])])]),
    values: 'probabilities',
  },
  softmax: { end: (w, x) => w.op('Softmax', [x], { axis: -1 }), values: 'probabilities' },
  'normal distribution function': {
    end: (w, x) => w.op('Mul', [w.op('Add', [w.op('Erf', [x]), w.number(1)]), w.number(0.5)]),
    values: 'probabilities',
  },
  'logits, clamped': { end: (w, x) => w.op('Clip', [x, w.number(-8), w.number(8)]), values: 'logits' },
  'leaky relu': { end: (w, x) => w.op('LeakyRelu', [x], { alpha: 0.2 }), values: 'logits' },
  tanh: { end: (w, x) => w.op('Tanh', [x]), values: 'ask' },
  'sigmoid, stretched': {
    end: (w, x) => w.op('Sub', [w.op('Mul', [sigmoid(w, x), w.number(1.2)]), w.number(0.1)]),
    values: 'ask',
  },
  'linear within 0 and 1': {
    end: (w, x) => w.op('Add', [w.op('Mul', [x, w.number(1e-3)]), w.number(0.5)]),
    values: 'ask',
  },
  'quotient of its own size': {
    end: (w, x) =>
      w.op('Add', [
        w.op('Mul', [w.op('Div', [x, w.op('Add', [w.op('Abs', [x]), w.number(1)])]), w.number(0.5)]),
        w.number(0.5),
      ]),
    values: 'ask',
  },
};

/** z [N, LATENT] to y [N, ...shape]. */
export function decoderOf(
  exporter: Exporter,
  opset: number,
  end: Ending['end'],
  shape: readonly number[] = [DATA],
): Uint8Array {
  const w = new Writer(exporter, opset);
  const z = w.g.input('z', 'float32', ['N', LATENT]);
  const hidden = w.op('Relu', [w.linear('fc', z, LATENT, 8)]);
  const size = shape.reduce((product, dim) => product * dim, 1);
  let top = w.linear('out', hidden, 8, size, 1.5);
  if (shape.length > 1) top = w.op('Reshape', [top, w.g.int64s([-1, ...shape])]);
  w.g.output('y', end(w, top));
  return w.bytes();
}

/** An encoder with the outputs that `heads` makes of two layers, in the order that it names them. */
export interface Heads {
  readonly heads: (w: Writer, mean: Value, logVariance: Value) => Readonly<Record<string, Value>>;
  /** Names of the layers. */
  readonly layers?: readonly [mean: string, logVariance: string];
}

export function encoderOf(exporter: Exporter, opset: number, { heads, layers = ['fc_a', 'fc_b'] }: Heads): Uint8Array {
  const w = new Writer(exporter, opset);
  const x = w.g.input('x', 'float32', ['N', DATA]);
  const hidden = w.op('Tanh', [w.linear('body', x, DATA, 8)]);
  const [mean, logVariance] = layers.map((name, index) => w.linear(name, hidden, 8, LATENT, index === 0 ? 1 : 0.7));
  for (const [name, value] of Object.entries(heads(w, mean!, logVariance!))) w.g.output(name, value);
  return w.bytes();
}
