/** Names of graph inputs and outputs, the same in every graph this package makes. */
export const NAMES = {
  input: 'input',
  label: 'label',
  latent: 'latent',
  mean: 'mean',
  logVariance: 'log_variance',
  output: 'output',
  epsilon: 'epsilon',
  /** Noise for several draws of each example. */
  epsilons: 'epsilons',
  klWeight: 'kl_weight',
  datasetSize: 'dataset_size',
  freeBits: 'free_bits',
  logWeight: 'log_weight',
  /** Divergence of each latent dimension of each example. */
  klPerDimension: 'kl_per_dimension',
  /** Mean of the posterior of each example, flattened. */
  posteriorMean: 'posterior_mean',
} as const;

/** Terms of the loss; each is also given per example under `<term>_per_example`. */
export const TERMS = ['loss', 'reconstruction', 'kl'] as const;
export type Term = (typeof TERMS)[number];

export function perExample(term: Term): string {
  return `${term}_per_example`;
}
