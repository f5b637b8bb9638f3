/** Weights that an exporter merged because they were equal, such as the ones of all normalisations. */
import { constantBytes } from '../graph/constants.js';
import type { Model } from '../graph/ir.js';

/** Copies of a weight under the names of other weights, as PyTorch's TorchScript exporter writes them. */
export interface Tie {
  readonly weight: string;
  readonly copies: readonly string[];
}

/** Weights that stand in for others too; trained, they stay equal. */
export function tiesOf({ graph }: Model, trainable: readonly string[]): Tie[] {
  const weights = new Set(trainable);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const ties = new Map<string, string[]>();
  for (const { op, domain, inputs, outputs: made } of graph.nodes) {
    if (op !== 'Identity' || domain !== '' || !weights.has(inputs[0]!) || outputs.has(made[0]!)) continue;
    ties.set(inputs[0]!, [...(ties.get(inputs[0]!) ?? []), made[0]!]);
  }
  return [...ties].map(([weight, copies]) => ({ weight, copies }));
}

/** The graph with a weight of its own in the place of every copy. */
export function untied(model: Model, ties: readonly Tie[]): Model {
  if (ties.length === 0) return model;
  const { graph } = model;
  const weightOf = new Map(ties.flatMap(({ weight, copies }) => copies.map((copy) => [copy, weight] as const)));
  const initializers = new Map(graph.initializers);
  for (const [copy, weight] of weightOf) {
    const constant = graph.initializers.get(weight)!;
    initializers.set(copy, { ...constant, data: constantBytes(constant) });
  }
  const nodes = graph.nodes.filter(({ op, outputs }) => op !== 'Identity' || !weightOf.has(outputs[0]!));
  return { ...model, graph: { ...graph, nodes, initializers } };
}
