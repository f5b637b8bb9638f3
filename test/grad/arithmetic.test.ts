import { describe, expect, it } from 'vitest';
import { checkGradients, type GradientCase, type InputSpec } from './gradient-check.js';

const SHAPES: readonly (readonly [name: string, left: InputSpec, right: InputSpec])[] = [
  ['same shapes', { dims: [3, 4] }, { dims: [3, 4] }],
  ['row', { dims: [3, 4] }, { dims: [4] }],
  ['column and row', { dims: [3, 1] }, { dims: [1, 4] }],
  ['scalar', { dims: [2, 3] }, { dims: [] }],
  ['left narrower', { dims: [1, 4] }, { dims: [2, 3, 4] }],
  ['inner and outer', { dims: [2, 1, 3, 1] }, { dims: [4, 1, 5] }],
  ['symbolic batch', { dims: [3, 4], shape: ['N', 4] }, { dims: [4] }],
  ['symbol against 1', { dims: [3, 4], shape: ['N', 4] }, { dims: [1, 4] }],
  ['two symbols, equal', { dims: [3, 4], shape: ['N', 4] }, { dims: [3, 4], shape: ['M', 4] }],
  ['two symbols, broadcast', { dims: [3, 4], shape: ['N', 4] }, { dims: [1, 4], shape: ['M', 4] }],
  ['unknown rank', { dims: [2, 3, 4], shape: null }, { dims: [3, 1], shape: null }],
];

const positive = (spec: InputSpec): InputSpec => ({ ...spec, range: [0.5, 2] });

function binaryCases(
  op: string,
  prepare: (spec: InputSpec, index: number) => InputSpec = (spec) => spec,
): GradientCase[] {
  return SHAPES.map(([name, left, right]) => ({
    name: `${op}: ${name}`,
    inputs: { a: prepare(left, 0), b: prepare(right, 1) },
    build: (g, { a, b }) => g.op(op, [a!, b!]),
  }));
}

const CASES: GradientCase[] = [
  ...binaryCases('Add'),
  ...binaryCases('Sub'),
  ...binaryCases('Mul'),
  ...binaryCases('Div', (spec, index) => (index === 1 ? positive(spec) : spec)),
  ...binaryCases('Pow', (spec, index) => (index === 0 ? positive(spec) : spec)),
];

describe('gradients of arithmetic', () => {
  it.each(CASES.map((one) => [one.name, one] as const))('%s', async (_, one) => {
    expect(await checkGradients(one)).toBe('float64');
  });
});
