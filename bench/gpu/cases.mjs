/** What is timed on a card, ours and PyTorch's alike. */
export const CASES = {
  mlp: {
    ...{
      net: 'mlp',
      shape: [784],
      hidden: 400,
      latent: 20,
      batch: 128,
      rows: 12_800,
      inferenceBatch: 1024,
      encode: true,
    },
    options: {
      architecture: { type: 'mlp', hidden: [400] },
      input: { kind: 'vector', length: 784 },
      ...{ latentDim: 20, likelihood: 'bernoulli' },
    },
  },
  conv: {
    ...{ net: 'conv', shape: [1, 28, 28], channels: [32, 64], latent: 32, batch: 128, rows: 12_800 },
    ...{ inferenceBatch: 256, encode: true },
    options: {
      architecture: { type: 'conv', channels: [32, 64] },
      input: { kind: 'image', height: 28, width: 28, channels: 1 },
      ...{ latentDim: 32, likelihood: 'bernoulli' },
    },
  },
  resnet: {
    ...{ net: 'resnet', shape: [3, 32, 32], channels: [64, 128, 128], blocks: 1, latent: 64, map: false },
    ...{ batch: 64, rows: 3200, inferenceBatch: 64, encode: true },
    options: {
      architecture: { type: 'resnet', channels: [64, 128, 128] },
      input: { kind: 'image', height: 32, width: 32, channels: 3 },
      ...{ latentDim: 64, likelihood: 'bernoulli' },
    },
  },
  // The size of a diffusion model's decoder: four stages of two blocks, latents of an eighth of the side. 1024×1024.
  decoder: {
    ...{ net: 'resnet', shape: [3, 1024, 1024], channels: [128, 256, 512, 512], blocks: 2, latent: 4, map: true },
    ...{ batch: 0, rows: 0, inferenceBatch: 1, encode: false },
    options: {
      architecture: { type: 'resnet', channels: [128, 256, 512, 512], blocks: 2, latent: 'map' },
      input: { kind: 'image', height: 1024, width: 1024, channels: 3 },
      ...{ latentDim: 4, likelihood: 'bernoulli' },
    },
  },
};
