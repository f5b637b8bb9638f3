/** Folders of pictures through the commands, with no model and no flag. */
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { makePng } from '../codecs/pngs.js';
import { temporaryFolder } from '../support/temporary.js';
import { runCli } from './run-cli.js';

const cwd = temporaryFolder('cli-photographs');

it('packs, tests and unpacks a folder of pictures', { timeout: 120_000 }, async () => {
  await mkdir(join(cwd, 'photographs'));
  // A folder of the name of the package's model is not the model.
  await mkdir(join(cwd, 'photo-lossless'));
  await writeFile(join(cwd, 'photo-lossless/photo.safetensors'), 'no model');
  const picture = makePng({ width: 90, height: 70, type: 2, depth: 8 });
  await writeFile(join(cwd, 'photographs/a.png'), picture);
  await writeFile(join(cwd, 'photographs/cut.png'), picture.subarray(0, 2000));
  await writeFile(join(cwd, 'photographs/b.jpg'), await sharp(picture).jpeg().toBuffer());
  const packed = await runCli(['compress', 'photographs', '-o', 'p.vaez'], { cwd });
  expect(packed.code, packed.stderr).toBe(0);
  expect(packed.stderr).toMatch(/note: 1 JPEG file of [\d,]+ bytes is stored byte for byte/);
  expect(packed.stderr).toMatch(/stored as it is: cut.png: .*cut.png cannot be kept as pixels/);
  const tested = await runCli(['archive', 'test', 'p.vaez', '--json'], { cwd });
  expect(JSON.parse(tested.stdout)).toMatchObject({ kind: 'photographs', untested: 0, damaged: [] });
  const unpacked = await runCli(['decompress', 'p.vaez', '-o', 'out', '--json'], { cwd });
  expect(JSON.parse(unpacked.stdout)).toMatchObject({ items: 1, files: 3, complete: true });
  const [was, is] = await Promise.all(
    [picture, await readFile(join(cwd, 'out/a.png'))].map((each) => sharp(each).raw().toBuffer()),
  );
  expect(Buffer.compare(was!, is!)).toBe(0);
  const kept = await runCli(['compress', 'photographs', '-o', 'k.vaez', '--keep-files', '--json'], { cwd });
  expect(JSON.parse(kept.stdout)).toMatchObject({ items: 0, storedFiles: 3, verified: true });
  await runCli(['decompress', 'k.vaez', '-o', 'kept'], { cwd });
  expect(await readFile(join(cwd, 'kept/a.png'))).toEqual(picture);
  await writeFile(join(cwd, 'a.bin'), 'abc');
  const none = await runCli(['compress', 'a.bin', '-o', 'n.vaez'], { cwd });
  expect(none.code).not.toBe(0);
  expect(none.stderr).toMatch(/a.bin is no picture. Anything else needs a model/);
});

it('writes small archives to standard output, a pipe or a file, as it writes them to a path', {
  timeout: 120_000,
}, async () => {
  await mkdir(join(cwd, 'one'));
  await mkdir(join(cwd, 'two'));
  const icon = makePng({ width: 24, height: 24, type: 6, depth: 8, value: (x, y) => (x > y ? 200 : 0) });
  const waves = (x: number, y: number, channel: number): number =>
    Math.round(128 + 60 * Math.sin(x / 9 + channel) + 50 * Math.cos((x + y) / 13)) + ((x * 7919 + y * 104_729) % 13);
  await writeFile(join(cwd, 'one/icon.png'), icon);
  await writeFile(join(cwd, 'two/waves.png'), makePng({ width: 150, height: 100, type: 2, depth: 8, value: waves }));
  await writeFile(join(cwd, 'two/notes.txt'), 'beside the picture');
  // Forms of one record of pictures have 0x20 and more, of a few records with a model 0x1c.
  for (const [folder, form] of [
    ['one', 0x20],
    ['two', 0x1c],
  ] as const) {
    expect((await runCli(['compress', folder, '-o', `${folder}.vaez`], { cwd })).code).toBe(0);
    const archive = await readFile(join(cwd, `${folder}.vaez`));
    expect(archive[3]! & 0xfc).toBe(form);
    const piped = await runCli(['compress', folder, '-o', '-'], { cwd, encoding: 'latin1' });
    expect(piped.code, piped.stderr).toBe(0);
    expect(Buffer.from(piped.stdout, 'latin1')).toEqual(archive);
    const file = await open(join(cwd, `${folder}.out`), 'w');
    try {
      const written = await runCli(['compress', folder, '-o', '-'], { cwd, stdout: file.fd });
      expect(written.code, written.stderr).toBe(0);
    } finally {
      await file.close();
    }
    expect(await readFile(join(cwd, `${folder}.out`))).toEqual(archive);
    const tested = await runCli(['archive', 'test', `${folder}.out`, '--json'], { cwd });
    expect(JSON.parse(tested.stdout)).toMatchObject({ kind: 'photographs', bytes: archive.length, damaged: [] });
  }
  const { code, stdout } = await runCli(['decompress', 'one.out', '-o', '-'], { cwd, encoding: 'latin1' });
  expect(code).toBe(0);
  const [was, is] = await Promise.all(
    [icon, Buffer.from(stdout, 'latin1')].map((each) => sharp(each).raw().toBuffer()),
  );
  expect(Buffer.compare(was!, is!)).toBe(0);
});
