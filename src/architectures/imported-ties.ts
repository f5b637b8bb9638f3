/** Weights that an exporter merged because they were equal, such as the ones of all normalisations. */
import { constantBytes, float32Of } from '../graph/constants.js';
import type { Constant, Graph, Model, Node } from '../graph/ir.js';

/** A weight that stands in for others too, which are trained as one with it. */
export interface Tie {
  readonly weight: string;
  /**
   * The others: PyTorch's TorchScript exporter gives each an Identity under its own name, the newer one lets their layers read
   * the one weight.
   */
  readonly copies: readonly { readonly name: string; readonly reader?: Node }[];
}

export function tiesOf({ graph }: Model, trainable: readonly string[]): Tie[] {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  return trainable.flatMap((weight) => {
    const readers = graph.nodes.filter(({ inputs }) => inputs.includes(weight));
    const named = readers.filter(({ op, outputs: [made] }) => op === 'Identity' && !outputs.has(made!));
    const copies: Tie['copies'][number][] = named.map(({ outputs: [name] }) => ({ name: name! }));
    const [first, ...others] = readers.filter((node) => !named.includes(node));
    if (first !== undefined && others.length > 0 && isUniform(graph.initializers.get(weight)!)) {
      for (const [index, reader] of others.entries()) {
        if (!isSameLayer(first, reader, weight, graph)) copies.push({ name: `${weight}.${index + 2}`, reader });
      }
    }
    return copies.length > 0 ? [{ weight, copies }] : [];
  });
}

/** All elements alike: what an initialisation gives, and training hardly. */
function isUniform(constant: Constant): boolean {
  const values = float32Of(constant);
  return values.every((value) => value === values[0]);
}

/** Whether two nodes are one layer used twice: they have another weight in common, which chance does not make equal. */
function isSameLayer(a: Node, b: Node, weight: string, { initializers }: Graph): boolean {
  return a.inputs.some((name) => {
    const shared = name !== weight && b.inputs.includes(name) ? initializers.get(name) : undefined;
    return shared !== undefined && shared.dtype === 'float32' && !isUniform(shared);
  });
}

/** The graph with a weight of its own in the place of every copy. */
export function untied(model: Model, ties: readonly Tie[]): Model {
  if (ties.length === 0) return model;
  const { graph } = model;
  const initializers = new Map(graph.initializers);
  const identities = new Set<string>();
  const renamed = new Map<Node, Map<string, string>>();
  for (const { weight, copies } of ties) {
    const constant = graph.initializers.get(weight)!;
    for (const { name, reader } of copies) {
      initializers.set(name, { ...constant, data: constantBytes(constant) });
      if (reader === undefined) identities.add(name);
      else renamed.set(reader, new Map([...(renamed.get(reader) ?? []), [weight, name]]));
    }
  }
  const nodes = graph.nodes
    .filter(({ op, outputs }) => op !== 'Identity' || !identities.has(outputs[0]!))
    .map((node) => {
      const names = renamed.get(node);
      return names === undefined ? node : { ...node, inputs: node.inputs.map((name) => names.get(name) ?? name) };
    });
  const types = new Map(graph.types);
  for (const [name, { dtype, dims }] of initializers) if (!types.has(name)) types.set(name, { dtype, shape: dims });
  return { ...model, graph: { ...graph, nodes, initializers, types } };
}
