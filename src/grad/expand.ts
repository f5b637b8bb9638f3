/** Rewrites forward nodes into others whose intermediate results backward can share. */
import { VaeError } from '../core/errors.js';
import type { Node } from '../graph/ir.js';
import { type DifferentiationState, GradientContext } from './context.js';
import { leadingTo, readNames } from './reach.js';
import { gradientEntry } from './registry.js';
import { rewriteNodes } from './rewrite.js';

/** Expansions may be written in operators that are expanded in turn, but not without end. */
const MAX_ROUNDS = 8;

/**
 * Expands every node on the way to the loss that the registry has an expansion for. The nodes'
 * outputs keep their names. Returns whether the graph was changed.
 */
export function expandForward(state: DifferentiationState, loss: string): boolean {
  const declined = new Set<Node>();
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    if (expandOnce(state, loss, declined) === 0) return round > 0;
  }
  throw new VaeError('ERR_VAE_GRAPH', 'The expansions in the gradient registry lead to one another without end.');
}

function expandOnce(state: DifferentiationState, loss: string, declined: Set<Node>): number {
  const leading = leadingTo(state.builder.graph, loss);
  return rewriteNodes(state.builder, (node) => {
    const entry = gradientEntry(node.op, node.domain);
    if (entry?.kind !== 'expansion' || declined.has(node)) return undefined;
    if (!node.outputs.some((name) => leading.has(name))) return undefined;
    if (!readNames(node).some((name) => state.reached.has(name))) return undefined;
    const outputs = entry.expand(new GradientContext(state, node));
    if (outputs === undefined) declined.add(node);
    return outputs;
  });
}
