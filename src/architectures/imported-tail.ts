/** The end of an imported decoder: what it gives once saved is what decode() gives, the mean of the likelihood. */
import { VaeError } from '../core/errors.js';
import { GraphBuilder } from '../graph/builder.js';
import type { Model } from '../graph/ir.js';
import { claimNames, UniqueNames } from '../graph/names.js';
import type { Likelihood } from '../nn/likelihoods/index.js';
import { Scope } from '../nn/scope.js';

/** A decoder whose output is the mean, and the value in it that the likelihood is about. */
export interface WithMean {
  readonly decoder: Model;
  readonly head: string;
}

/**
 * Puts the mean of the likelihood behind a decoder's output, under that output's name. Where the output is the mean
 * already, nothing changes.
 *
 * @throws VaeError ERR_VAE_OPTION for a likelihood whose mean has parameters of its own.
 */
export function withMean(decoder: Model, output: string, likelihood: Pick<Likelihood, 'mean'>, type: string): WithMean {
  const names = new UniqueNames();
  claimNames(decoder.graph, names);
  const head = names.unique(`${output}_head`);
  const g = GraphBuilder.from(renamed(decoder, output, head));
  const scope = new Scope(g, () => {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `Vae.fromOnnx(): likelihood "${type}" has a network of its own, which a decoder of someone else's making cannot hold.`,
    );
  });
  const value = g.value(head);
  const mean = likelihood.mean(scope, [value]);
  if (mean === value) return { decoder, head: output };
  g.output(output, mean);
  const order = decoder.graph.outputs.map(({ name }) => name);
  g.graph.outputs.sort((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
  return { decoder: g.model, head };
}

/** The model with another name for one of its outputs, which then is an output no longer. */
function renamed(model: Model, from: string, to: string): Model {
  const { graph } = model;
  const other = (name: string): string => (name === from ? to : name);
  const types = new Map([...graph.types].map(([name, type]) => [other(name), type]));
  const nodes = graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(other),
    outputs: node.outputs.map(other),
  }));
  return { ...model, graph: { ...graph, nodes, types, outputs: graph.outputs.filter(({ name }) => name !== from) } };
}
