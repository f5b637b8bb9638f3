/** Ways through a graph of someone else's making: what a value is made from, and what it is the same as. */
import { numbersOf } from '../../graph/constants.js';
import type { Graph, Node } from '../../graph/ir.js';
import { readsOf } from '../../graph/reads.js';

/** Operators that draw random numbers when they run. */
export const RANDOM: ReadonlySet<string> = new Set([
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
  'Bernoulli',
  'Multinomial',
]);

/** Whether a node draws random numbers when it runs. */
export function isRandom({ op, domain }: Node): boolean {
  return domain === '' && RANDOM.has(op);
}

export class Trace {
  readonly #makers = new Map<string, Node>();
  readonly #random = new Set<string>();

  constructor(readonly graph: Graph) {
    for (const node of graph.nodes) {
      const draws = isRandom(node) || [...readsOf(node)].some((name) => this.#random.has(name));
      for (const output of node.outputs) {
        this.#makers.set(output, node);
        if (draws) this.#random.add(output);
      }
    }
  }

  maker(name: string): Node | undefined {
    return this.#makers.get(name);
  }

  /** Whether a value is another with every run. */
  isRandom(name: string): boolean {
    return this.#random.has(name);
  }

  /** The value that this one is a copy of, or a conversion or another layout with `moves`; itself where it is none. */
  origin(name: string, moves: readonly string[] = ['Identity']): string {
    let at = name;
    for (let maker = this.maker(at); maker !== undefined && moves.includes(maker.op); maker = this.maker(at)) {
      at = maker.inputs[0]!;
    }
    return at;
  }

  /** The number that a value is: a constant of one element. */
  number(name: string): number | undefined {
    const constant = this.graph.initializers.get(name);
    if (constant === undefined || constant.dtype === 'string' || constant.dims.some((dim) => dim !== 1))
      return undefined;
    return numbersOf(constant)[0];
  }

  /** Everything that leads to a value, itself included. */
  leadingTo(name: string): Set<string> {
    const found = new Set([name]);
    const waiting = [name];
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      for (const input of readsOf(this.maker(at) ?? EMPTY)) {
        if (found.has(input)) continue;
        found.add(input);
        waiting.push(input);
      }
    }
    return found;
  }
}

const EMPTY: Node = { op: '', domain: '', name: '', inputs: [], outputs: [], attributes: {} };
