/** Numbers that keep the draws for different purposes apart under one seed. Never renumber them. */
export const STREAMS = {
  initialWeights: 1,
  shuffle: 2,
  trainingNoise: 3,
  scoreNoise: 4,
  sampling: 5,
  reconstruction: 6,
  split: 7,
  lossyNoise: 102,
  lossyHyperNoise: 103,
} as const;
