/** What the cards in docs/architectures say, and the short runs that their pictures come from. */
import type { FitOptions, VaeOptions } from '../../src/index.js';
import { type CardData, images, movingDigits, speech } from './data.js';

export interface Card {
  readonly title: string;
  readonly source: string;
  readonly text: string;
  readonly options: readonly (readonly [name: string, meaning: string, initial: string])[];
  readonly data: { readonly name: string; read(): Promise<CardData> };
  readonly model: Omit<VaeOptions, 'seed'>;
  readonly fit: FitOptions<never>;
  readonly picture: 'images' | 'clips' | 'waves';
}

const digits = { name: 'MNIST, 20,000 digits', read: () => images('mnist', 20_000) };
const clothes = { name: 'Fashion-MNIST, 12,000 pictures', read: () => images('fashion-mnist', 12_000) };
const picture = { kind: 'image', height: 28, width: 28, channels: 1 } as const;

const activation = (initial: string) =>
  ['activation', 'relu, leakyRelu, elu, selu, celu, gelu, silu, sigmoid, tanh, softplus, …', initial] as const;
const bottleneck = [
  ['latent', '`vector`, or `map`: latentDim numbers for each place of the last feature map', '`vector`'],
  ['hidden', 'width of a dense layer beside the latents, with `vector`', 'none'],
] as const;
const stack = (channels: string, kernel: number, stride: number) =>
  [
    ['channels', 'channels of each layer; the decoder has them in reverse', channels],
    ['kernel', 'side of every kernel', String(kernel)],
    ['stride', 'how much smaller each layer makes its input', String(stride)],
    activation('`relu`'),
    ...bottleneck,
  ] as const;

export const CARDS: Readonly<Record<string, Card>> = {
  mlp: {
    title: 'Fully connected',
    source: 'Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014, appendix C',
    text: 'Dense layers in, the same in reverse out. Data of any shape is taken as a vector. Quick, and hard to beat on small pictures and on tables.',
    options: [['hidden', 'widths of the hidden layers', '[400]'], activation('`relu`')],
    data: digits,
    model: { architecture: { type: 'mlp', hidden: [400] }, input: picture, latentDim: 20 },
    fit: { epochs: 12, batchSize: 128, learningRate: { type: 'cosine', from: 2e-3, to: 2e-5 } },
    picture: 'images',
  },
  conv: {
    title: 'Convolutions over images',
    source: 'Radford, Metz and Chintala, Unsupervised Representation Learning with DCGANs, ICLR 2016, section 3',
    text: 'Strided convolutions in, transposed ones out, of any size of picture, odd ones included. With `latent: "map"` there is no dense layer, and the latents keep the places of the picture.',
    options: stack('[32, 64]', 4, 2),
    data: digits,
    model: { architecture: { type: 'conv', channels: [16, 32], hidden: 128 }, input: picture, latentDim: 20 },
    fit: { epochs: 5, batchSize: 64, learningRate: { type: 'cosine', from: 2e-3, to: 2e-5 } },
    picture: 'images',
  },
  resnet: {
    title: 'Residual convolutions over images',
    source:
      'He et al., Identity Mappings in Deep Residual Networks, ECCV 2016; Wu and He, Group Normalization, ECCV 2018; Elfwing, Uchibe and Doya, Sigmoid-Weighted Linear Units, 2018',
    text: 'Blocks of group normalisation, SiLU and a convolution, twice, beside a way that skips them, in stages of falling size. Nearest doubling and a convolution lead back. Deeper than `conv` and slower; height and width must halve evenly from stage to stage.',
    options: [
      ['channels', 'channels of each stage; the size halves between stages', '[32, 64, 64]'],
      ['blocks', 'residual blocks of each stage', '1'],
      ['groups', 'groups of each normalisation', '8'],
      activation('`silu`'),
      ...bottleneck,
    ],
    data: clothes,
    model: {
      architecture: { type: 'resnet', channels: [16, 32, 32] },
      input: picture,
      latentDim: 20,
    },
    fit: { epochs: 3, batchSize: 64, learningRate: { type: 'cosine', from: 2e-3, to: 2e-5 }, clipGradientNorm: 200 },
    picture: 'images',
  },
  conv1d: {
    title: 'Convolutions over sequences',
    source: 'Donahue, McAuley and Puckette, Adversarial Audio Synthesis, ICLR 2019, section 3',
    text: 'Strided convolutions over one axis, for frames of sound and other series: input `{ kind: "sequence", length, channels }`. After the short run below voiced sounds come back well; hiss and clicks do not.',
    options: stack('[32, 64, 128]', 9, 4),
    data: {
      name: 'spoken words of alsa-utils at 16 kHz, frames of 512 samples; "front right" is kept for the test',
      read: speech,
    },
    model: {
      architecture: { type: 'conv1d', channels: [32, 64, 128] },
      input: { kind: 'sequence', length: 512 },
      latentDim: 64,
      likelihood: 'gaussian',
    },
    fit: { epochs: 40, batchSize: 64, learningRate: { type: 'cosine', from: 2e-3, to: 2e-5 }, clipGradientNorm: 500 },
    picture: 'waves',
  },
  conv3d: {
    title: 'Convolutions over video',
    source: 'Vondrick, Pirsiavash and Torralba, Generating Videos with Scene Dynamics, NeurIPS 2016, section 2.1',
    text: 'Strided convolutions over time, height and width alike, for clips and for volumes: input `{ kind: "video", frames, height, width, channels }`. The short run below follows the motion of a digit; its shape would take longer.',
    options: stack('[16, 32]', 4, 2),
    data: {
      name: 'MNIST digits of half size that move, 6,000 clips of 7 frames, 18 by 18',
      read: () => movingDigits(6000),
    },
    model: {
      architecture: { type: 'conv3d', channels: [16, 32] },
      input: { kind: 'video', frames: 7, height: 18, width: 18 },
      latentDim: 32,
    },
    fit: {
      epochs: 14,
      batchSize: 32,
      learningRate: { type: 'cosine', from: 2e-3, to: 2e-5 },
      klWeight: ({ epoch }) => Math.min(1, epoch / 4),
    },
    picture: 'clips',
  },
  ladder: {
    title: 'Ladder: several stochastic layers',
    source: 'Sønderby et al., Ladder Variational Autoencoders, NeurIPS 2016',
    text: 'The encoder goes up through dense layers; on the way down, each layer’s posterior joins what the encoder says with the prior that the layers above give, weighted by their precisions. As in the paper, the run below warms β up (`klWeight`). Its prior is learned, so `prior.onnx` is saved beside encoder and decoder; the latents of all layers are one vector, the top layer first. Two things are not the paper’s, and without them a chain this deep learns nothing from its far end: weights start by He et al. (ICCV 2015), and the log-variances that the encoder gives start at −2 instead of 0, so that at first each layer trusts what it is told more than its prior. Batch normalisation is left out on the way down.',
    options: [
      ['latents', 'latents of each layer, from the data upwards', '[64, 32, 16]'],
      ['hidden', 'width of the dense layers at each, from the data upwards', '[512, 256, 128]'],
      activation('`silu`'),
      ['norm', 'layer normalisation on the way up', '`false`'],
      ['skip', 'pass features down beside the latents (Kingma et al. 2016); `false` is the paper’s chain', '`false`'],
    ],
    data: digits,
    model: {
      architecture: { type: 'ladder', latents: [32, 16, 8], hidden: [256, 128, 64] },
      input: picture,
    },
    fit: {
      epochs: 12,
      batchSize: 128,
      learningRate: { type: 'cosine', from: 2e-3, to: 2e-5 },
      klWeight: ({ epoch }) => Math.min(1, epoch / 4),
    },
    picture: 'images',
  },
  chain: {
    title: 'Chain: levels of latents that can be coded',
    source: 'Kingma, Abbeel and Ho, Bit-Swap, ICML 2019, section 2.3; Rezende et al., ICML 2014',
    text: 'Latents in a Markov chain: inferred upwards, q(z1|x) q(z2|z1) …, and generated downwards, … p(z1|z2) p(x|z1). A ladder reconstructs and samples better for its size, for it infers on the way down; but only a chain can be coded level by level, in the order of Bit-Swap (docs/guides/compress.md). With the likelihood `local-mixture` and `relu` it becomes a codec. Its prior is learned, so `prior.onnx` is saved beside encoder and decoder. The latents of all levels are one vector, z1 first; the decoder hears z1 alone, and the levels above decide how z1 is drawn. The divergence of the lower levels is estimated at the draw, as their prior depends on it, and may be negative for one example.',
    options: [
      ['latents', 'latents of each level, from the data upwards', '[32, 16]'],
      ['hidden', 'width of the dense layers below each level, from the data upwards', '[256, 64]'],
      ['depth', 'hidden layers of each network between two levels', '1'],
      activation('`relu`'),
    ],
    data: digits,
    model: {
      architecture: { type: 'chain', latents: [32, 16], hidden: [256, 64] },
      input: picture,
    },
    fit: {
      epochs: 12,
      batchSize: 128,
      learningRate: { type: 'cosine', from: 2e-3, to: 2e-5 },
      klWeight: ({ epoch }) => Math.min(1, epoch / 4),
    },
    picture: 'images',
  },
};
