import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Dataset, toDataset, Vae, writeNpy } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('domain');

const ROWS = 3;
const WIDTH = 6;

async function entrances(vae: Vae, batch: { data: Float32Array | Float64Array; shape: number[] }) {
  const data = batch as { data: Float32Array; shape: number[] };
  const batcher = vae.batcher();
  const calls: Record<string, () => Promise<unknown>> = {
    encode: () => vae.encode(data),
    score: () => vae.score(data),
    'score, by importance': () => vae.score(data, { importanceSamples: 2 }),
    reconstruct: () => vae.reconstruct(data),
    latentStatistics: () => vae.latentStatistics(data),
    'a dataset': async () => vae.encode(await toDataset(data)),
    'the batcher': () => batcher.encode(data),
    'a stream': async () => {
      for await (const _ of vae.stream('encode').over([data]));
    },
    fit: async () => vae.fit(data, { epochs: 1 }),
    'fit of a source': async () =>
      vae.fit({ length: ROWS, rowShape: [WIDTH], read: (rows) => readRows(data.data, rows) }, { epochs: 1 }),
  };
  const outcome: Record<string, string> = {};
  for (const [name, call] of Object.entries(calls)) {
    outcome[name] = await call().then(
      () => 'taken',
      (error: Error & { code?: string }) => `${error.code} ${error.message}`,
    );
  }
  await batcher.close();
  return outcome;
}

function readRows(data: Float32Array, rows: ArrayLike<number>): Float32Array {
  return Float32Array.from(
    Array.from(rows).flatMap((row) => Array.from(data.subarray(row * WIDTH, (row + 1) * WIDTH))),
  );
}

describe.each([
  ['bernoulli', 255, 0.5],
  ['continuous-bernoulli', -0.01, 0.5],
  ['categorical', 0.3, 3 / 255],
  ['discretised-logistic', 2, 1],
  // Far out, but not so far that an untrained encoder's variance leaves float32.
  ['gaussian', Number.NaN, 40],
] as const)('%s', (likelihood, outside, inside) => {
  it.each([
    ['one layer', { type: 'mlp', hidden: [4] }],
    ['convolutions', { type: 'conv1d', channels: [2] }],
  ] as const)(
    'takes and refuses the same values at every entrance: %s',
    { timeout: 60_000 },
    async (_, architecture) => {
      const sequence = architecture.type === 'conv1d';
      await using vae = await Vae.create({
        input: sequence ? { kind: 'sequence', length: WIDTH } : { kind: 'vector', length: WIDTH },
        architecture: architecture as never,
        likelihood,
        latentDim: 2,
      });
      for (const Type of [Float32Array, Float64Array]) {
        const data = new Type(ROWS * WIDTH).fill(inside);
        const shape = [ROWS, WIDTH];
        for (const [name, outcome] of Object.entries(await entrances(vae, { data, shape }))) {
          if (!name.startsWith('fit') || inside <= 1) expect(outcome, name).toBe('taken');
        }
        data[WIDTH + 4] = outside;
        for (const [name, outcome] of Object.entries(await entrances(vae, { data, shape }))) {
          expect(outcome, name).toMatch(/^ERR_VAE_DATA /);
          // float64 becomes float32 before it is looked at.
          expect(outcome, name).toContain(String(Math.fround(outside)));
          if (!name.startsWith('fit')) expect(outcome, name).toContain('row 1');
        }
      }
    },
  );
});

describe('standardise', () => {
  const rows = Array.from({ length: 64 }, (_, row) => [1e4 + 100 * Math.sin(row), 1e-6 * Math.cos(row), 7]);

  it('is kept with the model, which takes data as it is and gives it back so', { timeout: 60_000 }, async () => {
    await using vae = await Vae.create({
      input: { kind: 'vector', length: 3 },
      architecture: { type: 'mlp', hidden: [16] },
      likelihood: 'gaussian',
      latentDim: 2,
    });
    await vae.fit(rows, { epochs: 200, standardise: true, learningRate: 1e-2 });
    expect(vae.recipe).toMatchObject({ kind: 'array', shape: [3] });
    const rebuilt = (await vae.reconstruct(rows)).data as Float32Array;
    expect(rebuilt[0]).toBeGreaterThan(9800);
    expect(rebuilt[0]).toBeLessThan(10_200);
    expect(Math.abs(rebuilt[1]!)).toBeLessThan(2e-6);
    expect(rebuilt[2]).toBeCloseTo(7, 0);
    const samples = (await vae.sample(4)).data as Float32Array;
    expect(samples[0]).toBeGreaterThan(9500);
    // However rows come in, they are scaled once.
    const dataset: Dataset = await toDataset(rows, { standardise: true });
    const path = join(folder, 'rows.npy');
    await writeNpy(path, { data: Float64Array.from(rows.flat()), shape: [64, 3] });
    const { mean } = await vae.encode(rows);
    const batcher = vae.batcher();
    const others = [
      await vae.encode(dataset),
      await vae.encode(await vae.read(path)),
      await batcher.encode({ data: Float32Array.from(rows.flat()), shape: [64, 3] }),
    ];
    await batcher.close();
    for (const other of others) {
      for (const [index, value] of (mean.data as Float32Array).entries())
        expect((other.mean.data as Float32Array)[index]).toBeCloseTo(value, 3);
    }
    const saved = join(folder, 'model');
    await vae.save(saved);
    await using again = await Vae.load(saved);
    expect((await again.reconstruct(rows)).data).toEqual((await vae.reconstruct(rows)).data);
    const report = await again.reconstructFile(path, join(folder, 'out.npy'));
    expect(report).toMatchObject({ kind: 'array', rows: 64 });
  });

  it('is what training says of data far from its scale', async () => {
    await using vae = await Vae.create({
      input: { kind: 'vector', length: 3 },
      architecture: { type: 'mlp', hidden: [4] },
      likelihood: 'gaussian',
      latentDim: 2,
    });
    const messages: string[] = [];
    await vae
      .fit(rows, { epochs: 1, onProgress: (event) => event.kind === 'warning' && messages.push(event.message) })
      .catch((error: unknown) => messages.push(String(error)));
    expect(messages[0]).toMatch(
      /far from the scale of 1 that training expects: values up to 1\.01e\+4.*standardise: true/,
    );
  });
});
