import { convolutional } from './convolutional.js';

/** Strided convolutions over sequences, such as sound. */
export const conv1d = convolutional(
  'conv1d',
  1,
  { channels: [32, 64, 128], kernel: 9, stride: 4 },
  'Donahue, McAuley and Puckette, Adversarial Audio Synthesis, ICLR 2019, section 3 (one-dimensional strided convolutions with a stride of 4)',
);
