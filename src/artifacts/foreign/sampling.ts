/**
 * The reparameterisation z = μ + σ ε inside an encoder (Kingma and Welling 2014, section 2.4). What ε is multiplied
 * by is the standard deviation, whatever anything is called.
 */
import type { Node } from '../../graph/ir.js';
import type { Spread } from '../../nn/spread.js';
import type { Trace } from './trace.js';

export interface Sampling {
  readonly mean: string;
  readonly spread: string;
  /** What the value `spread` is. */
  readonly form: Spread;
  /** The draw itself. */
  readonly draw: string;
}

/** Steps that leave numbers as they are. */
const MOVES = ['Identity', 'Cast', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten'];

/** The draws that the graph makes of a Gaussian: one, or several of the same one; undefined otherwise. */
export function findSampling(trace: Trace): Sampling | undefined {
  const found = trace.graph.nodes.flatMap((node) => samplingAt(node, trace) ?? []);
  const [first] = found;
  const same = found.every(({ mean, spread }) => mean === first!.mean && spread === first!.spread);
  return same ? first : undefined;
}

function samplingAt(node: Node, trace: Trace): Sampling | undefined {
  if (node.op !== 'Add' || node.domain !== '') return undefined;
  const [mean, more] = node.inputs.filter((name) => !trace.isRandom(name));
  const [noise] = node.inputs.filter((name) => trace.isRandom(name));
  if (mean === undefined || more !== undefined || noise === undefined) return undefined;
  const product = trace.maker(trace.origin(noise, MOVES));
  if (product?.op !== 'Mul') return undefined;
  const [factor] = product.inputs.filter((name) => !trace.isRandom(name));
  const [epsilon] = product.inputs.filter((name) => trace.isRandom(name));
  const maker = epsilon === undefined ? undefined : trace.maker(trace.origin(epsilon, MOVES));
  if (factor === undefined || maker === undefined || !/^RandomNormal/.test(maker.op)) return undefined;
  const [form, spread] = formOf(factor, trace);
  return { mean: trace.origin(mean), spread, form, draw: node.outputs[0]! };
}

/** What a standard deviation was made of. */
function formOf(deviation: string, trace: Trace): [Spread, string] {
  const name = trace.origin(deviation, MOVES);
  const maker = trace.maker(name);
  const inner = maker === undefined ? '' : trace.origin(maker.inputs[0]!, MOVES);
  if (maker?.op === 'Exp') {
    const [factor, of] = factorOf(inner, trace);
    if (factor === 0.5) return ['logVariance', of];
    if (factor === 1) return ['logStd', of];
  }
  const isRoot = maker?.op === 'Sqrt' || (maker?.op === 'Pow' && trace.number(maker.inputs[1]!) === 0.5);
  if (isRoot) {
    const exponential = trace.maker(inner);
    if (exponential?.op === 'Exp') return ['logVariance', trace.origin(exponential.inputs[0]!)];
    return ['variance', inner];
  }
  return ['std', name];
}

/** A value as a number times another. */
function factorOf(name: string, trace: Trace): [number, string] {
  const maker = trace.maker(name);
  if (maker?.op === 'Mul') {
    for (const [at, other] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const number = trace.number(maker.inputs[at]!);
      if (number !== undefined) return [number, trace.origin(maker.inputs[other]!)];
    }
  }
  if (maker?.op === 'Div') {
    const number = trace.number(maker.inputs[1]!);
    if (number !== undefined) return [1 / number, trace.origin(maker.inputs[0]!)];
  }
  return [1, name];
}
