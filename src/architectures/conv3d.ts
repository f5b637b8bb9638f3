import { convolutional } from './convolutional.js';

/** Strided convolutions over clips of video or volumes: time is an axis like the others. */
export const conv3d = convolutional(
  'conv3d',
  3,
  { channels: [16, 32], kernel: 4, stride: 2 },
  'Vondrick, Pirsiavash and Torralba, Generating Videos with Scene Dynamics, NeurIPS 2016, section 2.1 (three-dimensional strided convolutions of kernel 4)',
);
