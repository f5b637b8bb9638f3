import { expect, test } from 'vitest';
import { makeLikelihood } from '../../src/nn/likelihoods/index.js';
import { evaluate } from '../support/evaluate.js';

const likelihood = makeLikelihood({ type: 'table', numeric: 2, masked: 1, categories: [3] });

/** Columns: a masked number, a plain one, the flag of the first, three categories. */
async function cost(rows: readonly (readonly number[])[], head: readonly number[]) {
  const dims = [rows.length, 6];
  const { cost: found, mean } = await evaluate(
    { x: { data: rows.flat(), dims }, output: { data: rows.flatMap(() => head), dims } },
    (scope, inputs) => ({
      cost: likelihood.negativeLog(scope, inputs['x']!, [inputs['output']!]),
      mean: likelihood.mean(scope, [inputs['output']!]),
    }),
  );
  const sums = rows.map((_, row) => found!.data.slice(row * 6, row * 6 + 6).reduce((sum, value) => sum + value, 0));
  return { each: found!, sums, mean: mean!.data };
}

const HEAD = [0.4, -1, 9, 1, 0, -2];

test('what was not observed costs nothing, and what was costs the same as alone', async () => {
  const { each, sums } = await cost(
    [
      [0.7, 0.2, 1, 0, 1, 0],
      [0, 0.2, 0, 0, 1, 0],
      [0, 0.2, 0, 0, 0, 0],
      [123, 0.2, 0, 0, 0, 0],
    ],
    HEAD,
  );
  expect(each.dims).toEqual([4, 6]);
  const logits = HEAD.slice(3);
  const total = Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0));
  expect(sums[1]! - sums[2]!).toBeCloseTo(total - logits[1]!, 5);
  const alone = Array.from(each.data.subarray(0, 6));
  expect(alone[0]).toBeGreaterThan(0.5);
  expect(sums[0]! - sums[1]!).toBeCloseTo(alone[0]!, 5);
  // The log-density of a normal distribution differs from one value to another by its exponent alone.
  const [{ sums: near }, { sums: far }] = [
    await cost([[0, 0, 0, 0, 0, 0]], HEAD),
    await cost([[0, 2, 0, 0, 0, 0]], HEAD),
  ];
  const { sums: middle } = await cost([[0, -1, 0, 0, 0, 0]], HEAD);
  expect((far[0]! - middle[0]!) / (near[0]! - middle[0]!)).toBeCloseTo(9, 4);
  // Whatever stands where nothing was observed.
  expect(sums[3]).toBeCloseTo(sums[2]!, 6);
});

test('the categories of a column have probabilities that add up to one, and the mean gives them', async () => {
  const { sums, mean } = await cost(
    [
      [0, 0.2, 0, 1, 0, 0],
      [0, 0.2, 0, 0, 1, 0],
      [0, 0.2, 0, 0, 0, 1],
      [0, 0.2, 0, 0, 0, 0],
    ],
    HEAD,
  );
  const shares = [0, 1, 2].map((row) => Math.exp(sums[3]! - sums[row]!));
  expect(shares[0]! + shares[1]! + shares[2]!).toBeCloseTo(1, 5);
  for (const [index, share] of shares.entries()) expect(mean[3 + index]).toBeCloseTo(share, 5);
  expect(Array.from(mean.slice(0, 2), (value) => Math.round(value * 10) / 10)).toEqual([0.4, -1]);
  expect(mean[2]).toBe(1);
});
