/** Names of files that are not complete yet: of any name, of one job, and gone when their job is dead. */
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { writeFilesAtomically } from '../../src/core/files.js';
import { besideName, temporaryBeside } from '../../src/core/temporary.js';
import { WavWriter } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('temporary');
const LONG_AGO = new Date(Date.now() - 2 * 3_600_000);

it('temporary names never depend on the length of the name', async () => {
  for (const name of ['a', 'x'.repeat(255), '\u4e2d'.repeat(85), '\u{1f600}'.repeat(63)]) {
    for (const path of [temporaryBeside(join(folder, name)), join(folder, besideName(name, 'partial'))]) {
      expect(Buffer.byteLength(basename(path))).toBeLessThan(144);
    }
    const writer = await WavWriter.create(join(folder, `${name.slice(0, 60)}.wav`), { sampleRate: 8000, channels: 1 });
    await writer.close();
    if (Buffer.byteLength(name) > 250)
      await writeFilesAtomically([{ path: join(folder, name), chunks: [Buffer.of(1)] }]);
  }
  expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
});

it('two jobs never have one temporary name, whatever their process numbers are', () => {
  const names = new Set(Array.from({ length: 1000 }, () => temporaryBeside('out/model.onnx')));
  expect(names.size).toBe(1000);
});

it('what killed jobs left beside a file is removed by the next that writes it; nothing else is', async () => {
  const own = join(folder, 'own');
  await mkdir(own);
  const dead = Array.from({ length: 163 }, (_, index) => `.run.json.${index.toString(16).padStart(12, '0')}.tmp`);
  const others = [
    '.run.json.0123456789ab.tmp', // of a job that is at work
    '.other.json.0123456789ab.tmp',
    '.run.json.backup.tmp',
    'run.json.0123456789ab.tmp',
    '.run.json.partial',
  ];
  for (const name of [...dead, ...others]) {
    await writeFile(join(own, name), 'x');
    if (name !== others[0]) await utimes(join(own, name), LONG_AGO, LONG_AGO);
  }
  await writeFilesAtomically([{ path: join(own, 'run.json'), chunks: [Buffer.from('{}')] }]);
  expect((await readdir(own)).sort()).toEqual([...others, 'run.json'].sort());
});
