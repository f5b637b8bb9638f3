/** A further codec is a folder and one line of the table of kinds: here is one, with everything that archives can do. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { compress, decompress, inspectArchive, openArchive } from '../../src/codecs/index.js';
import { temporaryFolder } from '../support/temporary.js';
import { Alphabet } from './fourth/alphabet.js';

// The one line of the table. Types do not know of it: hence the `never`s below.
vi.mock(import('../../src/codecs/kinds.js'), async (original) => {
  const { textsKind } = await import('./fourth/kind.js');
  return { KINDS: { ...(await original()).KINDS, texts: textsKind } };
});

const folder = temporaryFolder('fourth-codec');
const at = (...names: string[]) => join(folder, ...names);
const alphabet = new Alphabet('etaoinshrdlu \n.');
const model = alphabet as never;
const TEXTS = {
  'a.txt': 'the rain in here sheds its tears on us all.\n'.repeat(400),
  'deep/ü.txt': 'no; “quotes”, 7 %',
  'empty.txt': '',
};
const OTHER = Buffer.from([1, 2, 3, 250]);

async function inputs(name: string): Promise<string> {
  await mkdir(at(name, 'deep'), { recursive: true });
  for (const [file, text] of Object.entries(TEXTS)) await writeFile(at(name, file), text);
  await writeFile(at(name, 'other.bin'), OTHER);
  return at(name);
}

describe('a fourth codec', () => {
  it('compresses with its own model, verifies, and unpacks to the same files', async () => {
    const input = await inputs('round');
    const result = await compress(input, { model, output: at('round.vaez'), embedModel: true });
    expect(result).toMatchObject({ items: 3, storedFiles: 1, verified: true, leftOut: [] });
    expect(result.bytesOut).toBeLessThan(0.6 * TEXTS['a.txt'].length);
    expect(await inspectArchive(at('round.vaez'))).toMatchObject({ kind: 'texts', embedsModel: true, complete: true });
    // The model is within the archive.
    const out = await decompress(at('round.vaez'), { output: at('round-out') });
    expect(out).toMatchObject({ items: 3, files: 4, damaged: [] });
    for (const [file, text] of Object.entries(TEXTS)) expect(await readFile(at('round-out', file), 'utf8')).toBe(text);
    expect(await readFile(at('round-out', 'other.bin'))).toEqual(OTHER);
    expect(alphabet.closed).toBe(false);
  });

  it('finds its model by path, asks for it where it is missing, and refuses another', async () => {
    const input = await inputs('models');
    await mkdir(at('model'));
    await writeFile(at('model', 'alphabet.json'), alphabet.file);
    const { archive } = await compress(input, { model: at('model') });
    await expect(decompress(archive!, { output: at('none') })).rejects.toThrow(/needs the model/);
    await expect(decompress(archive!, { output: at('none'), model: new Alphabet('abc') as never })).rejects.toThrow(
      /made with the model/,
    );
    const byFile = await decompress(archive!, { output: at('by-file'), model: at('model', 'alphabet.json') });
    expect(byFile.files).toBe(4);
    await expect(openArchive(archive!)).rejects.toThrow(/holds texts: open it with openTexts\(\)/);
  });

  it('is added to, and tells damage by chunk', async () => {
    const input = await inputs('append');
    const options = { model, output: at('append.vaez') };
    await compress(join(input, 'a.txt'), options);
    await compress(join(input, 'deep'), { ...options, append: true });
    const { files } = await inspectArchive(at('append.vaez'), { model });
    expect(files).toEqual(['a.txt', 'ü.txt']);
    const bytes = await readFile(at('append.vaez'));
    bytes[300]! ^= 1;
    await expect(decompress(bytes, { output: at('damaged'), model: model })).rejects.toThrow(
      /damaged: 0 \(items 0 to 0\)/,
    );
  });

  it('says what it is for', async () => {
    const input = await inputs('kinds');
    await expect(compress(join(input, 'other.bin'), { model })).rejects.toThrow(/other\.bin is not a text/);
    await expect(compress({ data: Uint8Array.of(1), shape: [1, 1] }, { model })).rejects.toThrow(/is for files/);
    await expect(compress(input, { model: 7 as never })).rejects.toThrow(
      /should be a Codec, a PhotoCodec, an Alphabet, a path or/,
    );
    await expect(compress(input, { model: 'mnist-codec' })).rejects.toThrow(
      /neither a WAV file, an IDX file, a .npy file nor an image, nor is any of the 3 others/,
    );
  });
});
