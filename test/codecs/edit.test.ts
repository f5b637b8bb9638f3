/** Merging, splitting, listing, reading out and leaving out, over archives of every kind and of earlier releases. */

import { createHash } from 'node:crypto';
import { renameSync } from 'node:fs';
import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  compress,
  decompress,
  inspectArchive,
  listArchive,
  mergeArchives,
  openArchive,
  readArchived,
  removeFromArchive,
  splitArchive,
} from '../../src/codecs/index.js';
import { arrayHeader } from '../../src/codecs/lossless/array-file.js';
import { Codec } from '../../src/codecs/lossless/codec.js';
import { encodePng } from '../../src/codecs/lossless/image-files.js';
import { shippedModelFolders } from '../../src/core/shipped-models.js';
import { runCli } from '../cli/run-cli.js';
import { digits } from '../support/digits.js';
import { temporaryFolderOfTest } from '../support/temporary.js';
import { killedAfter } from './killed-after.js';
import { randomItems, randomSpec } from './random-spec.js';

const golden = fileURLToPath(new URL('../golden/archives/0.1.0/', import.meta.url));
/** Archives that other tests find whole. */
const WHOLE = [
  ...['appended', 'compact-idx', 'compact-images', 'compact-npy', 'compact-sound', 'dataset', 'embedded', 'idx'],
  ...['images-colour-embedded', 'images-grey', 'npy-channel', 'npy-flags', 'npy', 'pictures', 'sound-parts'],
  ...['sounds-appended', 'sounds'],
];
const [HEIGHT, WIDTH] = [28, 28];
const SIZE = HEIGHT * WIDTH;

const all = digits(200).data as Uint8Array;

let folder: string;
let codec: Codec;
let other: Codec;
/** A model that no package has. */
let unknown: Codec;
const at = (...parts: string[]) => join(folder, ...parts);
const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

beforeAll(async () => {
  const shipped = await shippedModelFolders();
  codec = await Codec.load(shipped.get('mnist-codec')!);
  other = await Codec.load(shipped.get('fashion-codec')!);
  unknown = await Codec.make([1, 6, 5], randomSpec(1, 6, 5));
});
afterAll(async () => {
  await Promise.all([codec.close(), other.close(), unknown.close()]);
});
beforeEach(() => {
  folder = temporaryFolderOfTest('edit');
});

/** What an archive gives, by name. */
async function contentOf(archive: string, model?: Codec): Promise<Record<string, string>> {
  const output = at(`out-${basename(archive)}-${Math.random().toString(36).slice(2)}`);
  await decompress(archive, { output, ...(model && { model }) });
  const found: Record<string, string> = {};
  for (const entry of await readdir(output, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(output, path).split(sep).join('/');
    if (entry.isFile()) found[name] = sha(await readFile(path));
    else if ((await readdir(path)).length === 0) found[`${name}/`] = 'folder';
  }
  return found;
}

async function read(archive: string, file: string | number, model?: Codec): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of readArchived(archive, file, model ? { model } : {})) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}

/** A digit, which the model codes. */
const picture = (n: number) => all.subarray(n * SIZE, (n + 1) * SIZE);
const rowsOf = (first: number, count: number) => all.subarray(first * SIZE, (first + count) * SIZE);

/** A folder of pictures, other files, files that are the same, and an empty folder. */
async function pictures(name: string, first: number, count: number): Promise<string> {
  const root = at(name);
  await mkdir(join(root, 'deep'), { recursive: true });
  await mkdir(join(root, 'nothing'));
  for (let n = first; n < first + count; n += 1) {
    await writeFile(join(root, `${String(n).padStart(3, '0')}.png`), await encodePng(picture(n), [1, HEIGHT, WIDTH]));
  }
  await writeFile(join(root, 'deep', `${name}-a.txt`), 'the same text\n'.repeat(50));
  await writeFile(join(root, 'deep', `${name}-b.txt`), 'the same text\n'.repeat(50));
  await writeFile(join(root, `${name}.bin`), randomItems(first + 900, 1, 5000));
  return root;
}

async function archiveOf(name: string, first: number, count: number, model = codec): Promise<string> {
  const output = at(`${name}.vaez`);
  await compress(await pictures(name, first, count), { model, output, chunkItems: 8 });
  return output;
}

describe.each(WHOLE)('an archive that release 0.1.0 wrote, %s', (name) => {
  it('comes out the same after it was split and merged, and lists and reads what it holds', async () => {
    const archive = join(golden, `${name}.vaez`);
    const content = await contentOf(archive);
    const files = await listArchive(archive);
    const names = Object.keys(content).map((each) => each.replace(/\/$/, ''));
    expect(files.map((file) => file.name).sort()).toEqual(names.sort());
    for (const file of files) expect(file.storedBytes).toBeGreaterThanOrEqual(0);
    const [first] = files.filter(({ coders }) => !coders.includes('folder'));
    expect(sha(await read(archive, first!.name))).toBe(content[first!.name]);
    const { archives } = await splitArchive(archive, { output: at('parts'), count: 2 });
    const parts = archives.map(({ path }) => path);
    const merged = await mergeArchives(parts, { output: at('again.vaez') });
    expect(merged.cutChunks).toEqual([]);
    expect(await contentOf(at('again.vaez'))).toEqual(content);
    expect((await inspectArchive(at('again.vaez'), { decode: true })).damaged).toEqual([]);
    const { items } = await inspectArchive(archive);
    expect((await inspectArchive(at('again.vaez'))).items).toBe(items);
    const one = await splitArchive(archive, { output: at('by-bytes'), bytes: 1 });
    await mergeArchives(
      one.archives.map(({ path }) => path),
      { output: at('bytes-again.vaez') },
    );
    expect(one.archives.every(({ cutChunks }) => cutChunks.length === 0)).toBe(true);
    expect(await contentOf(at('bytes-again.vaez'))).toEqual(content);
  });

  it('leaves a file out, and gives the others as they were', async () => {
    const archive = join(golden, `${name}.vaez`);
    const content = await contentOf(archive);
    const names = Object.keys(content);
    if (names.length === 1) {
      await expect(removeFromArchive(archive, { names: [names[0]!], output: at('x.vaez') })).rejects.toThrow(
        /Nothing would be left/,
      );
      expect(await readdir(folder)).not.toContain('x.vaez');
      return;
    }
    for (const gone of [names[0]!, names.at(-1)!]) {
      const output = at(`without-${names.indexOf(gone)}.vaez`);
      const result = await removeFromArchive(archive, { names: [gone.replace(/\/$/, '')], output });
      expect(result.removed).toEqual([gone.replace(/\/$/, '')]);
      const { [gone]: _, ...rest } = content;
      expect(await contentOf(output)).toEqual(rest);
    }
  });
});

describe('merge', () => {
  it('copies every chunk byte for byte, of pictures and of everything beside them', async () => {
    const [a, b] = [await archiveOf('a', 0, 20), await archiveOf('b', 20, 11)];
    const result = await mergeArchives([a, b], { output: at('all.vaez'), model: codec });
    expect(result).toMatchObject({ archives: 2, items: 31, cutChunks: [], renamedChunks: [], verified: true });
    expect(result.copiedChunks).toBeGreaterThan(4);
    expect(await contentOf(at('all.vaez'), codec)).toEqual({
      ...(await contentOf(a, codec)),
      ...(await contentOf(b, codec)),
    });
  });

  it('needs no model with verify: false, and asks for it otherwise', async () => {
    const [a, b] = [at('a.vaez'), at('b.vaez')];
    for (const path of [a, b]) {
      // Smaller ones take a form that names no model.
      const items = randomItems(path.length, 4000, 30);
      await compress({ data: items, shape: [4000, 6, 5] }, { model: unknown, output: path });
    }
    await expect(mergeArchives([a, b], { output: at('all.vaez') })).rejects.toThrow(/--no-verify/);
    const result = await mergeArchives([a, b], { output: at('all.vaez'), verify: false });
    expect(result.verified).toBe(false);
    expect((await inspectArchive(at('all.vaez'), { decode: true, model: unknown })).damaged).toEqual([]);
    await removeFromArchive(at('all.vaez'), { items: [[0, 3999]], verify: false });
    expect((await inspectArchive(at('all.vaez'))).items).toBe(4000);
  });

  it('refuses names that two have, by name, and puts them into folders when that is asked for', async () => {
    const [a, b] = [await archiveOf('a', 0, 4), await archiveOf('b', 3, 4)];
    const both = mergeArchives([a, b], { output: at('all.vaez'), model: codec });
    await expect(both).rejects.toMatchObject({ code: 'ERR_VAE_DATA', message: expect.stringMatching(/"003\.png"/) });
    expect(await readdir(folder)).toEqual(['a', 'a.vaez', 'b', 'b.vaez']);
    const result = await mergeArchives([a, b], { output: at('all.vaez'), model: codec, clash: 'folder' });
    expect(result.cutChunks).toEqual([]);
    const content = await contentOf(at('all.vaez'), codec);
    const of = async (name: string) =>
      Object.fromEntries(
        Object.entries(await contentOf(at(`${name}.vaez`), codec)).map(([file, hash]) => [`${name}/${file}`, hash]),
      );
    expect(content).toEqual({ ...(await of('a')), ...(await of('b')) });
  });

  it('refuses archives of different models, kinds and shapes, and one that is given twice', async () => {
    const a = await archiveOf('a', 0, 4);
    const b = await archiveOf('b', 10, 4, other);
    const output = at('all.vaez');
    const refused = (inputs: string[]) => mergeArchives(inputs, { output, model: codec });
    await expect(refused([a, b])).rejects.toMatchObject({ code: 'ERR_VAE_REPRODUCIBILITY' });
    await compress({ data: rowsOf(0, 20), shape: [20, HEIGHT, WIDTH] }, { model: codec, output: at('c.vaez') });
    await expect(refused([a, at('c.vaez')])).rejects.toMatchObject({ code: 'ERR_VAE_SHAPE' });
    await expect(refused([a, a])).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
    await link(a, at('linked.vaez'));
    await expect(refused([a, at('linked.vaez')])).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
    await expect(refused([])).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
    await expect(refused([a, at('none.vaez')])).rejects.toMatchObject({ code: 'ERR_VAE_IO' });
    await writeFile(at('text.vaez'), 'no archive');
    await expect(refused([a, at('text.vaez')])).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT' });
    expect(await readdir(folder)).not.toContain('all.vaez');
  });

  it('joins arrays row after row', async () => {
    const rows = [rowsOf(0, 50), rowsOf(50, 30)];
    for (const [index, data] of rows.entries()) {
      const bytes = Buffer.concat([arrayHeader('npy', [data.length / SIZE, HEIGHT, WIDTH]), data]);
      await writeFile(at(`${index}.npy`), bytes);
      await compress(at(`${index}.npy`), { model: codec, output: at(`${index}.vaez`), chunkItems: 16 });
    }
    await mergeArchives([at('0.vaez'), at('1.vaez')], { output: at('all.vaez'), model: codec });
    const whole = Buffer.concat([arrayHeader('npy', [80, HEIGHT, WIDTH]), ...rows]);
    expect((await read(at('all.vaez'), '0.npy', codec)).equals(whole)).toBe(true);
    expect(await read(at('all.vaez'), 51, codec)).toEqual(Buffer.from(rows[1]!.subarray(SIZE, 2 * SIZE)));
    // Rows are left out by their numbers; only the chunks that they are in are coded again.
    const gone = await removeFromArchive(at('all.vaez'), {
      items: [
        [3, 17],
        [79, 79],
      ],
      model: codec,
    });
    expect(gone.removedItems).toBe(16);
    expect(gone.cutChunks.map(({ chunk }) => chunk)).toEqual([0, 1, 5]);
    const left = Buffer.concat(rows);
    const rest = Buffer.concat([left.subarray(0, 3 * SIZE), left.subarray(18 * SIZE, 79 * SIZE)]);
    const expected = Buffer.concat([arrayHeader('npy', [64, HEIGHT, WIDTH]), rest]);
    expect((await read(at('all.vaez'), '0.npy', codec)).equals(expected)).toBe(true);
    await using archive = await openArchive(at('all.vaez'), { model: codec });
    expect(archive.length).toBe(64);
  });

  it('names the archive that is damaged, and leaves nothing behind', async () => {
    const [a, b] = [await archiveOf('a', 0, 20), await archiveOf('b', 20, 20)];
    const bytes = await readFile(b);
    // Within the pixels of the last chunk of pictures.
    bytes[bytes.indexOf(Buffer.from([1, 1, 0, 0, 4, 0, 0, 0])) + 180]! ^= 1;
    await writeFile(b, bytes);
    await expect(mergeArchives([a, b], { output: at('all.vaez'), model: codec })).rejects.toMatchObject({
      code: 'ERR_VAE_FORMAT',
      message: expect.stringContaining(b),
    });
    expect(await readdir(folder)).not.toContain('all.vaez');
    await writeFile(b, bytes.subarray(0, bytes.length - 40));
    await expect(mergeArchives([a, b], { output: at('all.vaez'), model: codec })).rejects.toThrow(/has no end/);
  });

  it('is gone on from after an abort, and replaces nothing that is there', async () => {
    const [a, b] = [await archiveOf('a', 0, 60), await archiveOf('b', 60, 60)];
    const controller = new AbortController();
    const run = mergeArchives([a, b], {
      ...{ output: at('all.vaez'), model: codec, threads: 1, signal: controller.signal },
      onProgress: ({ chunks }) => {
        if (chunks >= 5) controller.abort();
      },
    });
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    expect(await readdir(folder)).toContain('.all.vaez.partial');
    const result = await mergeArchives([a, b], { output: at('all.vaez'), model: codec });
    expect(result.resumedChunks).toBeGreaterThanOrEqual(5);
    expect(await readdir(folder)).not.toContain('.all.vaez.partial');
    const whole = await readFile(at('all.vaez'));
    await expect(mergeArchives([a], { output: at('all.vaez'), model: codec })).rejects.toThrow(/is there already/);
    const again = await mergeArchives([a, b], { output: at('all.vaez'), model: codec });
    expect(again.notes.join()).toMatch(/was there already, whole and with all of this: nothing was written/);
    expect((await readFile(at('all.vaez'))).equals(whole)).toBe(true);
    await mergeArchives([a, b], { output: at('all.vaez'), model: codec, force: true });
    expect((await readFile(at('all.vaez'))).equals(whole)).toBe(true);
  });
});

describe('rm', () => {
  it('leaves the chunks alone that nothing is taken from, and keeps what was stored once for several files', async () => {
    const a = await archiveOf('a', 0, 30);
    const before = await contentOf(a, codec);
    const result = await removeFromArchive(a, { names: ['003.png', 'deep/a-a.txt'], model: codec });
    expect([...result.removed].sort()).toEqual(['003.png', 'deep/a-a.txt']);
    expect(result.cutChunks[0]).toMatchObject({ chunk: 0, items: 8, keptItems: 7 });
    expect(result.copiedChunks).toBeGreaterThanOrEqual(3);
    const { '003.png': _, 'deep/a-a.txt': __, ...rest } = before;
    expect(await contentOf(a, codec)).toEqual(rest);
    // What was left out is in the file no more: neither text has its other name.
    expect((await listArchive(a)).map(({ name }) => name)).not.toContain('003.png');
    const files = await listArchive(a);
    expect(files.find(({ name }) => name === 'deep/a-b.txt')?.sameAs).toBeUndefined();
  });

  it('takes folders and patterns, and refuses what means nothing', async () => {
    const a = await archiveOf('a', 0, 12);
    await removeFromArchive(a, { names: ['deep', '00?.png'], model: codec });
    expect((await listArchive(a)).map(({ name }) => name).sort()).toEqual(['010.png', '011.png', 'a.bin', 'nothing']);
    await expect(removeFromArchive(a, { names: ['none.png'], model: codec })).rejects.toMatchObject({
      code: 'ERR_VAE_OPTION',
      message: expect.stringMatching(/holds no "none\.png"; it holds/),
    });
    await expect(removeFromArchive(a, { names: ['**'], model: codec })).rejects.toThrow(/Nothing would be left/);
    await expect(removeFromArchive(a, { model: codec })).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
  });

  it('refuses an archive that is changed while it is read, and leaves the new one', async () => {
    const a = await archiveOf('a', 0, 30);
    const b = await archiveOf('b', 30, 4);
    const other = await readFile(b);
    let replaced = false;
    const run = removeFromArchive(a, {
      ...{ names: ['003.png'], model: codec, threads: 1 },
      onProgress: () => {
        if (!replaced) renameSync(b, a);
        replaced = true;
      },
    });
    await expect(run).rejects.toThrow(/was changed while it was read/);
    expect((await readFile(a)).equals(other)).toBe(true);
  });
});

describe('split', () => {
  it('gives each name to the pattern that means it, and the rest to a last archive', async () => {
    const a = await archiveOf('a', 0, 12);
    const { archives } = await splitArchive(a, { output: at('parts'), names: ['00*.png', 'deep'], model: codec });
    const names = await Promise.all(
      archives.map(async ({ path }) => (await listArchive(path)).map(({ name }) => name)),
    );
    expect(names.map((each) => [...each].sort())).toEqual([
      Array.from({ length: 10 }, (_, n) => `00${n}.png`),
      ['deep/a-a.txt', 'deep/a-b.txt'],
      ['010.png', '011.png', 'a.bin', 'nothing'],
    ]);
  });

  it('stores what several parts have in each of them', async () => {
    const a = await archiveOf('a', 0, 4);
    const { archives } = await splitArchive(a, {
      output: at('parts'),
      names: ['deep/a-a.txt', 'deep/a-b.txt'],
      model: codec,
    });
    const text = 'the same text\n'.repeat(50);
    expect((await read(archives[0]!.path, 'deep/a-a.txt', codec)).toString()).toBe(text);
    expect((await read(archives[1]!.path, 'deep/a-b.txt', codec)).toString()).toBe(text);
  });

  it('is gone on from, and refuses other files in its place', async () => {
    const a = await archiveOf('a', 0, 12);
    const options = { output: at('parts'), count: 4, model: codec };
    const first = await splitArchive(a, options);
    const whole = await Promise.all(first.archives.map(({ path }) => readFile(path)));
    await rm(first.archives[1]!.path);
    const again = await splitArchive(a, options);
    expect(again).toMatchObject({ there: first.archives.length - 1, archives: [{ path: first.archives[1]!.path }] });
    expect((await readFile(first.archives[1]!.path)).equals(whole[1]!)).toBe(true);
    await writeFile(first.archives[0]!.path, whole[1]!);
    await expect(splitArchive(a, options)).rejects.toMatchObject({ code: 'ERR_VAE_IO' });
    await expect(splitArchive(a, { output: at('x'), model: codec })).rejects.toMatchObject({ code: 'ERR_VAE_OPTION' });
  });
});

describe('killed at any chunk', () => {
  const killed = (count: number, name: string, args: readonly unknown[]) =>
    killedAfter(folder, { count, measure: 'chunks' }, name, args);

  it.each([1, 4, 9])(
    'after %i chunks: the archives are whole, and the same call again gives the same bytes',
    async (after) => {
      const [a, b] = [await archiveOf('a', 0, 40), await archiveOf('b', 40, 40)];
      const before = [await readFile(a), await readFile(b)];
      const options = { model: 'mnist-codec', threads: 1 };
      await mergeArchives([a, b], { ...options, output: at('whole.vaez') });
      const whole = await readFile(at('whole.vaez'));
      expect(await killed(after, 'mergeArchives', [[a, b], { ...options, output: at('all.vaez') }])).toBe('SIGKILL');
      expect(await readdir(folder)).not.toContain('all.vaez');
      const again = await mergeArchives([a, b], { ...options, output: at('all.vaez') });
      expect(again.resumedChunks).toBeGreaterThanOrEqual(after);
      expect((await readFile(at('all.vaez'))).equals(whole)).toBe(true);
      expect([await readFile(a), await readFile(b)]).toEqual(before);
      await removeFromArchive(a, { ...options, names: ['003.png'], output: at('without.vaez') });
      expect(await killed(1, 'removeFromArchive', [a, { ...options, names: ['003.png'] }])).toBe('SIGKILL');
      expect((await readFile(a)).equals(before[0]!)).toBe(true);
      await removeFromArchive(a, { ...options, names: ['003.png'] });
      expect((await readFile(a)).equals(await readFile(at('without.vaez')))).toBe(true);
      expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
    },
    60_000,
  );
});

describe('the commands', () => {
  const cli = (...args: string[]) => runCli(args, { cwd: folder });

  it('list, write one file to standard output, merge, split and leave out', async () => {
    await archiveOf('a', 0, 10);
    await archiveOf('b', 10, 10);
    const merged = await cli('archive', 'merge', 'a.vaez', 'b.vaez', '-o', 'all.vaez', '--json');
    expect({ code: merged.code, result: JSON.parse(merged.stdout) }).toMatchObject({
      code: 0,
      result: { archives: 2, items: 20, verified: true },
    });
    const ls = await cli('archive', 'ls', 'all.vaez');
    expect(ls.stdout).toMatch(/ +784 +\d+ {2}model {3}000\.png\n/);
    expect(ls.stdout).toMatch(/ +700 +\d+ {2}same {4}deep\/a-b\.txt = deep\/a-a\.txt\n/);
    const cat = await cli('archive', 'cat', 'all.vaez', 'deep/b-b.txt');
    expect(cat).toEqual({ code: 0, stdout: 'the same text\n'.repeat(50), stderr: '' });
    const none = await cli('archive', 'cat', 'all.vaez', 'none');
    expect({ code: none.code, stderr: none.stderr }).toEqual({
      code: 2,
      stderr: expect.stringMatching(/holds no "none"; it holds "000\.png"/),
    });
    const gone = await cli('archive', 'rm', 'all.vaez', '015.png', '--json');
    expect(JSON.parse(gone.stdout)).toMatchObject({ removed: ['015.png'], removedItems: 1 });
    const split = await cli('archive', 'split', 'all.vaez', '-o', 'parts', '--count', '10');
    expect(split.code).toBe(0);
    expect((await readdir(at('parts'))).length).toBe(3);
    expect((await cli('archive', 'frobnicate', 'all.vaez')).code).toBe(2);
    expect((await cli('archive')).code).toBe(2);
    expect((await cli('archive', 'merge', 'a.vaez', 'b.vaez', '-o', 'all.vaez')).code).toBe(1);
  }, 60_000);
});
