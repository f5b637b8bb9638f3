import { describe, expect, it } from 'vitest';
import { checkGradients, type GradientCase, type InputSpec } from './gradient-check.js';

const product = (name: string, a: InputSpec, b: InputSpec): GradientCase => ({
  name: `MatMul ${name}`,
  inputs: { a, b },
  build: (g, inputs) => g.op('MatMul', [inputs['a'], inputs['b']]),
});

const PRODUCTS: GradientCase[] = [
  product('of matrices', { dims: [3, 4] }, { dims: [4, 5] }),
  product('of a symbolic batch of rows', { dims: [3, 4], shape: ['N', 4] }, { dims: [4, 5] }),
  product('of a stack by a matrix', { dims: [2, 3, 4] }, { dims: [4, 5] }),
  product('of a symbolic stack by a matrix', { dims: [2, 3, 4], shape: ['N', 'T', 4] }, { dims: [4, 5] }),
  product(
    'of a stack of rows of unknown length',
    { dims: [2, 3, 4], shape: ['N', 'T', 'K'] },
    { dims: [4, 5], shape: ['K', 5] },
  ),
  product('of a matrix by a stack', { dims: [3, 4] }, { dims: [2, 4, 5] }),
  product('of stacks', { dims: [2, 3, 4] }, { dims: [2, 4, 5] }),
  product('of stacks with broadcasting', { dims: [2, 1, 3, 4] }, { dims: [3, 4, 5] }),
  product(
    'of symbolic stacks with broadcasting',
    { dims: [2, 1, 3, 4], shape: ['N', 1, 'T', 4] },
    { dims: [3, 4, 5], shape: ['H', 4, 5] },
  ),
  product('of a vector by a matrix', { dims: [4] }, { dims: [4, 5] }),
  product('of a matrix by a vector', { dims: [3, 4] }, { dims: [4] }),
  product('of vectors', { dims: [4] }, { dims: [4] }),
  product('of a vector by a stack', { dims: [4] }, { dims: [2, 4, 5] }),
  product('of a stack by a vector', { dims: [2, 3, 4] }, { dims: [4] }),
];

const BIASES: readonly (readonly number[] | undefined)[] = [undefined, [5], [1, 5], [3, 1], [3, 5], [1], []];

const GEMMS: GradientCase[] = [0, 1].flatMap((transA) =>
  [0, 1].flatMap((transB) =>
    BIASES.map((bias, index): GradientCase => {
      const scaled = index % 2 === 1 ? { alpha: 0.7, beta: 1.3 } : {};
      return {
        name: `Gemm transA ${transA} transB ${transB} bias ${bias === undefined ? 'none' : `[${bias}]`}`,
        inputs: {
          a: { dims: transA ? [4, 3] : [3, 4], shape: transA ? [4, 'N'] : ['N', 4] },
          b: { dims: transB ? [5, 4] : [4, 5] },
          ...(bias === undefined ? {} : { c: { dims: bias } }),
        },
        build: (g, { a, b, c }) => g.op('Gemm', [a!, b!, c], { transA, transB, ...scaled }),
      };
    }),
  ),
);

describe('gradients of matrix products', () => {
  it.each([...PRODUCTS, ...GEMMS].map((one) => [one.name, one] as const))('%s', async (_, one) => {
    expect(await checkGradients(one)).toBe('float64');
  });
});
