/** Replaces nodes of a graph in place: the outputs keep their names, and the order stays topological. */
import { VaeError } from '../core/errors.js';
import type { GraphBuilder, Value } from '../graph/builder.js';
import type { Node } from '../graph/ir.js';
import { forgetShapeTensors } from './shapes.js';

/**
 * Visits every node in order. Where `replace` returns values, the nodes that it added to the
 * builder take the place of the visited one; where it returns undefined, the node stays.
 * Returns how many were replaced; `done` is told the nodes that took the place of each.
 */
export function rewriteNodes(
  builder: GraphBuilder,
  replace: (node: Node) => readonly (Value | undefined)[] | undefined,
  done: (node: Node, made: readonly Node[]) => void = () => {},
): number {
  const { graph } = builder;
  const before = [...graph.nodes];
  const after: Node[] = [];
  let replaced = 0;
  graph.nodes.length = 0;
  for (const node of before) {
    const outputs = replace(node);
    if (outputs === undefined) {
      after.push(node);
      if (graph.nodes.length > 0) forgetAll(builder);
    } else {
      const made = renamed(builder, node, outputs);
      for (const each of made) after.push(each);
      done(node, made);
      replaced += 1;
    }
    graph.nodes.length = 0;
  }
  for (const node of after) graph.nodes.push(node);
  return replaced;
}

/** The nodes just made, their results under the names of the outputs of the node they replace. */
function renamed(builder: GraphBuilder, replaced: Node, values: readonly (Value | undefined)[]): Node[] {
  const { graph, producers } = builder;
  const names = new Map<string, string>();
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  for (const [index, name] of replaced.outputs.entries()) {
    if (name === '') continue;
    let value = values[index];
    if (value === undefined) {
      throw new VaeError(
        'ERR_VAE_GRAPH',
        `The replacement of node "${replaced.name}" (${replaced.op}) lacks output ${index}.`,
      );
    }
    // A value that was there before keeps its name.
    if (!made.has(value.name) || names.has(value.name)) value = builder.op('Identity', [value]);
    names.set(value.name, name);
  }
  const rename = (name: string) => names.get(name) ?? name;
  const nodes = graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
  }));
  for (const name of names.keys()) forget(builder, name);
  for (const node of nodes) {
    for (const name of node.outputs) if (name !== '') producers.set(name, node);
  }
  return nodes;
}

/** Takes back what a replacement added before it was given up. */
function forgetAll(builder: GraphBuilder): void {
  for (const node of builder.graph.nodes) for (const name of node.outputs) forget(builder, name);
  forgetShapeTensors(builder);
}

function forget(builder: GraphBuilder, name: string): void {
  builder.graph.types.delete(name);
  builder.producers.delete(name);
  builder.known.delete(name);
}
