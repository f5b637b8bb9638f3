/**
 * Half-precision graphs made to compute in float32, for models whose activations overflow float16
 * (diffusers' force_upcast): weights keep their values, and everything that was float16 is float32.
 */
import { type Attribute, type Constant, constantOf, GraphBuilder, type Model, numbersOf } from '../../graph/index.js';

/** Numbers of element types in the ONNX format. */
const FLOAT = 1;
const FLOAT16 = 10;
/** Attributes that name an element type. */
const TYPE_ATTRIBUTES = ['to', 'dtype', 'stash_type'];

/** Whether any input of the graph is float16. */
export function isHalfPrecision({ graph }: Model): boolean {
  return graph.inputs.some(({ dtype }) => dtype === 'float16');
}

export function upcastModel({ graph, opsets }: Model): Model {
  const g = new GraphBuilder({ name: graph.name, opset: opsets.get('') ?? 18 });
  for (const [domain, version] of opsets) g.model.opsets.set(domain, version);
  for (const { name, dtype, shape } of graph.inputs) g.input(name, dtype === 'float16' ? 'float32' : dtype, shape);
  for (const [name, constant] of graph.initializers) g.initializer(name, upcastConstant(constant));
  for (const node of graph.nodes) {
    const attributes = Object.entries(node.attributes).map(([key, value]) => [key, upcastAttribute(key, value)]);
    g.append({ ...node, attributes: Object.fromEntries(attributes) });
  }
  for (const { name } of graph.outputs) g.output(name, g.value(name));
  return g.model;
}

function upcastConstant(constant: Constant): Constant {
  if (constant.dtype !== 'float16') return constant;
  const wide = constantOf(Float32Array.from(numbersOf(constant)), 'float32', constant.dims);
  return constant.literal ? { ...wide, literal: true } : wide;
}

function upcastAttribute(key: string, attribute: Attribute): Attribute {
  if (attribute.kind === 'tensor') return { kind: 'tensor', value: upcastConstant(attribute.value) };
  if (attribute.kind === 'int' && attribute.value === FLOAT16 && TYPE_ATTRIBUTES.includes(key)) {
    return { kind: 'int', value: FLOAT };
  }
  return attribute;
}
