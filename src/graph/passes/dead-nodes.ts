/** Removes what no output depends on. */
import type { Graph, Model, Node } from '../ir.js';
import { readsOf } from '../reads.js';

/**
 * Removes nodes none of whose outputs are needed, initializers that nothing reads, and the types of
 * what is gone. Graph inputs stay: they are the graph's interface. Changes the model in place and
 * returns how many nodes went.
 */
export function removeDeadNodes(model: Model): number {
  return removeDeadFrom(model.graph);
}

function removeDeadFrom(graph: Graph): number {
  const needed = new Set(graph.outputs.map(({ name }) => name));
  const kept: Node[] = [];
  for (let index = graph.nodes.length - 1; index >= 0; index -= 1) {
    const node = graph.nodes[index]!;
    if (!node.outputs.some((name) => needed.has(name))) continue;
    kept.push(node);
    for (const name of readsOf(node)) needed.add(name);
  }
  const removed = graph.nodes.length - kept.length;
  graph.nodes = kept.reverse();
  for (const name of graph.initializers.keys()) if (!needed.has(name)) graph.initializers.delete(name);
  const live = new Set(graph.inputs.map(({ name }) => name));
  for (const name of graph.initializers.keys()) live.add(name);
  for (const node of graph.nodes) for (const name of node.outputs) live.add(name);
  for (const name of graph.types.keys()) if (!live.has(name)) graph.types.delete(name);
  return removed;
}
