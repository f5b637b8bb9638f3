import { link, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compress, decompress } from '../../src/codecs/index.js';
import { Codec } from '../../src/codecs/lossless/codec.js';
import { encodePng } from '../../src/codecs/lossless/image-files.js';
import { temporaryFolderOfTest } from '../support/temporary.js';
import { randomItems, randomSpec } from './random-spec.js';

const [HEIGHT, WIDTH] = [6, 5];
const SIZE = HEIGHT * WIDTH;
const COUNT = 160;

let codec: Codec;
let folder: string;
const items = randomItems(1, COUNT, SIZE);
const at = (...parts: string[]) => join(folder, ...parts);

beforeAll(async () => {
  codec = await Codec.make([1, HEIGHT, WIDTH], randomSpec(1, HEIGHT, WIDTH));
});
afterAll(() => codec.close());
beforeEach(async () => {
  folder = temporaryFolderOfTest('resume');
});

async function archiveOfArray(): Promise<Uint8Array> {
  const { archive } = await compress({ data: items, shape: [COUNT, HEIGHT, WIDTH] }, { model: codec, chunkItems: 16 });
  return archive!;
}

/** Unpacks and stops once so many items are written. */
async function interrupted(archive: Uint8Array, after: number): Promise<void> {
  const controller = new AbortController();
  const run = decompress(archive, {
    ...{ model: codec, output: at('out'), threads: 1, signal: controller.signal },
    onProgress: ({ items: done }) => {
      if (done >= after) controller.abort();
    },
  });
  await expect(run).rejects.toMatchObject({ name: 'AbortError' });
}

describe('an interrupted decompress', () => {
  it('goes on where it stopped', async () => {
    const archive = await archiveOfArray();
    const whole = await decompress(archive, { model: codec, output: at('whole') });
    expect(whole.resumedChunks).toBe(0);
    await interrupted(archive, 64);
    expect(await readdir(at('out'))).toEqual(['.items.npy.partial']);
    const result = await decompress(archive, { model: codec, output: at('out') });
    expect(result.resumedChunks).toBeGreaterThanOrEqual(4);
    expect(result.resumedChunks).toBeLessThan(10);
    expect(await readdir(at('out'))).toEqual(['items.npy']);
    expect((await readFile(at('out', 'items.npy'))).equals(await readFile(at('whole', 'items.npy')))).toBe(true);
  });

  it('believes nothing that does not have its checksum', async () => {
    const archive = await archiveOfArray();
    await interrupted(archive, 96);
    const partial = at('out', '.items.npy.partial');
    const bytes = await readFile(partial);
    const start = bytes.length % SIZE === 0 ? 0 : 128;
    bytes[start + 20 * SIZE]! ^= 1; // an item of the second chunk
    await writeFile(partial, bytes);
    const { resumedChunks, path } = await decompress(archive, { model: codec, output: at('out') });
    expect(resumedChunks).toBe(1);
    expect((await readFile(path)).subarray(-items.length).equals(items)).toBe(true);
  });

  it('takes nothing over from another archive or a longer file', async () => {
    const archive = await archiveOfArray();
    const { mkdir } = await import('node:fs/promises');
    await mkdir(at('out'));
    await writeFile(at('out', '.items.npy.partial'), new Uint8Array(10_000).fill(7));
    const { resumedChunks, path } = await decompress(archive, { model: codec, output: at('out') });
    expect(resumedChunks).toBe(0);
    expect((await stat(path)).size).toBe(128 + items.length);
    expect((await readFile(path)).subarray(128).equals(items)).toBe(true);
  });

  it('leaves images as they are, and writes those that are missing', async () => {
    for (let index = 0; index < 40; index += 1) {
      const item = items.subarray(index * SIZE, (index + 1) * SIZE);
      await writeFile(at(`${String(index).padStart(3, '0')}.png`), await encodePng(item, [1, HEIGHT, WIDTH]));
    }
    const files = (await readdir(folder)).map((name) => at(name));
    const { archive } = await compress(files, { model: codec, chunkItems: 8 });
    await decompress(archive!, { model: codec, output: at('out') });
    const old = new Date(2001, 1, 1);
    for (const name of await readdir(at('out'))) await utimes(at('out', name), old, old);
    await rm(at('out', '020.png'));
    const { resumedChunks } = await decompress(archive!, { model: codec, output: at('out') });
    expect(resumedChunks).toBe(4);
    expect((await stat(at('out', '015.png'))).mtimeMs).toBe(old.getTime());
    expect((await stat(at('out', '016.png'))).mtimeMs).toBe(old.getTime());
    expect((await readFile(at('out', '020.png'))).equals(await readFile(at('020.png')))).toBe(true);
  });
});

describe('a job that was killed as it gave a file its name', () => {
  it('does not leave the other name behind', async () => {
    const archive = await archiveOfArray();
    await decompress(archive, { model: codec, output: at('out') });
    await link(at('out', 'items.npy'), at('out', '.items.npy.partial'));
    await decompress(archive, { model: codec, output: at('out') });
    expect(await readdir(at('out'))).toEqual(['items.npy']);
  });

  it('never writes into the complete archive', async () => {
    const options = { model: codec, output: at('x.vaez'), threads: 1, chunkItems: 16 };
    await compress({ data: items, shape: [COUNT, HEIGHT, WIDTH] }, options);
    const before = await readFile(at('x.vaez'));
    for (const more of [{ append: true }, { force: true }]) {
      await link(at('x.vaez'), at('.x.vaez.partial'));
      const stop = new AbortController();
      const other = { data: randomItems(9, COUNT, SIZE), shape: [COUNT, HEIGHT, WIDTH] };
      const onProgress = () => stop.abort();
      await expect(compress(other, { ...options, ...more, signal: stop.signal, onProgress })).rejects.toThrow();
      expect((await readFile(at('x.vaez'))).equals(before)).toBe(true);
      await rm(at('.x.vaez.partial'), { force: true });
    }
  });
});

it('files of an archive that are called like temporary ones come out as they are', async () => {
  const { mkdir } = await import('node:fs/promises');
  await mkdir(at('in'));
  await writeFile(at('in', 'a.png'), await encodePng(items.subarray(0, SIZE), [1, HEIGHT, WIDTH]));
  for (const name of ['a.txt', '.a.txt.partial', '.a.txt.partial1', '.a.png.partial']) {
    await writeFile(at('in', name), `this is ${name}`);
  }
  const { archive } = await compress(at('in'), { model: codec, threads: 2 });
  await decompress(archive!, { model: codec, output: at('out') });
  expect((await readdir(at('out'))).sort()).toEqual((await readdir(at('in'))).sort());
  for (const name of await readdir(at('in'))) {
    if (!name.endsWith('.png')) expect(await readFile(at('out', name), 'utf8')).toBe(`this is ${name}`);
  }
});
