import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Vae, type VaeOptions } from '../../src/index.js';
import { LatentStatisticsSum } from '../../src/latent/statistics.js';
import { hashedUniform } from '../golden/formula.js';
import { temporaryFolderOfTest } from '../support/temporary.js';

const ROWS = 300;
const SIDE = 8;
const data = {
  data: Float32Array.from(hashedUniform(7, ROWS * SIDE * SIDE, 0.5), (value) => value + 0.5),
  shape: [ROWS, 1, SIDE, SIDE],
};
const input = { kind: 'image', height: SIDE, width: SIDE } as const;
const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

describe('sums over pieces', () => {
  test('are those over all rows at once, whatever the pieces', () => {
    const [rows, size] = [101, 3];
    // Far from zero and close together: sums of squares would lose every digit.
    const posteriorMean = Float64Array.from({ length: rows * size }, (_, at) => 1e7 + ((at * 7919) % 13) * (at % size));
    const klPerDimension = Float64Array.from({ length: rows * size }, (_, at) => ((at * 31) % 17) / 10);
    const kl = Float64Array.from(
      { length: rows },
      (_, row) => mean(klPerDimension.slice(row * size, (row + 1) * size)) * size,
    );
    const sum = new LatentStatisticsSum([{ name: 'z', size }]);
    for (const [from, to] of [
      [0, 1],
      [1, 60],
      [60, 101],
    ] as const) {
      sum.add({
        kl: kl.subarray(from, to),
        klPerDimension: klPerDimension.subarray(from * size, to * size),
        posteriorMean: posteriorMean.subarray(from * size, to * size),
      });
    }
    const result = sum.result();
    for (let dimension = 0; dimension < size; dimension += 1) {
      const column = (all: Float64Array) => Array.from({ length: rows }, (_, row) => all[row * size + dimension]!);
      const values = column(posteriorMean);
      const centre = mean(values);
      expect(result.meanVariance![dimension]).toBeCloseTo(mean(values.map((value) => (value - centre) ** 2)), 6);
      expect(result.klPerDimension![dimension]).toBeCloseTo(mean(column(klPerDimension)), 10);
    }
    // The first dimension's mean never moves.
    expect(result.active).toEqual([false, true, true]);
    expect(result).toMatchObject({ rows, activeUnits: 2, layers: [{ name: 'z', size, activeUnits: 2 }] });
  });

  test('refuse rows of another length', () => {
    const sum = new LatentStatisticsSum([{ name: 'z', size: 2 }]);
    expect(() => sum.add({ kl: [1, 2], klPerDimension: [1, 2, 3] })).toThrow(/2 rows of 2 values, received 3/);
  });
});

describe('Vae.latentStatistics()', () => {
  const cases: Record<string, Partial<VaeOptions>> = {
    gaussian: {},
    'a latent map': { architecture: { type: 'conv', channels: [4], latent: 'map' }, latentDim: 2 },
    flow: { posterior: { type: 'iaf', steps: 2, hidden: 8 } },
    vamp: { prior: { type: 'vamp', components: 5 } },
    ladder: { architecture: { type: 'ladder', latents: [4, 3], hidden: [16, 8] } },
    chain: { architecture: { type: 'chain', latents: [4, 3], hidden: [16, 8] } },
    'vector-quantised': {
      architecture: { type: 'conv', channels: [4], latent: 'map' },
      latentDim: 2,
      posterior: { type: 'vector-quantised', codes: 8 },
    },
    labelled: { condition: { classes: 3 } },
  };
  test.each(Object.keys(cases))('%s: agrees with score() and encode()', async (name) => {
    const options = cases[name]!;
    const latentDim = options.architecture === undefined ? { latentDim: 5 } : {};
    await using vae = await Vae.create({ input, seed: 3, ...latentDim, ...options });
    const labels = name === 'labelled' ? { labels: 2 } : {};
    const found = await vae.latentStatistics(data, labels);
    const scores = await vae.score(data, labels);
    const size = vae.latentShape.reduce((product, dim) => product * dim, 1);
    expect(found.rows).toBe(ROWS);
    expect(found.active).toHaveLength(size);
    expect(found.kl).toBeCloseTo(mean(scores.kl), 3);
    const divides = name !== 'vamp' && name !== 'vector-quantised';
    expect(found.klPerDimension !== undefined).toBe(divides);
    if (found.klPerDimension !== undefined) {
      expect(found.klPerDimension.reduce((sum, value) => sum + value, 0)).toBeCloseTo(mean(scores.kl), 3);
      expect(found.layers.reduce((sum, { kl }) => sum + kl!, 0)).toBeCloseTo(found.kl, 3);
    }
    const levels = name === 'ladder' || name === 'chain';
    expect(found.meanVariance !== undefined).toBe(!levels);
    if (levels) {
      // The first drawn first: a ladder draws downwards, a chain upwards.
      const downwards = [
        ['z2', 3],
        ['z1', 4],
      ];
      expect(found.layers.map(({ name: layer, size: count }) => [layer, count])).toEqual(
        name === 'ladder' ? downwards : downwards.reverse(),
      );
      expect(found.active).toEqual(Array.from(found.klPerDimension!, (kl) => kl > 0.01));
    } else {
      const { mean: means } = await vae.encode(data, labels);
      for (let dimension = 0; dimension < size; dimension += 1) {
        const values = Array.from({ length: ROWS }, (_, row) => Number(means.data[row * size + dimension]));
        const centre = mean(values);
        expect(found.meanVariance![dimension]).toBeCloseTo(mean(values.map((value) => (value - centre) ** 2)), 4);
      }
      expect(found.active).toEqual(Array.from(found.meanVariance!, (variance) => variance > 0.01));
    }
    const all = await vae.latentStatistics(data, { ...labels, threshold: 1e-12 });
    expect(all.activeUnits).toBeGreaterThanOrEqual(found.activeUnits);
  });

  test('a model that learned four facts about its data uses about so many units, and no more', async () => {
    // Rows say only which of two values each quarter has: four bits.
    const count = 1024;
    const bits = Float32Array.from(
      { length: count * 32 },
      (_, at) => (Math.floor(at / 32) >> Math.floor((at % 32) / 8)) & 1,
    );
    const rows = { data: bits, shape: [count, 32] };
    await using vae = await Vae.create({ input: { kind: 'vector', length: 32 }, latentDim: 12, seed: 1 });
    await vae.fit(rows, { epochs: 60, batchSize: 64, optimizer: { type: 'adam', learningRate: 3e-3 } });
    const found = await vae.latentStatistics(rows);
    expect(found.activeUnits).toBeGreaterThanOrEqual(4);
    expect(found.activeUnits).toBeLessThanOrEqual(6);
    // By both measures they are the same ones.
    expect(Array.from(found.klPerDimension!, (kl) => kl > 0.05)).toEqual(found.active);
  });

  test('imported networks: the divergence of what their encoder gives', async () => {
    const folder = temporaryFolderOfTest('statistics');
    await using vae = await Vae.create({ input, latentDim: 5, seed: 3 });
    await vae.save(folder);
    const pair = { encoder: join(folder, 'encoder.onnx'), decoder: join(folder, 'decoder.onnx') };
    await using imported = await Vae.load(pair);
    const [ours, theirs] = [await vae.latentStatistics(data), await imported.latentStatistics(data)];
    for (const key of ['klPerDimension', 'meanVariance'] as const) {
      for (const [index, value] of ours[key]!.entries()) expect(theirs[key]![index]).toBeCloseTo(value, 4);
    }
  });

  test('refuses what score() refuses', async () => {
    await using vae = await Vae.create({ input, latentDim: 5 });
    await expect(vae.latentStatistics(data, { threshold: -1 })).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(vae.latentStatistics(data, { signal })).rejects.toThrow('enough');
  });
});
