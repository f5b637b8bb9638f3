/** Rewrites forward nodes into others whose intermediate results backward can share. */
import { VaeError } from '../core/errors.js';
import type { GraphBuilder, Value } from '../graph/builder.js';
import type { Node } from '../graph/ir.js';
import { type DifferentiationState, GradientContext } from './context.js';
import { leadingTo, readNames } from './reach.js';
import { gradientEntry } from './registry.js';
import { forgetShapeTensors } from './shapes.js';

/** Expansions may be written in operators that are expanded in turn, but not without end. */
const MAX_ROUNDS = 8;

/**
 * Expands every node on the way to the loss that the registry has an expansion for. The nodes'
 * outputs keep their names. Returns whether the graph was changed.
 */
export function expandForward(state: DifferentiationState, loss: string): boolean {
  let changed = false;
  const declined = new Set<Node>();
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    if (!expandOnce(state, loss, declined)) return changed;
    changed = true;
  }
  throw new VaeError('ERR_VAE_GRAPH', 'The expansions in the gradient registry lead to one another without end.');
}

function expandOnce(state: DifferentiationState, loss: string, declined: Set<Node>): boolean {
  const { builder } = state;
  const { graph } = builder;
  const leading = leadingTo(graph, loss);
  const before = [...graph.nodes];
  const after: Node[] = [];
  let changed = false;
  for (const node of before) {
    const entry = gradientEntry(node.op, node.domain);
    const onTheWay =
      entry?.kind === 'expansion' &&
      !declined.has(node) &&
      node.outputs.some((name) => leading.has(name)) &&
      readNames(node).some((name) => state.reached.has(name));
    if (!onTheWay) {
      after.push(node);
      continue;
    }
    graph.nodes.length = 0;
    const outputs = entry.expand(new GradientContext(state, node));
    if (outputs === undefined) {
      for (const name of graph.nodes.flatMap((made) => made.outputs)) forget(builder, name);
      forgetShapeTensors(builder);
      declined.add(node);
      after.push(node);
      continue;
    }
    after.push(...renamed(builder, node, outputs));
    changed = true;
  }
  graph.nodes.length = 0;
  for (const node of after) graph.nodes.push(node);
  return changed;
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
        `The expansion of node "${replaced.name}" (${replaced.op}) lacks output ${index}.`,
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

function forget(builder: GraphBuilder, name: string): void {
  builder.graph.types.delete(name);
  builder.producers.delete(name);
  builder.known.delete(name);
}
