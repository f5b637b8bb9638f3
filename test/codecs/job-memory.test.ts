/** Jobs fit in 512 MB unless they are told otherwise, and say so before they start where they cannot. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { availableThreads } from '../../src/binding/threads.js';
import { compressPictures, decompress, LossyCodec, openPictures } from '../../src/codecs/index.js';
import { threadsWithin } from '../../src/codecs/jobs/memory.js';
import { chunkSize } from '../../src/codecs/lossless/chunk-size.js';
import type { Codec } from '../../src/codecs/lossless/codec.js';
import type { Picture } from '../../src/codecs/pictures/picture.js';
import { temporaryFolder } from '../support/temporary.js';
import { drawing } from './drawing.js';

const folder = temporaryFolder('job-memory');
let codec: LossyCodec;
beforeAll(async () => {
  codec = await LossyCodec.load(fileURLToPath(new URL('../../models/photo-lossy', import.meta.url)));
});
afterAll(() => codec.close());

/** What is warned of while something runs. */
async function warnings(work: () => unknown): Promise<string[]> {
  const said: string[] = [];
  const listen = (warning: Error & { code?: string }) => said.push(`${warning.code}: ${warning.message}`);
  process.on('warning', listen);
  try {
    await work();
    await new Promise((resolve) => setTimeout(resolve, 10));
  } finally {
    process.off('warning', listen);
  }
  return said;
}

describe('how much is worked on at once', () => {
  it('is one piece per processor, as far as 512 MB go', async () => {
    expect(threadsWithin('It', 1e6, {})).toBe(availableThreads());
    expect(threadsWithin('It', 200e6, {})).toBe(1);
    expect(threadsWithin('It', 40e6, { maxMemoryBytes: 2 ** 34 })).toBe(availableThreads());
    // Whoever asks for threads has said otherwise.
    expect(threadsWithin('It', 200e6, { threads: 16 })).toBe(16);
  });

  it('chunks are 8 MB at the most unless items are larger, or it is said otherwise', () => {
    for (const itemSize of [1, 784, 12_288, 200_000, 3_000_000]) {
      expect(itemSize * chunkSize({ itemSize } as Codec, {})).toBeLessThanOrEqual(2 ** 23);
    }
    expect(12_288 * chunkSize({ itemSize: 12_288 } as Codec, { chunkItems: 100_000 })).toBeLessThanOrEqual(2 ** 25);
  });
});

describe('what does not fit', () => {
  const large = { width: 6000, height: 4000, channels: 1, data: new Uint8Array(24_000_000) } as const;

  it('is refused before anything is done, where a limit was given', async () => {
    const output = join(folder, 'x.vaez');
    const job = compressPictures([large], { quality: 50, model: codec, output, maxMemoryBytes: 4e8 });
    await expect(job).rejects.toMatchObject({
      code: 'ERR_VAE_DATA',
      message: expect.stringMatching(/24\.0 million pixels, needs about \d+ MB.*may take 400 MB.*--max-memory \d+/),
    });
    expect(await readdir(folder)).toEqual([]);
  });

  it('is warned of before the job starts, where none was; a picture of 24 million pixels fits', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    const start = (picture: Picture) =>
      warnings(() => compressPictures([picture], { quality: 50, model: codec, signal }).catch(() => {}));
    expect(await start(large)).toEqual([]);
    const said = await start({ ...large, width: 7000, data: new Uint8Array(28_000_000) });
    expect(said).toEqual([
      expect.stringMatching(/^WARN_VAE_MEMORY: .*needs about \d+ MB of memory, more than the 537 MB/),
    ]);
    const small = drawing(1, 200, 180);
    expect(await warnings(() => compressPictures([small], { quality: 50, model: codec, metrics: false }))).toEqual([]);
  });

  it('is refused by decompress too, which knows it from the headers', async () => {
    const { archive } = await compressPictures([drawing(1, 200, 180)], { quality: 50, model: codec, metrics: false });
    await using opened = await openPictures(archive!, { model: codec });
    expect(await opened.recordMemory()).toBeGreaterThan(1e8);
    const out = join(folder, 'out');
    await expect(decompress(archive!, { model: codec, output: out, maxMemoryBytes: 2 ** 28 })).rejects.toMatchObject({
      code: 'ERR_VAE_DATA',
    });
    expect(await readdir(folder)).toEqual([]);
    expect(await decompress(archive!, { model: codec, output: out })).toMatchObject({ items: 1 });
  });
});
