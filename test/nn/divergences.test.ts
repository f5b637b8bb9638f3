/** Densities and divergences of the latents: closed forms against Monte Carlo, flows against their Jacobian. */
import { describe, expect, test } from 'vitest';
import { klBetween, klToStandardNormal, logDensity, standardLogDensity } from '../../src/nn/gaussian.js';
import { posteriorDefinition } from '../../src/nn/posteriors/index.js';
import { makePrior } from '../../src/nn/priors/index.js';
import { hashedNormal } from '../golden/formula.js';
import { evaluate, meanOf, standardNormal } from '../support/evaluate.js';

const DRAWS = 400_000;

describe('closed-form KL divergences agree with Monte Carlo', () => {
  const cases = [
    { name: 'narrow and shifted', q: [0.8, -1.2], p: [0, 0] },
    { name: 'wide', q: [-0.3, 0.9], p: [0, 0] },
    { name: 'between two Gaussians', q: [0.5, -0.7], p: [-0.4, 0.6] },
  ] as const;
  test.each(cases)('$name', async ({ q, p }) => {
    const standard = p[0] === 0 && p[1] === 0;
    const { closed, ratio } = await evaluate(
      { epsilon: { data: standardNormal(1, DRAWS), dims: [DRAWS, 1] } },
      ({ g }, { epsilon }) => {
        const gaussian = ([mean, logVariance]: readonly [number, number]) => ({
          mean: g.constant([mean], 'float32', [1, 1]),
          logVariance: g.constant([logVariance], 'float32', [1, 1]),
        });
        const from = gaussian(q);
        const z = g.op('Add', [from.mean, g.op('Mul', [epsilon!, g.scalar(Math.exp(q[1] / 2))])]);
        const prior = standard ? standardLogDensity(g, z) : logDensity(g, z, gaussian(p));
        return {
          closed: standard ? klToStandardNormal(g, from) : klBetween(g, from, gaussian(p)),
          ratio: g.op('Sub', [logDensity(g, z, from), prior]),
        };
      },
    );
    const ratios = ratio!.data;
    const estimate = meanOf(ratios);
    const deviation = Math.sqrt(meanOf(ratios.map((value) => (value - estimate) ** 2)) / DRAWS);
    expect(Math.abs(closed!.data[0]! - estimate)).toBeLessThan(4 * deviation);
    expect(deviation).toBeLessThan(0.01);
  });
});

describe('inverse autoregressive flow', () => {
  const size = 4;
  const { make } = posteriorDefinition('iaf');

  test.each([1, 2, 3])('log-density is that of the noise less the log of its Jacobian, %i steps', async (steps) => {
    const posterior = make({ type: 'iaf', steps, hidden: 16 }, [size]);
    // Rows: the point itself, and a step either way along every axis of the noise.
    const step = 1e-2;
    const rows = 1 + 2 * size;
    const base = hashedNormal(5, size);
    const epsilon = Float32Array.from({ length: rows * size }, (_, index) => {
      const [row, column] = [Math.floor(index / size), index % size];
      const moved = row > 0 && Math.floor((row - 1) / 2) === column;
      return base[column]! + (moved ? (row % 2 === 1 ? step : -step) : 0);
    });
    const head = (stream: number) => {
      const one = hashedNormal(stream, size);
      return { data: Array.from({ length: rows * size }, (_, index) => one[index % size]! * 0.7), dims: [rows, size] };
    };
    const { z, density } = await evaluate(
      { epsilon: { data: epsilon, dims: [rows, size] }, mean: head(6), logVariance: head(7), context: head(8) },
      (scope, { epsilon, mean, logVariance, context }) => {
        const draw = posterior.draw(scope, [mean!, logVariance!, context!], epsilon);
        return { z: draw.z, density: draw.logDensity() };
      },
    );
    const jacobian = Array.from({ length: size }, (_, output) =>
      Array.from({ length: size }, (_, input) => {
        const at = (row: number) => z!.data[row * size + output]!;
        return (at(1 + 2 * input) - at(2 + 2 * input)) / (2 * step);
      }),
    );
    const noise = base.reduce((sum, value) => sum - 0.5 * (value * value + Math.log(2 * Math.PI)), 0);
    const total = density!.data.slice(0, size).reduce((sum, value) => sum + value, 0);
    expect(total).toBeCloseTo(noise - Math.log(Math.abs(determinant(jacobian))), 2);
  });
});

describe('VampPrior', () => {
  test('is the mixture of its components', async () => {
    const components = 3;
    const latent = 2;
    const means = hashedNormal(20, components * latent);
    const logVariances = hashedNormal(21, components * latent);
    const z = [0.4, -1.1, 2, 0.3];
    const prior = makePrior({ type: 'vamp', components }, [latent]);
    const { density } = await evaluate({ z: { data: z, dims: [2, latent] } }, (scope, { z }) => {
      const { g } = scope;
      const posteriorOf = () => ({
        mean: g.constant(means, 'float32', [components, latent]),
        logVariance: g.constant(logVariances, 'float32', [components, latent]),
      });
      const context = { latentShape: [latent], dataShape: [5], bounded: true, posteriorOf };
      return { density: prior.logDensity(scope, z!, context) };
    });
    for (const row of [0, 1]) {
      let sum = 0;
      for (let k = 0; k < components; k += 1) {
        let log = 0;
        for (let d = 0; d < latent; d += 1) {
          const variance = Math.exp(logVariances[k * latent + d]!);
          const difference = z[row * latent + d]! - means[k * latent + d]!;
          log -= 0.5 * (Math.log(2 * Math.PI * variance) + difference ** 2 / variance);
        }
        sum += Math.exp(log) / components;
      }
      expect(density!.data[row]).toBeCloseTo(Math.log(sum), 4);
    }
  });
});

function determinant(matrix: readonly (readonly number[])[]): number {
  const rows = matrix.map((row) => [...row]);
  let result = 1;
  for (let column = 0; column < rows.length; column += 1) {
    const pivot = rows.findIndex((row, index) => index >= column && Math.abs(row[column]!) > 1e-9);
    if (pivot < 0) return 0;
    if (pivot !== column) {
      [rows[pivot], rows[column]] = [rows[column]!, rows[pivot]!];
      result = -result;
    }
    const top = rows[column]!;
    result *= top[column]!;
    for (const row of rows.slice(column + 1)) {
      const factor = row[column]! / top[column]!;
      for (let at = column; at < rows.length; at += 1) row[at] = row[at]! - factor * top[at]!;
    }
  }
  return result;
}
