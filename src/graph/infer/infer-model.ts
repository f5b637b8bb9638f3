/** Infers the types of all values of a model, choosing the branch of an If where the condition is known. */
import { VaeError } from '../../core/errors.js';
import { printable } from '../external-data.js';
import type { Constant, Graph, Model, Node, TensorType } from '../ir.js';
import { claimNames, UniqueNames } from '../names.js';
import type { KnownElements } from '../operators/definition.js';
import { inlineBranch } from '../passes/inline-branch.js';
import { describeNode, type InferenceScope, SubgraphBudget } from './context.js';
import { inferNode } from './infer-node.js';
import { knownElementsOf } from './known-elements.js';
import { refineType } from './refine.js';

export interface ModelInference {
  /** Elements of small tensors that shape arithmetic could tell. */
  readonly known: Map<string, KnownElements>;
}

/**
 * Fills `graph.types` and the types of the graph's outputs, in place. An If whose condition is known
 * gives way to the nodes of the branch that would run. Nodes must be in order.
 *
 * @throws VaeError ERR_VAE_SHAPE, ERR_VAE_GRAPH or ERR_VAE_UNSUPPORTED_OPERATOR naming the node.
 */
export function inferModel(model: Model, declared: ReadonlyMap<string, TensorType> = new Map()): ModelInference {
  const { graph } = model;
  const names = new UniqueNames();
  claimNames(graph, names);
  for (const { shape } of declared.values()) {
    for (const dim of shape ?? []) if (typeof dim === 'string') names.claim(dim);
  }
  const types = new Map<string, TensorType>();
  const known = new Map<string, KnownElements>();
  const unknown = new Set<string>();
  for (const { name, dtype, shape } of graph.inputs) define(types, name, { dtype, shape }, 'an input');
  const defineConstant = (name: string, constant: Constant) => {
    define(types, name, { dtype: constant.dtype, shape: constant.dims }, 'an initializer');
    const elements = knownElementsOf(constant);
    if (elements) known.set(name, elements);
  };
  for (const [name, constant] of graph.initializers) defineConstant(name, constant);
  const scope: InferenceScope = {
    opset: model.opsets.get('') ?? 0,
    opsets: model.opsets,
    elements: (name) => known.get(name),
    constant: (name) => graph.initializers.get(name),
    type: (name) => types.get(name),
    budget: new SubgraphBudget(),
    freshDim: () => {
      const dim = names.unique('dim');
      unknown.add(dim);
      return dim;
    },
  };
  const nodes: Node[] = [];
  // A stack of nodes still to come, last first, so that a branch's nodes take the place of their If.
  const waiting = [...graph.nodes].reverse();
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    const branch = knownBranch(node, known);
    if (branch !== undefined) {
      const inlined = inlineBranch(node, branch, names);
      for (const [name, constant] of inlined.initializers) {
        graph.initializers.set(name, constant);
        defineConstant(name, constant);
      }
      for (const inner of inlined.nodes.reverse()) waiting.push(inner);
      continue;
    }
    const inputs = node.inputs.map((name) => (name === '' ? undefined : typeOf(types, name, node!, scope.opset)));
    const inferred = inferNode(node, inputs, scope);
    node.outputs.forEach((name, index) => {
      if (name === '') return;
      const refined = refineType(inferred.types[index]!, declared.get(name), (dim) => unknown.has(dim));
      define(types, name, refined, describeNode(node!, scope.opset));
    });
    const [first] = node.outputs;
    if (inferred.elements !== undefined && first) known.set(first, inferred.elements);
    nodes.push(node);
  }
  graph.nodes = nodes;
  graph.types = types;
  graph.outputs = graph.outputs.map(({ name }) => {
    const type = types.get(name);
    if (type === undefined) {
      throw new VaeError('ERR_VAE_GRAPH', `Nothing in the graph makes its output "${printable(name)}".`);
    }
    return { name, ...type };
  });
  return { known };
}

function knownBranch(node: Node, known: ReadonlyMap<string, KnownElements>): Graph | undefined {
  if (node.op !== 'If' || node.domain !== '') return undefined;
  const condition = known.get(node.inputs[0] ?? '')?.[0];
  if (typeof condition !== 'number') return undefined;
  const branch = node.attributes[condition === 0 ? 'else_branch' : 'then_branch'];
  return branch?.kind === 'graph' ? branch.value : undefined;
}

function typeOf(types: ReadonlyMap<string, TensorType>, name: string, node: Node, opset: number): TensorType {
  const type = types.get(name);
  if (type !== undefined) return type;
  throw new VaeError('ERR_VAE_GRAPH', `${describeNode(node, opset)} reads "${printable(name)}", which nothing makes.`);
}

function define(types: Map<string, TensorType>, name: string, type: TensorType, maker: string): void {
  if (types.has(name)) {
    throw new VaeError('ERR_VAE_GRAPH', `The value "${printable(name)}" is made twice, the second time by ${maker}.`);
  }
  types.set(name, type);
}
