/** Checks a whole model: what it reads is made, once, before it is read, and every node fits its operator. */
import { VaeError } from '../core/errors.js';
import { printable } from './external-data.js';
import { describeShape } from './infer/broadcast.js';
import { describeNode, type InferenceScope, SubgraphBudget } from './infer/context.js';
import { inferNode } from './infer/infer-node.js';
import { knownElementsOf } from './infer/known-elements.js';
import { type Graph, HIGHEST_INPUT_OPSET, LOWEST_INPUT_OPSET, type Model, type Node, type TensorType } from './ir.js';
import { UniqueNames } from './names.js';
import type { KnownElements } from './operators/definition.js';
import { readsOf } from './reads.js';
import { topologicalOrder } from './topological-order.js';

/**
 * @throws VaeError ERR_VAE_GRAPH, ERR_VAE_SHAPE or ERR_VAE_UNSUPPORTED_OPERATOR naming the node, for:
 * an opset out of range, names used twice, cycles, nodes out of order, values that nothing makes,
 * outputs that nothing makes, nodes that do not fit their operator, recorded types that cannot be.
 */
export function verifyModel(model: Model): void {
  const { graph } = model;
  const opset = model.opsets.get('');
  if (opset === undefined || opset < LOWEST_INPUT_OPSET || opset > HIGHEST_INPUT_OPSET) {
    throw new VaeError(
      'ERR_VAE_GRAPH',
      `The model is of opset ${opset ?? 'unknown'}; supported are ${LOWEST_INPUT_OPSET} to ${HIGHEST_INPUT_OPSET}.`,
    );
  }
  verifyNames(graph);
  topologicalOrder(graph);
  verifyTypes(model, opset);
}

function verifyNames(graph: Graph): void {
  const made = new Map<string, string>();
  const claim = (name: string, maker: string) => {
    if (name === '') throw new VaeError('ERR_VAE_GRAPH', `${maker} has no name.`);
    const earlier = made.get(name);
    if (earlier !== undefined) {
      throw new VaeError('ERR_VAE_GRAPH', `"${printable(name)}" is the name of ${earlier} and of ${maker}.`);
    }
    made.set(name, maker);
  };
  for (const { name } of graph.inputs) claim(name, 'a graph input');
  for (const name of graph.initializers.keys()) claim(name, 'an initializer');
  const nodeNames = new Set<string>();
  for (const node of graph.nodes) {
    const label = `node "${printable(node.name || (node.outputs[0] ?? ''))}" (${printable(node.op)})`;
    if (node.name !== '' && nodeNames.has(node.name))
      throw new VaeError('ERR_VAE_GRAPH', `Two nodes are named "${printable(node.name)}".`);
    nodeNames.add(node.name);
    if (!node.outputs.some((name) => name !== '')) throw new VaeError('ERR_VAE_GRAPH', `The ${label} makes nothing.`);
    for (const name of node.outputs) if (name !== '') claim(name, label);
  }
  for (const node of graph.nodes) {
    for (const name of readsOf(node)) if (!made.has(name)) throw missing(node, name);
  }
  const outputs = new Set<string>();
  for (const { name } of graph.outputs) {
    if (!made.has(name)) throw new VaeError('ERR_VAE_GRAPH', `Nothing makes the graph output "${printable(name)}".`);
    if (outputs.has(name))
      throw new VaeError('ERR_VAE_GRAPH', `The graph output "${printable(name)}" is listed twice.`);
    outputs.add(name);
  }
}

function missing(node: Node, name: string): VaeError {
  return new VaeError(
    'ERR_VAE_GRAPH',
    `The node "${printable(node.name || (node.outputs[0] ?? ''))}" (${printable(node.op)}) reads "${printable(name)}", which nothing makes.`,
  );
}

/** Infers every node again and compares with what the graph records. */
function verifyTypes(model: Model, opset: number): void {
  const { graph } = model;
  const types = new Map<string, TensorType>();
  const known = new Map<string, KnownElements>();
  for (const { name, dtype, shape } of graph.inputs) types.set(name, { dtype, shape });
  for (const [name, constant] of graph.initializers) {
    types.set(name, { dtype: constant.dtype, shape: constant.dims });
    const elements = knownElementsOf(constant);
    if (elements) known.set(name, elements);
  }
  const names = new UniqueNames();
  const scope: InferenceScope = {
    opset,
    opsets: model.opsets,
    elements: (name) => known.get(name),
    constant: (name) => graph.initializers.get(name),
    type: (name) => types.get(name),
    budget: new SubgraphBudget(),
    freshDim: () => names.unique('?'),
  };
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => {
      if (name === '') return undefined;
      const type = types.get(name);
      if (type === undefined) {
        throw new VaeError(
          'ERR_VAE_GRAPH',
          `${describeNode(node, opset)} comes before what makes its input "${printable(name)}".`,
        );
      }
      return type;
    });
    const inferred = inferNode(node, inputs, scope);
    node.outputs.forEach((name, index) => {
      if (name === '') return;
      const recorded = graph.types.get(name);
      const type = inferred.types[index]!;
      if (recorded !== undefined && conflict(type, recorded)) {
        throw new VaeError(
          'ERR_VAE_SHAPE',
          `${describeNode(node, opset)} makes "${printable(name)}" as ${type.dtype} ${describeShape(type.shape)}, ` +
            `recorded as ${recorded.dtype} ${describeShape(recorded.shape)}.`,
        );
      }
      // Lengths that a file declared say more than inference could.
      types.set(name, recorded ?? type);
      if (index === 0 && inferred.elements) known.set(name, inferred.elements);
    });
  }
  for (const output of graph.outputs) {
    const type = types.get(output.name)!;
    if (conflict(type, output)) {
      throw new VaeError(
        'ERR_VAE_SHAPE',
        `The graph output "${printable(output.name)}" is declared as ${output.dtype} ${describeShape(output.shape)} ` +
          `and made as ${type.dtype} ${describeShape(type.shape)}.`,
      );
    }
  }
}

function conflict(left: TensorType, right: TensorType): boolean {
  if (left.dtype !== right.dtype) return true;
  if (left.shape === undefined || right.shape === undefined) return false;
  if (left.shape.length !== right.shape.length) return true;
  return left.shape.some(
    (dim, axis) => typeof dim === 'number' && typeof right.shape![axis] === 'number' && dim !== right.shape![axis],
  );
}
