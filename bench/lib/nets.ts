/** The convolutional VAEs of bench/peers/training_conv.py as graphs: forward and loss, weights as initializers. */
import { loadAddon } from '../../src/binding/index.js';
import { elementCount } from '../../src/core/dtype.js';
import { GraphBuilder, type Value } from '../../src/graph/builder.js';
import type { Model } from '../../src/graph/ir.js';

export interface Net {
  readonly objective: Model;
  /** Initializers to train; the others are constants of the formula. */
  readonly parameters: readonly string[];
  readonly dataShape: readonly number[];
  readonly latentDim: number;
}

/** 1x28x28, latent 32: two strided convolutions of 32 and 64 channels, kernel 4, and their mirror. */
function convNet(): Net {
  const latentDim = 32;
  return objective('conv', [1, 28, 28], latentDim, 'bernoulli', {
    encode(net, x) {
      const h = net.relu(net.conv('encoder.0', x, 32, 4, { stride: 2 }));
      return net.flatten(net.relu(net.conv('encoder.1', h, 64, 4, { stride: 2 })));
    },
    decode(net, z) {
      const h = net.reshape(net.relu(net.linear('decoder.in', z, 64 * 7 * 7)), [64, 7, 7]);
      const up = net.relu(net.convTranspose('decoder.0', h, 32));
      return net.convTranspose('decoder.1', up, 1);
    },
  });
}

/** 3x32x32, 64 channels, latent 64: a residual block at each of 32, 16 and 8 pixels a side, down and up again. */
function residualNet(): Net {
  const c = 64;
  return objective('residual', [3, 32, 32], 64, 'gaussian', {
    encode(net, x) {
      let h = net.conv('encoder.in', x, c, 3);
      for (const level of [0, 1, 2]) {
        if (level > 0) h = net.conv(`encoder.${level}.down`, h, c, 3, { stride: 2 });
        h = net.residual(`encoder.${level}`, h);
      }
      return net.flatten(net.silu(net.groupNorm('encoder.norm', h)));
    },
    decode(net, z) {
      let h = net.reshape(net.linear('decoder.in', z, c * 8 * 8), [c, 8, 8]);
      for (const level of [0, 1, 2]) {
        if (level > 0) h = net.conv(`decoder.${level}.up`, net.upsample(h), c, 3);
        h = net.residual(`decoder.${level}`, h);
      }
      return net.conv('decoder.out', net.silu(net.groupNorm('decoder.norm', h)), 3, 3);
    },
  });
}

/** By the names that bench/peers/training_conv.py has for them. */
export const NETS = { conv: convNet, residual: residualNet } as const;
export type NetName = keyof typeof NETS;

interface Parts {
  /** To [N, features]. */
  encode(net: Layers, x: Value): Value;
  /** To logits or means shaped like the data. */
  decode(net: Layers, z: Value): Value;
}

function objective(
  name: string,
  dataShape: readonly number[],
  latentDim: number,
  likelihood: 'bernoulli' | 'gaussian',
  { encode, decode }: Parts,
): Net {
  const g = new GraphBuilder({ name });
  const net = new Layers(g);
  const x = g.input('input', 'float32', ['N', ...dataShape]);
  const epsilon = g.input('epsilon', 'float32', ['N', latentDim]);
  const klWeight = g.input('kl_weight', 'float32', []);
  const h = encode(net, x);
  const mean = net.linear('mean', h, latentDim);
  const logVariance = net.linear('log_variance', h, latentDim);
  const deviation = g.op('Exp', [g.op('Mul', [logVariance, g.scalar(0.5)])]);
  const out = decode(net, g.op('Add', [mean, g.op('Mul', [deviation, epsilon])]));
  const perValue = likelihood === 'bernoulli' ? net.crossEntropy(x, out) : net.halfSquare(x, out);
  const reconstruction = net.meanOfSums(perValue);
  const variance = g.op('Exp', [logVariance]);
  const square = g.op('Mul', [mean, mean]);
  const doubled = g.op('Sub', [g.op('Add', [square, variance]), g.op('Add', [logVariance, g.scalar(1)])]);
  const kl = net.meanOfSums(g.op('Mul', [doubled, g.scalar(0.5)]));
  g.output('loss', g.op('Add', [reconstruction, g.op('Mul', [kl, klWeight])]));
  g.output('reconstruction', reconstruction);
  g.output('kl', kl);
  return { objective: g.model, parameters: net.parameters, dataShape, latentDim };
}

class Layers {
  readonly #g: GraphBuilder;
  readonly parameters: string[] = [];

  constructor(g: GraphBuilder) {
    this.#g = g;
  }

  conv(name: string, x: Value, outputs: number, kernel: number, { stride = 1 } = {}): Value {
    const inputs = x.shape![1] as number;
    const weight = this.#uniform(`${name}.weight`, [outputs, inputs, kernel, kernel], inputs * kernel * kernel);
    const bias = this.#uniform(`${name}.bias`, [outputs], inputs * kernel * kernel);
    return this.#g.op('Conv', [x, weight, bias], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [1, 1, 1, 1],
    });
  }

  /** Kernel 4, stride 2: twice as wide and high. */
  convTranspose(name: string, x: Value, outputs: number): Value {
    const inputs = x.shape![1] as number;
    const weight = this.#uniform(`${name}.weight`, [inputs, outputs, 4, 4], outputs * 16);
    const bias = this.#uniform(`${name}.bias`, [outputs], outputs * 16);
    return this.#g.op('ConvTranspose', [x, weight, bias], {
      kernel_shape: [4, 4],
      strides: [2, 2],
      pads: [1, 1, 1, 1],
    });
  }

  linear(name: string, x: Value, outputs: number): Value {
    const inputs = x.shape![1] as number;
    const weight = this.#uniform(`${name}.weight`, [outputs, inputs], inputs);
    return this.#g.op('Gemm', [x, weight, this.#uniform(`${name}.bias`, [outputs], inputs)], { transB: 1 });
  }

  /** x + conv(silu(norm(conv(silu(norm(x)))))). */
  residual(name: string, x: Value): Value {
    const channels = x.shape![1] as number;
    let h = x;
    for (const half of ['a', 'b']) {
      h = this.conv(`${name}.${half}`, this.silu(this.groupNorm(`${name}.${half}.norm`, h)), channels, 3);
    }
    return this.#g.op('Add', [x, h]);
  }

  /** Wu and He 2018, 8 groups, as exporters write it: instance normalisation of each group, then scale and shift. */
  groupNorm(name: string, x: Value, groups = 8): Value {
    const [, channels, height, width] = x.shape as [string, number, number, number];
    const g = this.#g;
    const grouped = g.op('Reshape', [x, g.int64s([0, groups, -1])]);
    const ones = g.constant(new Float32Array(groups).fill(1), 'float32', [groups]);
    const zeros = g.constant(new Float32Array(groups), 'float32', [groups]);
    const normal = g.op('InstanceNormalization', [grouped, ones, zeros], { epsilon: 1e-5 });
    const back = g.op('Reshape', [normal, g.int64s([-1, channels, height, width])]);
    const scale = this.#filled(`${name}.weight`, [channels, 1, 1], 1);
    const shift = this.#filled(`${name}.bias`, [channels, 1, 1], 0);
    return g.op('Add', [g.op('Mul', [back, scale]), shift]);
  }

  upsample(x: Value): Value {
    const scales = this.#g.constant(Float32Array.of(1, 1, 2, 2), 'float32', [4]);
    const nearest = { mode: 'nearest', nearest_mode: 'floor', coordinate_transformation_mode: 'asymmetric' };
    return this.#g.op('Resize', [x, undefined, scales], nearest);
  }

  relu(x: Value): Value {
    return this.#g.op('Relu', [x]);
  }

  silu(x: Value): Value {
    return this.#g.op('Mul', [x, this.#g.op('Sigmoid', [x])]);
  }

  flatten(x: Value): Value {
    return this.#g.op('Flatten', [x], { axis: 1 });
  }

  reshape(x: Value, shape: readonly number[]): Value {
    return this.#g.op('Reshape', [x, this.#g.int64s([-1, ...shape])]);
  }

  /** −ln p of a Bernoulli with these logits. */
  crossEntropy(x: Value, logits: Value): Value {
    const g = this.#g;
    return g.op('Sub', [g.op('Softplus', [logits]), g.op('Mul', [x, logits])]);
  }

  halfSquare(x: Value, mean: Value): Value {
    const g = this.#g;
    const difference = g.op('Sub', [x, mean]);
    return g.op('Mul', [g.op('Mul', [difference, difference]), g.scalar(0.5)]);
  }

  /** Summed over each example, averaged over the batch. */
  meanOfSums(x: Value): Value {
    const g = this.#g;
    const sums = g.op('ReduceSum', [this.flatten(x), g.int64s([1])], { keepdims: 0 });
    return g.op('ReduceMean', [sums, g.int64s([0])], { keepdims: 0 });
  }

  /** Uniform in ±1/sqrt(fanIn), as PyTorch draws them. */
  #uniform(name: string, dims: readonly number[], fanIn: number): Value {
    const values = new Float32Array(elementCount(dims));
    loadAddon().random.fillUniform(values, 1n, 0, BigInt(this.parameters.length));
    return this.#initializer(
      name,
      dims,
      values.map((value) => (2 * value - 1) / Math.sqrt(fanIn)),
    );
  }

  #filled(name: string, dims: readonly number[], value: number): Value {
    return this.#initializer(name, dims, new Float32Array(elementCount(dims)).fill(value));
  }

  #initializer(name: string, dims: readonly number[], values: Float32Array): Value {
    this.parameters.push(name);
    return this.#g.initializer(name, { dtype: 'float32', dims, data: new Uint8Array(values.buffer) });
  }
}
