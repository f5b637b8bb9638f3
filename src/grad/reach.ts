/** Which values lie on a way from a parameter to the loss. */
import type { GraphBuilder } from '../graph/builder.js';
import type { Graph, Node } from '../graph/ir.js';
import { gradientEntry } from './registry.js';
import { isDifferentiable } from './shapes.js';

/**
 * Values that depend on a parameter by way of float values and operators that let gradients through;
 * `stopped` ones are taken for constants.
 */
export function reachedFrom(
  builder: GraphBuilder,
  parameters: Iterable<string>,
  stopped: ReadonlySet<string> = new Set(),
): Set<string> {
  const reached = new Set(parameters);
  for (const node of builder.graph.nodes) {
    if (!readNames(node).some((name) => reached.has(name))) continue;
    if (gradientEntry(node.op, node.domain)?.kind === 'none') continue;
    for (const name of node.outputs) {
      const type = builder.graph.types.get(name);
      if (type !== undefined && isDifferentiable(type.dtype) && !stopped.has(name)) reached.add(name);
    }
  }
  return reached;
}

/** Values that the loss is computed from, the loss included. */
export function leadingTo(graph: Graph, loss: string): Set<string> {
  const leading = new Set([loss]);
  for (let at = graph.nodes.length - 1; at >= 0; at -= 1) {
    const node = graph.nodes[at]!;
    if (!node.outputs.some((name) => leading.has(name))) continue;
    for (const name of readNames(node)) leading.add(name);
  }
  return leading;
}

/** Everything a node reads: its inputs, and what its subgraphs take from around them. */
export function readNames(node: Node): string[] {
  const names = node.inputs.filter((name) => name !== '');
  for (const attribute of Object.values(node.attributes)) {
    if (attribute.kind === 'graph') names.push(...capturedNames(attribute.value));
  }
  return names;
}

function capturedNames(graph: Graph): string[] {
  const own = new Set([...graph.inputs.map(({ name }) => name), ...graph.initializers.keys()]);
  const captured: string[] = [];
  for (const node of graph.nodes) {
    captured.push(...readNames(node).filter((name) => !own.has(name)));
    for (const name of node.outputs) own.add(name);
  }
  // A branch may hand out a value of the surrounding graph as it is.
  captured.push(...graph.outputs.map(({ name }) => name).filter((name) => !own.has(name)));
  return captured;
}
