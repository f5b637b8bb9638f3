/** The graphs of a VAE: encoder, decoder, and the two joined with sampling and loss. */
import { GraphBuilder, type Value } from '../graph/builder.js';
import type { Model } from '../graph/ir.js';
import type { Likelihood } from '../nn/likelihoods/index.js';
import { type GaussianPosterior, klToStandardNormal, reparameterise } from '../nn/posterior.js';
import { meanOverBatch, sumPerExample } from '../nn/reduce.js';
import { type ParameterSource, type ParameterSpec, Scope } from '../nn/scope.js';
import type { Network } from './architecture.js';
import { collectParameters } from './parameters.js';

/** A VAE as a recipe: what graphs can be made of it. */
export interface VaeNetwork {
  readonly network: Network;
  readonly likelihood: Likelihood;
  /** Shape of one example. */
  readonly dataShape: readonly number[];
}

/** Names of graph inputs and outputs, the same in every graph this package makes. */
export const NAMES = {
  input: 'input',
  latent: 'latent',
  mean: 'mean',
  logVariance: 'log_variance',
  output: 'output',
  epsilon: 'epsilon',
  klWeight: 'kl_weight',
} as const;

/** Terms of the loss; each is also given per example under `<term>_per_example`. */
export const TERMS = ['loss', 'reconstruction', 'kl'] as const;
export type Term = (typeof TERMS)[number];

export function perExample(term: Term): string {
  return `${term}_per_example`;
}

const BATCH = 'N';

/** `input` [N, ...data] to `mean` and `log_variance` [N, ...latent]. */
export function buildEncoder(vae: VaeNetwork, source: ParameterSource): Model {
  const { g, scope } = start('encoder', source);
  const posterior = vae.network.encode(scope.at('encoder'), g.input(NAMES.input, 'float32', [BATCH, ...vae.dataShape]));
  g.output(NAMES.mean, posterior.mean);
  g.output(NAMES.logVariance, posterior.logVariance);
  return g.model;
}

/** `latent` [N, ...latent] to `output` [N, ...data], the mean of the likelihood. */
export function buildDecoder(vae: VaeNetwork, source: ParameterSource): Model {
  const { g, scope } = start('decoder', source);
  const z = g.input(NAMES.latent, 'float32', [BATCH, ...vae.network.latentShape]);
  const heads = vae.network.decode(scope.at('decoder'), z);
  g.output(NAMES.output, vae.likelihood.mean(scope.at('likelihood'), heads));
  return g.model;
}

/**
 * The negative ELBO with weight β on the KL divergence (Kingma and Welling 2014; Higgins et al. 2017).
 * Inputs `input`, `epsilon` [N, ...latent], `kl_weight` (scalar); outputs `loss`, `reconstruction`,
 * `kl`: means over the batch in nats, and the same [N] per example.
 */
export function buildObjective(vae: VaeNetwork, source: ParameterSource): Model {
  const { g, scope } = start('elbo', source);
  const x = g.input(NAMES.input, 'float32', [BATCH, ...vae.dataShape]);
  const epsilon = g.input(NAMES.epsilon, 'float32', [BATCH, ...vae.network.latentShape]);
  const klWeight = g.input(NAMES.klWeight, 'float32', []);
  const posterior: GaussianPosterior = vae.network.encode(scope.at('encoder'), x);
  const z = reparameterise(g, posterior, epsilon);
  const heads = vae.network.decode(scope.at('decoder'), z);
  const negativeLog = vae.likelihood.negativeLog(scope.at('likelihood'), x, heads);
  const reconstruction = sumPerExample(g, negativeLog);
  const kl = klToStandardNormal(g, posterior);
  const loss = g.op('Add', [reconstruction, g.op('Mul', [kl, klWeight])]);
  const terms: Record<Term, Value> = { loss, reconstruction, kl };
  for (const term of TERMS) g.output(term, meanOverBatch(g, terms[term]));
  for (const term of TERMS) g.output(perExample(term), terms[term]);
  return g.model;
}

/** Every parameter of the VAE, in the order its graphs name them. */
export function describeParameters(vae: VaeNetwork): ParameterSpec[] {
  const specs: ParameterSpec[] = [];
  buildObjective(vae, collectParameters(specs));
  return specs;
}

function start(name: string, source: ParameterSource): { g: GraphBuilder; scope: Scope } {
  const g = new GraphBuilder({ name });
  return { g, scope: new Scope(g, source) };
}
