/**
 * Graphs that give the same bits on every processor: what ONNX Runtime computes in another order or with other
 * instructions from processor to processor becomes an operator of the addon (native/ops/plain_ops.h) that computes the
 * same plainly. What is left is one operation for each element, which IEEE 754 rounds alike everywhere, or moves data.
 */
import { VaeError } from '../core/errors.js';
import { numbersOf } from '../graph/constants.js';
import type { Attribute, Graph, Model, Node } from '../graph/ir.js';
import { KERNEL_DOMAIN } from './native-kernels.js';

/** Operators whose results ONNX leaves no room for, as ONNX Runtime computes them. */
const EXACT = new Set(
  (
    'Abs Add And ArgMax ArgMin Cast CastLike Ceil Clip Compress Concat Constant ConstantOfShape CumSum DepthToSpace DequantizeLinear ' +
    'Div Equal Expand EyeLike Flatten Floor Gather GatherElements GatherND Greater GreaterOrEqual HardSigmoid Identity ' +
    'IsInf IsNaN LeakyRelu Less LessOrEqual Max MaxPool Min Mod Mul Neg NonZero Not OneHot Or PRelu Pad QuantizeLinear Range ' +
    'ReduceMax ReduceMin Relu Reshape Round ScatterElements ScatterND Shape Sign Size Slice SpaceToDepth Split Squeeze Sub ' +
    'Sum ThresholdedRelu Tile TopK Transpose Trilu Unsqueeze Where Xor'
  ).split(' '),
);

/** Functions of one value, by the name of the operator. */
const FUNCTIONS = new Set(['Exp', 'Log', 'Sigmoid', 'Tanh', 'Softplus', 'Erf', 'Elu', 'Sqrt', 'Reciprocal']);

/** As plain::Reduction numbers them. */
const REDUCTIONS = [
  'ReduceSum',
  'ReduceMean',
  'ReduceLogSumExp',
  'ReduceSumSquare',
  'ReduceL1',
  'ReduceL2',
  'ReduceLogSum',
];

type Rewrite = (node: Node, graph: Graph) => Partial<Node> | undefined;

const int = (value: number): Attribute => ({ kind: 'int', value });
const float = (value: number): Attribute => ({ kind: 'float', value });
const ints = (value: readonly number[]): Attribute => ({ kind: 'ints', value });
const string = (value: string): Attribute => ({ kind: 'string', value });

function numberOf(node: Node, name: string, otherwise: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === 'int' || attribute?.kind === 'float' ? attribute.value : otherwise;
}

function listOf(node: Node, name: string, otherwise: readonly number[]): readonly number[] {
  const attribute = node.attributes[name];
  return attribute?.kind === 'ints' ? attribute.value : otherwise;
}

function textOf(node: Node, name: string): string | undefined {
  const attribute = node.attributes[name];
  return attribute?.kind === 'string' ? attribute.value : undefined;
}

/** Attributes of convolutions and pools; undefined where they leave padding to the runtime. */
function windowOf(node: Node, kernel: readonly number[] | undefined): Record<string, Attribute> | undefined {
  const padding = textOf(node, 'auto_pad') ?? 'NOTSET';
  if (kernel === undefined || kernel.length < 1 || kernel.length > 3 || padding !== 'NOTSET') return undefined;
  const ones = kernel.map(() => 1);
  return {
    kernel_shape: ints(kernel),
    strides: ints(listOf(node, 'strides', ones)),
    dilations: ints(listOf(node, 'dilations', ones)),
    pads: ints(listOf(node, 'pads', [...ones, ...ones].fill(0))),
    group: int(numberOf(node, 'group', 1)),
  };
}

/** Lengths of a weight's kernel. */
function kernelOf(node: Node, { types }: Graph): readonly number[] | undefined {
  const lengths = types.get(node.inputs[1]!)?.shape?.slice(2);
  return lengths?.every((length) => typeof length === 'number') ? (lengths as number[]) : undefined;
}

const reduction: Rewrite = (node, graph) => {
  const [x = '', axes = ''] = node.inputs;
  const constant = graph.initializers.get(axes);
  if (axes !== '' && constant === undefined) return undefined;
  const rank = graph.types.get(x)?.shape?.length;
  const given = constant === undefined ? listOf(node, 'axes', []) : [...numbersOf(constant)];
  if (given.length === 0 && rank === undefined) return undefined;
  const none = given.length === 0 && numberOf(node, 'noop_with_empty_axes', 0) === 1;
  const all = given.length > 0 || none ? given : Array.from({ length: rank! }, (_, axis) => axis);
  return {
    op: 'PlainReduce',
    inputs: [x],
    attributes: {
      kind: int(REDUCTIONS.indexOf(node.op)),
      axes: ints(all),
      keepdims: int(numberOf(node, 'keepdims', 1)),
    },
  };
};

const softmax: Rewrite = (node) => ({
  op: 'PlainSoftmax',
  attributes: { axis: int(numberOf(node, 'axis', -1)), logarithm: int(node.op === 'LogSoftmax' ? 1 : 0) },
});

const REWRITES: Readonly<Record<string, Rewrite>> = {
  Gemm: (node) => ({
    op: 'PlainGemm',
    attributes: {
      alpha: float(numberOf(node, 'alpha', 1)),
      beta: float(numberOf(node, 'beta', 1)),
      transA: int(numberOf(node, 'transA', 0)),
      transB: int(numberOf(node, 'transB', 0)),
    },
  }),
  MatMul: () => ({ op: 'PlainMatMul', attributes: {} }),
  Conv(node, graph) {
    const attributes = windowOf(node, kernelOf(node, graph));
    return attributes && { op: 'PlainConv', attributes };
  },
  ConvTranspose(node, graph) {
    const kernel = kernelOf(node, graph);
    const attributes = windowOf(node, kernel);
    if (attributes === undefined || node.attributes['output_shape'] !== undefined) return undefined;
    const left = ints(
      listOf(
        node,
        'output_padding',
        kernel!.map(() => 0),
      ),
    );
    return { op: 'PlainConvTranspose', attributes: { ...attributes, output_padding: left } };
  },
  AveragePool(node) {
    const attributes = windowOf(node, listOf(node, 'kernel_shape', []));
    if (attributes === undefined || numberOf(node, 'ceil_mode', 0) !== 0) return undefined;
    return listOf(node, 'pads', []).some((pad) => pad !== 0) ? undefined : { op: 'PlainAveragePool', attributes };
  },
  Softmax: softmax,
  LogSoftmax: softmax,
  InstanceNormalization: (node) => ({
    op: 'PlainNormalization',
    attributes: { epsilon: float(numberOf(node, 'epsilon', 1e-5)), axis: int(2), channels: int(1) },
  }),
  LayerNormalization: (node) => ({
    op: 'PlainNormalization',
    attributes: {
      epsilon: float(numberOf(node, 'epsilon', 1e-5)),
      axis: int(numberOf(node, 'axis', -1)),
      channels: int(0),
    },
  }),
  // Linear and cubic ones multiply by weights that they round on the way.
  Resize: (node) => ((textOf(node, 'mode') ?? 'nearest') === 'nearest' ? {} : undefined),
  ...Object.fromEntries(REDUCTIONS.map((op) => [op, reduction])),
  ...Object.fromEntries(
    [...FUNCTIONS].map((op): [string, Rewrite] => [
      op,
      (node) => ({
        op: 'PlainFunction',
        attributes: { function: string(op), alpha: float(numberOf(node, 'alpha', 1)) },
      }),
    ]),
  ),
};

/**
 * The same graph in such operators; the model given is not changed.
 *
 * @throws VaeError ERR_VAE_UNSUPPORTED_OPERATOR naming the first operator that has no plain form.
 */
export function withPlainOperators(model: Model): Model {
  const { graph } = model;
  const nodes = graph.nodes.map((node) => plainNode(node, graph));
  return {
    ...model,
    opsets: new Map([...model.opsets, [KERNEL_DOMAIN, 1]]),
    graph: { ...graph, nodes, types: new Map(graph.types), initializers: new Map(graph.initializers) },
  };
}

function plainNode(node: Node, graph: Graph): Node {
  const floats = [...node.inputs, ...node.outputs].some((value) => graph.types.get(value)?.dtype.startsWith('float'));
  if (node.domain === '' && (!floats || EXACT.has(node.op))) return node;
  const narrow = [...node.inputs, ...node.outputs].every((value) => {
    const dtype = graph.types.get(value)?.dtype;
    return dtype === undefined || !dtype.includes('float') || dtype === 'float32';
  });
  const made = node.domain === '' && narrow ? REWRITES[node.op]?.(node, graph) : undefined;
  if (made === undefined) {
    throw new VaeError(
      'ERR_VAE_UNSUPPORTED_OPERATOR',
      `deterministic: node "${node.name}" is ${node.domain === '' ? node.op : `${node.domain}.${node.op}`}, which this package ` +
        'has no form of that gives the same bits on every processor. Leave the option out, and compare with a tolerance.',
    );
  }
  return made.op === undefined ? node : { ...node, ...made, domain: KERNEL_DOMAIN };
}
