/** Jobs of pictures with loss that were interrupted: what is coded is not coded again. */
import { appendFile, copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compressPictures, decompress } from '../../src/codecs/index.js';
import { runCli } from '../cli/run-cli.js';
import { temporaryFolder, temporaryFolderOfTest } from '../support/temporary.js';
import { drawing } from './drawing.js';
import { killedAfter } from './killed-after.js';

const COUNT = 40; // of 16, 16 and 8 in a chunk
const input = temporaryFolder('lossy-resume');
let folder: string;
const at = (...parts: string[]) => join(folder, ...parts);
const left = async () => (await readdir(folder)).filter((name) => name.startsWith('.')).sort();

beforeAll(async () => {
  for (let index = 0; index < COUNT; index += 1) {
    const { data, width, height } = drawing(index, 64, 48);
    await sharp(data, { raw: { width, height, channels: 3 } })
      .png({ compressionLevel: 1 })
      .toFile(join(input, `${String(index).padStart(2, '0')}.png`));
  }
  await writeFile(join(input, '05.png'), 'no picture, though it is called one');
  await writeFile(join(input, 'notes.txt'), 'beside them');
});
beforeEach(() => {
  folder = temporaryFolderOfTest('lossy-resume');
});

type Options = Partial<Parameters<typeof compressPictures>[1]>;
const pack = (options: Options = {}) =>
  compressPictures(input, { quality: 40, output: at('x.vaez'), threads: 1, ...options });

/** Stops once so many pictures are coded. */
async function interrupted(after: number, options: Options = {}): Promise<void> {
  const stop = new AbortController();
  const onProgress = ({ pictures }: { pictures: number }) => void (pictures >= after && stop.abort());
  await expect(pack({ ...options, signal: stop.signal, onProgress })).rejects.toMatchObject({ name: 'AbortError' });
}

/** The archive and figures of a job that nothing interrupts. */
async function whole(options: Options = {}) {
  const result = await pack({ ...options, output: at('whole.vaez') });
  return { result, bytes: await readFile(at('whole.vaez')) };
}

/** The job once more. */
async function again(options: Options = {}) {
  return { result: await pack(options), bytes: await readFile(at('x.vaez')) };
}

describe('an interrupted job of pictures with loss', () => {
  it('goes on, and ends with the archive and the figures that it would have had', async () => {
    const wanted = await whole();
    await interrupted(32);
    expect(await left()).toEqual(['.x.vaez.partial', '.x.vaez.partial.notes']);
    const before = await readFile(at('.x.vaez.partial'));
    const { result, bytes } = await again();
    expect(result.resumedChunks).toBe(2);
    expect(bytes.equals(wanted.bytes)).toBe(true);
    expect(bytes.subarray(0, before.length).equals(before)).toBe(true);
    const { seconds: _, resumedChunks: __, ...figures } = result;
    expect(figures).toEqual((({ seconds: _s, resumedChunks: _r, ...rest }) => rest)(wanted.result));
    expect(await left()).toEqual([]);
    await decompress(at('x.vaez'), { output: at('out') });
    expect((await readdir(at('out'))).sort()).toEqual((await readdir(input)).sort());
  });

  it('codes again what is of another quality, and keeps what there was unless told otherwise', async () => {
    await interrupted(16);
    const first = await again({ quality: 90 });
    expect(first.result.resumedChunks).toBe(0);
    expect(first.result.notes.join()).toContain('it was kept as');
    expect(first.bytes.equals((await whole({ quality: 90 })).bytes)).toBe(true);
    expect(await left()).toEqual(['.x.vaez.partial.1']);
    await rm(at('.x.vaez.partial.1'));
    await rm(at('x.vaez'));
    await interrupted(16);
    expect((await again({ quality: 90, dropPartial: true })).result.notes.join()).toContain('was dropped');
    expect(await left()).toEqual([]);
  });

  it('codes again from the first picture on that has changed', async () => {
    await interrupted(32);
    const own = join(input, '20.png');
    const before = await readFile(own);
    await copyFile(join(input, '21.png'), own);
    try {
      const { result, bytes } = await again();
      expect(result.resumedChunks).toBe(1);
      expect(bytes.equals((await whole()).bytes)).toBe(true);
    } finally {
      await writeFile(own, before);
    }
  });

  it('measures what was not measured, and leaves figures out that nobody asks for', async () => {
    await interrupted(32, { metrics: false });
    const measured = await again();
    expect(measured.result.resumedChunks).toBe(0);
    expect(measured.result.pictures.every(({ psnr }) => psnr !== undefined)).toBe(true);
    await rm(at('x.vaez'));
    await rm(at('.x.vaez.partial.1'));
    await interrupted(32);
    const without = await again({ metrics: false });
    expect(without.result.resumedChunks).toBe(2);
    expect(without.result.pictures.some(({ psnr }) => psnr !== undefined)).toBe(false);
  });

  it('believes no notes that were cut, changed, or are of something else', async () => {
    const wanted = await whole();
    const damage: ((notes: Buffer) => Buffer)[] = [
      (notes) => notes.subarray(0, notes.length - 20),
      (notes) => Buffer.from(notes.toString().replaceAll('"inputs"', '"outputs"')),
      (notes) => Buffer.from(notes.toString().replace(/"inputs":\["[0-9a-f]/, '"inputs":["x')),
      () => Buffer.alloc(0),
      () => Buffer.from('null\n[1,2]\n{}'),
    ];
    for (const [index, change] of damage.entries()) {
      await interrupted(32);
      const notes = await readFile(at('.x.vaez.partial.notes'));
      await writeFile(at('.x.vaez.partial.notes'), change(notes));
      const { result, bytes } = await again({ dropPartial: true });
      expect(result.resumedChunks, `damage ${index}`).toBe(index === 0 ? 1 : 0);
      expect(bytes.equals(wanted.bytes)).toBe(true);
      expect(await left()).toEqual([]);
      await rm(at('x.vaez'));
    }
    // A note of which half was written is ended by the next.
    await interrupted(16);
    await appendFile(at('.x.vaez.partial.notes'), '\n["0011');
    await interrupted(32);
    expect((await again()).result.resumedChunks).toBe(2);
  });

  it('takes pictures in memory likewise', async () => {
    const pictures = Array.from({ length: 20 }, (_, seed) => drawing(seed, 32, 32));
    const options = { quality: 30, output: at('memory.vaez') };
    const stop = new AbortController();
    const first = compressPictures(pictures, { ...options, signal: stop.signal, onProgress: () => stop.abort() });
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    expect((await compressPictures(pictures, options)).resumedChunks).toBe(1);
  });

  it('never takes its own partial for an input', async () => {
    await mkdir(at('in'));
    for (const name of await readdir(input)) await copyFile(join(input, name), at('in', name));
    const options = { quality: 40, output: at('in', 'x.vaez') };
    const stop = new AbortController();
    const first = compressPictures(at('in'), { ...options, signal: stop.signal, onProgress: () => stop.abort() });
    await expect(first).rejects.toMatchObject({ name: 'AbortError' });
    const result = await compressPictures(at('in'), options);
    expect(result).toMatchObject({ resumedChunks: 1, storedFiles: 2, leftOut: [] });
  });
});

describe.skipIf(process.platform === 'win32')('a process (Windows has no signals)', () => {
  it.each([1, 32])('goes on after SIGKILL at %i pictures', { timeout: 60_000 }, async (count) => {
    const wanted = await whole();
    const options = { quality: 40, output: at('x.vaez'), threads: 1 };
    const ended = await killedAfter(folder, { count, measure: 'pictures' }, 'compressPictures', [input, options]);
    expect(ended).toBe('SIGKILL');
    const { result, bytes } = await again();
    expect(result.resumedChunks).toBe(Math.ceil(count / 16));
    expect(bytes.equals(wanted.bytes)).toBe(true);
    expect(await left()).toEqual([]);
  });

  it('and the command goes on likewise', { timeout: 60_000 }, async () => {
    const wanted = await whole();
    const options = { quality: 40, output: at('x.vaez'), threads: 1 };
    await killedAfter(folder, { count: 16, measure: 'pictures' }, 'compressPictures', [input, options]);
    const { code, stdout } = await runCli(['compress', input, '--lossy', '40', '-o', at('x.vaez'), '--json']);
    expect({ code, resumed: JSON.parse(stdout).resumedChunks }).toEqual({ code: 0, resumed: 1 });
    expect((await readFile(at('x.vaez'))).equals(wanted.bytes)).toBe(true);
    expect(await left()).toEqual([]);
  });
});
