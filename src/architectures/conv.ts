import { convolutional } from './convolutional.js';

/** Strided convolutions over images. */
export const conv = convolutional(
  'conv',
  2,
  { channels: [32, 64], kernel: 4, stride: 2 },
  'Radford, Metz and Chintala, Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks, ICLR 2016, section 3 (strided and transposed convolutions in place of pooling)',
);
