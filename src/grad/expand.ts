/** Rewrites forward nodes into others whose intermediate results backward can share. */
import { VaeError } from '../core/errors.js';
import type { Node } from '../graph/ir.js';
import { GradientContext } from './context.js';
import { leadingTo, readNames } from './reach.js';
import { type GradientRule, gradientEntry } from './registry.js';
import { rewriteNodes } from './rewrite.js';
import type { DifferentiationState } from './writer.js';

/** Expansions may be written in operators that are expanded in turn, but not without end. */
const MAX_ROUNDS = 8;

/** Nodes that stand in for one and have a gradient as a whole. */
export interface Block {
  readonly node: Node;
  readonly gradient: GradientRule;
}

/** The block of each node that belongs to one. */
export type Blocks = ReadonlyMap<Node, Block>;

/**
 * Expands every node on the way to the loss that the registry has an expansion for. The nodes'
 * outputs keep their names.
 */
export function expandForward(state: DifferentiationState, loss: string): { changed: boolean; blocks: Blocks } {
  const declined = new Set<Node>();
  const blocks = new Map<Node, Block>();
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    if (expandOnce(state, loss, declined, blocks) === 0) return { changed: round > 0, blocks };
  }
  throw new VaeError('ERR_VAE_GRAPH', 'The expansions in the gradient registry lead to one another without end.');
}

function expandOnce(state: DifferentiationState, loss: string, declined: Set<Node>, blocks: Map<Node, Block>): number {
  const leading = leadingTo(state.builder.graph, loss);
  const gradients = new Map<Node, GradientRule>();
  return rewriteNodes(
    state.builder,
    (node) => {
      const entry = gradientEntry(node.op, node.domain);
      if (entry?.kind !== 'expansion' || declined.has(node)) return undefined;
      if (!node.outputs.some((name) => leading.has(name))) return undefined;
      if (!readNames(node).some((name) => state.reached.has(name))) return undefined;
      const expanded = entry.expand(new GradientContext(state, node));
      if (expanded === undefined) declined.add(node);
      else if (expanded.gradient !== undefined) gradients.set(node, expanded.gradient);
      return expanded?.outputs;
    },
    (node, made) => {
      // What is expanded inside a block stays part of it.
      const gradient = gradients.get(node);
      const block = blocks.get(node) ?? (gradient && { node, gradient });
      if (block !== undefined) for (const each of made) blocks.set(each, block);
    },
  );
}
