import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Tensor } from 'onnxruntime-common';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Encoding, Vae } from '../../src/index.js';
import { digits } from '../support/digits.js';

const held = digits(50, 't10k');
const row = (at: number) => ({ data: held.data.subarray(at * 784, (at + 1) * 784), shape: [1, 1, 28, 28] });
const rows = () => Array.from({ length: 50 }, (_, at) => row(at));
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

function expectInOrder(results: readonly Encoding[]): void {
  expect(results).toHaveLength(50);
  results.forEach(({ mean }, at) => {
    (mean.data as Float32Array).forEach((value, index) => {
      expect(value).toBeCloseTo(means[at * 4 + index]!, 4);
    });
  });
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of source) all.push(item);
  return all;
}

/** Gives the rows, keeping count of how many were asked for and whether it was told to stop. */
function counted(fail?: number) {
  const state = { given: 0, stopped: false };
  async function* source() {
    try {
      for (const item of rows()) {
        if (state.given === fail) throw new Error('the source');
        state.given += 1;
        yield item;
      }
    } finally {
      state.stopped = true;
    }
  }
  return { state, source: source() };
}

test('results come in order, over iterables of both kinds', async () => {
  expectInOrder(await collect(vae.stream('encode').over(rows())));
  expectInOrder(await collect(vae.stream('encode', { readAhead: 3, maxBatch: 2 }).over(counted().source)));
});

test('a pipeline of Node streams decodes what it encoded', async () => {
  const images: Tensor[] = [];
  await pipeline(
    Readable.from(rows()),
    vae.stream('encode').node(),
    async function* (encodings: AsyncIterable<Encoding>) {
      for await (const { mean } of encodings) yield mean;
    },
    vae.stream('decode').node(),
    new Writable({
      objectMode: true,
      write(image: Tensor, _, done) {
        images.push(image);
        done();
      },
    }),
  );
  const expected = (await vae.reconstruct(held)).data as Float32Array;
  expect(images.map(({ dims }) => dims)).toEqual(Array(50).fill([1, 1, 28, 28]));
  for (const at of [0, 17, 49]) {
    (images[at]!.data as Float32Array).forEach((value, index) => {
      expect(value).toBeCloseTo(expected[at * 784 + index]!, 4);
    });
  }
});

test('web streams do the same', async () => {
  const { readable, writable } = vae.stream('encode').web();
  const writer = writable.getWriter();
  const writing = (async () => {
    for (const item of rows()) await writer.write(item);
    await writer.close();
  })();
  const results = await collect(readable as AsyncIterable<Encoding>);
  await writing;
  expectInOrder(results);
});

test('the source is read no further ahead than asked', async () => {
  const { state, source } = counted();
  let taken = 0;
  for await (const _ of vae.stream('encode', { readAhead: 5 }).over(source)) {
    taken += 1;
    // Time for it to run ahead, if it did.
    await new Promise((resolve) => setTimeout(resolve, 1));
    expect(state.given - taken).toBeLessThanOrEqual(5);
  }
  expect(taken).toBe(50);
});

test('stopping early stops the source', async () => {
  const { state, source } = counted();
  for await (const _ of vae.stream('reconstruct').over(source)) break;
  expect(state.stopped).toBe(true);
  expect(state.given).toBeLessThan(20);
});

test('errors of the source and of an item come after the results before them', async () => {
  const seen: Encoding[] = [];
  const failing = async (source: AsyncIterable<{ data: Float32Array | Uint8Array; shape: number[] }>) => {
    for await (const result of vae.stream('encode', { readAhead: 4 }).over(source)) seen.push(result);
  };
  await expect(failing(counted(20).source)).rejects.toThrow('the source');
  expect(seen).toHaveLength(20);
  seen.length = 0;
  async function* withBad() {
    yield row(0);
    yield row(1);
    yield { data: new Float32Array(784).fill(Number.POSITIVE_INFINITY), shape: [1, 784] };
    yield row(2);
  }
  await expect(failing(withBad())).rejects.toMatchObject({ code: 'ERR_VAE_DATA' });
  expect(seen).toHaveLength(2);
  await expect(
    pipeline(
      Readable.from(withBad()),
      vae.stream('encode').node(),
      new Writable({ objectMode: true, write: (_c, _e, done) => done() }),
    ),
  ).rejects.toMatchObject({ code: 'ERR_VAE_DATA' });
  const { readable, writable } = vae.stream('encode').web();
  const web = Readable.toWeb(Readable.from(withBad())) as ReadableStream;
  await expect(
    Promise.all([web.pipeTo(writable as never), collect(readable as AsyncIterable<Encoding>)]),
  ).rejects.toMatchObject({ code: 'ERR_VAE_DATA' });
});

test('a signal ends it, also while the source keeps silent', async () => {
  const controller = new AbortController();
  async function* silent() {
    yield row(0);
    await new Promise(() => {});
  }
  const seen: Encoding[] = [];
  const running = (async () => {
    for await (const result of vae.stream('encode', { signal: controller.signal }).over(silent())) {
      seen.push(result);
      setTimeout(() => controller.abort(new Error('enough')), 5);
    }
  })();
  await expect(running).rejects.toThrow('enough');
  // A slow source did not hold back the result that was there.
  expect(seen).toHaveLength(1);
});

test('an operation that there is not is refused', () => {
  expect(() => vae.stream('score' as 'encode')).toThrow(/encode/);
});
