/** Copies of nodes and graphs under other names. */
import type { Attribute, Graph, Node } from '../ir.js';

export type Rename = (name: string) => string;

/** The node with its inputs and outputs renamed, subgraphs included. */
export function renameNode(node: Node, rename: Rename): Node {
  return {
    ...node,
    inputs: node.inputs.map((name) => (name === '' ? '' : rename(name))),
    outputs: node.outputs.map((name) => (name === '' ? '' : rename(name))),
    attributes: mapGraphs(node.attributes, (graph) => renameCaptures(graph, rename)),
  };
}

/** The subgraph with what it takes from around it renamed; its own names stay. */
function renameCaptures(graph: Graph, rename: Rename): Graph {
  const own = new Set([...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()]);
  for (const node of graph.nodes) for (const name of node.outputs) own.add(name);
  const renameCaptured = (name: string) => (own.has(name) ? name : rename(name));
  return {
    ...graph,
    outputs: graph.outputs.map((output) => ({ ...output, name: renameCaptured(output.name) })),
    nodes: graph.nodes.map((node) => renameNode(node, renameCaptured)),
  };
}

/** The attributes with a function applied to every graph among them. */
function mapGraphs(attributes: Node['attributes'], change: (graph: Graph) => Graph): Node['attributes'] {
  const entries = Object.entries(attributes);
  if (!entries.some(([, attribute]) => attribute.kind === 'graph')) return attributes;
  return Object.fromEntries(
    entries.map(([name, attribute]): [string, Attribute] => [
      name,
      attribute.kind === 'graph' ? { kind: 'graph', value: change(attribute.value) } : attribute,
    ]),
  );
}
