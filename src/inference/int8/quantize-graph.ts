/**
 * Graphs in 8-bit integers: products with constant weights get their inputs and weights through pairs of
 * QuantizeLinear and DequantizeLinear, which ONNX Runtime fuses into integer kernels and every other
 * runtime computes as written (Jacob et al. 2018, "Quantization and training of neural networks for
 * efficient integer-arithmetic-only inference").
 *
 * Activations are uint8 over a range measured beforehand, so that a row comes out the same in every
 * batch. Weights are int8 by output channel, within ±64: instructions older than VNNI add two products
 * in 16 bits, and 2 · 255 · 64 still fits.
 */

import { float32Of } from '../../graph/constants.js';
import { type Constant, GraphBuilder, type Model, type Node, type Value } from '../../graph/index.js';
import { removeDeadNodes } from '../../graph/passes/index.js';

/** Smallest and largest value seen. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

const LARGEST_WEIGHT = 64;
/** Weights of fewer elements than this stay as they are: their products take no time. */
const FEWEST_ELEMENTS = 1024;

/** A node that can be quantized: its weight, and the weight's axis of output channels. */
interface Product {
  readonly weight: Constant;
  readonly axis: number;
  /** Whether the weight must be transposed, as Gemm's may be. */
  readonly transpose: boolean;
}

function productOf(node: Node, model: Model): Product | undefined {
  if (node.domain !== '') return undefined;
  const weight = model.graph.initializers.get(node.inputs[1] ?? '');
  if (weight === undefined || weight.dtype !== 'float32') return undefined;
  if (weight.dims.reduce((count, dim) => count * dim, 1) < FEWEST_ELEMENTS) return undefined;
  const number = (name: string, missing: number): number => {
    const attribute = node.attributes[name];
    return attribute?.kind === 'int' || attribute?.kind === 'float' ? attribute.value : missing;
  };
  switch (node.op) {
    case 'MatMul':
      return weight.dims.length === 2 ? { weight, axis: 1, transpose: false } : undefined;
    case 'Gemm':
      if (number('alpha', 1) !== 1 || number('beta', 1) !== 1 || number('transA', 0) !== 0) return undefined;
      return { weight, axis: 1, transpose: number('transB', 0) === 1 };
    case 'Conv':
      return { weight, axis: 0, transpose: false };
    default:
      return undefined;
  }
}

/** Values whose range must be known before the graph can be quantized. */
export function quantizedInputs(model: Model): string[] {
  const names = model.graph.nodes
    .filter((node) => productOf(node, model) !== undefined)
    .map(({ inputs }) => inputs[0]!);
  return [...new Set(names)];
}

/** The graph with the smallest and largest element of each value as scalar outputs, `min_i` and `max_i`. */
export function observedModel(model: Model, names: readonly string[]): Model {
  const builder = GraphBuilder.from(model);
  builder.graph.outputs = [];
  names.forEach((name, index) => {
    const value = builder.value(name);
    builder.output(`min_${index}`, builder.op('ReduceMin', [value], { keepdims: 0 }));
    builder.output(`max_${index}`, builder.op('ReduceMax', [value], { keepdims: 0 }));
  });
  return builder.model;
}

/**
 * @param ranges of every value that quantizedInputs() names.
 * @returns the quantized graph, and how many of its products are in integers.
 */
export function quantizeModel(model: Model, ranges: ReadonlyMap<string, Range>): { model: Model; products: number } {
  const { graph, opsets } = model;
  const g = new GraphBuilder({ name: graph.name, opset: opsets.get('') ?? 18 });
  for (const [domain, version] of opsets) g.model.opsets.set(domain, version);
  for (const { name, dtype, shape } of graph.inputs) g.input(name, dtype, shape);
  for (const [name, constant] of graph.initializers) g.initializer(name, constant);
  const rounded = new Map<string, { value: Value; scale: number }>();
  let products = 0;
  for (const node of graph.nodes) {
    const product = productOf(node, model);
    const range = ranges.get(node.inputs[0] ?? '');
    if (product === undefined || range === undefined) {
      g.append(node);
      continue;
    }
    products += 1;
    const name = node.inputs[0]!;
    let input = rounded.get(name);
    if (input === undefined) {
      input = roundActivation(g, g.value(name), range);
      rounded.set(name, input);
    }
    const { weight, scales } = roundWeight(g, product);
    const bias = node.inputs[2] ? roundBias(g, node, model, input.scale, scales) : undefined;
    const { transB: _transB, ...attributes } = node.attributes;
    const inputs = [input.value, weight, ...(bias === undefined ? [] : [bias])];
    g.append({ ...node, inputs: inputs.map((value) => value.name), attributes });
  }
  for (const { name } of graph.outputs) g.output(name, g.value(name));
  removeDeadNodes(g.model);
  return { model: g.model, products };
}

/** 0 must be a whole step, so that padding and zero inputs stay exact. */
function roundActivation(g: GraphBuilder, value: Value, range: Range): { value: Value; scale: number } {
  const low = Math.min(0, range.min);
  const high = Math.max(0, range.max);
  const scale = Math.fround((high - low) / 255) || 1;
  const zero = Math.max(0, Math.min(255, Math.round(-low / scale)));
  const parameters = [g.scalar(scale), g.constant([zero], 'uint8', [])];
  const whole = g.op('QuantizeLinear', [value, ...parameters]);
  return { value: g.op('DequantizeLinear', [whole, ...parameters]), scale };
}

function roundWeight(g: GraphBuilder, { weight, axis, transpose }: Product): { weight: Value; scales: Float32Array } {
  let values = float32Of(weight);
  let dims = weight.dims;
  if (transpose) {
    const [rows, columns] = dims as [number, number];
    const turned = new Float32Array(values.length);
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) turned[column * rows + row] = values[row * columns + column]!;
    }
    values = turned;
    dims = [columns, rows];
  }
  const channels = dims[axis]!;
  const inner = dims.slice(axis + 1).reduce((count, dim) => count * dim, 1);
  const channelOf = (index: number): number => Math.floor(index / inner) % channels;
  const largest = new Float32Array(channels);
  values.forEach((value, index) => {
    const channel = channelOf(index);
    largest[channel] = Math.max(largest[channel]!, Math.abs(value));
  });
  const scales = largest.map((size) => size / LARGEST_WEIGHT || 1);
  const whole = Int8Array.from(values, (value, index) => Math.round(value / scales[channelOf(index)]!));
  const parameters = [g.constant(scales), g.constant(new Int8Array(channels), 'int8', [channels])];
  return { weight: g.op('DequantizeLinear', [g.constant(whole, 'int8', dims), ...parameters], { axis }), scales };
}

/** Biases in 32 bits, in units of input times weight, as integer kernels add them. */
function roundBias(g: GraphBuilder, node: Node, model: Model, inputScale: number, weightScales: Float32Array): Value {
  const constant = model.graph.initializers.get(node.inputs[2]!);
  const channels = weightScales.length;
  if (constant === undefined || constant.dims.length !== 1 || constant.dims[0] !== channels) {
    return g.value(node.inputs[2]!);
  }
  const scales = weightScales.map((scale) => scale * inputScale);
  const whole = Int32Array.from(float32Of(constant), (value, index) =>
    Math.max(-0x8000_0000, Math.min(0x7fff_ffff, Math.round(value / scales[index]!))),
  );
  const parameters = [g.constant(scales), g.constant(new Int32Array(channels), 'int32', [channels])];
  return g.op('DequantizeLinear', [g.constant(whole, 'int32', [channels]), ...parameters], { axis: 0 });
}
