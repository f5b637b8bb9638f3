/** What other systems need goes, what this one needs stays, and nothing is guessed. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test, vi } from 'vitest';
import { temporaryFolderOfTest } from '../support/temporary.js';

let folder: string;
const here = `${process.platform}-${process.arch}`;

vi.mock('../../src/core/package-files.js', () => ({
  packageFiles: () => ({ findRuntime: () => join(folder, 'package.json') }),
}));
const { pruneRuntime } = await import('../../src/binding/prune.js');

beforeEach(async () => {
  folder = temporaryFolderOfTest('prune');
  for (const system of [here, 'plan9-mips', 'plan9-x64', 'beos-ppc']) {
    const at = join(folder, 'bin', 'napi-v6', ...system.split('-'));
    await mkdir(at, { recursive: true });
    await writeFile(join(at, 'library'), Buffer.alloc(1000));
  }
});

async function systems(): Promise<string[]> {
  const names = await readdir(join(folder, 'bin', 'napi-v6'), { recursive: true });
  return names
    .filter((name) => name.endsWith('library'))
    .map((name) => name.split(/[/\\]/).slice(0, 2).join('-'))
    .sort();
}

test('removes what other systems need', async () => {
  const { removed, kept } = pruneRuntime();
  expect(kept).toEqual([here]);
  expect(removed.map(({ system, bytes }) => [system, bytes]).sort()).toEqual([
    ['beos-ppc', 1000],
    ['plan9-mips', 1000],
    ['plan9-x64', 1000],
  ]);
  expect(await systems()).toEqual([here]);
  expect(pruneRuntime().removed).toEqual([]);
});

test('keeps what it is told to keep, and touches nothing when only asked', async () => {
  expect(pruneRuntime({ dryRun: true }).removed).toHaveLength(3);
  expect(await systems()).toHaveLength(4);
  pruneRuntime({ keep: ['plan9-x64'] });
  expect(await systems()).toEqual([here, 'plan9-x64'].sort());
});

test('refuses a system that there is nothing for, before anything is removed', async () => {
  expect(() => pruneRuntime({ keep: ['linux-z80'] })).toThrow(/nothing for linux-z80; it has .*plan9-x64/);
  expect(await systems()).toHaveLength(4);
});
