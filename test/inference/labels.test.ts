/** Labels of a conditional model on every way to its networks. */
import { pipeline } from 'node:stream/promises';
import type { Tensor } from 'onnxruntime-common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LabelledArray, toDataset, Vae } from '../../src/index.js';
import { hashedUniform } from '../golden/formula.js';

const ROWS = 24;
const WIDTH = 6;
const CLASSES = 4;
const rows = {
  data: Float32Array.from(hashedUniform(11, ROWS * WIDTH, 0.5), (value) => value + 0.5),
  shape: [ROWS, WIDTH],
};
const labels = Int32Array.from({ length: ROWS }, (_, row) => (row * 7) % CLASSES);
const item = (at: number, count = 1): LabelledArray => ({
  data: rows.data.subarray(at * WIDTH, (at + count) * WIDTH),
  shape: [count, WIDTH],
  labels: labels.subarray(at, at + count),
});
const input = { kind: 'vector', length: WIDTH } as const;
let vae: Vae;
let means: Float32Array;
let decoded: Float32Array;

beforeAll(async () => {
  vae = await Vae.create({ input, latentDim: 2, condition: { classes: CLASSES }, seed: 5 });
  const { mean } = await vae.encode(rows, { labels });
  means = mean.data as Float32Array;
  decoded = (await vae.decode(mean, { labels })).data as Float32Array;
});
afterAll(() => vae.close());

/** Equal but for the order in which a batch of another size is summed. */
function expectRows({ data }: { readonly data: unknown }, all: Float32Array, at: number, count = 1): void {
  const width = all.length / ROWS;
  expect(data).toHaveLength(count * width);
  for (const [index, value] of (data as Float32Array).entries()) expect(value).toBeCloseTo(all[at * width + index]!, 5);
}

test('labels change what comes out, so that these tests can see them', async () => {
  const others = await vae.encode(rows, { labels: labels.map((label) => (label + 1) % CLASSES) });
  for (let row = 0; row < ROWS; row += 1) {
    const moved = [0, 1].map((at) => Number(others.mean.data[2 * row + at]) - means[2 * row + at]!);
    expect(Math.hypot(...moved)).toBeGreaterThan(1e-3);
  }
});

test('a batch brings its labels along: from a dataset, one by one, or beside the data', async () => {
  const dataset = await toDataset(rows, { where: 'test', labels });
  expectRows((await vae.encode(dataset)).mean, means, 0, ROWS);
  let at = 0;
  for await (const batch of dataset.batch(5)) {
    expectRows((await vae.encode(batch)).mean, means, at, batch.shape[0]);
    at += batch.shape[0]!;
  }
  expect(at).toBe(ROWS);
  expectRows((await vae.encode(item(3, 4))).mean, means, 3, 4);
  expectRows(await vae.reconstruct(item(3, 4)), decoded, 3, 4);
});

test('requests of a batcher keep their own labels, however they are batched', async () => {
  await using batcher = vae.batcher({ maxBatch: 8 });
  const [first, second] = [item(0, 3), item(3)];
  const [many, single, byOption, one, rebuilt, ...rest] = await Promise.all([
    batcher.encode(first),
    batcher.encode(second),
    batcher.encode({ data: item(5, 2).data, shape: [2, WIDTH] }, { labels: labels.subarray(5, 7) }),
    batcher.encode({ data: item(7).data, shape: [1, WIDTH] }, { labels: labels[7]! }),
    batcher.reconstruct(item(9, 2)),
    ...Array.from({ length: ROWS }, (_, at) => batcher.encode(item(at))),
  ]);
  expectRows(many.mean, means, 0, 3);
  expectRows(single.mean, means, 3);
  expectRows(byOption.mean, means, 5, 2);
  expectRows(one.mean, means, 7);
  expectRows(rebuilt, decoded, 9, 2);
  rest.forEach(({ mean }, at) => {
    expectRows(mean, means, at);
  });
  const latents = await Promise.all(
    Array.from({ length: ROWS }, (_, at) =>
      batcher.decode({ data: means.subarray(2 * at, 2 * at + 2), shape: [1, 2] }, { labels: labels[at]! }),
    ),
  );
  latents.forEach((result, at) => {
    expectRows(result, decoded, at);
  });
});

test('a bad label is the fault of its own request', async () => {
  await using batcher = vae.batcher();
  const plain = { data: rows.data.subarray(0, WIDTH), shape: [1, WIDTH] };
  const results = await Promise.allSettled([
    batcher.encode(item(0)),
    batcher.encode(plain, { labels: CLASSES }),
    batcher.encode(plain),
    batcher.encode(plain, { labels: [1, 2] }),
    batcher.encode(item(1)),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected', 'fulfilled']);
  const reasons = results.map((result) => (result.status === 'rejected' ? (result.reason as Error).message : ''));
  expect(reasons[1]).toMatch(/batcher\.encode\(\): the label of row 0 is 4; this model knows classes 0 to 3/);
  expect(reasons[2]).toMatch(/this model is conditional: give \{ labels \}/);
  expect(reasons[3]).toMatch(/expected 1 labels, one for each row, received 2/);
});

test('streams take labels beside the data, or one for all', async () => {
  const found: number[] = [];
  const items = Array.from({ length: ROWS }, (_, at) => item(at));
  for await (const { mean } of vae.stream('encode').over(items)) found.push(...(mean.data as Float32Array));
  expectRows({ data: found }, means, 0, ROWS);

  const ones = vae.stream('encode', { label: 1 }).over(items.map(({ data, shape }) => ({ data, shape })));
  const same = await vae.encode(rows, { labels: 1 });
  let at = 0;
  for await (const { mean } of ones) expectRows(mean, same.mean.data as Float32Array, at++);
  expect(at).toBe(ROWS);

  const rebuilt: Tensor[] = [];
  await pipeline(items, vae.stream('reconstruct').node(), async (results: AsyncIterable<Tensor>) => {
    for await (const result of results) rebuilt.push(result);
  });
  rebuilt.forEach((result, row) => {
    expectRows(result, decoded, row);
  });
  const own = vae.stream('encode', { label: 1 }).over([item(2)]);
  for await (const { mean } of own) expectRows(mean, means, 2);
});

test('a stream says at once that it has no use for a label', async () => {
  expect(() => vae.stream('encode', { label: CLASSES })).toThrow(/stream\(\), label: .* classes 0 to 3/);
  await using plain = await Vae.create({ input });
  expect(() => plain.stream('encode', { label: 0 })).toThrow(/not conditional/);
  // Labels that come with data are nobody's mistake.
  const { mean } = await plain.encode(item(0, 2));
  expect(mean.dims[0]).toBe(2);
  await using batcher = plain.batcher();
  await expect(batcher.encode(item(0), { labels: 1 })).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
});
