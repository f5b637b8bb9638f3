/**
 * In what interval the values of a graph lie, whatever its inputs are: interval arithmetic (Moore 1966) from
 * the constants on. The intervals are wide rather than wrong: a value that is used twice counts as two.
 */
import { numbersOf } from '../constants.js';
import type { Constant, Graph, Node } from '../ir.js';
import { ANY, type Interval } from './interval.js';
import { attributeOr, RANGE_RULES } from './rules.js';

export type { Interval } from './interval.js';

/** The interval of one value of a graph; everything where it cannot be told. */
export function rangeOf(graph: Graph, name: string): Interval {
  const known = new Map<string, Interval>();
  // Nodes are in order; only those that lead to the value are looked at.
  const wanted = new Set([name]);
  const leading: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((output) => wanted.has(output))) continue;
    leading.push(node);
    if (node.domain === '' && Object.hasOwn(RANGE_RULES, node.op)) for (const input of node.inputs) wanted.add(input);
  }
  const intervalOf = (value: string): Interval => {
    const found = known.get(value);
    if (found !== undefined) return found;
    const constant = graph.initializers.get(value);
    const interval = constant === undefined ? ANY : constantRange(constant);
    known.set(value, interval);
    return interval;
  };
  for (const node of leading.reverse()) {
    const interval = nodeRange(node, intervalOf, (value) => graph.initializers.get(value));
    for (const output of node.outputs) known.set(output, interval);
  }
  return intervalOf(name);
}

function nodeRange(
  node: Node,
  intervalOf: (name: string) => Interval,
  constantOf: (name: string) => Constant | undefined,
): Interval {
  const rule = node.domain === '' && Object.hasOwn(RANGE_RULES, node.op) ? RANGE_RULES[node.op] : undefined;
  if (rule === undefined) return ANY;
  const interval = rule({
    node,
    inputs: node.inputs.map((name) => (name === '' ? undefined : intervalOf(name))),
    number: (index) => {
      const constant = constantOf(node.inputs[index] ?? '');
      return constant?.dims.every((dim) => dim === 1) ? constantRange(constant)[0] : undefined;
    },
    float: (name, fallback) => attributeOr(node.attributes[name], fallback),
    int: (name, fallback) => attributeOr(node.attributes[name], fallback),
    string: (name, fallback) => {
      const attribute = node.attributes[name];
      return attribute?.kind === 'string' ? attribute.value : fallback;
    },
  });
  return interval.some(Number.isNaN) ? ANY : interval;
}

function constantRange(constant: Constant): Interval {
  if (constant.dtype === 'string') return ANY;
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of numbersOf(constant)) {
    if (Number.isNaN(value)) return ANY;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > high ? ANY : [low, high];
}
