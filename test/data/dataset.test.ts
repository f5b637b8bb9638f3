import { Tensor } from 'onnxruntime-common';
import { describe, expect, it } from 'vitest';
import {
  type Dataset,
  type DatasetInput,
  type DatasetSource,
  datasetFromTensor,
  toDataset,
} from '../../src/data/index.js';

/** Rows 0, 1, 2, … of `width` values each: row r holds r * 10 + column. */
function numbered(rows: number, width = 2, options = {}): Dataset {
  const data = Float32Array.from({ length: rows * width }, (_, i) => Math.floor(i / width) * 10 + (i % width));
  return datasetFromTensor({ data, shape: [rows, width] }, options);
}

/** The same rows, but read on demand: no memory to take short cuts with. */
function streamed(rows: number, width = 2): Promise<Dataset> {
  return toDataset({
    length: rows,
    rowShape: [width],
    labels: Array.from({ length: rows }, (_, r) => r % 3),
    names: Array.from({ length: rows }, (_, r) => `row ${r}`),
    read: async (wanted: ArrayLike<number>) =>
      Float32Array.from({ length: wanted.length * width }, (_, i) => wanted[Math.floor(i / width)]! * 10 + (i % width)),
  });
}

const all = (dataset: Dataset) => Array.from({ length: dataset.length }, (_, row) => row);
const firsts = async (dataset: Dataset) => {
  const width = dataset.rowShape.reduce((a, b) => a * b, 1);
  return Array.from(
    (await dataset.read(all(dataset))).filter((_, i) => i % width === 0),
    (v) => v / 10,
  );
};

describe('toDataset', () => {
  it('borrows uint8 and float32 arrays without copying', async () => {
    const bytes = new Uint8Array(8);
    const floats = new Float32Array(8);
    expect((await toDataset({ data: bytes, shape: [2, 4] })).memory).toBe(bytes);
    expect((await toDataset({ data: floats, shape: [2, 4] })).memory).toBe(floats);
    expect((await toDataset(new Tensor('float32', floats, [4, 2]))).memory!.buffer).toBe(floats.buffer);
    expect((await toDataset(Buffer.from(bytes.buffer), { rowShape: [4] })).memory).toEqual(bytes);
  });

  it.each<[string, DatasetInput, string]>([
    ['doubles', { data: new Float64Array([1, 2, 3, 4]), shape: [2, 2] }, 'float32'],
    ['64-bit integers', { data: new BigInt64Array([1n, 2n, 3n, 4n]), shape: [2, 2] }, 'float32'],
    [
      'half-precision tensors',
      new Tensor('float16', new Uint16Array([0x3c00, 0x4000, 0x4200, 0x4400]), [2, 2]),
      'float32',
    ],
    [
      'arrays of arrays',
      [
        [1, 2],
        [3, 4],
      ],
      'float32',
    ],
    ['arrays of Float32Array', [new Float32Array([1, 2]), new Float32Array([3, 4])], 'float32'],
    ['arrays of Uint8Array', [new Uint8Array([1, 2]), new Uint8Array([3, 4])], 'uint8'],
    ['clamped bytes', { data: new Uint8ClampedArray([1, 2, 3, 4]), shape: [2, 2] }, 'uint8'],
    [
      'a list of batches',
      [
        { data: new Float32Array([1, 2]), shape: [1, 2] },
        { data: new Float32Array([3, 4]), shape: [1, 2] },
      ],
      'float32',
    ],
    [
      'a source',
      {
        length: 2,
        rowShape: [2],
        read: (rows: ArrayLike<number>) => Float32Array.from(Array.from(rows).flatMap((r) => [2 * r + 1, 2 * r + 2])),
      },
      'float32',
    ],
  ])('takes %s', async (_, input, dtype) => {
    const dataset = await toDataset(input);
    expect([dataset.length, dataset.rowShape, dataset.dtype]).toEqual([2, [2], dtype]);
    expect(Array.from(await dataset.read([0, 1]))).toEqual([1, 2, 3, 4]);
  });

  it('reads async iterables to their end, although they fill one buffer again and again', async () => {
    const buffer = Buffer.alloc(2);
    async function* batches() {
      for (let i = 0; i < 3; i += 1) {
        buffer.fill(i);
        yield { data: { data: buffer, shape: [1, 2] }, labels: [i], names: [`n${i}`] };
      }
    }
    const dataset = await toDataset(batches());
    expect(Array.from(dataset.memory!)).toEqual([0, 0, 1, 1, 2, 2]);
    expect(Array.from(dataset.labels!.values)).toEqual([0, 1, 2]);
    expect(dataset.names).toEqual(['n0', 'n1', 'n2']);
  });

  it('takes rows under the shape that is wanted where only one thing can be meant', async () => {
    const shapes = [
      [4, 784],
      [4, 28, 28],
      [4, 28, 28, 1],
      [4, 1, 28, 28],
    ];
    for (const shape of shapes) {
      const dataset = await toDataset({ data: new Uint8Array(4 * 784), shape }, { rowShape: [1, 28, 28] });
      expect(dataset.rowShape).toEqual([1, 28, 28]);
    }
    await expect(
      toDataset({ data: new Uint8Array(24), shape: [1, 2, 4, 3] }, { rowShape: [3, 2, 4] }),
    ).rejects.toMatchObject({
      code: 'ERR_VAE_SHAPE',
      message: expect.stringContaining('channels come first'),
    });
  });

  it.each<[string, unknown, object, string, RegExp]>([
    ['no rows', { data: new Float32Array(0), shape: [0, 3] }, {}, 'ERR_VAE_DATA', /empty/],
    ['an empty list', [], {}, 'ERR_VAE_DATA', /empty/],
    ['rows without values', { data: new Float32Array(0), shape: [3, 0] }, {}, 'ERR_VAE_DATA', /from 1/],
    [
      'NaN',
      { data: new Float32Array([0, 1, 2, Number.NaN]), shape: [2, 2] },
      {},
      'ERR_VAE_DATA',
      /value 1 of row 1 is NaN/,
    ],
    ['infinity', { data: new Float64Array([0, -Infinity]), shape: [2, 1] }, {}, 'ERR_VAE_DATA', /row 1 is -Infinity/],
    [
      'a double beyond float32',
      { data: new Float64Array([0, 1e300]), shape: [2, 1] },
      {},
      'ERR_VAE_DATA',
      /row 1 is Infinity/,
    ],
    [
      'too few elements',
      { data: new Float32Array(5), shape: [2, 3] },
      {},
      'ERR_VAE_SHAPE',
      /needs 6 elements, received 5/,
    ],
    ['ragged rows', [[1, 2], [3]], {}, 'ERR_VAE_SHAPE', /row 1: expected 2 values/],
    ['rows that are no numbers', [['a', 'b']], {}, 'ERR_VAE_SHAPE', /expected/],
    ['a scalar', { data: new Float32Array(1), shape: [] }, {}, 'ERR_VAE_SHAPE', /axis of rows/],
    ['a bare array', new Float32Array(4), {}, 'ERR_VAE_SHAPE', /rowShape/],
    ['a bare array of parts of rows', new Float32Array(5), { rowShape: [2] }, 'ERR_VAE_SHAPE', /whole number of rows/],
    ['strings', new Tensor('string', ['a', 'b'], [2]), {}, 'ERR_VAE_SHAPE', /string/],
    ['a string', 'train.npy', {}, 'ERR_VAE_DATA', /received "train.npy"/],
    ['nothing', undefined, {}, 'ERR_VAE_DATA', /received nothing/],
    [
      'too few labels',
      { data: new Uint8Array(4), shape: [2, 2] },
      { labels: [1] },
      'ERR_VAE_DATA',
      /one label for each of the 2 rows, received 1/,
    ],
    [
      'half a label',
      { data: new Uint8Array(4), shape: [2, 2] },
      { labels: [1, 0.5] },
      'ERR_VAE_DATA',
      /label of row 1.*received 0.5/,
    ],
    [
      'a label without a name',
      { data: new Uint8Array(4), shape: [2, 2] },
      { labels: [1, 0], classes: ['a'] },
      'ERR_VAE_DATA',
      /only 1 classes/,
    ],
    [
      'too many names',
      { data: new Uint8Array(4), shape: [2, 2] },
      { names: ['a', 'b', 'c'] },
      'ERR_VAE_DATA',
      /received 3 names/,
    ],
    [
      'batches of two shapes',
      [
        { data: new Uint8Array(2), shape: [1, 2] },
        { data: new Uint8Array(3), shape: [1, 3] },
      ],
      {},
      'ERR_VAE_SHAPE',
      /batch 1/,
    ],
  ])('refuses %s', async (_, input, options, code, message) => {
    await expect(toDataset(input as DatasetInput, options)).rejects.toMatchObject({
      name: 'VaeError',
      code,
      message: expect.stringMatching(message),
    });
  });

  it('checks what a source returns each time', async () => {
    const source = (read: DatasetSource['read']) => toDataset({ length: 4, rowShape: [2], read });
    const short = await source(() => new Float32Array(3));
    await expect(short.read([0, 1])).rejects.toMatchObject({
      code: 'ERR_VAE_SHAPE',
      message: expect.stringContaining('Float32Array of 4 values'),
    });
    const broken = await source((rows) => new Float32Array(rows.length * 2).fill(Number.NaN));
    await expect(broken.read([3])).rejects.toMatchObject({
      code: 'ERR_VAE_DATA',
      message: expect.stringContaining('row 3 is NaN'),
    });
  });

  it('stops when its signal says so', async () => {
    const controller = new AbortController();
    async function* endless() {
      for (;;) yield { data: new Uint8Array(1), shape: [1, 1] };
    }
    setImmediate(() => controller.abort(new Error('enough')));
    async function* slow() {
      for await (const batch of endless()) {
        await new Promise(setImmediate);
        yield batch;
      }
    }
    await expect(toDataset(slow(), { signal: controller.signal })).rejects.toThrow('enough');
  });
});

describe('labels', () => {
  it('numbers class names in sorted order and lets them travel with the rows', async () => {
    const dataset = numbered(4, 1, { labels: ['dog', 'cat', 'dog', 'eel'] });
    expect(dataset.labels).toEqual({ values: new Int32Array([1, 0, 1, 2]), classes: ['cat', 'dog', 'eel'] });
    expect(dataset.select([3, 0]).labels).toEqual({ values: new Int32Array([2, 1]), classes: ['cat', 'dog', 'eel'] });
    expect(dataset.map((row) => row).take(2).labels!.values).toEqual(new Int32Array([1, 0]));
    const [, rest] = dataset.split([1, 3]);
    expect(rest!.labels!.values).toEqual(new Int32Array([0, 1, 2]));
  });
});

describe.each([
  [
    'in memory',
    async (rows: number) =>
      numbered(rows, 2, {
        labels: Array.from({ length: rows }, (_, r) => r % 3),
        names: Array.from({ length: rows }, (_, r) => `row ${r}`),
      }),
  ],
  ['read on demand', (rows: number) => streamed(rows)],
])('views of rows %s', (_, make) => {
  it('takes, selects and composes', async () => {
    const dataset = await make(10);
    expect(await firsts(dataset.take(3))).toEqual([0, 1, 2]);
    expect((await make(2)).take(5).length).toBe(2);
    expect(await firsts(dataset.select([9, 0, 9]))).toEqual([9, 0, 9]);
    expect(await firsts(dataset.select([5, 6, 7, 8]).take(3).select([2, 0]))).toEqual([7, 5]);
    expect(dataset.select([5, 6, 7, 8]).take(3).select([2, 0]).names).toEqual(['row 7', 'row 5']);
  });

  it('shuffles by the seed alone', async () => {
    const dataset = await make(200);
    const order = await firsts(dataset.shuffle(7));
    expect(order).not.toEqual(all(dataset));
    expect([...order].sort((a, b) => a - b)).toEqual(all(dataset));
    expect(await firsts((await make(200)).shuffle(7))).toEqual(order);
    expect(await firsts(dataset.shuffle(8))).not.toEqual(order);
    expect(dataset.shuffle(7).names).toEqual(order.map((row) => `row ${row}`));
    expect(Array.from(dataset.shuffle(7).labels!.values)).toEqual(order.map((row) => row % 3));
    expect(() => dataset.shuffle(-1)).toThrowError(expect.objectContaining({ code: 'ERR_VAE_OPTION' }));
  });

  it('splits without losing or repeating a row', async () => {
    const dataset = await make(10);
    expect((await Promise.all(dataset.split(0.7).map(firsts))).map((part) => part.length)).toEqual([7, 3]);
    expect(await Promise.all(dataset.split([2, 8]).map(firsts))).toEqual([
      [0, 1],
      [2, 3, 4, 5, 6, 7, 8, 9],
    ]);
    expect(dataset.split([0.1, 0.2, 0.7]).map((part) => part.length)).toEqual([1, 2, 7]);
    const shuffled = await Promise.all(dataset.split([5, 5], 3).map(firsts));
    expect(shuffled.flat()).toEqual(await firsts(dataset.shuffle(3)));
    for (const bad of [0, 1, -0.5, Number.NaN, [3, 3], [0.5, 0.6], []]) {
      expect(() => dataset.split(bad), String(bad)).toThrowError(expect.objectContaining({ code: 'ERR_VAE_OPTION' }));
    }
    expect(() => dataset.split(0.01)).toThrowError(expect.objectContaining({ code: 'ERR_VAE_DATA' }));
  });

  it('maps rows as they are read, by their own numbers', async () => {
    const dataset = (await make(6)).map((row, index) => [row[0]! / 10, index, 1], { rowShape: [3], dtype: 'uint8' });
    expect([dataset.rowShape, dataset.dtype, dataset.memory]).toEqual([[3], 'uint8', undefined]);
    expect(Array.from(await dataset.select([4, 1]).read([0, 1]))).toEqual([4, 4, 1, 1, 1, 1]);
    expect((await dataset.toMemory()).memory!.length).toBe(18);
    await expect(dataset.map(() => [1]).read([0])).rejects.toMatchObject({
      code: 'ERR_VAE_SHAPE',
      message: expect.stringContaining('returned 1'),
    });
    await expect(dataset.map(() => [Number.NaN, 1, 1]).read([2])).rejects.toMatchObject({ code: 'ERR_VAE_DATA' });
  });

  it('gives batches in order with what belongs to them', async () => {
    const dataset = await make(5);
    const batches = [];
    for await (const batch of dataset.batch(2)) batches.push(batch);
    expect(batches.map(({ shape }) => shape)).toEqual([
      [2, 2],
      [2, 2],
      [1, 2],
    ]);
    expect(batches.flatMap(({ data }) => Array.from(data))).toEqual([0, 1, 10, 11, 20, 21, 30, 31, 40, 41]);
    expect(batches[1]!.names).toEqual(['row 2', 'row 3']);
    expect(Array.from(batches[1]!.labels!.values)).toEqual([2, 0]);
    const full = [];
    for await (const { start } of dataset.batch(2, { dropLast: true })) full.push(start);
    expect(full).toEqual([0, 2]);
    await expect(dataset.batch(0).next()).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
    await expect(dataset.batch(2, { signal: AbortSignal.abort('enough') }).next()).rejects.toBe('enough');
  });

  it('refuses rows that are not there', async () => {
    const dataset = await make(3);
    for (const row of [3, -1, 0.5, Number.NaN]) {
      await expect(dataset.read([row])).rejects.toMatchObject({
        code: 'ERR_VAE_DATA',
        message: expect.stringContaining('0 to 2'),
      });
      expect(() => dataset.select([row])).toThrowError(expect.objectContaining({ code: 'ERR_VAE_DATA' }));
    }
  });
});

describe('memory', () => {
  it('keeps ranges as views and shuffles as indices of the same array', () => {
    const dataset = numbered(10);
    expect(dataset.take(4).memory!.buffer).toBe(dataset.memory!.buffer);
    const [, rest] = dataset.split([4, 6]);
    expect(rest!.memory!.byteOffset).toBe(4 * 2 * 4);
    const shuffled = dataset.shuffle(1);
    expect(shuffled.memory).toBeUndefined();
    expect(shuffled.indexed!.memory).toBe(dataset.memory);
    expect(shuffled.take(3).indexed!.rows).toEqual(shuffled.indexed!.rows.subarray(0, 3));
  });

  it('copies shuffled rows into order once when asked', async () => {
    const shuffled = numbered(3000).shuffle(1);
    const copy = await shuffled.toMemory();
    expect(await firsts(copy)).toEqual(Array.from(shuffled.indexed!.rows));
    expect(copy.memory!.length).toBe(6000);
  });

  it('reshapes without touching the values', () => {
    const dataset = numbered(2, 6).reshape([1, 2, 3]);
    expect([dataset.rowShape, dataset.memory!.length]).toEqual([[1, 2, 3], 12]);
    expect(() => dataset.reshape([5])).toThrowError(expect.objectContaining({ code: 'ERR_VAE_SHAPE' }));
  });
});
