/** Checks one node against the operator table and infers the types of its outputs. */
import { VaeError } from '../../core/errors.js';
import { printable } from '../external-data.js';
import type { Graph, Node, TensorType } from '../ir.js';
import { attributeKind } from '../operators/attributes.js';
import type { KnownElements, OperatorDefinition } from '../operators/definition.js';
import { findOperator, unsupportedOperator } from '../operators/table.js';
import { describeNode, type InferenceScope, NodeContext } from './context.js';
import { productOfDims } from './dims.js';
import { knownElementsOf, MAX_KNOWN_ELEMENTS } from './known-elements.js';

export type { KnownElements } from '../operators/definition.js';
export { type InferenceScope, SubgraphBudget } from './context.js';

/** Subgraphs deeper than this are refused: nothing real nests so far, and recursion has an end. */
const MAX_SUBGRAPH_DEPTH = 32;

export interface InferredNode {
  /** One per output that the node names. */
  readonly types: readonly TensorType[];
  /** Elements of the first output, where they are known. */
  readonly elements: KnownElements | undefined;
}

/**
 * Infers one node.
 *
 * @throws VaeError ERR_VAE_UNSUPPORTED_OPERATOR, ERR_VAE_GRAPH or ERR_VAE_SHAPE, naming the node.
 */
export function inferNode(
  node: Node,
  inputs: readonly (TensorType | undefined)[],
  scope: InferenceScope,
  depth = 0,
): InferredNode {
  const opset = node.domain === '' ? scope.opset : (scope.opsets?.get(node.domain) ?? 1);
  const definition = findOperator(node.op, opset, node.domain);
  if (definition === undefined) {
    throw unsupportedOperator(node.op, node.domain, opset, node.name || (node.outputs[0] ?? ''));
  }
  const context = new NodeContext(node, definition, inputs, scope, (graph, types, outer) =>
    inferSubgraph(graph, types, outer, depth + 1, node),
  );
  checkForm(definition, context);
  const types = definition.infer(context);
  if (types.length < node.outputs.length) {
    context.fail(`names ${node.outputs.length} outputs where it has ${types.length}.`, 'ERR_VAE_GRAPH');
  }
  const elements = definition.propagate?.(context);
  return {
    types: types.slice(0, node.outputs.length),
    elements: elements !== undefined && fits(elements, types[0]!) ? elements : undefined,
  };
}

/** Elements are followed only for small tensors whose shape is known, and must be as many as it says. */
function fits(elements: KnownElements, { shape }: TensorType): boolean {
  if (elements.length > MAX_KNOWN_ELEMENTS || shape === undefined) return false;
  return productOfDims(shape) === elements.length;
}

function checkForm(definition: OperatorDefinition, context: NodeContext): void {
  const { node } = context;
  const [fewest, most] = definition.inputs;
  const count = node.inputs.length;
  if (count < fewest || count > most) {
    const range =
      fewest === most ? `${fewest}` : `${fewest} to ${most === Number.POSITIVE_INFINITY ? 'any number' : most}`;
    context.fail(`has ${count} inputs where it takes ${range}.`, 'ERR_VAE_GRAPH');
  }
  for (let index = 0; index < fewest; index += 1) {
    if (node.inputs[index] === '') context.fail(`input ${index} is required and was left out.`, 'ERR_VAE_GRAPH');
  }
  const [, mostOutputs] = definition.outputs;
  if (node.outputs.length === 0 || node.outputs.length > mostOutputs) {
    context.fail(`names ${node.outputs.length} outputs where it has at most ${mostOutputs}.`, 'ERR_VAE_GRAPH');
  }
  for (const name of Object.keys(node.attributes)) {
    const kind = attributeKind(definition, name);
    if (kind === undefined) context.fail(`has no attribute "${printable(name)}" in this opset.`, 'ERR_VAE_GRAPH');
    const given = node.attributes[name]!.kind;
    // Writers leave the type out of empty lists and integral floats; anything else is a mistake.
    if (given !== kind) context.fail(`attribute "${name}" must be of kind ${kind}, not ${given}.`, 'ERR_VAE_GRAPH');
  }
}

/** Types of a subgraph's outputs; also fills in the subgraph's own table of types. */
function inferSubgraph(
  graph: Graph,
  inputs: readonly (TensorType | undefined)[],
  outer: InferenceScope,
  depth: number,
  parent: Node,
): readonly TensorType[] {
  const place = describeNode(parent, outer.opset);
  if (depth > MAX_SUBGRAPH_DEPTH) {
    throw new VaeError('ERR_VAE_GRAPH', `${place}: subgraphs are nested more than ${MAX_SUBGRAPH_DEPTH} deep.`);
  }
  if (!outer.budget.spend(graph.nodes.length + 1)) {
    throw new VaeError('ERR_VAE_GRAPH', `${place}: its subgraphs repeat too many nodes; nothing real does.`);
  }
  if (graph.inputs.length !== inputs.length) {
    throw new VaeError(
      'ERR_VAE_GRAPH',
      `${place}: its subgraph has ${graph.inputs.length} inputs and is given ${inputs.length}.`,
    );
  }
  const known = new Map<string, KnownElements>();
  graph.types.clear();
  graph.inputs.forEach((input, index) => {
    graph.types.set(input.name, inputs[index] ?? input);
  });
  for (const [name, constant] of graph.initializers) {
    graph.types.set(name, { dtype: constant.dtype, shape: constant.dims });
    const elements = knownElementsOf(constant);
    if (elements) known.set(name, elements);
  }
  const scope: InferenceScope = {
    opset: outer.opset,
    ...(outer.opsets === undefined ? {} : { opsets: outer.opsets }),
    elements: (name) => (graph.types.has(name) ? known.get(name) : outer.elements(name)),
    constant: (name) => graph.initializers.get(name) ?? (graph.types.has(name) ? undefined : outer.constant(name)),
    type: (name) => graph.types.get(name) ?? outer.type(name),
    freshDim: () => outer.freshDim(),
    budget: outer.budget,
  };
  for (const node of graph.nodes) inferInto(node, scope, graph.types, known, depth);
  // Files may leave the types of a subgraph's ends out; runtimes want the right ones or none.
  graph.inputs = graph.inputs.map((input, index) => {
    const given = inputs[index];
    return given === undefined ? input : { name: input.name, ...given };
  });
  const results = graph.outputs.map((output) => {
    const type = scope.type(output.name);
    if (type === undefined) {
      throw new VaeError(
        'ERR_VAE_GRAPH',
        `${place}: nothing in its subgraph makes the output "${printable(output.name)}".`,
      );
    }
    return type;
  });
  graph.outputs = graph.outputs.map(({ name }, index) => ({ name, ...results[index]! }));
  return results;
}

/** Infers a node and records what came out. */
function inferInto(
  node: Node,
  scope: InferenceScope,
  types: Map<string, TensorType>,
  known: Map<string, KnownElements>,
  depth = 0,
): void {
  const inputs = node.inputs.map((name) => {
    if (name === '') return undefined;
    const type = scope.type(name);
    if (type === undefined) {
      throw new VaeError(
        'ERR_VAE_GRAPH',
        `${describeNode(node, scope.opset)} reads "${printable(name)}", which nothing before it makes.`,
      );
    }
    return type;
  });
  const inferred = inferNode(node, inputs, scope, depth);
  node.outputs.forEach((name, index) => {
    if (name === '') return;
    if (types.has(name)) {
      throw new VaeError(
        'ERR_VAE_GRAPH',
        `${describeNode(node, scope.opset)} makes "${printable(name)}" a second time.`,
      );
    }
    types.set(name, inferred.types[index]!);
    if (index === 0 && inferred.elements) known.set(name, inferred.elements);
  });
}
