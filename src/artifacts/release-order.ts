/** The order of a training graph's nodes in the file, which decides how long ONNX Runtime keeps what backward reads. */
import type { Graph, Node } from '../graph/ir.js';
import { readsOf } from '../graph/reads.js';

/**
 * ONNX Runtime sorts a graph depth first from the nodes whose results no other node reads, the last one in the file
 * first. A backward pass as it is written ends with the gradient of the first layer: everything else would run before
 * the other weights' gradients, and all that they read would be kept until the end. With these nodes at the end in
 * reverse, each gradient is computed as soon as it can be. An Identity that gives a result its name as an output
 * counts for the node before it, because ONNX Runtime takes it away.
 */
export function orderForRelease(graph: Graph): void {
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const name of readsOf(node)) readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  const readersOf = (node: Node): Node[] => node.outputs.flatMap((name) => readers.get(name) ?? []);
  const isLast = (node: Node): boolean => readersOf(node).length === 0;
  const isName = (node: Node): boolean => node.op === 'Identity' && node.domain === '' && isLast(node);
  const ends = graph.nodes.filter((node) => readersOf(node).every(isName));
  const moved = new Set<Node>();
  for (const end of ends.reverse()) {
    if (isName(end)) continue;
    moved.add(end);
    for (const reader of readersOf(end)) moved.add(reader);
  }
  graph.nodes = [...graph.nodes.filter((node) => !moved.has(node)), ...moved];
}

/** The nodes in the order in which ONNX Runtime runs them one after another. */
export function runOrder(graph: Graph): Node[] {
  const makers = new Map(graph.nodes.flatMap((node, index) => node.outputs.map((name) => [name, index] as const)));
  const sources = graph.nodes.map((node) => {
    const indices = [...readsOf(node)].flatMap((name) => makers.get(name) ?? []);
    return [...new Set(indices)].sort((a, b) => a - b);
  });
  const read = new Set(sources.flat());
  const order: Node[] = [];
  const seen = new Set<number>();
  const stack = graph.nodes.flatMap((_, index) => (read.has(index) ? [] : [{ index, done: false }]));
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { index, done } = top;
    if (done) order.push(graph.nodes[index]!);
    if (done || seen.has(index)) continue;
    seen.add(index);
    stack.push({ index, done: true });
    for (const source of sources[index]!) if (!seen.has(source)) stack.push({ index: source, done: false });
  }
  return order;
}
