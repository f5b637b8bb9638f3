import { describe, it } from 'vitest';
import { checkGradients, type GradientCase, type InputSpec } from './gradient-check.js';

const index = (dims: readonly number[], values: readonly number[]): InputSpec => ({ dims, values, dtype: 'int64' });

const CASES: GradientCase[] = [
  ...(
    [
      ['rows, some twice', [5, 3], ['V', 3], [4], [1, 4, 1, 0], 0],
      ['an embedding of a batch of sequences', [5, 3], [5, 3], [2, 4], [0, 1, 2, 2, 4, 4, 4, -1], 0],
      ['columns', [3, 5], ['N', 5], [3], [4, 0, 4], 1],
      ['an inner axis by a matrix', [2, 4, 3], ['N', 4, 'D'], [2, 2], [3, 0, 0, 3], 1],
      ['one row', [5, 3], [5, 3], [], [2], 0],
      ['one of the last axis', [2, 5], [2, 5], [], [-1], -1],
    ] as const
  ).map(
    ([name, dims, shape, indexDims, values, axis]): GradientCase => ({
      name: `Gather ${name}`,
      inputs: { x: { dims, shape }, i: index(indexDims, values) },
      build: (g, { x, i }) => g.op('Exp', [g.op('Gather', [x!, i!], { axis })]),
    }),
  ),
  {
    name: 'GatherElements, some twice',
    inputs: { x: { dims: [3, 4] }, i: index([2, 4], [0, 2, 1, 0, 0, -1, 1, 2]) },
    build: (g, { x, i }) => g.op('Exp', [g.op('GatherElements', [x!, i!], { axis: 0 })]),
  },
  {
    name: 'GatherElements along the last axis',
    inputs: { x: { dims: [3, 4], shape: ['N', 4] }, i: index([3, 2], [0, 2, 1, 1, 3, 0]) },
    build: (g, { x, i }) => g.op('Exp', [g.op('GatherElements', [x!, i!], { axis: -1 })]),
  },
  {
    name: 'GatherND of rows, some twice',
    inputs: { x: { dims: [3, 4] }, i: index([3, 1], [2, 0, 2]) },
    build: (g, { x, i }) => g.op('Exp', [g.op('GatherND', [x!, i!])]),
  },
  {
    name: 'GatherND of elements',
    inputs: { x: { dims: [3, 4] }, i: index([2, 2], [2, 0, 1, 3]) },
    build: (g, { x, i }) => g.op('Exp', [g.op('GatherND', [x!, i!])]),
  },
  {
    name: 'GatherND within a batch',
    inputs: {
      x: { dims: [2, 3, 4], shape: ['N', 3, 4] },
      i: { ...index([2, 2, 1], [2, 0, 1, 1]), shape: ['N', 2, 1] },
    },
    build: (g, { x, i }) => g.op('Exp', [g.op('GatherND', [x!, i!], { batch_dims: 1 })]),
  },
  ...(['none', 'add'] as const).flatMap((reduction): GradientCase[] => [
    {
      name: `ScatterElements, ${reduction}`,
      inputs: { x: { dims: [3, 4] }, i: index([2, 4], [0, 2, 1, 0, 1, 0, 2, 2]), u: { dims: [2, 4] } },
      build: (g, { x, i, u }) => g.op('Exp', [g.op('ScatterElements', [x!, i!, u!], { axis: 0, reduction })]),
    },
    {
      name: `ScatterND, ${reduction}`,
      inputs: { x: { dims: [4, 3] }, i: index([2, 1], [3, 1]), u: { dims: [2, 3] } },
      build: (g, { x, i, u }) => g.op('Exp', [g.op('ScatterND', [x!, i!, u!], { reduction })]),
    },
  ]),
  {
    name: 'ScatterElements adding to one place twice',
    inputs: { x: { dims: [3, 2] }, i: index([3, 2], [0, 1, 0, 1, 2, 1]), u: { dims: [3, 2] } },
    build: (g, { x, i, u }) => g.op('Exp', [g.op('ScatterElements', [x!, i!, u!], { axis: 0, reduction: 'add' })]),
  },
  {
    name: 'TopK',
    inputs: { x: { dims: [3, 6], distinct: true } },
    build: (g, { x }) => g.op('Exp', [g.ops('TopK', [x!, g.int64s([2])], { axis: -1 }, { outputs: 2 })[0]!]),
  },
];

describe('gradients of gathering and scattering', () => {
  it.each(CASES.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    await checkGradients(one);
  });
});
