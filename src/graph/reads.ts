/** What nodes and graphs read. */
import type { Graph, Node } from './ir.js';

/** Names a node reads: its inputs, and what its subgraphs take from around them. */
export function* readsOf(node: Node): Generator<string> {
  for (const name of node.inputs) if (name !== '') yield name;
  for (const attribute of Object.values(node.attributes)) {
    if (attribute.kind === 'graph') yield* capturesOf(attribute.value);
  }
}

/** Names that a subgraph reads but does not make. */
function* capturesOf(graph: Graph): Generator<string> {
  const own = new Set(graph.inputs.map(({ name }) => name));
  for (const name of graph.initializers.keys()) own.add(name);
  for (const node of graph.nodes) {
    for (const name of readsOf(node)) if (!own.has(name)) yield name;
    for (const name of node.outputs) own.add(name);
  }
  for (const { name } of graph.outputs) if (!own.has(name)) yield name;
}
