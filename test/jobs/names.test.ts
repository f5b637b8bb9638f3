/** Names: under which names files come out, on systems that have them and on those that do not. */
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isPlain, partsOf, placesOf, safeName } from '../../src/archive/names.js';
import { compress, decompress } from '../../src/codecs/index.js';
import { Codec } from '../../src/codecs/lossless/codec.js';
import { encodePng } from '../../src/codecs/lossless/image-files.js';
import { randomSpec } from '../codecs/random-spec.js';
import { temporaryFolder } from '../support/temporary.js';
import { read } from './trees.js';

const folder = temporaryFolder('names');
const at = (...parts: string[]) => join(folder, ...parts);
let codec: Codec;
beforeAll(async () => {
  codec = await Codec.make([1, 6, 5], randomSpec(1, 6, 5));
});
afterAll(() => codec.close());

const WINDOWS = { windows: true, caseBlind: true };
const BLIND = { windows: false, caseBlind: true };
const LINUX = { windows: false, caseBlind: false };
/** Names that some system does not have. */
const AWKWARD = [
  ...['a:b.png', 'what?.png', 'star*.png', 'say "hi".png', '<tag>.png', 'pipe|.png', 'back\\slash.png'],
  ...['tab\there.png', 'new\nline.png', '\u0001.png', 'dot.', 'space ', 'aux.png', 'CON', 'nul.txt', 'com1.png'],
  ...['folder./in.png', 'prn/in.png', `${'x'.repeat(251)}.png`, '\u4e2d'.repeat(84), 'caf\u00e9.png', 'cafe\u0301.png'],
  ...['Photo.png', 'photo.png', '-o', '.hidden', '\u{1f600}.png', 'COM\u00b9.txt'],
];

async function put(root: string, names: Iterable<string>): Promise<void> {
  let index = 0;
  for (const name of names) {
    index += 1;
    await mkdir(dirname(at(root, name)), { recursive: true });
    const pixels = Uint8Array.from({ length: 30 }, (_, i) => (i * 5 + index) & 255);
    await writeFile(at(root, name), name.endsWith('.png') ? await encodePng(pixels, [1, 6, 5]) : `content of ${index}`);
  }
}

describe.skipIf(process.platform !== 'linux')('on the system that wrote it (names that only Linux has)', () => {
  it('every archive unpacks under exactly its names, whatever they hold', async () => {
    await put('in', AWKWARD);
    const result = await compress(at('in'), { model: codec, output: at('x.vaez') });
    expect(result).toMatchObject({ leftOut: [], verified: true });
    const unpacked = await decompress(at('x.vaez'), { model: codec, output: at('out') });
    expect(unpacked).toMatchObject({ renamed: [], files: AWKWARD.length });
    expect([...(await read(at('out'))).keys()].sort()).toEqual([...AWKWARD].sort());
  });

  it('names that are no UTF-8 are carried, byte for byte', async () => {
    await put('bytes', ['a.png']);
    const name = Buffer.from([0x66, 0xff, 0xfe, 0xe4, 0x2e, 0x70, 0x6e, 0x67]);
    const path = Buffer.concat([Buffer.from(`${at('bytes')}/`), name]);
    await writeFile(path, await readFile(at('bytes', 'a.png')));
    await compress(at('bytes'), { model: codec, output: at('bytes.vaez') });
    await decompress(at('bytes.vaez'), { model: codec, output: at('bytes-out') });
    const names = await readdir(at('bytes-out'), { encoding: 'buffer' });
    expect(names.some((each) => each.equals(name))).toBe(true);
    const back = Buffer.concat([Buffer.from(`${at('bytes-out')}/`), name]);
    expect((await readFile(back)).equals(await readFile(at('bytes-out', 'a.png')))).toBe(true);
  });

  it('nothing is unpacked through a link, nor outside the folder', async () => {
    await put('inner', ['deep/a.png', 'b.png']);
    await compress(at('inner'), { model: codec, output: at('inner.vaez') });
    await mkdir(at('elsewhere'));
    await mkdir(at('trap'));
    await symlink(at('elsewhere'), at('trap', 'deep'));
    const job = decompress(at('inner.vaez'), { model: codec, output: at('trap') });
    await expect(job).rejects.toMatchObject({ code: 'ERR_VAE_FORMAT', message: expect.stringContaining('is a link') });
    expect(await readdir(at('elsewhere'))).toEqual([]);
    for (const name of ['../a', '/etc/passwd', 'a/../../b', 'a//b', '', '.', 'a/.', 'nul\0byte'])
      expect(() => partsOf(name)).toThrow(expect.objectContaining({ code: 'ERR_VAE_FORMAT' }));
  });
});

describe('where the reading system cannot have a name', () => {
  it.each([
    ['Windows', WINDOWS],
    ['a disk that is blind to case', BLIND],
  ] as const)('%s: that item alone gets a safe name, which clashes with none', (_, rules) => {
    // What a safe name looks like is itself a name that may be there.
    const names = [...AWKWARD, safeName('a:b.png'), safeName('photo.png'), safeName('aux.png')];
    const { places, renamed } = placesOf(names, rules, 'safe');
    expect(places.size).toBe(names.length);
    const keys = [...places.values()].map((place) => place.normalize('NFC').toLowerCase());
    expect(new Set(keys).size).toBe(names.length);
    for (const [name, place] of places) {
      expect(isPlain(place, rules), place).toBe(true);
      partsOf(place);
      const own = renamed.find((each) => each.name === name);
      if (own === undefined) expect(place).toBe(name);
      else expect(own).toMatchObject({ as: place, reason: expect.stringMatching(/this (system|disk)/) });
    }
    const kept = names.length - renamed.length;
    expect(kept).toBeGreaterThanOrEqual(rules === WINDOWS ? 6 : AWKWARD.length - 2);
    for (const { name } of placesOf(names, LINUX, 'safe').renamed) expect(name).toBe('never');
  });

  it('a file never stands where a folder must be, and empty folders take files', () => {
    const { places } = placesOf(['a', 'A/b', 'c', 'C'], BLIND, 'safe', new Set(['c']));
    expect(places.get('a')).toBe('a');
    expect(places.get('A/b')).not.toBe('A/b');
    expect(places.get('C')).not.toBe('C');
    const added = placesOf(['empty', 'empty/later.txt'], LINUX, 'safe', new Set(['empty']));
    expect(added.renamed).toEqual([]);
  });

  it('--rename refuse refuses, and names the item', () => {
    expect(() => placesOf(['fine.png', 'a:b.png'], WINDOWS, 'refuse')).toThrow(/a:b\.png.*Nothing was unpacked/s);
    expect(placesOf(['fine.png'], WINDOWS, 'refuse').renamed).toEqual([]);
  });

  it('safe names are the same every time, and keep ending and what of the name can be had', () => {
    expect(safeName('deep/what?.png')).toMatch(/^deep\/what_~[0-9a-f]{10}\.png$/);
    expect(safeName('aux.png')).toMatch(/^aux~[0-9a-f]{10}\.png$/);
    expect(safeName('a?')).not.toBe(safeName('a*'));
  });
});
