/** Constant nodes become literals among the initializers: one place for constants is enough for what follows. */
import type { Model } from '../ir.js';
import { constantOfNode } from '../operators/constant.js';

/** Moves the tensors of Constant nodes of the outer graph into its initializers, in place. */
export function liftConstants(model: Model): number {
  const { graph } = model;
  const before = graph.nodes.length;
  graph.nodes = graph.nodes.filter((node) => {
    if (node.op !== 'Constant' || node.domain !== '') return true;
    const constant = constantOfNode(node.attributes);
    const [name] = node.outputs;
    if (constant === undefined || !name || graph.initializers.has(name)) return true;
    graph.initializers.set(name, { ...constant, literal: true });
    return false;
  });
  return before - graph.nodes.length;
}
