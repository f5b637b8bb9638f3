import { describe, expect, it } from 'vitest';
import { hash } from './formula.js';
import {
  digestError,
  type GoldenNet,
  type GoldenTensor,
  type GoldenTerms,
  loadActivationCases,
  loadFullVae,
  loadSmallVae,
  loadVaeVariants,
  relativeError,
} from './load.js';

type Weights = Readonly<Record<string, GoldenTensor>>;

/** y[n] = act(W x[n] + b) in double precision. */
function dense(x: Float64Array[], weights: Weights, name: string, relu: boolean): Float64Array[] {
  const weight = weights[`${name}.weight`]!;
  const bias = weights[`${name}.bias`]!.values;
  const [out, inputs] = weight.shape as [number, number];
  return x.map((row) => {
    const y = new Float64Array(out);
    for (let o = 0; o < out; o += 1) {
      let sum = bias[o]!;
      for (let i = 0; i < inputs; i += 1) sum += weight.values[o * inputs + i]! * row[i]!;
      y[o] = relu && sum < 0 ? 0 : sum;
    }
    return y;
  });
}

/** The Bernoulli VAE with relu, in double precision and plain loops: a second opinion on the golden numbers. */
function reference(
  net: GoldenNet,
  weights: Weights,
  rows: Float64Array[],
  epsilon: ArrayLike<number>,
  klWeight: number,
) {
  let h = rows;
  for (const i of net.hidden.keys()) h = dense(h, weights, `encoder.hidden.${i}`, true);
  const mean = dense(h, weights, 'encoder.mean', false);
  const logVariance = dense(h, weights, 'encoder.log_variance', false);
  h = mean.map((m, n) => m.map((v, j) => v + Math.exp(0.5 * logVariance[n]![j]!) * epsilon[n * net.latentDim + j]!));
  for (const i of net.hidden.keys()) h = dense(h, weights, `decoder.hidden.${i}`, true);
  const logits = dense(h, weights, 'decoder.output', false);
  const terms = { loss: 0, reconstruction: 0, kl: 0 };
  rows.forEach((x, n) => {
    x.forEach((t, i) => {
      const l = logits[n]![i]!;
      terms.reconstruction += Math.max(l, 0) - l * t + Math.log1p(Math.exp(-Math.abs(l)));
    });
    mean[n]!.forEach((m, j) => {
      const v = logVariance[n]![j]!;
      terms.kl += -0.5 * (1 + v - m * m - Math.exp(v));
    });
  });
  terms.reconstruction /= rows.length;
  terms.kl /= rows.length;
  terms.loss = terms.reconstruction + klWeight * terms.kl;
  return terms;
}

function expectTerms(actual: GoldenTerms, expected: GoldenTerms, tolerance: number) {
  for (const key of ['loss', 'reconstruction', 'kl'] as const) {
    expect(Math.abs(actual[key] - expected[key]) / Math.abs(expected[key]), key).toBeLessThan(tolerance);
  }
}

describe('golden VAE numbers', () => {
  it('hashes as the script does', () => {
    // From formula.py: hashes(1, 0, 3) and hashes(1000, 123456, 1).
    expect([hash(1, 0), hash(1, 1), hash(1, 2), hash(1000, 123456)]).toEqual([
      1492470133, 3529208806, 3405767568, 2950719390,
    ]);
  });

  it('small: a plain double-precision model gives the float64 terms', () => {
    const { weights, rows, indices, epsilons, case: golden, weightedCase } = loadSmallVae();
    const batch = indices[0]!.map((row) => Float64Array.from(rows.values.subarray(row * 36, row * 36 + 36)));
    for (const { net, klWeight, terms, terms64 } of [golden, weightedCase]) {
      expectTerms(reference(net, weights, batch, epsilons.values, klWeight), terms64, 1e-12);
      expectTerms(terms, terms64, 1e-6);
    }
    expect(golden.perExample!.loss).toHaveLength(indices[0]!.length);
    expect(Object.keys(golden.gradients)).toEqual(Object.keys(weights));
  });

  it('full: weights, rows and noise from the formulas give the float64 terms', () => {
    const golden = loadFullVae();
    const rows = Array.from({ length: golden.batchSize }, (_, n) =>
      Float64Array.from(golden.rows.subarray(n * 784, n * 784 + 784), (grey) => grey / 256),
    );
    const terms = reference(golden.net, golden.weights, rows, golden.epsilons, golden.klWeight);
    expectTerms(terms, golden.terms64, 1e-12);
    expectTerms(golden.terms, golden.terms64, 1e-6);
  });

  it('full: a digest accepts its tensor and refuses one that is off by 1e-3', () => {
    const { weights, trained, projectionStream } = loadFullVae();
    const name = 'encoder.mean.weight';
    const digest = trained.parameters[name]!;
    // The parameter moved less than 1% of its norm in 20 steps: near, but not the same.
    expect(digestError(weights[name]!.values, digest, projectionStream)).toBeGreaterThan(1e-3);
    const moved = weights[name]!.values.map((value, i) => {
      const at = digest.sampleIndices.indexOf(i);
      return at < 0 ? value : digest.samples[at]!;
    });
    // Right at the samples alone: norm and projections still tell.
    expect(digestError(moved, digest, projectionStream)).toBeGreaterThan(1e-3);
  });

  it('every case has finite gradients for every parameter', () => {
    const cases = { ...loadActivationCases(), ...loadVaeVariants() };
    expect(Object.keys(cases)).toHaveLength(14);
    for (const [name, { gradients, terms, terms64, net }] of Object.entries(cases)) {
      expectTerms(terms, terms64, 1e-6);
      expect(Object.keys(gradients).length, name).toBe(
        4 * net.hidden.length + 6 + (net.likelihood === 'gaussian-learned' ? 1 : 0),
      );
      for (const { values } of Object.values(gradients)) {
        expect(values.every(Number.isFinite), name).toBe(true);
        expect(relativeError(values, new Float32Array(values.length)), name).toBeGreaterThan(0);
      }
    }
  });
});
