import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeFilesAtomically } from '../../src/core/files.js';
import { temporaryFolderOfTest } from '../support/temporary.js';

const folder = (): string => temporaryFolderOfTest('files');

test('writes every file, in folders made on the way', async () => {
  const root = folder();
  await writeFilesAtomically([
    { path: join(root, 'a.bin'), chunks: [Buffer.from('one'), Buffer.from('two')] },
    { path: join(root, 'deep', 'er', 'b.bin'), chunks: [Buffer.from('three')] },
  ]);
  expect(await readFile(join(root, 'a.bin'), 'utf8')).toBe('onetwo');
  expect(await readFile(join(root, 'deep', 'er', 'b.bin'), 'utf8')).toBe('three');
});

test('a failure leaves the earlier files whole and nothing beside them', async () => {
  const root = folder();
  await writeFile(join(root, 'a.bin'), 'before');
  await writeFile(join(root, 'blocked'), 'a file where a folder is wanted');
  const write = writeFilesAtomically([
    { path: join(root, 'a.bin'), chunks: [Buffer.from('after')] },
    { path: join(root, 'blocked', 'b.bin'), chunks: [Buffer.from('never')] },
  ]);
  await expect(write).rejects.toMatchObject({ code: 'ERR_VAE_IO', message: expect.stringMatching(/blocked/) });
  expect(await readFile(join(root, 'a.bin'), 'utf8')).toBe('before');
  expect((await readdir(root)).sort()).toEqual(['a.bin', 'blocked']);
});

// Root may write anywhere, so permissions mean nothing to it.
test.skipIf(process.getuid?.() === 0)('a folder that cannot be written is an error with its reason', async () => {
  const root = folder();
  await chmod(root, 0o500);
  const write = writeFilesAtomically([{ path: join(root, 'a'), chunks: [Buffer.from('x')] }]);
  await expect(write).rejects.toMatchObject({
    code: 'ERR_VAE_IO',
    message: expect.stringMatching(/permission denied/),
  });
});

test.skipIf(process.platform !== 'linux')('a full disk is an error with its reason', async () => {
  // /dev/full refuses every write with ENOSPC, but only under its own name; a link leads to it.
  const { writeAndFlush } = await import('../../src/core/files.js');
  await expect(writeAndFlush('/dev/full', [Buffer.from('x')], 'w')).rejects.toMatchObject({ code: 'ENOSPC' });
});
