/** The named experiments of `npm run reproduce`: what is trained, on what, and what others have published. */
import type { FitOptions, VaeOptions } from '../../src/index.js';

export interface Published {
  readonly source: string;
  readonly figure: number;
}

export interface Experiment {
  readonly title: string;
  readonly data: 'mnist' | 'fashion-mnist';
  /** Grey values as Bernoulli draws, anew in every batch; test images are drawn once. */
  readonly binarised: boolean;
  readonly model: Omit<VaeOptions, 'input'>;
  readonly epochs: number;
  readonly fit: (epochs: number) => FitOptions<never>;
  readonly figure: { readonly kind: 'nats'; readonly importanceSamples: number } | { readonly kind: 'bitsPerDim' };
  /** The figure must not be above this. */
  readonly limit: number;
  readonly published: readonly Published[];
}

const burda = 'Burda, Grosse and Salakhutdinov 2016, table 1';
const image = { kind: 'image', height: 28, width: 28, channels: 1 } as const;
export const INPUT = image;

export const EXPERIMENTS: Readonly<Record<string, Experiment>> = {
  'mnist-mlp-iwae': {
    title: 'Importance-weighted autoencoder, one stochastic layer of 50, two hidden layers of 200, k = 5',
    data: 'mnist',
    binarised: true,
    model: {
      architecture: { type: 'mlp', hidden: [200, 200], activation: 'tanh' },
      latentDim: 50,
      objective: { type: 'iwae', samples: 5 },
      seed: 1,
    },
    epochs: 300,
    fit: () => ({
      batchSize: 100,
      optimizer: { type: 'adam', epsilon: 1e-4 },
      learningRate: { type: 'cosine', from: 1e-3, to: 1e-5 },
    }),
    figure: { kind: 'nats', importanceSamples: 5000 },
    limit: 88,
    published: [
      { source: `${burda}, VAE`, figure: 86.76 },
      { source: `${burda}, IWAE, k = 5`, figure: 85.54 },
      { source: `${burda}, IWAE, k = 50`, figure: 84.78 },
    ],
  },
  'mnist-ladder': {
    title: 'Ladder of three stochastic layers, 64, 32 and 16, warm-up of the divergence',
    data: 'mnist',
    binarised: true,
    model: {
      architecture: {
        type: 'ladder',
        latents: [64, 32, 16],
        hidden: [512, 256, 128],
      },
      seed: 1,
    },
    epochs: 150,
    fit: (epochs) => ({
      batchSize: 128,
      optimizer: { type: 'adam' },
      learningRate: { type: 'cosine', from: 2e-3, to: 2e-5, warmUpSteps: 500 },
      // Rare batches while the divergence counts for little would otherwise send it out of range.
      clipGradientNorm: 100,
      // A sixth of the run, as the paper's 200 epochs of 2,000 are a tenth.
      klWeight: ({ epoch }) => Math.min(1, epoch / (epochs / 6)),
    }),
    figure: { kind: 'nats', importanceSamples: 5000 },
    limit: 85,
    published: [
      { source: `${burda}, IWAE of two stochastic layers, k = 50`, figure: 82.9 },
      {
        source: 'Sønderby et al. 2016, ladder of five layers with batch normalisation, warm-up and k = 10',
        figure: 81.74,
      },
    ],
  },
  'mnist-conv': {
    title: 'Strided convolutions of 32 and 64 channels, 16 latents, a mixture of logistics that sees its neighbours',
    data: 'mnist',
    binarised: false,
    model: {
      architecture: { type: 'conv', channels: [32, 64], hidden: 256 },
      latentDim: 16,
      likelihood: 'local-mixture',
      seed: 1,
    },
    epochs: 3,
    fit: () => ({
      batchSize: 16,
      clipGradientNorm: 300,
      learningRate: { type: 'cosine', from: 2e-3, to: 2e-5, warmUpSteps: 200 },
    }),
    figure: { kind: 'bitsPerDim' },
    limit: 1.3,
    published: [
      { source: 'Townsend, Bird and Barber 2019 (bits-back with a one-layer VAE), table 2', figure: 1.41 },
      { source: 'Kingma, Abbeel and Ho 2019 (Bit-Swap, eight layers), table 2', figure: 1.27 },
    ],
  },
  'fashion-conv': {
    title: 'Strided convolutions of 32 and 64 channels, 16 latents, a mixture of logistics that sees its neighbours',
    data: 'fashion-mnist',
    binarised: false,
    model: {
      architecture: { type: 'conv', channels: [32, 64], hidden: 256 },
      latentDim: 16,
      likelihood: 'local-mixture',
      seed: 1,
    },
    epochs: 3,
    fit: () => ({
      batchSize: 16,
      clipGradientNorm: 300,
      learningRate: { type: 'cosine', from: 2e-3, to: 2e-5, warmUpSteps: 200 },
    }),
    figure: { kind: 'bitsPerDim' },
    limit: 3.35,
    published: [{ source: 'JPEG XL at effort 9, all images as one picture (measured here)', figure: 3.205 }],
  },
};
