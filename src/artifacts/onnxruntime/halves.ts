/** Finds encoder and decoder in a graph that leads from data and noise to the loss of a VAE. */
import { VaeError } from '../../core/errors.js';
import { numbersOf } from '../../graph/constants.js';
import { printable } from '../../graph/external-data.js';
import type { Graph, Model, Node, ValueInfo } from '../../graph/ir.js';
import { readsOf } from '../../graph/reads.js';

/** The two halves, and what is what in the whole. */
export interface VaeHalves {
  /** Data to mean and log-variance. */
  readonly encoder: Model;
  /** Latent to data, or to what its Sigmoid or likelihood takes. */
  readonly decoder: Model;
  readonly data: ValueInfo;
  readonly noise: ValueInfo;
  readonly mean: string;
  readonly logVariance: string;
  readonly likelihood: 'bernoulli' | 'gaussian';
}

/**
 * Looks for z = mean + σ·noise with σ = exp(log-variance/2) or √exp(log-variance) (Kingma and Welling 2014, section 2.4),
 * and for the last value that depends on z alone and through which all of the loss that depends on z goes.
 *
 * @throws VaeError ERR_VAE_GRAPH where there is none.
 */
export function findHalves(model: Model, loss: string, what: string): VaeHalves {
  const { graph } = model;
  const site = new Site(graph);
  for (const noise of graph.inputs) {
    const draw = site.draw(noise.name);
    if (draw === undefined) continue;
    const inputs = graph.inputs.filter(
      ({ name }) => site.leadsTo(name, draw.mean) && site.leadsTo(name, draw.logVariance),
    );
    const [data, ...more] = inputs.filter(({ name }) => name !== noise.name);
    if (data === undefined || more.length > 0 || data.dtype !== 'float32') continue;
    const output = site.output(draw.z, loss, data);
    if (output === undefined) continue;
    const latent = { name: draw.z, ...graph.types.get(draw.z)! };
    return {
      encoder: part(model, [data], [draw.mean, draw.logVariance]),
      decoder: part(model, [latent], [output]),
      data,
      noise,
      mean: draw.mean,
      logVariance: draw.logVariance,
      likelihood: site.likelihood(output),
    };
  }
  const inputs = graph.inputs.map(({ name, dtype }) => `"${printable(name)}" ${dtype}`).join(', ');
  throw new VaeError(
    'ERR_VAE_GRAPH',
    `${what} is no VAE whose loss takes data and noise: expected z = mean + exp(log_variance / 2) · noise with the noise as an ` +
      `input, and a loss of the decoder's output; its inputs are ${inputs}. Train it with TrainingSession.create({ artifacts }).`,
  );
}

interface Draw {
  readonly z: string;
  readonly mean: string;
  readonly logVariance: string;
}

class Site {
  readonly #makers = new Map<string, Node>();
  readonly #readers = new Map<string, Node[]>();

  constructor(private readonly graph: Graph) {
    for (const node of graph.nodes) {
      for (const name of node.outputs) this.#makers.set(name, node);
      for (const name of readsOf(node)) this.#readers.set(name, [...(this.#readers.get(name) ?? []), node]);
    }
  }

  /** noise · σ + mean, where nothing else reads the noise. */
  draw(noise: string): Draw | undefined {
    const [product, ...more] = this.#readers.get(noise) ?? [];
    if (product?.op !== 'Mul' || more.length > 0) return undefined;
    const logVariance = this.#logVariance(other(product, noise));
    const scaled = product.outputs[0]!;
    const [sum, ...others] = this.#readers.get(scaled) ?? [];
    if (logVariance === undefined || sum?.op !== 'Add' || others.length > 0) return undefined;
    return { z: sum.outputs[0]!, mean: other(sum, scaled), logVariance };
  }

  #logVariance(deviation: string): string | undefined {
    const maker = this.#makers.get(deviation);
    const inner = maker && this.#makers.get(maker.inputs[0]!);
    if (maker?.op === 'Sqrt' && inner?.op === 'Exp') return inner.inputs[0];
    if (maker?.op !== 'Exp' || inner === undefined) return undefined;
    const [a, b] = inner.inputs as [string, string];
    if (inner.op === 'Div' && this.#number(b) === 2) return a;
    if (inner.op === 'Mul' && this.#number(b) === 0.5) return a;
    if (inner.op === 'Mul' && this.#number(a) === 0.5) return b;
    return undefined;
  }

  #number(name: string): number | undefined {
    const constant = this.graph.initializers.get(name);
    if (constant === undefined || constant.dtype === 'string' || constant.dims.some((dim) => dim !== 1))
      return undefined;
    return numbersOf(constant)[0];
  }

  leadsTo(from: string, to: string): boolean {
    return this.#after([from]).has(to);
  }

  /** Every value that depends on one of these, without what comes through `barred`. */
  #after(names: readonly string[], barred?: string): Set<string> {
    const found = new Set(names);
    for (const node of this.graph.nodes) {
      if (node.outputs.includes(barred ?? '')) continue;
      let hit = false;
      for (const name of readsOf(node)) hit ||= found.has(name);
      if (hit) for (const name of node.outputs) found.add(name);
    }
    return found;
  }

  /** The decoder's output: of the values that depend on z alone, the last that no way from z to the loss goes around. */
  output(z: string, loss: string, data: ValueInfo): string | undefined {
    const inputs = new Set(this.graph.inputs.map(({ name }) => name));
    const pure = new Set([z]);
    const constant = new Set(this.graph.initializers.keys());
    let last: string | undefined;
    for (const node of this.graph.nodes) {
      const reads = [...readsOf(node)];
      if (node.outputs.includes(z) || reads.some((name) => inputs.has(name))) continue;
      if (!reads.every((name) => pure.has(name) || constant.has(name))) continue;
      const depends = reads.some((name) => pure.has(name));
      for (const name of node.outputs) (depends ? pure : constant).add(name);
      const [output] = node.outputs;
      if (!depends || !sameRows(this.graph.types.get(output!)?.shape, data.shape)) continue;
      if (!this.#after([z], output).has(loss)) last = output;
    }
    return last;
  }

  /** A logarithm of what comes out, or of a Sigmoid of it, is that of probabilities. */
  likelihood(output: string): VaeHalves['likelihood'] {
    const near = [...this.#after([output])].flatMap((name) => this.#readers.get(name) ?? []);
    return near.some(({ op }) => op === 'Log' || op === 'Softplus') ? 'bernoulli' : 'gaussian';
  }
}

function other({ inputs }: Node, name: string): string {
  return inputs[0] === name ? inputs[1]! : inputs[0]!;
}

function sameRows(a: ValueInfo['shape'], b: ValueInfo['shape']): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.slice(1).join() === b.slice(1).join();
}

/** The nodes between some values and others as a graph of its own. */
function part(model: Model, inputs: readonly ValueInfo[], outputs: readonly string[]): Model {
  const { graph } = model;
  const given = new Set(inputs.map(({ name }) => name));
  const needed = new Set(outputs);
  const nodes: Node[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => needed.has(name) && !given.has(name))) continue;
    nodes.unshift(node);
    for (const name of readsOf(node)) needed.add(name);
  }
  const rows = inputs[0]!.shape?.[0];
  return {
    ...model,
    metadata: new Map(),
    graph: {
      ...graph,
      nodes,
      inputs: inputs.map((info) => ({
        ...info,
        shape: [typeof rows === 'string' ? rows : 'N', ...info.shape!.slice(1)],
      })),
      outputs: outputs.map((name) => ({ name, ...graph.types.get(name)! })),
      initializers: new Map([...graph.initializers].filter(([name]) => needed.has(name) && !given.has(name))),
      types: new Map(graph.types),
    },
  };
}
