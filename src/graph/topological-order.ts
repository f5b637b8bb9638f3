/** The order in which nodes can run. */
import { VaeError } from '../core/errors.js';
import { printable } from './external-data.js';
import type { Graph, Node } from './ir.js';
import { readsOf } from './reads.js';

/**
 * Nodes sorted so that each comes after those whose outputs it reads; nodes already in order keep it.
 *
 * @throws VaeError ERR_VAE_GRAPH naming a value made twice, or the nodes of a cycle.
 */
export function topologicalOrder(graph: Graph): Node[] {
  const makers = new Map<string, number>();
  graph.nodes.forEach((node, index) => {
    for (const output of node.outputs) {
      if (output === '') continue;
      if (makers.has(output)) {
        throw new VaeError(
          'ERR_VAE_GRAPH',
          `${nameOf(node)} makes "${printable(output)}", which another node makes already.`,
        );
      }
      makers.set(output, index);
    }
  });
  const waitsFor = graph.nodes.map((node) => {
    const sources = new Set<number>();
    for (const name of readsOf(node)) {
      const maker = makers.get(name);
      if (maker !== undefined) sources.add(maker);
    }
    return sources;
  });
  if (waitsFor.every((sources, index) => [...sources].every((source) => source < index))) return graph.nodes;

  const readers: number[][] = graph.nodes.map(() => []);
  waitsFor.forEach((sources, index) => {
    for (const source of sources) readers[source]!.push(index);
  });
  const missing = waitsFor.map((sources) => sources.size);
  const ready = missing.flatMap((count, index) => (count === 0 ? [index] : []));
  const order: Node[] = [];
  for (let next = 0; next < ready.length; next += 1) {
    const index = ready[next]!;
    order.push(graph.nodes[index]!);
    for (const reader of readers[index]!) {
      missing[reader]! -= 1;
      if (missing[reader] === 0) ready.push(reader);
    }
  }
  if (order.length < graph.nodes.length) throw cycleError(graph, waitsFor, missing);
  return order;
}

/** Follows what the stuck nodes wait for until a node comes up again. */
function cycleError(graph: Graph, waitsFor: readonly Set<number>[], missing: readonly number[]): VaeError {
  const path: number[] = [];
  const seen = new Set<number>();
  let at = missing.findIndex((count) => count > 0);
  while (!seen.has(at)) {
    seen.add(at);
    path.push(at);
    at = [...waitsFor[at]!].find((source) => missing[source]! > 0)!;
  }
  const cycle = path.slice(path.indexOf(at)).reverse();
  const names = cycle.slice(0, 8).map((index) => nameOf(graph.nodes[index]!));
  return new VaeError(
    'ERR_VAE_GRAPH',
    `The graph has a cycle: ${names.join(' → ')}${cycle.length > 8 ? ' → …' : ''} → ${nameOf(graph.nodes[cycle[0]!]!)}.`,
  );
}

function nameOf(node: Node): string {
  return `node "${printable(node.name || (node.outputs[0] ?? ''))}" (${printable(node.op)})`;
}
