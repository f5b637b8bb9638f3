/** Small files read together by native code, beside Node's own functions. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readSmallFiles } from '../../src/binding/read-files.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('read-files');
const at = (name: string) => join(folder, name);

// Windows has its own: everything is left to Node's functions there, which other tests see.
describe.skipIf(process.platform === 'win32')('small files', () => {
  it('are what Node reads, in the order in which they were asked for', async () => {
    const paths = Array.from({ length: 100 }, (_, index) => {
      const path = at(`file ${index}`);
      writeFileSync(path, Buffer.alloc(index * 37, index));
      utimesSync(path, 1, 1_600_000_000 + index / 8);
      return path;
    }).reverse();
    const found = await readSmallFiles(paths, 1 << 18);
    for (const [index, path] of paths.entries()) {
      const info = statSync(path, { bigint: true });
      expect(found[index]).toMatchObject({ size: Number(info.size), changed: info.mtimeNs });
      expect(Buffer.from(found[index]!.bytes!)).toEqual(readFileSync(path));
    }
    expect(await readSmallFiles([], 10)).toEqual([]);
  });

  it('are left to Node where they are missing, folders, pipes or large', async () => {
    mkdirSync(at('folder'));
    execFileSync('mkfifo', [at('pipe')]);
    writeFileSync(at('large'), Buffer.alloc(101));
    writeFileSync(at('small'), Buffer.alloc(100, 7));
    symlinkSync(at('nowhere'), at('dangling'));
    symlinkSync(at('small'), at('link'));
    const names = ['missing', 'folder', 'pipe', 'dangling', 'large', 'small', 'link', 'a\0b'];
    const found = await readSmallFiles(names.slice(0, -1).map(at), 100);
    expect(found.map((one) => one && [one.size, one.bytes?.length])).toEqual([
      ...[undefined, undefined, undefined, undefined],
      ...[
        [101, undefined],
        [100, 100],
        [100, 100],
      ],
    ]);
    // A name with a zero byte would be another one: nobody is asked.
    expect(await readSmallFiles(names.map(at), 100)).toEqual(names.map(() => undefined));
  });

  it('are only looked at where nothing is to be read, by names of any bytes', async () => {
    const raw = Buffer.concat([Buffer.from(`${folder}/`), Buffer.of(0xff, 0x20, 0xfe)]);
    writeFileSync(raw, 'four');
    const [found, missing] = await readSmallFiles([raw, at('missing')], 0);
    expect(found).toEqual({ size: 4, changed: statSync(raw, { bigint: true }).mtimeNs, bytes: undefined });
    expect(missing).toBeUndefined();
    const [read] = await readSmallFiles([raw], 4);
    expect(Buffer.from(read!.bytes!).toString()).toBe('four');
  });
});
