/** The chain's divergence, held against the equations of its paper in plain numbers. */
import { expect, test } from 'vitest';
import { buildObjective, buildPrior } from '../../src/architectures/graphs.js';
import { writeModel } from '../../src/graph/index.js';
import { meanOf, runModel, standardNormal } from '../support/evaluate.js';
import { batchFor, smallModel } from '../support/recipes.js';

const LATENTS = [3, 2, 2];
const ROWS = 4;
const model = smallModel({
  architecture: { type: 'chain', latents: LATENTS, hidden: [5, 4, 3], depth: 2, activation: 'tanh' },
  input: { kind: 'vector', length: 6 },
});
const { parameters } = model;
const total = LATENTS.reduce((sum, size) => sum + size, 0);

function linear(path: string, x: readonly number[]): number[] {
  const values = (name: string) => parameters.view(parameters.specs.find((spec) => spec.name === name)!);
  const [weight, bias] = [values(`${path}.weight`), values(`${path}.bias`)];
  return Array.from(bias, (start, o) => x.reduce((sum, value, i) => sum + value * weight[o * x.length + i]!, start));
}

function gaussian(path: string, x: readonly number[], offset: number): { mean: number[]; logVariance: number[] } {
  const hidden = [0, 1].reduce((value, layer) => linear(`${path}.hidden.${layer}`, value).map(Math.tanh), [...x]);
  return {
    mean: linear(`${path}.mean`, hidden),
    logVariance: linear(`${path}.log_variance`, hidden).map((value) => value + offset),
  };
}

test('its divergence is E[ln q(z1|x) q(z2|z1) q(z3|z2) − ln p(z3) p(z2|z3) p(z1|z2)]', async () => {
  const batch = batchFor(model, ROWS);
  const { kl_per_example: kl, kl_per_dimension: each } = await runModel(
    writeModel(buildObjective(model.vae, parameters.asInitializers)),
    batch,
  );
  for (let row = 0; row < ROWS; row += 1) {
    let below = Array.from(batch['input']!.data).slice(row * 6, row * 6 + 6);
    let at = row * total;
    const drawn = LATENTS.map((size, level) => {
      const q = gaussian(`encoder.level.${level}`, below, -2);
      const z = q.mean.map((mean, d) => mean + Math.exp(0.5 * q.logVariance[d]!) * batch['epsilon']!.data[at + d]!);
      at += size;
      below = z;
      return { q, z };
    });
    const dimensions = drawn.flatMap(({ q, z }, level) => {
      const above = drawn[level + 1];
      const p = above && gaussian(`decoder.level.${level + 1}`, above.z, 0);
      return q.mean.map((mean, d) => {
        const variance = Math.exp(q.logVariance[d]!);
        if (p === undefined) return 0.5 * (mean ** 2 + variance - q.logVariance[d]! - 1);
        const negativeEntropy = -0.5 * (1 + Math.log(2 * Math.PI * variance));
        const distance = (z[d]! - p.mean[d]!) ** 2 / Math.exp(p.logVariance[d]!);
        return negativeEntropy + 0.5 * (Math.log(2 * Math.PI) + p.logVariance[d]! + distance);
      });
    });
    dimensions.forEach((value, d) => {
      expect(each!.data[row * total + d]).toBeCloseTo(value, 4);
    });
    expect(kl!.data[row]).toBeCloseTo(
      dimensions.reduce((sum, value) => sum + value, 0),
      4,
    );
  }
});

test('the weights of its draws have the ELBO as their mean', async () => {
  const samples = 5000;
  const found = await runModel(
    writeModel(buildObjective(model.vae, parameters.asInitializers, samples)),
    batchFor(model, 1, samples),
  );
  const elbo = -(found['reconstruction']!.data[0]! + found['kl']!.data[0]!);
  const weights = found['log_weight']!.data;
  const mean = meanOf(weights);
  const error = Math.sqrt(meanOf(weights.map((value) => (value - mean) ** 2)) / samples);
  expect(error).toBeLessThan(0.05);
  expect(Math.abs(mean - elbo)).toBeLessThan(4 * error);
});

test('its prior is drawn downwards', async () => {
  const epsilon = standardNormal(7, ROWS * total);
  const { latent } = await runModel(writeModel(buildPrior(model.vae, parameters.asInitializers)), {
    epsilon: { data: epsilon, dims: [ROWS, total] },
  });
  for (let row = 0; row < ROWS; row += 1) {
    const noise = Array.from(epsilon.subarray(row * total, (row + 1) * total));
    const draw = (level: number, z: number[], from: number): number[] => {
      const { mean, logVariance } = gaussian(`decoder.level.${level}`, z, 0);
      return mean.map((value, d) => value + Math.exp(0.5 * logVariance[d]!) * noise[from + d]!);
    };
    const top = noise.slice(5, 7);
    const middle = draw(2, top, 3);
    const expected = [...draw(1, middle, 0), ...middle, ...top];
    expected.forEach((value, d) => {
      expect(latent!.data[row * total + d]).toBeCloseTo(value, 4);
    });
  }
});
