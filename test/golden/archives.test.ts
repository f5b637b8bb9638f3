import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decompress } from '../../src/codecs/index.js';
import { temporaryFolder } from '../support/temporary.js';

interface Expected {
  readonly lossy?: boolean;
  readonly salvage?: boolean;
  readonly complete: boolean;
  readonly damaged: readonly number[];
  readonly files: Readonly<Record<string, Readonly<Record<string, number | string>>>>;
}

const root = fileURLToPath(new URL('archives/', import.meta.url));
const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const work = temporaryFolder('golden');

async function found(folder: string, { lossy }: Expected): Promise<Record<string, Record<string, number | string>>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files: Record<string, Record<string, number | string>> = {};
  for (const entry of entries.filter((each) => each.isFile())) {
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path).split(sep).join('/');
    const bytes = await readFile(path);
    if (!path.endsWith('.png')) {
      files[name] = { bytes: bytes.length, sha256: sha(bytes) };
      continue;
    }
    const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    const pixels = lossy ? { mean: data.reduce((sum, value) => sum + value, 0) / data.length } : { pixels: sha(data) };
    files[name] = { width, height, channels, ...pixels };
  }
  return files;
}

describe.each(['0.1.0'])('archives that release %s wrote', (release) => {
  it('decode to what they held, every kind of them', { timeout: 120_000 }, async () => {
    const folder = join(root, release);
    const expected = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as Record<string, Expected>;
    const names = (await readdir(folder)).filter((name) => name.endsWith('.vaez'));
    expect(names.map((name) => name.slice(0, -5)).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, kept] of Object.entries(expected)) {
      const output = join(work, release, name);
      const archive = join(folder, `${name}.vaez`);
      if (kept.salvage) await expect(decompress(archive, { output }), name).rejects.toThrowError(/--salvage/);
      const { complete, damaged } = await decompress(archive, { output, ...(kept.salvage && { salvage: true }) });
      expect([complete, damaged.map(({ chunk }) => chunk)], name).toEqual([kept.complete, kept.damaged]);
      const files = await found(output, kept);
      expect(Object.keys(files).sort(), name).toEqual(Object.keys(kept.files).sort());
      for (const [file, values] of Object.entries(kept.files)) {
        if (typeof values.mean !== 'number') expect(files[file], `${name}: ${file}`).toEqual(values);
        else {
          const { mean, ...rest } = files[file]!;
          const { mean: wanted, ...size } = values;
          expect(rest, `${name}: ${file}`).toEqual(size);
          expect(Math.abs((mean as number) - (wanted as number)), `${name}: ${file}`).toBeLessThan(0.05);
        }
      }
    }
  });
});
