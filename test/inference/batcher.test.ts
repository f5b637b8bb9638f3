import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Batcher, Vae, VaeError } from '../../src/index.js';
import { BatchQueue } from '../../src/inference/serving/batch-queue.js';
import { digits } from '../support/digits.js';

const held = digits(64, 't10k');
const row = (at: number, count = 1) => ({
  data: held.data.subarray(at * 784, (at + count) * 784),
  shape: [count, 1, 28, 28],
});
let vae: Vae;
let means: Float32Array;

beforeAll(async () => {
  vae = await Vae.create({
    input: { kind: 'image', height: 28, width: 28 },
    latentDim: 4,
    architecture: { type: 'mlp', hidden: [32] },
  });
  means = (await vae.encode(held)).mean.data as Float32Array;
});
afterAll(() => vae.close());

const expectMean = (data: unknown, at: number, count = 1) => {
  expect(data).toHaveLength(count * 4);
  (data as Float32Array).forEach((value, index) => {
    expect(value).toBeCloseTo(means[at * 4 + index]!, 4);
  });
};
const reasonOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'done',
    (error: unknown) => error,
  );

describe('requests of a model', () => {
  test('each get their own result, in memory of their own', async () => {
    await using batcher = vae.batcher({ maxBatch: 16 });
    const results = await Promise.all(Array.from({ length: 50 }, (_, at) => batcher.encode(row(at, 1 + (at % 3)))));
    results.forEach(({ mean, logVariance }, at) => {
      expect(mean.dims).toEqual([1 + (at % 3), 4]);
      expect(logVariance.dims).toEqual(mean.dims);
      expectMean(mean.data, at, 1 + (at % 3));
    });
    const buffers = results.flatMap(({ mean, logVariance }) =>
      [mean, logVariance].map(({ data }) => (data as Float32Array).buffer),
    );
    expect(new Set(buffers).size).toBe(100);
  });

  test('of all three operations, and larger than a batch, come out as without batcher', async () => {
    await using batcher = vae.batcher({ maxBatch: 8 });
    const [encoded, reconstructed, large] = await Promise.all([
      batcher.encode(row(3)),
      batcher.reconstruct(row(3)),
      batcher.encode(row(0, 60)),
    ]);
    expectMean(large.mean.data, 0, 60);
    const decoded = await batcher.decode(encoded.mean);
    expect(decoded.dims).toEqual([1, 1, 28, 28]);
    (decoded.data as Float32Array).forEach((value, index) => {
      expect(value).toBeCloseTo((reconstructed.data as Float32Array)[index]!, 4);
    });
  });

  test('that are bad fail alone', async () => {
    await using batcher = vae.batcher();
    const nan = { data: new Float32Array(784).fill(Number.NaN), shape: [1, 784] };
    const short = { data: new Float32Array(700), shape: [1, 700] };
    const [good, first, second] = await Promise.allSettled([
      batcher.encode(row(5)),
      batcher.encode(nan),
      batcher.encode(short),
    ]);
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'ERR_VAE_DATA' } });
    expect(second).toMatchObject({ status: 'rejected', reason: { code: 'ERR_VAE_SHAPE' } });
    expectMean((good as PromiseFulfilledResult<{ mean: { data: unknown } }>).value.mean.data, 5);
  });

  test('survive the model they came from, and end with the batcher', async () => {
    const own = vae.clone();
    const batcher: Batcher = own.batcher();
    await own.close();
    const waiting = batcher.encode(row(7));
    await batcher.close();
    expectMean((await waiting).mean.data, 7);
    expect(await reasonOf(batcher.encode(row(7)))).toMatchObject({ code: 'ERR_VAE_DISPOSED' });
    await batcher.close();
  });

  test('with options that make no sense are refused', () => {
    expect(() => vae.batcher({ maxBatch: 0 })).toThrow(VaeError);
    expect(() => vae.batcher({ maxDelay: 3 } as never)).toThrow(/maxDelayMs/);
  });
});

describe('the queue', () => {
  /** A queue whose runs end when told to. */
  function setUp(options = {}) {
    const runs: { requests: readonly number[]; signal: AbortSignal | undefined; end: (error?: Error) => void }[] = [];
    const queue = new BatchQueue<number, number>({
      maxBatch: 4,
      maxDelayMs: 0,
      maxQueue: 10,
      concurrency: 1,
      run: (requests, _rows, signal) =>
        new Promise((resolve, reject) => {
          const end = (error?: Error) => (error ? reject(error) : resolve(requests.map((request) => request * 10)));
          signal?.addEventListener('abort', () => reject(signal.reason));
          runs.push({ requests, signal, end });
        }),
      ...options,
    });
    return { queue, runs };
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  test('gathers those of one turn, fills batches in order, and goes on when one ends', async () => {
    const { queue, runs } = setUp();
    const results = [1, 2, 3, 4, 5, 6].map((value) => queue.submit(value, 1, undefined));
    await turn();
    expect(runs.map(({ requests }) => requests)).toEqual([[1, 2, 3, 4]]);
    runs[0]!.end();
    await turn();
    expect(runs[1]!.requests).toEqual([5, 6]);
    runs[1]!.end();
    expect(await Promise.all(results)).toEqual([10, 20, 30, 40, 50, 60]);
  });

  test('shares its rows among the runs that may go on at once, but makes no crumbs of them', async () => {
    const { queue, runs } = setUp({ maxBatch: 64, maxQueue: 100, concurrency: 2 });
    const submit = (count: number) => Array.from({ length: count }, (_, at) => queue.submit(at, 1, undefined));
    const sizes = () => runs.map(({ requests }) => requests.length);
    const few = submit(8);
    await turn();
    expect(sizes()).toEqual([8]);
    runs[0]!.end();
    await Promise.all(few);
    submit(60);
    await turn();
    expect(sizes()).toEqual([8, 30, 30]);
    // Those whose results came ask again while the others' run goes on: neither takes it all.
    submit(30);
    runs[1]!.end();
    await turn();
    expect(sizes()).toEqual([8, 30, 30, 30]);
    submit(2);
    runs[2]!.end();
    await turn();
    expect(sizes()).toEqual([8, 30, 30, 30, 2]);
  });

  test('waits for company no longer than asked', async () => {
    const { queue, runs } = setUp({ maxDelayMs: 40 });
    const start = performance.now();
    const first = queue.submit(1, 1, undefined);
    await turn();
    expect(runs).toHaveLength(0);
    while (runs.length === 0) await turn();
    expect(performance.now() - start).toBeGreaterThan(35);
    runs[0]!.end();
    await first;
    // A full batch does not wait.
    const more = [1, 2, 3, 4].map((value) => queue.submit(value, 1, undefined));
    expect(runs).toHaveLength(2);
    runs[1]!.end();
    await Promise.all(more);
  });

  test('pushes back when full, and says when there is room', async () => {
    const { queue, runs } = setUp();
    const first = queue.submit(0, 1, undefined);
    await turn();
    const waiting = Array.from({ length: 10 }, (_, index) => queue.submit(index, 1, undefined));
    expect(await reasonOf(queue.submit(99, 1, undefined))).toMatchObject({ code: 'ERR_VAE_BUSY' });
    let room = false;
    const told = queue.room().then(() => {
      room = true;
    });
    await turn();
    expect(room).toBe(false);
    runs[0]!.end();
    await told;
    const late = queue.submit(11, 1, undefined);
    for (let run = 1; run < 4; run += 1) {
      await turn();
      runs[run]!.end();
    }
    await Promise.all([first, ...waiting, late]);
    expect(queue.idle).toBe(true);
  });

  test('drops a request aborted while it waits, and tells one aborted while it runs', async () => {
    const { queue, runs } = setUp();
    const controllers = [0, 1, 2].map(() => new AbortController());
    const running = [0, 1].map((value) => reasonOf(queue.submit(value, 1, controllers[value]!.signal)));
    await turn();
    const waiting = reasonOf(queue.submit(2, 1, controllers[2]!.signal));
    controllers[2]!.abort(new Error('waiting'));
    expect(await waiting).toMatchObject({ message: 'waiting' });
    controllers[0]!.abort(new Error('running'));
    expect(await running[0]).toMatchObject({ message: 'running' });
    // The other still wants the run.
    expect(runs[0]!.signal!.aborted).toBe(false);
    controllers[1]!.abort(new Error('last'));
    expect(await running[1]).toMatchObject({ message: 'last' });
    expect(runs[0]!.signal!.aborted).toBe(true);
    await queue.drain();
    expect(await reasonOf(queue.submit(5, 1, AbortSignal.abort(new Error('before'))))).toMatchObject({
      message: 'before',
    });
    expect(runs).toHaveLength(1);
  });

  test('runs the members of a failed batch one by one', async () => {
    const failing = new BatchQueue<number, number>({
      maxBatch: 8,
      maxDelayMs: 0,
      maxQueue: 10,
      concurrency: 1,
      run: async (requests) => {
        if (requests.includes(3)) throw new Error(`no ${requests.join()}`);
        return requests.map((request) => request + 1);
      },
    });
    const outcomes = await Promise.allSettled([1, 2, 3, 4].map((value) => failing.submit(value, 1, undefined)));
    expect(
      outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.message)),
    ).toEqual([2, 3, 'no 3', 5]);
  });
});

describe('score', () => {
  test('is that of the model, whatever else is in the batch', async () => {
    const input = { kind: 'image', height: 8, width: 8 } as const;
    await using vae = await Vae.create({ input, latentDim: 3, seed: 4 });
    const rows = (from: number, count: number) => ({
      data: Float32Array.from({ length: count * 64 }, (_, index) => ((index * 37 + from * 11) % 256) / 255),
      shape: [count, 1, 8, 8],
    });
    const batches: [string, number][] = [];
    await using batcher = vae.batcher({ onBatch: (operation, count) => batches.push([operation, count]) });
    const requests = [rows(0, 1), rows(1, 3), rows(2, 1), rows(3, 2)];
    const alone = await Promise.all(requests.map((request) => vae.score(request)));
    const together = await Promise.all(requests.map((request) => batcher.score(request)));
    for (const [index, { elbo, reconstruction, kl }] of alone.entries()) {
      for (const [at, value] of elbo.entries()) expect(together[index]!.elbo[at]).toBeCloseTo(value, 3);
      for (const [at, value] of kl.entries()) expect(together[index]!.kl[at]).toBeCloseTo(value, 3);
      expect(together[index]!.reconstruction).toHaveLength(reconstruction.length);
    }
    expect(batches).toEqual([['score', 7]]);
    const other = await batcher.score(requests[0]!, { seed: 9 });
    expect(other.elbo[0]).toBeCloseTo((await vae.score(requests[0]!, { seed: 9 })).elbo[0]!, 3);
    expect(other.elbo[0]).not.toBeCloseTo(alone[0]!.elbo[0]!, 5);
    await expect(batcher.score(requests[0]!, { seed: -1 })).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
    await expect(batcher.score({ data: new Float32Array(64).fill(7), shape: [1, 1, 8, 8] })).rejects.toMatchObject({
      code: 'ERR_VAE_DATA',
    });
  });
});
