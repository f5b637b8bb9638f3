/** Rows in every form that is taken, at every entrance: all give what the plain form gives. */
import { Tensor } from 'onnxruntime-common';
import { describe, expect, test } from 'vitest';
import { toDataset, Vae } from '../../src/index.js';

const SHAPE = [4, 3] as const;
const rows = [
  [0.25, 0.5, 1],
  [-1, 2, 0],
  [0.5, -0.5, 0.125],
  [1, 1, -2],
];
const flat = Float32Array.from(rows.flat());
/** Column by column. */
const columns = Float32Array.from({ length: 12 }, (_, index) => rows[index % 4]![Math.floor(index / 4)]!);

type Rows = Parameters<Vae['encode']>[0];

/** Made anew for each use: nothing may depend on what an entrance did before. */
const FORMS: Readonly<Record<string, () => unknown>> = {
  '{ data, shape }': () => ({ data: Float32Array.from(flat), shape: SHAPE }),
  '{ data, shape } of float64': () => ({ data: Float64Array.from(flat), shape: SHAPE }),
  '{ data, shape } of numbers': () => ({ data: rows.flat(), shape: SHAPE }),
  '{ data, shape, stride }': () => ({ data: Float32Array.from(columns), shape: SHAPE, stride: [1, 4] }),
  '{ data, dims }, a tensor': () => new Tensor('float32', Float32Array.from(flat), [...SHAPE]),
  'nested arrays': () => rows.map((row) => [...row]),
  'arrays of typed arrays': () => rows.map((row) => Float32Array.from(row)),
  'a flat typed array': () => Float32Array.from(flat),
  'a flat typed array of float64': () => Float64Array.from(flat),
  'a matrix of a library': () => ({ to2DArray: () => rows }),
  'a Dataset': () => toDataset({ data: Float32Array.from(flat), shape: SHAPE }),
};

const make = () =>
  Vae.create({
    input: { kind: 'vector', length: 3 },
    architecture: { type: 'mlp', hidden: [4] },
    likelihood: { type: 'gaussian', variance: 1 },
    latentDim: 2,
    seed: 5,
  });

/** What each entrance makes of rows, as numbers. */
const ENTRANCES: Readonly<Record<string, (vae: Vae, given: Rows) => Promise<ArrayLike<number>>>> = {
  'toDataset()': async (_, given) =>
    (await (await toDataset(given as never, { rowShape: [3] })).read([0, 1, 2, 3])) as Float32Array,
  'fit()': async (vae, given) =>
    (await vae.fit(given as never, { epochs: 2, batchSize: 2, seed: 1 })).epochs.map(({ train }) => train.loss),
  'fit(), validation': async (vae, given) =>
    (
      await vae.fit({ data: flat, shape: SHAPE }, { epochs: 1, batchSize: 2, seed: 1, validation: given as never })
    ).epochs.map(({ validation }) => validation!.loss),
  'encode()': async (vae, given) => (await vae.encode(given)).mean.data as Float32Array,
  'batcher().encode()': async (vae, given) => {
    await using batcher = vae.batcher();
    return (await batcher.encode(given)).mean.data as Float32Array;
  },
  "stream('encode').over()": async (vae, given) => {
    const means: number[] = [];
    for await (const { mean } of vae.stream('encode').over([given])) means.push(...(mean.data as Float32Array));
    return means;
  },
  'reconstruct()': async (vae, given) => (await vae.reconstruct(given)).data as Float32Array,
  'score()': async (vae, given) => (await vae.score(given, { seed: 2 })).elbo,
  'score(), importanceSamples': async (vae, given) =>
    (await vae.score(given, { seed: 2, importanceSamples: 4 })).importanceWeighted!,
  'latentStatistics()': async (vae, given) => [...(await vae.latentStatistics(given, { seed: 2 })).klPerDimension!],
};

describe.each(Object.keys(ENTRANCES))('%s', (entrance) => {
  test.each(Object.keys(FORMS))('takes %s', async (form) => {
    const give = ENTRANCES[entrance]!;
    await using first = await make();
    await using second = await make();
    const wanted = await give(first, { data: Float32Array.from(flat), shape: SHAPE } as Rows);
    expect(wanted.length).toBeGreaterThan(0);
    expect(Array.from(await give(second, (await FORMS[form]!()) as Rows))).toEqual(Array.from(wanted));
  });
});
