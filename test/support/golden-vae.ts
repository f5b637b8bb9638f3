/** The VAE that a golden file describes, with the golden weights. */
import { describeParameters, type VaeNetwork } from '../../src/architectures/graphs.js';
import { ParameterStore } from '../../src/architectures/parameters.js';
import { makeVaeNetwork } from '../../src/architectures/vae-network.js';
import type { ActivationName } from '../../src/nn/activations.js';
import type { LikelihoodConfig } from '../../src/nn/likelihoods/index.js';
import type { GoldenNet, GoldenTensor } from '../golden/load.js';

const LIKELIHOODS: Readonly<Record<GoldenNet['likelihood'], LikelihoodConfig>> = {
  bernoulli: { type: 'bernoulli' },
  gaussian: { type: 'gaussian', variance: 1 },
  'gaussian-learned': { type: 'gaussian', variance: 'learned' },
};

export function goldenVae(
  net: GoldenNet,
  weights: Readonly<Record<string, GoldenTensor>>,
): { vae: VaeNetwork; parameters: ParameterStore } {
  const vae = makeVaeNetwork({
    architecture: { type: 'mlp', hidden: [...net.hidden], activation: net.activation as ActivationName },
    input: { kind: 'vector', length: net.inputDim },
    latentDim: net.latentDim,
    likelihood: LIKELIHOODS[net.likelihood],
    posterior: { type: 'gaussian' },
    prior: { type: 'standard' },
    objective: { type: 'elbo' },
  });
  const parameters = new ParameterStore(describeParameters(vae));
  for (const spec of parameters.specs) {
    const weight = weights[spec.name];
    if (weight === undefined) throw new Error(`the golden file has no weight "${spec.name}"`);
    parameters.view(spec).set(weight.values);
  }
  return { vae, parameters };
}
