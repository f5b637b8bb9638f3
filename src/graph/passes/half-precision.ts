/** Graphs in half precision: weights and arithmetic in float16, inputs and outputs as they were. */
import { VaeError } from '../../core/errors.js';
import { GraphBuilder, type Value } from '../builder.js';
import { constantOf, numbersOf } from '../constants.js';
import type { Attribute, Constant, Model } from '../ir.js';

/** Numbers of element types in the ONNX format. */
const FLOAT = 1;
const FLOAT16 = 10;
/** Attributes that name an element type. */
const TYPE_ATTRIBUTES = ['to', 'dtype'];
const LARGEST = 65504;
const SMALLEST = 2 ** -24;
/** Inputs that the operator's definition has in float32 whatever else it takes. */
const FLOAT32_INPUTS: Readonly<Record<string, readonly number[]>> = { Resize: [1, 2] };

/**
 * The same graph with float32 weights and values as float16; inputs and outputs keep their types, with a Cast
 * beside them. Weights are rounded to the nearest; what would become 0 keeps the smallest size there is, so that
 * no division is by 0. The model given is not changed.
 *
 * @throws VaeError ERR_VAE_GRAPH for a weight that float16 cannot hold, or a graph with subgraphs.
 */
export function toHalfPrecision({ graph, opsets, metadata }: Model): Model {
  const g = new GraphBuilder({ name: graph.name, opset: opsets.get('') ?? 18 });
  for (const [domain, version] of opsets) g.model.opsets.set(domain, version);
  for (const [key, text] of metadata) g.model.metadata.set(key, text);
  const kept = float32Constants(graph);
  /** Values of the graph by their names there. */
  const values = new Map<string, Value>();
  for (const { name, dtype, shape } of graph.inputs) {
    const input = g.input(name, dtype, shape);
    values.set(name, dtype === 'float32' ? g.op('Cast', [input], { to: 'float16' }, { name: `${name}_half` }) : input);
  }
  for (const [name, constant] of graph.initializers) {
    values.set(name, g.initializer(name, kept.has(name) ? constant : halfConstant(constant, name)));
  }
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  for (const node of graph.nodes) {
    const attributes = Object.entries(node.attributes).map(([key, value]) => [
      key,
      halfAttribute(key, value, node.name),
    ]);
    // Outputs keep their names; the half-precision value before one gets another.
    const renamed = node.outputs.map((name) => (outputs.has(name) ? `${name}_half` : name));
    g.append({
      ...node,
      inputs: node.inputs.map((name) => values.get(name)?.name ?? name),
      outputs: renamed,
      attributes: Object.fromEntries(attributes),
    });
    node.outputs.forEach((name, index) => {
      if (name !== '') values.set(name, g.value(renamed[index]!));
    });
  }
  for (const { name, dtype } of graph.outputs) {
    const value = values.get(name)!;
    const [cast] = dtype === value.dtype ? ['Identity'] : ['Cast'];
    g.output(name, g.op(cast!, [value], cast === 'Cast' ? { to: dtype } : {}, { outputs: [name] }));
  }
  return g.model;
}

/** Constants that an operator wants in float32. */
function float32Constants({ nodes }: Model['graph']): Set<string> {
  return new Set(nodes.flatMap(({ op, inputs }) => (FLOAT32_INPUTS[op] ?? []).map((index) => inputs[index] ?? '')));
}

function halfConstant(constant: Constant, name: string): Constant {
  if (constant.dtype !== 'float32') return constant;
  const rounded = Float32Array.from(numbersOf(constant), (value) => {
    if (Math.abs(value) > LARGEST && Number.isFinite(value)) {
      throw new VaeError(
        'ERR_VAE_GRAPH',
        `Half precision holds numbers up to ${LARGEST}; "${name}" has ${value}. Export in float32 or int8.`,
      );
    }
    return value !== 0 && Math.abs(value) < SMALLEST ? Math.sign(value) * SMALLEST : value;
  });
  const half = constantOf(rounded, 'float16', constant.dims);
  return constant.literal ? { ...half, literal: true } : half;
}

function halfAttribute(key: string, attribute: Attribute, node: string): Attribute {
  if (attribute.kind === 'graph') {
    throw new VaeError('ERR_VAE_GRAPH', `Half precision: node "${node}" has a subgraph, which is not supported.`);
  }
  if (attribute.kind === 'tensor') return { kind: 'tensor', value: halfConstant(attribute.value, node) };
  if (attribute.kind === 'int' && attribute.value === FLOAT && TYPE_ATTRIBUTES.includes(key)) {
    return { kind: 'int', value: FLOAT16 };
  }
  return attribute;
}
