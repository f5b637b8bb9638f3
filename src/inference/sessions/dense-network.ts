/** Finds out whether a graph is a chain of fully connected layers, which native code runs faster by itself. */
import { readFile, stat } from 'node:fs/promises';
import type { DenseLayer, DenseNetworkSpec, ValueDescription } from '../../binding/addon.js';
import { readConstant } from '../../graph/constants.js';
import type { Constant, Graph, Node, ValueInfo } from '../../graph/ir.js';
import { skimGraph } from '../../graph/proto/skim.js';
import { int8Gemm, type Rounding, roundingOf } from '../int8/dense-int8.js';

/** Beyond, weights come from memory, and how they are multiplied makes no difference. */
const MOST_BYTES = 8 * 2 ** 20;

/** Operators that leave the elements of one row as they lie. */
const SAME_ELEMENTS = new Set(['Flatten', 'Reshape', 'Identity', 'Squeeze', 'Unsqueeze']);
const ACTIVATIONS = { Relu: 'relu', Sigmoid: 'sigmoid', Tanh: 'tanh' } as const;

/** As findDenseNetwork(), for a model that may be anything. */
export async function readDenseNetwork(model: Uint8Array | string): Promise<DenseNetworkSpec | undefined> {
  try {
    const bytes = typeof model === 'string' ? (await stat(model)).size : model.length;
    if (bytes > MOST_BYTES + 2 ** 20) return undefined;
    const graph = skimGraph(typeof model === 'string' ? await readFile(model) : model);
    return graph && findDenseNetwork(graph);
  } catch {
    // What is wrong with it is said by ONNX Runtime, which has to take it anyway.
    return undefined;
  }
}

/** The layers of a graph of one float32 input that holds nothing else; undefined for any other. */
export function findDenseNetwork(graph: Graph): DenseNetworkSpec | undefined {
  const [input, ...more] = graph.inputs;
  if (input?.dtype !== 'float32' || more.length > 0 || input.shape === undefined) return undefined;
  const row = input.shape.slice(1);
  if (!row.every((dim) => typeof dim === 'number')) return undefined;
  const inputs = row.reduce((product, dim) => product * dim, 1);

  const layers: DenseLayer[] = [];
  // Which layer a value is, 0 being the input; and how many nodes take it.
  const layerOf = new Map([[input.name, 0]]);
  const uses = countUses(graph);
  const producers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  // Values in uint8, and what they are worth.
  const wholes = new Map<string, Source>();
  const rounded = new Map<string, Source>();
  let weights = 0;
  for (const node of graph.nodes) {
    const [first = ''] = node.inputs;
    const [output = ''] = node.outputs;
    if (node.domain !== '') return undefined;
    if (node.op === 'DequantizeLinear') {
      // Weights are looked at with their layer.
      if (graph.initializers.has(first)) continue;
      const whole = wholes.get(first);
      if (whole === undefined || !sameRounding(whole, roundingOf(graph, node))) return undefined;
      rounded.set(output, whole);
      continue;
    }
    const exact = layerOf.get(first);
    if (node.op === 'QuantizeLinear') {
      const rounding = roundingOf(graph, node);
      if (exact === undefined || rounding === undefined) return undefined;
      // One for each value: see roundActivation().
      for (const other of wholes.values()) if (other.from === exact && !sameRounding(other, rounding)) return undefined;
      wholes.set(output, { from: exact, ...rounding });
      continue;
    }
    const worth = rounded.get(first);
    const from = exact ?? worth?.from;
    if (from === undefined || (worth !== undefined && node.op !== 'Gemm')) return undefined;
    const source = layers[from - 1];
    const activation = ACTIVATIONS[node.op as keyof typeof ACTIVATIONS];
    if (SAME_ELEMENTS.has(node.op)) {
      layerOf.set(output, from);
    } else if (activation !== undefined) {
      if (source?.activation !== 'none' || uses.get(node.inputs[0]!) !== 1) return undefined;
      layers[from - 1] = { ...source, activation };
      layerOf.set(output, from);
    } else {
      const width = source?.outputs ?? inputs;
      const layer = worth === undefined ? gemm(graph, node, from, width) : int8(graph, producers, node, worth, width);
      if (layer === undefined) return undefined;
      weights += layer.inputs * layer.outputs;
      if (weights * 4 > MOST_BYTES) return undefined;
      layerOf.set(output, layers.push(layer));
    }
  }
  for (const [index, { name }] of graph.outputs.entries()) {
    const at = layerOf.get(name);
    // A layer that is two outputs at once is not worth the trouble.
    if (!at || layers[at - 1]!.output !== undefined) return undefined;
    layers[at - 1] = { ...layers[at - 1]!, output: index };
  }
  return { inputs, layers, ends: { inputs: graph.inputs.map(describe), outputs: graph.outputs.map(describe) } };
}

/** As ONNX Runtime describes it. */
function describe({ name, dtype, shape }: ValueInfo): ValueDescription {
  const lengths = shape ?? [];
  return {
    name,
    dtype,
    dims: lengths.map((length) => (typeof length === 'number' ? length : -1)),
    symbols: lengths.map((length) => (typeof length === 'number' ? '' : length)),
  };
}

function countUses({ nodes, outputs }: Graph): Map<string, number> {
  const uses = new Map<string, number>();
  for (const name of [...nodes.flatMap((node) => node.inputs), ...outputs.map((output) => output.name)]) {
    uses.set(name, (uses.get(name) ?? 0) + 1);
  }
  return uses;
}

/** Which layer's values, and how they are rounded. */
interface Source extends Rounding {
  readonly from: number;
}

function sameRounding(a: Rounding, b: Rounding | undefined): boolean {
  return a.scale === b?.scale && a.zero === b.zero;
}

function int8(
  graph: Graph,
  producers: ReadonlyMap<string, Node>,
  node: Node,
  { from, scale, zero }: Source,
  width: number,
): DenseLayer | undefined {
  const layer = int8Gemm(graph, producers, node, { scale, zero });
  return layer?.inputs === width ? { from, ...layer, activation: 'none' } : undefined;
}

function gemm({ initializers }: Graph, node: Node, from: number, inputs: number): DenseLayer | undefined {
  if (node.op !== 'Gemm') return undefined;
  const number = (name: string, otherwise: number): number => {
    const attribute = node.attributes[name];
    return attribute?.kind === 'int' || attribute?.kind === 'float' ? attribute.value : otherwise;
  };
  const plain = number('alpha', 1) === 1 && number('beta', 1) === 1 && number('transA', 0) === 0;
  const matrix = floats(initializers.get(node.inputs[1] ?? ''));
  const vector = node.inputs[2] ? floats(initializers.get(node.inputs[2])) : undefined;
  if (!plain || matrix?.dims.length !== 2 || (node.inputs[2] && vector === undefined)) return undefined;
  const transposed = number('transB', 0) === 1;
  const [rows, columns] = matrix.dims as [number, number];
  const outputs = transposed ? rows : columns;
  if ((transposed ? columns : rows) !== inputs || (vector !== undefined && vector.data.length !== outputs)) {
    return undefined;
  }
  return {
    from,
    inputs,
    outputs,
    weights: transposed ? transpose(matrix.data, rows, columns) : matrix.data,
    bias: vector?.data,
    activation: 'none',
  };
}

function floats(constant: Constant | undefined): { data: Float32Array; dims: readonly number[] } | undefined {
  if (constant?.dtype !== 'float32') return undefined;
  return { data: readConstant(constant) as Float32Array, dims: constant.dims };
}

function transpose(matrix: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) out[column * rows + row] = matrix[row * columns + column]!;
  }
  return out;
}
