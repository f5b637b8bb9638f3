import { readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ArchiveWriter } from '../../src/archive/writer.js';
import { compress, decompress, openArchive } from '../../src/codecs/index.js';
import { arrayHeader } from '../../src/codecs/lossless/array-file.js';
import { Codec } from '../../src/codecs/lossless/codec.js';
import { VaeError } from '../../src/core/errors.js';
import { temporaryFolderOfTest } from '../support/temporary.js';
import { randomItems, randomNumbers, randomSpec } from './random-spec.js';

const [HEIGHT, WIDTH] = [6, 5];
const SIZE = HEIGHT * WIDTH;
const COUNT = 150;

let codec: Codec;
let other: Codec;
let folder: string;
const items = randomItems(1, COUNT, SIZE);
const at = (...parts: string[]) => join(folder, ...parts);
const tensor = (data: Uint8Array) => ({ data, shape: [data.length / SIZE, HEIGHT, WIDTH] });

beforeAll(async () => {
  codec = await Codec.make([1, HEIGHT, WIDTH], randomSpec(1, HEIGHT, WIDTH));
  other = await Codec.make([1, HEIGHT, WIDTH], randomSpec(2, HEIGHT, WIDTH));
});
afterAll(async () => {
  await Promise.all([codec.close(), other.close()]);
});
beforeEach(async () => {
  folder = temporaryFolderOfTest('archive');
});

async function writeArray(kind: 'idx' | 'npy', name: string, data = items): Promise<Buffer> {
  const bytes = Buffer.concat([arrayHeader(kind, [data.length / SIZE, HEIGHT, WIDTH]), data]);
  await writeFile(at(name), bytes);
  return bytes;
}

/** An archive in memory, 10 chunks of 16 items. */
async function archiveOf(options: { embedModel?: boolean } = {}): Promise<Uint8Array> {
  const { archive } = await compress(tensor(items), { model: codec, chunkItems: 16, threads: 2, ...options });
  return archive!;
}

describe('compress and decompress', () => {
  it.each(['idx', 'npy'] as const)('gives the bytes of a file of kind %s back', async (kind) => {
    const name = `things-${kind}3-ubyte`;
    const original = await writeArray(kind, name);
    const progress: number[] = [];
    const result = await compress(at(name), {
      model: codec,
      output: at('x.vaez'),
      chunkItems: 32,
      onProgress: ({ items: done }) => progress.push(done),
    });
    expect(result).toMatchObject({ items: COUNT, chunks: 5, resumedChunks: 0, bytesIn: items.length });
    expect(result.bytesOut).toBe((await stat(at('x.vaez'))).size);
    expect(progress).toEqual([32, 64, 96, 128, 150]);
    const unpacked = await decompress(at('x.vaez'), { model: codec, output: at('out') });
    expect(unpacked).toMatchObject({ items: COUNT, damaged: [], complete: true, path: at('out', name) });
    expect((await readFile(at('out', name))).equals(original)).toBe(true);
    expect(await readdir(at('out'))).toEqual([name]);
  });

  it('gives images back, under their names', async () => {
    const names = ['b.png', 'a.webp', 'sub/c.png'];
    for (const [index, name] of names.entries()) {
      const raw = { raw: { width: WIDTH, height: HEIGHT, channels: 1 as const } };
      const image = sharp(items.subarray(index * SIZE, (index + 1) * SIZE), raw).toColourspace('b-w');
      const bytes = await (name.endsWith('webp') ? image.webp({ lossless: true }) : image.png()).toBuffer();
      await writeFile(at('in', name), bytes).catch(async () => {
        await import('node:fs/promises').then(({ mkdir }) => mkdir(at('in', 'sub'), { recursive: true }));
        await writeFile(at('in', name), bytes);
      });
    }
    // As they are, files come out under their own names; of pixels alone, pictures come out as PNG.
    await compress(at('in'), { model: codec, output: at('whole.vaez') });
    await decompress(at('whole.vaez'), { model: codec, output: at('whole') });
    expect((await readdir(at('whole'), { recursive: true })).sort()).toEqual(['a.webp', 'b.png', 'sub', 'sub/c.png']);
    expect((await readFile(at('whole', 'a.webp'))).equals(await readFile(at('in', 'a.webp')))).toBe(true);
    await compress(at('in'), { model: codec, output: at('x.vaez'), pixelsOnly: true });
    await using archive = await openArchive(at('x.vaez'), { model: codec });
    expect((await archive.read(0, 3)).names).toEqual(['a.png', 'b.png', 'sub/c.png']);
    await decompress(at('x.vaez'), { model: codec, output: at('out') });
    for (const [index, name] of [
      [0, 'b.png'],
      [1, 'a.png'],
      [2, 'sub/c.png'],
    ] as const) {
      const { data, info } = await sharp(at('out', name))
        .toColourspace('b-w')
        .raw()
        .toBuffer({ resolveWithObject: true });
      expect(info.channels).toBe(1);
      expect(Buffer.compare(data, items.subarray(index * SIZE, (index + 1) * SIZE)), name).toBe(0);
    }
  });

  it('refuses images that hold more than the model knows', async () => {
    const raw = { raw: { width: WIDTH, height: HEIGHT, channels: 4 as const } };
    const grey = (pixel: (index: number) => number[]) =>
      Uint8Array.from(Array.from({ length: SIZE }, (_, index) => pixel(index)).flat());
    const cases: [Uint8Array, RegExp | undefined][] = [
      [grey((i) => [i, i, i, 255]), undefined],
      [grey((i) => [i, i, i, i === 3 ? 254 : 255]), /transparent/],
      [grey((i) => [i, i, i === 7 ? i + 1 : i, 255]), /colours/],
    ];
    for (const [pixels, message] of cases) {
      await sharp(pixels, raw).png().toFile(at('x.png'));
      const result = compress(at('x.png'), { model: codec });
      if (message) await expect(result).rejects.toThrowError(message);
      else expect((await result).items).toBe(1);
    }
  });

  it('writes the same archive whatever the number of threads, and with or without verification', async () => {
    const first = await archiveOf();
    for (const options of [{ threads: 1 }, { threads: 7 }, { verify: false }]) {
      const { archive } = await compress(tensor(items), { model: codec, chunkItems: 16, ...options });
      expect(Buffer.compare(archive!, first)).toBe(0);
    }
  });

  it('is never more than 1% larger than its input', async () => {
    const noise = randomItems(5, 4096, SIZE, 1);
    const { bytesOut, bytesIn } = await compress(tensor(noise), { model: codec });
    expect(bytesOut).toBeLessThan(bytesIn * 1.01);
  });

  it('needs nothing else when the model is embedded', async () => {
    const bytes = await archiveOf({ embedModel: true });
    await using archive = await openArchive(bytes);
    expect(archive.codec!.identity).toBe(codec.identity);
    expect(Buffer.compare((await archive.read(0, COUNT)).data, items)).toBe(0);
  });

  it('refuses another model, no model, and items that do not fit', async () => {
    const bytes = await archiveOf();
    await expect(openArchive(bytes, { model: other })).rejects.toMatchObject({ code: 'ERR_VAE_REPRODUCIBILITY' });
    await expect(openArchive(bytes)).rejects.toMatchObject({ code: 'ERR_VAE_REPRODUCIBILITY' });
    await expect(openArchive(bytes, { model: 'no-such-model' })).rejects.toMatchObject({ code: 'ERR_VAE_IO' });
    await expect(compress({ data: items, shape: [COUNT, WIDTH, HEIGHT] }, { model: codec })).rejects.toMatchObject({
      code: 'ERR_VAE_SHAPE',
    });
    const floats = { data: new Float32Array(SIZE), shape: [1, HEIGHT, WIDTH] };
    await expect(compress(floats, { model: codec })).rejects.toMatchObject({ code: 'ERR_VAE_DATA' });
    await expect(compress(at('nothing.npy'), { model: codec })).rejects.toMatchObject({ code: 'ERR_VAE_IO' });
    await expect(compress(tensor(items), { model: codec, chunkItem: 3 } as never)).rejects.toThrowError(/chunkItems/);
    await writeFile(at('text.txt'), 'neither of these');
    await expect(compress(at('text.txt'), { model: codec })).rejects.toMatchObject({ code: 'ERR_VAE_DATA' });
  });
});

describe('random access', () => {
  it('reads any items, across chunks, and all of them in order', async () => {
    await using archive = await openArchive(await archiveOf(), { model: codec });
    expect([archive.length, archive.chunkCount, archive.complete]).toEqual([COUNT, 10, true]);
    for (const [start, count] of [
      [0, 1],
      [149, 1],
      [15, 2],
      [10, 100],
      [0, 150],
    ] as const) {
      const { data, shape } = await archive.read(start, count);
      expect(shape).toEqual([count, 1, HEIGHT, WIDTH]);
      expect(Buffer.compare(data, items.subarray(start * SIZE, (start + count) * SIZE))).toBe(0);
    }
    const pieces: Uint8Array[] = [];
    for await (const { data } of archive) pieces.push(data);
    expect(Buffer.compare(Buffer.concat(pieces), items)).toBe(0);
    await expect(archive.read(149, 2)).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
    await expect(archive.read(-1)).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
    await archive.close();
    await expect(archive.read(0)).rejects.toMatchObject({ code: 'ERR_VAE_DISPOSED' });
  });
});

describe('appending', () => {
  it('adds items and keeps those that were there', async () => {
    const more = randomItems(9, 40, SIZE);
    await compress(tensor(items), { model: codec, output: at('x.vaez'), chunkItems: 64 });
    const result = await compress(tensor(more), { model: codec, output: at('x.vaez'), append: true });
    expect(result).toMatchObject({ items: 40, chunks: 4 });
    await using archive = await openArchive(at('x.vaez'), { model: codec });
    expect(archive.complete).toBe(true);
    expect(Buffer.compare((await archive.read(0, 190)).data, Buffer.concat([items, more]))).toBe(0);
  });

  it('the same command again, after a kill behind its last step, adds nothing twice', async () => {
    const more = randomItems(9, 100, SIZE);
    await compress(tensor(items), { model: codec, output: at('x.vaez'), chunkItems: 64 });
    const options = { model: codec, output: at('x.vaez'), append: true, chunkItems: 30 };
    await compress(tensor(more), options);
    const after = await readFile(at('x.vaez'));
    const again = await compress(tensor(more), options);
    expect((await readFile(at('x.vaez'))).equals(after)).toBe(true);
    expect(again).toMatchObject({ items: 100, leftOut: [], notes: [expect.stringContaining('nothing was added')] });
    // Other rows, or the same where that is said, are added.
    await compress(tensor(more.subarray(SIZE)), options);
    await compress(tensor(more.subarray(SIZE)), { ...options, force: true });
    await using archive = await openArchive(at('x.vaez'), { model: codec });
    const tail = more.subarray(SIZE);
    const { data } = await archive.read(0, archive.length);
    expect(Buffer.compare(data, Buffer.concat([items, more, tail, tail]))).toBe(0);
  });

  it('leaves the archive as it was when it fails, and readable wherever it is cut', async () => {
    await compress(tensor(items), { model: codec, output: at('x.vaez'), chunkItems: 64 });
    const before = await readFile(at('x.vaez'));
    const signal = AbortSignal.abort(new Error('stop'));
    await expect(
      compress(tensor(items), { model: codec, output: at('x.vaez'), append: true, signal }),
    ).rejects.toThrowError('stop');
    expect((await readFile(at('x.vaez'))).equals(before)).toBe(true);
    await expect(compress(tensor(items), { model: other, output: at('x.vaez'), append: true })).rejects.toMatchObject({
      code: 'ERR_VAE_REPRODUCIBILITY',
    });
    await compress(tensor(items), { model: codec, output: at('x.vaez'), append: true });
    const after = await readFile(at('x.vaez'));
    for (const cut of [before.length, before.length + 10, after.length - 40, after.length - 1]) {
      await using archive = await openArchive(after.subarray(0, cut), { model: codec });
      const { data } = await archive.read(0, COUNT);
      expect(Buffer.compare(data, items)).toBe(0);
    }
  });
});

describe('interruption', () => {
  it('leaves nothing under the name, and goes on where it stopped', async () => {
    await writeArray('npy', 'in.npy');
    const whole = await compress(at('in.npy'), { model: codec, chunkItems: 16 });
    const controller = new AbortController();
    const options = { model: codec, output: at('x.vaez'), chunkItems: 16, threads: 1 };
    await expect(
      compress(at('in.npy'), {
        ...options,
        signal: controller.signal,
        onProgress: ({ items: done }) => done >= 64 && controller.abort(new Error('enough')),
      }),
    ).rejects.toThrowError('enough');
    expect((await readdir(folder)).sort()).toEqual(['.x.vaez.partial', 'in.npy']);
    const result = await compress(at('in.npy'), options);
    expect(result.resumedChunks).toBe(4);
    expect(Buffer.compare(await readFile(at('x.vaez')), whole.archive!)).toBe(0);
    expect((await readdir(folder)).sort()).toEqual(['in.npy', 'x.vaez']);
  });

  it('takes nothing over from a partial file that does not belong to the job', async () => {
    await writeArray('npy', 'in.npy');
    const fresh = await compress(at('in.npy'), { model: codec, chunkItems: 16 });
    const changed = Uint8Array.from(items);
    changed[40 * SIZE] = changed[40 * SIZE]! ^ 1; // in chunk 2
    const stale = await compress(
      { data: changed, shape: [COUNT, HEIGHT, WIDTH] },
      { model: codec, chunkItems: 16, output: at('stale.vaez') },
    );
    expect(stale.chunks).toBe(10);
    for (const [bytes, resumed] of [
      [Buffer.from('garbage'), 0],
      [(await compress(tensor(items), { model: other, chunkItems: 16 })).archive!.subarray(0, 2000), 0],
      [fresh.archive!.subarray(0, fresh.archive!.length - 100), 9],
      [await readFile(at('stale.vaez')).then((all) => all.subarray(0, all.length - 60)), 0],
    ] as const) {
      await writeFile(at('.x.vaez.partial'), bytes);
      const result = await compress(at('in.npy'), { model: codec, chunkItems: 16, output: at('x.vaez'), force: true });
      expect(Buffer.compare(await readFile(at('x.vaez')), fresh.archive!)).toBe(0);
      expect(result.resumedChunks).toBeLessThanOrEqual(10);
      if (resumed > 0) expect(result.resumedChunks).toBeGreaterThanOrEqual(resumed);
      else expect(result.resumedChunks).toBe(0);
    }
  });
});

describe('damage', () => {
  it('is reported by chunk, and the other chunks decode', async () => {
    const bytes = Buffer.from(await archiveOf());
    await using intact = await openArchive(bytes, { model: codec });
    expect(await intact.verify()).toEqual([]);
    // Somewhere inside the payloads of chunks 3 and 7.
    const marks = bytes.length / 11;
    for (const chunk of [3, 7]) bytes[Math.floor(marks * (chunk + 0.9))]! ^= 0x10;
    await using archive = await openArchive(bytes, { model: codec });
    const damaged = await archive.verify();
    expect(damaged.length).toBe(2);
    const lost = new Set(damaged.map(({ chunk }) => chunk));
    for (let chunk = 0; chunk < 10; chunk += 1) {
      const { firstItem, items: count } = archive.chunk(chunk);
      if (lost.has(chunk)) {
        await expect(archive.readChunk(chunk)).rejects.toThrowError(
          new RegExp(`Chunk ${chunk} \\(items ${firstItem} to`),
        );
      } else {
        const { data } = await archive.readChunk(chunk);
        expect(Buffer.compare(data, items.subarray(firstItem * SIZE, (firstItem + count) * SIZE))).toBe(0);
      }
    }
    const failing = decompress(bytes, { model: codec, output: at('out') });
    await expect(failing).rejects.toThrowError(new RegExp(`2 chunks.*${[...lost][0]} \\(items`));
    expect(await readdir(at('out'))).toEqual([]);
    const salvaged = await decompress(bytes, { model: codec, output: at('out'), salvage: true });
    expect(salvaged.damaged.map(({ chunk }) => chunk)).toEqual([...lost]);
    const unpacked = (await readFile(salvaged.path)).subarray(-items.length);
    for (let item = 0; item < COUNT; item += 1) {
      const [start, end] = [item * SIZE, (item + 1) * SIZE];
      const expected = lost.has(Math.floor(item / 16)) ? Buffer.alloc(SIZE) : items.subarray(start, end);
      expect(unpacked.subarray(start, end).equals(expected)).toBe(true);
    }
  });

  it('of the end costs only the end', async () => {
    const bytes = await archiveOf();
    const cut = bytes.subarray(0, bytes.length - 300);
    await using archive = await openArchive(cut, { model: codec });
    expect(archive.complete).toBe(false);
    expect(archive.chunkCount).toBeGreaterThanOrEqual(8);
    const { data } = await archive.read(0, archive.length);
    expect(Buffer.compare(data, items.subarray(0, archive.length * SIZE))).toBe(0);
    await expect(decompress(cut, { model: codec, output: at('out') })).rejects.toThrowError(/no end/);
    const { complete } = await decompress(cut, { model: codec, output: at('out'), salvage: true });
    expect(complete).toBe(false);
  });

  it('never gives wrong items: thousands of altered archives', { timeout: 240_000 }, async () => {
    const small = randomItems(3, 20, SIZE);
    const { archive: bytes } = await compress(tensor(small), { model: codec, chunkItems: 8, embedModel: false });
    const random = randomNumbers(77);
    let opened = 0;
    for (let round = 0; round < 3000; round += 1) {
      let altered = Buffer.from(bytes!);
      const pick = (bound: number) => Math.floor(random() * bound);
      for (let change = 0; change <= pick(3); change += 1) {
        const kind = pick(5);
        const where = pick(altered.length || 1);
        if (kind === 0) altered = altered.subarray(0, where);
        else if (kind === 1) altered = Buffer.concat([altered, altered.subarray(where)]);
        else if (kind === 2) altered.fill(255, where, Math.min(altered.length, where + 1 + pick(8)));
        else if (altered.length > 0) altered[where] = altered[where]! ^ (1 << pick(8));
      }
      try {
        await using archive = await openArchive(altered, { model: codec });
        opened += 1;
        for (let chunk = 0; chunk < archive.chunkCount; chunk += 1) {
          const { items: count } = archive.chunk(chunk);
          const read = await archive.readChunk(chunk).catch((error: unknown) => {
            if (!(error instanceof VaeError)) throw error;
            return undefined;
          });
          // What decodes is a chunk that was written, whole.
          if (read) expect([8, 4]).toContain(count);
          if (read) expect(Buffer.from(small).includes(Buffer.from(read.data))).toBe(true);
        }
      } catch (error) {
        if (!(error instanceof VaeError)) throw error;
      }
    }
    expect(opened).toBeGreaterThan(500);
  });
});

describe('hostile archives', () => {
  it('cannot write outside the output folder', async () => {
    for (const name of [
      '../evil.png',
      '/etc/evil.png',
      'a/../../evil.png',
      '',
      'a//b',
      'a/./b.png',
      // Bytes of "/" and of nothing, by another way.
      `a\udc2f../b.png`,
      'x\ud800.png',
      'x\u0000',
    ]) {
      const pieces: Uint8Array[] = [];
      const writer = new ArchiveWriter(async (bytes) => {
        pieces.push(bytes);
      });
      await writer.header({ model: codec.identity, itemShape: [1, HEIGHT, WIDTH], dtype: 'uint8', kind: 'images' });
      const { encodeChunk } = await import('../../src/codecs/lossless/chunk.js');
      await writer.chunk(
        await encodeChunk(codec, { items: items.subarray(0, SIZE), count: 1, names: [name] }, { verify: true }),
      );
      await writer.end();
      await expect(
        decompress(new Uint8Array(Buffer.concat(pieces)), { model: codec, output: at('out') }),
        name,
      ).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
      expect(await readdir(folder)).toEqual(['out']);
      expect(await readdir(at('out'))).toEqual([]);
    }
  });

  it('cannot write through links', async () => {
    await writeArray('npy', 'in.npy');
    await compress(at('in.npy'), { model: codec, output: at('x.vaez') });
    await import('node:fs/promises').then(({ mkdir }) => mkdir(at('out')));
    await writeFile(at('precious'), 'precious');
    await symlink(at('precious'), at('out', 'in.npy'));
    await expect(decompress(at('x.vaez'), { model: codec, output: at('out') })).rejects.toThrowError(/is a link/);
    expect(await readFile(at('precious'), 'utf8')).toBe('precious');
  });

  it('cannot fill the disk or the memory', async () => {
    const bytes = await archiveOf();
    await expect(
      decompress(bytes, { model: codec, output: at('out'), maxOutputBytes: items.length - 1 }),
    ).rejects.toThrowError(/more than the limit/);
    // A small brotli stream that would become 64 MiB, in a chunk that claims one item.
    const { brotli, checksumOf } = await import('../../src/archive/chunk.js');
    const { encodeRecord } = await import('../../src/archive/format.js');
    const bomb = await brotli(Buffer.alloc(1 << 26));
    const pieces: Uint8Array[] = [];
    const writer = new ArchiveWriter(async (piece) => {
      pieces.push(piece);
    });
    await writer.header({ model: codec.identity, itemShape: [1, HEIGHT, WIDTH], dtype: 'uint8', kind: 'npy' });
    const header = {
      ...({ kind: 'chunk', method: 'brotli', items: 1, namesBytes: 0, namesDecoded: 0 } as const),
      payloadBytes: bomb.length,
      checksum: checksumOf(items),
    };
    await writer.chunk({ header, bytes: Buffer.concat([encodeRecord(header), bomb]) });
    await writer.end();
    await using archive = await openArchive(new Uint8Array(Buffer.concat(pieces)), { model: codec });
    const before = process.memoryUsage().rss;
    await expect(archive.readChunk(0)).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
    expect(process.memoryUsage().rss - before).toBeLessThan(40 << 20);
  });
});
