/** What a server leans on: buffers of its own, clones, warm-up, traces. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Vae } from '../../src/index.js';
import { digits } from '../support/digits.js';
import { temporaryFolder } from '../support/temporary.js';

const held = digits(20, 't10k');
let vae: Vae;
const folder = temporaryFolder('serving');

beforeAll(async () => {
  vae = await Vae.create({
    architecture: { type: 'mlp', hidden: [32] },
    input: { kind: 'image', height: 28, width: 28 },
    latentDim: 4,
  });
});
afterAll(async () => {
  await vae.close();
});

test("results are written into the caller's arrays, and are those very arrays", async () => {
  const into = { mean: new Float32Array(80), logVariance: new Float32Array(80) };
  const fresh = await vae.encode(held);
  const { mean, logVariance } = await vae.encode(held, { into });
  expect(mean.data).toBe(into.mean);
  expect(logVariance.data).toBe(into.logVariance);
  expect(into.mean).toEqual(fresh.mean.data);
  // A window of a larger array will do.
  const all = new Float32Array(30 * 784).fill(-1);
  const window = all.subarray(784, 21 * 784);
  const decoded = await vae.decode(mean, { into: window });
  expect(decoded.data).toBe(window);
  expect(window).toEqual((await vae.decode(mean)).data);
  expect([all[0], all[21 * 784]]).toEqual([-1, -1]);
  expect((await vae.reconstruct(held, { into: window })).data).toBe(window);
});

test('arrays of the wrong length are refused before anything runs', async () => {
  const short = vae.encode(held, { into: { mean: new Float32Array(79) } });
  await expect(short).rejects.toMatchObject({ code: 'ERR_VAE_SHAPE', message: expect.stringContaining('80') });
  const wrong = vae.decode({ data: new Float32Array(4), shape: [1, 4] }, { into: new Float64Array(784) as never });
  await expect(wrong).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
});

test('input in float32 is read where it lies, and left as it was', async () => {
  const data = Float32Array.from(held.data, (value) => value / 255);
  const copy = data.slice();
  await vae.encode({ data, shape: held.shape });
  expect(data).toEqual(copy);
});

test('a clone outlives the model it came from, and training one leaves the other as it was', async () => {
  const first = await Vae.create({
    input: { kind: 'vector', length: 6 },
    latentDim: 2,
    architecture: { type: 'mlp', hidden: [8] },
  });
  const x = { data: Float32Array.from({ length: 60 }, (_, index) => (index % 7) / 7), shape: [10, 6] };
  const before = await first.encode(x);
  const second = first.clone();
  const third = second.clone();
  await first.fit(x, { epochs: 2, batchSize: 5 });
  expect((await first.encode(x)).mean.data).not.toEqual(before.mean.data);
  expect((await second.encode(x)).mean.data).toEqual(before.mean.data);
  await first.close();
  await second.close();
  expect((await third.encode(x)).mean.data).toEqual(before.mean.data);
  await third.close();
  expect(() => third.clone()).toThrow(expect.objectContaining({ code: 'ERR_VAE_DISPOSED' }));
});

test('warming up opens and runs both networks', async () => {
  await using fresh = await Vae.create({ input: { kind: 'vector', length: 6 }, latentDim: 2 });
  await fresh.warmUp({ batchSizes: [1, 3] });
  await expect(fresh.warmUp({ batchSizes: [0] })).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
});

test('a profile is a trace of every operator of both networks', async () => {
  const path = join(folder, 'trace.json');
  const dims = await vae.profile(path, async (profiled) => (await profiled.reconstruct(held)).dims);
  expect(dims).toEqual(held.shape);
  const { traceEvents } = JSON.parse(await readFile(path, 'utf8'));
  const names = traceEvents.filter(({ ph }: { ph: string }) => ph === 'M');
  expect(names.map(({ args }: { args: { name: string } }) => args.name).sort()).toEqual(['decoder', 'encoder']);
  for (const { pid } of names) {
    const operators = traceEvents.filter(
      (event: { cat: string; pid: number }) => event.cat === 'Node' && event.pid === pid,
    );
    expect(operators.length).toBeGreaterThan(2);
    for (const { ts, dur } of operators) expect(ts >= 0 && dur >= 0).toBe(true);
  }
  await expect(vae.profile(join(path, 'below-a-file.json'), async () => 1)).rejects.toMatchObject({
    code: 'ERR_VAE_IO',
  });
  await expect(vae.profile(path, () => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
});

test('rows of one run can be limited, and come out alike', async () => {
  const all = await vae.encode(held);
  const some = await vae.encode(held, { maxRows: 3 });
  const worst = Math.max(
    ...(all.mean.data as Float32Array).map((value, index) =>
      Math.abs(value - (some.mean.data as Float32Array)[index]!),
    ),
  );
  expect(worst).toBeLessThan(1e-5);
});

test('aborts at any moment with the reason of the signal, and works again after', async () => {
  const data = { data: new Float32Array(4000 * 784), shape: [4000, 784] };
  for (const delay of [0, 1, 2, 4, 8]) {
    const controller = new AbortController();
    const reason = new Error(`after ${delay} ms`);
    const running = vae.reconstruct(data, { signal: controller.signal, maxRows: 64 });
    const outcome = running.then(
      () => 'done',
      (error: unknown) => error,
    );
    setTimeout(() => controller.abort(reason), delay);
    expect([reason, 'done']).toContain(await outcome);
  }
  const aborted = vae.encode(held, { signal: AbortSignal.abort(new Error('before')) });
  await expect(aborted).rejects.toThrow('before');
  await vae.encode(held);
});

test('closing waits for runs in flight', async () => {
  const own = vae.clone();
  const results = Promise.all(Array.from({ length: 8 }, () => own.reconstruct(held)));
  await own.close();
  expect((await results).map(({ dims }) => dims[0])).toEqual(Array(8).fill(20));
  await expect(own.encode(held)).rejects.toMatchObject({ code: 'ERR_VAE_DISPOSED' });
});
