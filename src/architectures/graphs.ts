/** The graphs of a VAE: encoder, decoder, prior, and all of them joined with sampling and loss. */
import { elementCount } from '../core/dtype.js';
import { GraphBuilder, type Value } from '../graph/builder.js';
import type { Model } from '../graph/ir.js';
import type { Likelihood } from '../nn/likelihoods/index.js';
import { totalKl } from '../nn/objectives/elbo.js';
import type { Objective, ObjectiveContext } from '../nn/objectives/index.js';
import { logMeanWeight, logWeights } from '../nn/objectives/iwae.js';
import { flattenRows, meanOverBatch, repeatRows, sumPerExample } from '../nn/reduce.js';
import { type ParameterSource, type ParameterSpec, Scope } from '../nn/scope.js';
import { type ConditionConfig, embedLabels } from './condition.js';
import { type ImportedGraphs, opsetOf } from './imported-graph.js';
import type { LatentNetwork } from './latent-network.js';
import { NAMES, perExample, TERMS, type Term } from './names.js';
import { collectParameters } from './parameters.js';

/** A VAE as a recipe: what graphs can be made of it. */
export interface VaeNetwork {
  readonly network: LatentNetwork;
  readonly likelihood: Likelihood;
  readonly objective: Objective;
  /** Shape of one example. */
  readonly dataShape: readonly number[];
  readonly condition?: ConditionConfig | undefined;
  /** The files it was made from, where it was: exported under their own names. */
  readonly imported?: ImportedGraphs | undefined;
}

const BATCH = 'N';

/** `input` [N, ...data] (and `label` int64 [N]) to `mean` [N, ...latent] and what else the posterior has. */
export function buildEncoder(vae: VaeNetwork, source: ParameterSource): Model {
  const graph = new GraphOf(vae, 'encoder', source);
  const x = graph.data();
  const outputs = vae.network.outputs(graph.scope, x, graph.condition());
  for (const name of vae.network.encoderOutputs) graph.g.output(name, outputs[name]!);
  return graph.g.model;
}

/** `latent` [N, ...latent] (and `label`) to `output` [N, ...data], the mean of the likelihood. */
export function buildDecoder(vae: VaeNetwork, source: ParameterSource): Model {
  const graph = new GraphOf(vae, 'decoder', source);
  const z = graph.g.input(NAMES.latent, 'float32', [BATCH, ...vae.network.latentShape]);
  const heads = vae.network.decode(graph.scope, z, graph.condition());
  graph.g.output(NAMES.output, vae.likelihood.mean(graph.scope.at('likelihood'), heads));
  return graph.g.model;
}

/**
 * What the network's `priorNoise` names (and `label`) to `latent` [N, ...latent]: draws from the
 * prior. Only where the prior is not the standard normal.
 */
export function buildPrior(vae: VaeNetwork, source: ParameterSource): Model {
  const graph = new GraphOf(vae, 'prior', source);
  const noise = vae.network.priorNoise!.map(({ name, dims }) => graph.g.input(name, 'float32', [BATCH, ...dims]));
  graph.g.output(NAMES.latent, vae.network.drawPrior(graph.scope, noise, graph.condition()));
  return graph.g.model;
}

/** `input`, `epsilon` (and `label`) to `latent`: a draw from the posterior of each example. */
export function buildPosterior(vae: VaeNetwork, source: ParameterSource): Model {
  const graph = new GraphOf(vae, 'posterior', source);
  const inference = vae.network.infer(graph.scope, graph.data(), graph.condition());
  graph.g.output(NAMES.latent, inference.draw(graph.epsilon(1), 1).latent);
  return graph.g.model;
}

/** What training minimises, and what it needs besides parameters. */
export interface ObjectiveGraph {
  /**
   * Inputs `input`, `epsilon` [N, ...latent] (`epsilons` [N, samples, ...latent] for several draws),
   * `kl_weight` (scalar), where the model has them `label` [N], `dataset_size` and `free_bits` (scalars). Outputs `loss`,
   * `reconstruction`, `kl` in nats, and the next values of states.
   */
  readonly model: Model;
  /** States to the outputs with their next values. */
  readonly states: Readonly<Record<string, string>>;
  /** Values through which no gradient flows. */
  readonly stopped: readonly string[];
}

/** The graph of the VAE's own objective. */
export function buildTraining(vae: VaeNetwork, source: ParameterSource): ObjectiveGraph {
  const graph = new GraphOf(vae, 'objective', source);
  const context = graph.draws(vae.objective.samples);
  const { g, scope } = graph;
  const loss = vae.objective.loss(context);
  const averaged = (value: Value): Value => (value.shape?.length === 0 ? value : meanOverBatch(g, value));
  g.output('loss', averaged(loss));
  g.output('reconstruction', averaged(context.reconstruction));
  g.output('kl', averaged(totalKl(context)));
  const states: Record<string, string> = {};
  for (const [name, next] of scope.updates) {
    states[name] = `${name}_next`;
    g.output(states[name], next);
  }
  return { model: g.model, states, stopped: scope.stopped };
}

/**
 * The negative ELBO with weight β on the KL divergence (Kingma and Welling 2014; Higgins et al. 2017),
 * and its importance-weighted form (Burda et al. 2016), whatever the model is trained for. Inputs as
 * in training. Outputs `loss`, `reconstruction`, `kl`: means over the batch in nats; the same [N] per
 * example, means over the draws; and `log_weight` [N, samples]. With one draw also `kl_per_dimension`
 * [N, D], where the divergence is a sum over dimensions, and `posterior_mean` [N, D], where there is one
 * layer: the first drawn layer first, in the order of the latents.
 */
export function buildObjective(vae: VaeNetwork, source: ParameterSource, samples = 1): Model {
  const graph = new GraphOf(vae, 'elbo', source);
  const { g } = graph;
  const context = graph.draws(samples);
  const overDraws = (value: Value): Value =>
    samples === 1
      ? value
      : g.op('ReduceMean', [g.op('Reshape', [value, g.int64s([-1, samples])]), g.int64s([1])], { keepdims: 0 });
  const reconstruction = overDraws(context.reconstruction);
  const kl = overDraws(totalKl(context));
  const weights = samples === 1 ? undefined : logWeights(context);
  const loss =
    weights === undefined
      ? g.op('Add', [reconstruction, g.op('Mul', [kl, context.klWeight])])
      : g.op('Neg', [logMeanWeight(g, weights, samples)]);
  const terms: Record<Term, Value> = { loss, reconstruction, kl };
  for (const term of TERMS) g.output(term, meanOverBatch(g, terms[term]));
  for (const term of TERMS) g.output(perExample(term), terms[term]);
  if (weights !== undefined) g.output(NAMES.logWeight, weights);
  if (samples === 1) outputDimensions(graph, context);
  return g.model;
}

function outputDimensions({ g, posteriorMean }: GraphOf, { terms }: ObjectiveContext): void {
  const kl = terms.map((term) => flattenRows(g, term.kl()));
  const apart = terms.every(({ z }, index) => kl[index]!.shape?.[1] === elementCount(z.shape!.slice(1) as number[]));
  if (apart) g.output(NAMES.klPerDimension, kl.length === 1 ? kl[0]! : g.op('Concat', kl, { axis: 1 }));
  if (posteriorMean !== undefined) g.output(NAMES.posteriorMean, flattenRows(g, posteriorMean));
}

/** Every parameter and state of the VAE, in the order its graphs name them. */
export function describeParameters(vae: VaeNetwork): ParameterSpec[] {
  const specs: ParameterSpec[] = [];
  buildTraining(vae, collectParameters(specs));
  return specs;
}

/** A graph of a VAE under construction. */
class GraphOf {
  readonly g: GraphBuilder;
  readonly scope: Scope;
  readonly #vae: VaeNetwork;
  #condition: Value | undefined;
  #posteriorMean: (() => Value) | undefined;

  constructor(vae: VaeNetwork, name: string, source: ParameterSource) {
    this.#vae = vae;
    this.g = new GraphBuilder({ name, ...(vae.imported && { opset: opsetOf(vae.imported) }) });
    this.scope = new Scope(this.g, source);
  }

  data(): Value {
    return this.g.input(NAMES.input, 'float32', [BATCH, ...this.#vae.dataShape]);
  }

  condition(): Value | undefined {
    const { condition } = this.#vae;
    if (condition === undefined) return undefined;
    this.#condition ??= embedLabels(this.scope.at('condition'), this.g.input(NAMES.label, 'int64', [BATCH]), condition);
    return this.#condition;
  }

  /** [N * samples, ...latent] */
  epsilon(samples: number): Value | undefined {
    const { g } = this;
    const { network } = this.#vae;
    if (!network.noisy) return undefined;
    if (samples === 1) return g.input(NAMES.epsilon, 'float32', [BATCH, ...network.latentShape]);
    const given = g.input(NAMES.epsilons, 'float32', [BATCH, samples, ...network.latentShape]);
    return g.op('Reshape', [given, g.int64s([-1, ...network.latentShape])]);
  }

  /** Of the examples that `draws` drew for, where there is one layer. */
  get posteriorMean(): Value | undefined {
    return this.#posteriorMean?.();
  }

  /** Everything from the inputs to the terms of an objective. */
  draws(samples: number): ObjectiveContext {
    const { g, scope } = this;
    const { network, likelihood } = this.#vae;
    const x = this.data();
    const epsilon = this.epsilon(samples);
    const klWeight = g.input(NAMES.klWeight, 'float32', []);
    const inference = network.infer(scope, x, this.condition());
    this.#posteriorMean = inference.mean;
    const draws = inference.draw(epsilon, samples);
    const negativeLog = likelihood.negativeLog(scope.at('likelihood'), repeatRows(g, x, samples), draws.heads());
    let datasetSize: Value | undefined;
    let freeBits: Value | undefined;
    return {
      g,
      samples,
      reconstruction: sumPerExample(g, negativeLog),
      terms: draws.terms,
      penalty: draws.penalty,
      klWeight,
      datasetSize: () => {
        datasetSize ??= g.input(NAMES.datasetSize, 'float32', []);
        return datasetSize;
      },
      freeBits: () => {
        freeBits ??= g.input(NAMES.freeBits, 'float32', []);
        return freeBits;
      },
    };
  }
}
