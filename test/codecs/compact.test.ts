import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compress, decompress, openArchive } from '../../src/codecs/index.js';
import { arrayHeader } from '../../src/codecs/lossless/array-file.js';
import { Codec } from '../../src/codecs/lossless/codec.js';
import { encodePng } from '../../src/codecs/lossless/image-files.js';
import { VaeError } from '../../src/core/errors.js';
import { temporaryFolder } from '../support/temporary.js';
import { randomItems, randomNumbers, randomSpec } from './random-spec.js';

const [HEIGHT, WIDTH] = [6, 5];
const SIZE = HEIGHT * WIDTH;

let codec: Codec;
const folder = temporaryFolder('compact');
const at = (...parts: string[]) => join(folder, ...parts);

beforeAll(async () => {
  codec = await Codec.make([1, HEIGHT, WIDTH], randomSpec(1, HEIGHT, WIDTH));
});
afterAll(async () => {
  await codec.close();
});

const noise = (count: number): Uint8Array => randomItems(count + 1, count, SIZE, 1);

describe('the compact form of small archives', () => {
  it.each([1, 2, 17, 100, 300, 1000, 2000, 3000])(
    'keeps %i items of noise within 1%% of their file, or 64 bytes',
    async (count) => {
      const items = noise(count);
      const file = Buffer.concat([arrayHeader('idx', [count, HEIGHT, WIDTH]), items]);
      await writeFile(at('noise-idx3'), file);
      const { bytesOut } = await compress(at('noise-idx3'), { model: codec, output: at('n.vaez'), force: true });
      expect((await readFile(at('n.vaez'))).length).toBe(bytesOut);
      expect(bytesOut).toBeLessThanOrEqual(Math.max(file.length * 1.01, file.length + 64));
      const { path } = await decompress(at('n.vaez'), { output: at('out'), model: codec, force: true });
      expect((await readFile(path)).equals(file)).toBe(true);
    },
  );

  it('needs no model to be read, and compresses what general compressors can', async () => {
    const items = new Uint8Array(200 * SIZE).map((_, index) => (index % 7 === 0 ? 9 : 0));
    const { archive, bytesOut, bitsPerDim } = await compress(
      { data: items, shape: [200, HEIGHT, WIDTH] },
      { model: codec },
    );
    expect(archive).toHaveLength(bytesOut);
    expect(bytesOut).toBeLessThan(100);
    expect(bitsPerDim).toBeCloseTo((8 * bytesOut) / items.length, 9);
    await using open = await openArchive(archive!);
    expect(open.codec).toBeUndefined();
    expect(open.itemSize).toBe(SIZE);
    expect(Buffer.compare((await open.read(0, 200)).data, items)).toBe(0);
    expect(await open.verify()).toEqual([]);
  });

  it('keeps the names of images', async () => {
    const items = noise(2);
    for (const [index, name] of ['a.png', 'ü b.png'].entries()) {
      await writeFile(at(name), await encodePng(items.subarray(index * SIZE, (index + 1) * SIZE), [1, HEIGHT, WIDTH]));
    }
    const { archive } = await compress([at('a.png'), at('ü b.png')], { model: codec });
    expect(archive!.length).toBeLessThan(items.length + 64);
    await using open = await openArchive(archive!);
    expect((await open.read(0, 2)).names).toEqual(['a.png', 'ü b.png']);
  });

  it('takes further items, which the model may code', async () => {
    const [first, more] = [noise(3), randomItems(2, 400, SIZE, 0.02)];
    await compress({ data: first, shape: [3, HEIGHT, WIDTH] }, { model: codec, output: at('grow.vaez') });
    const size = (await readFile(at('grow.vaez'))).length;
    expect(size).toBeLessThan(first.length + 64);
    await compress(
      { data: more, shape: [400, HEIGHT, WIDTH] },
      { model: codec, output: at('grow.vaez'), append: true },
    );
    await using open = await openArchive(at('grow.vaez'), { model: codec });
    expect(open.length).toBe(403);
    expect(Buffer.compare((await open.read(0, 403)).data, Buffer.concat([first, more]))).toBe(0);
  });

  it('is refused when it was changed or cut, never read as something else', async () => {
    const { archive } = await compress({ data: noise(20), shape: [20, HEIGHT, WIDTH] }, { model: codec });
    const random = randomNumbers(4);
    for (let round = 0; round < 400; round += 1) {
      const broken = Uint8Array.from(archive!);
      broken[Math.floor(random() * broken.length)]! ^= 1 << Math.floor(random() * 8);
      await expect(openArchive(broken)).rejects.toBeInstanceOf(VaeError);
      await expect(openArchive(archive!.subarray(0, Math.floor(random() * archive!.length)))).rejects.toBeInstanceOf(
        VaeError,
      );
    }
  });
});
