import { describe, it } from 'vitest';
import { checkGradients, type GradientCase } from './gradient-check.js';

const LAYER: GradientCase[] = (
  [
    [[3, 5], ['N', 5], -1, [5], true],
    [[2, 3, 4], [2, 3, 4], 1, [3, 4], true],
    [[2, 3, 4], ['N', 'T', 4], 2, [4], false],
    [[2, 3, 4], ['N', 3, 4], -2, [3, 4], false],
  ] as const
).map(
  ([dims, shape, axis, scale, biased]): GradientCase => ({
    name: `LayerNormalization of [${dims}] at ${axis}${biased ? '' : ' without bias'}`,
    inputs: { x: { dims, shape }, scale: { dims: scale }, ...(biased ? { bias: { dims: scale } } : {}) },
    build: (g, { x, scale: s, bias }) =>
      g.op('Sin', [g.op('LayerNormalization', [x!, s!, bias], { axis, epsilon: 1e-3 })]),
  }),
);

describe('gradients of normalisations', () => {
  it.each(LAYER.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    await checkGradients(one);
  });
});
