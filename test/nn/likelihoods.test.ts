/** Each likelihood is a distribution, its mean is its mean, and its gradient is that of its formula. */
import { describe, expect, test } from 'vitest';
import {
  LIKELIHOOD_NAMES,
  type LikelihoodInput,
  likelihoodSchema,
  makeLikelihood,
} from '../../src/nn/likelihoods/index.js';
import { hashedUniform } from '../golden/formula.js';
import { evaluate, type Given } from '../support/evaluate.js';

/** What the decoder says, from mild to extreme: one row for each setting of the heads. */
interface Case {
  readonly likelihood: LikelihoodInput;
  /** Values at which densities are summed, and the width that each stands for. */
  readonly support: {
    readonly from: number;
    readonly to: number;
    readonly points: number;
    readonly discrete?: boolean;
  };
  /** The spread of the heads' values. */
  readonly spread: number;
  readonly meanTolerance?: number;
}

const bytes = { from: 0, to: 1, points: 256, discrete: true } as const;
const line = { from: -60, to: 60, points: 240_001 } as const;
const HALF_A_LEVEL = 0.5 / 255;
const CASES: readonly Case[] = [
  { likelihood: 'bernoulli', support: { from: 0, to: 1, points: 2, discrete: true }, spread: 8 },
  { likelihood: 'continuous-bernoulli', support: { from: 0, to: 1, points: 40_001 }, spread: 16 },
  { likelihood: 'continuous-bernoulli', support: { from: 0, to: 1, points: 10_001 }, spread: 0.5 },
  { likelihood: { type: 'gaussian', variance: 0.3 }, support: line, spread: 4 },
  { likelihood: { type: 'gaussian', variance: 'learned' }, support: line, spread: 4 },
  { likelihood: { type: 'gaussian', variance: 'optimal' }, support: line, spread: 4 },
  { likelihood: { type: 'gaussian', variance: 'perDimension' }, support: line, spread: 4 },
  { likelihood: { type: 'gaussian', variance: 'perValue' }, support: line, spread: 2 },
  { likelihood: { type: 'laplace', scale: 0.7 }, support: line, spread: 4 },
  { likelihood: { type: 'laplace', scale: 'learned' }, support: line, spread: 4 },
  { likelihood: { type: 'laplace', scale: 'perValue' }, support: line, spread: 1 },
  { likelihood: 'discretised-logistic', support: bytes, spread: 2, meanTolerance: HALF_A_LEVEL },
  { likelihood: 'discretised-logistic', support: bytes, spread: 8, meanTolerance: HALF_A_LEVEL },
  {
    likelihood: { type: 'discretised-logistic', components: 5 },
    support: bytes,
    spread: 2,
    meanTolerance: HALF_A_LEVEL,
  },
  { likelihood: 'categorical', support: bytes, spread: 8 },
  { likelihood: { type: 'categorical', levels: 16 }, support: { ...bytes, points: 16 }, spread: 8 },
  { likelihood: { type: 'table', numeric: 1 }, support: line, spread: 4 },
  { likelihood: 'beta-binomial', support: bytes, spread: 8 },
  { likelihood: 'beta-binomial', support: bytes, spread: 2 },
];

const ROWS = 12;

/** Heads of ROWS settings, each said of one value [N, 1]. */
function headsOf(
  likelihood: ReturnType<typeof makeLikelihood>,
  rows: number,
  pick: (row: number) => number,
  spread: number,
) {
  return Object.fromEntries(
    likelihood.heads.map(({ name, perValue }, index) => {
      const values = hashedUniform(50 + index, ROWS * perValue, spread);
      const data = Array.from({ length: rows * perValue }, (_, at) => {
        const row = Math.floor(at / perValue);
        return values[pick(row) * perValue + (at % perValue)]!;
      });
      return [name, { data, dims: perValue === 1 ? [rows, 1] : [rows, perValue, 1] } satisfies Given];
    }),
  );
}

describe.each(CASES.map((one) => [JSON.stringify(one.likelihood), one] as const))('%s', (_, one) => {
  const likelihood = makeLikelihood(likelihoodSchema.parse(one.likelihood));
  const { from, to, points, discrete = false } = one.support;

  test('sums to one over its support, and to its mean', { timeout: 30_000 }, async () => {
    const step = (to - from) / (points - 1);
    const rows = Math.min(ROWS, points > 1000 ? 4 : ROWS);
    for (let row = 0; row < rows; row += 1) {
      const x = Float32Array.from({ length: points }, (_, index) => from + index * step);
      const given = headsOf(likelihood, points, () => row, one.spread);
      const { cost, mean } = await evaluate({ x: { data: x, dims: [points, 1] }, ...given }, (scope, inputs) => {
        const heads = likelihood.heads.map(({ name }) => inputs[name]!);
        return { cost: likelihood.negativeLog(scope, inputs['x']!, heads), mean: likelihood.mean(scope, heads) };
      });
      let total = 0;
      let first = 0;
      for (let index = 0; index < points; index += 1) {
        // Simpson's rule for densities: their kinks and bends would show in the trapezoidal one.
        const edge = index === 0 || index === points - 1;
        const weight = discrete ? 1 : ((edge ? 1 : index % 2 === 1 ? 4 : 2) * step) / 3;
        const share = Math.exp(-cost!.data[index]!) * weight;
        total += share;
        first += share * (from + index * step);
      }
      expect(Math.abs(total - 1), `row ${row}`).toBeLessThan(1e-4);
      expect(Math.abs(first - mean!.data[0]!), `mean of row ${row}`).toBeLessThan(one.meanTolerance ?? 1e-3);
    }
  });
});

test('every likelihood of the table is tested, or has a test of its own', () => {
  const tested = new Set([...CASES.map(({ likelihood }) => likelihoodSchema.parse(likelihood).type), 'local-mixture']);
  expect([...tested].sort()).toEqual([...LIKELIHOOD_NAMES].sort());
});
