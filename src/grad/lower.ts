/**
 * Forward operators that ONNX Runtime computes slowly, rewritten in ones that it computes fast where
 * that costs no accuracy. Done after differentiation, whose rules see the operators themselves.
 */
import type { GraphBuilder, Value } from '../graph/builder.js';
import type { Node } from '../graph/ir.js';
import { readNames } from './reach.js';
import { rewriteNodes } from './rewrite.js';

/** The nodes that read each value. */
type Consumers = ReadonlyMap<string, readonly Node[]>;

type Lowering = (builder: GraphBuilder, node: Node, consumers: Consumers) => readonly Value[] | undefined;

/**
 * log(1 + eˣ) = max(x, 0) - log σ(|x|). ONNX Runtime's own kernel takes about 10 ns an element on one
 * thread, this a quarter of it and on all threads. The error is one rounding of numbers up to 1
 * (1.2e-7), whatever the result: right for a log-likelihood that is summed up, not for a small scale
 * of which a logarithm is taken.
 */
const softplus: Lowering = (g, node, consumers) => {
  const x = g.value(node.inputs[0]!);
  if (x.dtype !== 'float32' || !isOnlySummed(node.outputs[0]!, consumers)) return undefined;
  const name = { name: node.name };
  const log = g.op('Log', [g.op('Sigmoid', [g.op('Abs', [x], {}, name)], {}, name)], {}, name);
  return [g.op('Sub', [g.op('Relu', [x], {}, name), log], {}, name)];
};

const LOWERINGS: Readonly<Record<string, Lowering>> = { Softplus: softplus };

const PASSING_ON = new Set(['Add', 'Sub', 'Neg', 'Reshape', 'Flatten', 'Identity', 'Unsqueeze', 'Squeeze']);
/** Exp makes an error of so much a relative one of as much. */
const ENDING = new Set(['ReduceSum', 'ReduceMean', 'Exp']);

/** Whether all that becomes of a value is to be added to others, and in the end summed or an exponent. */
function isOnlySummed(name: string, consumers: Consumers): boolean {
  const readers = consumers.get(name) ?? [];
  return (
    readers.length > 0 &&
    readers.every((node) => {
      if (node.domain !== '') return false;
      return ENDING.has(node.op) || (PASSING_ON.has(node.op) && isOnlySummed(node.outputs[0]!, consumers));
    })
  );
}

function consumersOf(builder: GraphBuilder): Consumers {
  const consumers = new Map<string, Node[]>();
  for (const node of builder.graph.nodes) {
    for (const name of readNames(node)) {
      const known = consumers.get(name);
      if (known === undefined) consumers.set(name, [node]);
      else known.push(node);
    }
  }
  return consumers;
}

/** Rewrites the slow operators of a graph; its values keep their names. Returns how many it found. */
export function lowerSlowOperators(builder: GraphBuilder): number {
  const isSlow = (node: Node) => node.domain === '' && Object.hasOwn(LOWERINGS, node.op);
  if (!builder.graph.nodes.some(isSlow)) return 0;
  const consumers = consumersOf(builder);
  return rewriteNodes(builder, (node) => (isSlow(node) ? LOWERINGS[node.op]!(builder, node, consumers) : undefined));
}
