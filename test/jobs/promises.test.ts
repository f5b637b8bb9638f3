/** What jobs over archives promise, by the commands that people type. */
import { spawn, spawnSync } from 'node:child_process';
import { copyFile, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Codec } from '../../src/codecs/lossless/codec.js';
import { encodePng } from '../../src/codecs/lossless/image-files.js';
import { runCli } from '../cli/run-cli.js';
import { randomSpec } from '../codecs/random-spec.js';
import { temporaryFolder } from '../support/temporary.js';
import { read } from './trees.js';

const cwd = temporaryFolder('promises');
const at = (...parts: string[]) => join(cwd, ...parts);
const cli = (...args: string[]) => runCli(args, { cwd });
const pack = (input: string, output: string, ...more: string[]) =>
  cli('compress', input, '-m', 'model', '-o', output, '--json', ...more);

beforeAll(async () => {
  await using codec = await Codec.make([1, 6, 5], randomSpec(1, 6, 5));
  await codec.save(at('model'));
  await mkdir(at('in', 'deep'), { recursive: true });
  for (let index = 0; index < 6; index += 1) {
    const pixels = Uint8Array.from({ length: 30 }, (_, i) => (i * 7 + index) & 255);
    await writeFile(at('in', index < 3 ? '' : 'deep', `${index}.png`), await encodePng(pixels, [1, 6, 5]));
  }
  for (const name of ['a.jfif', 'b.heic', 'c.bmp', 'd.jp2', 'e.mp3', 'no-ending'])
    await writeFile(at('in', name), name);
});

describe.skipIf(process.platform === 'win32')('jobs (links and pipes need a Unix)', () => {
  it('files of every kind are in the archive, and come out byte for byte', async () => {
    expect((await pack('in', 'all.vaez')).code).toBe(0);
    expect((await cli('decompress', 'all.vaez', '-m', 'model', '-o', 'all')).code).toBe(0);
    expect([...(await read(at('all'))).keys()].sort()).toEqual([...(await read(at('in'))).keys()].sort());
    for (const name of ['a.jfif', 'no-ending']) expect(await readFile(at('all', name), 'utf8')).toBe(name);
  });

  it('what is left out is named, counted, and told by exit code 3', async () => {
    const { code, stdout } = await pack('in', 'skip.vaez', '--others', 'skip');
    expect(code).toBe(3);
    const { leftOut } = JSON.parse(stdout) as { leftOut: { name: string }[] };
    expect(leftOut.map(({ name }) => name).sort()).toEqual([
      'a.jfif',
      'b.heic',
      'c.bmp',
      'd.jp2',
      'e.mp3',
      'no-ending',
    ]);
    expect((await pack('in', 'fail.vaez', '--others', 'fail')).code).toBe(1);
    const some = await pack('in', 'some.vaez', '--include', '*.png', '--exclude', 'deep/**');
    expect(JSON.parse(some.stdout)).toMatchObject({ items: 3, leftOut: [] });
  });

  it('links are followed unless --no-dereference, and loops are found', async () => {
    await mkdir(at('links'));
    await symlink(at('in'), at('links', 'folder'));
    await symlink(at('in', '0.png'), at('links', 'file.png'));
    await symlink('.', at('links', 'loop'));
    await symlink('nowhere', at('links', 'dead.png'));
    const followed = JSON.parse((await pack('links', 'links.vaez')).stdout);
    expect(followed.items).toBe(7);
    expect(followed.leftOut.map(({ name }: { name: string }) => name).sort()).toEqual(['dead.png', 'loop']);
    await copyFile(at('in', '1.png'), at('links', 'own.png'));
    const kept = await pack('links', 'kept.vaez', '--no-dereference');
    expect(kept.code).toBe(3);
    expect(JSON.parse(kept.stdout)).toMatchObject({ items: 1, leftOut: { length: 4 } });
  });

  it('an output that is an input is refused, through links too; a link as output keeps being one', async () => {
    const digits = Buffer.concat([Buffer.from([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 6, 0, 0, 0, 5]), Buffer.alloc(60, 7)]);
    await writeFile(at('rows'), digits);
    await symlink('rows', at('alias'));
    for (const output of ['rows', 'alias']) {
      const { code, stderr } = await cli('compress', 'rows', '-m', 'model', '-o', output, '--force');
      expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('is the input itself') });
    }
    expect((await readFile(at('rows'))).equals(digits)).toBe(true);
    await symlink('target.vaez', at('link.vaez'));
    expect((await pack('in', 'link.vaez')).code).toBe(0);
    expect((await lstat(at('link.vaez'))).isSymbolicLink()).toBe(true);
    expect((await stat(at('target.vaez'))).isFile()).toBe(true);
  });

  it('streams: standard input and output, and a FIFO that stays one', async () => {
    const program = process.argv[0]!;
    const main = join(import.meta.dirname, '../../dist/cli/main.js');
    const packed = spawnSync(program, [main, 'compress', 'in/0.png', '-m', 'model', '-o', '-'], { cwd });
    expect(packed.status).toBe(0);
    const out = spawnSync(program, [main, 'decompress', '-', '-m', 'model', '-o', 'piped'], {
      cwd,
      input: packed.stdout,
    });
    expect(out.status).toBe(0);
    expect(await readdir(at('piped'))).toEqual(['0.png']);
    expect(spawnSync('mkfifo', [at('fifo')]).status).toBe(0);
    const reader = spawn('cat', [at('fifo')]);
    const got: Buffer[] = [];
    reader.stdout.on('data', (bytes: Buffer) => got.push(bytes));
    const closed = new Promise((resolve) => reader.on('close', resolve));
    expect((await cli('compress', 'in/0.png', '-m', 'model', '-o', 'fifo')).code).toBe(0);
    await closed;
    expect((await lstat(at('fifo'))).isFIFO()).toBe(true);
    expect(Buffer.concat(got).equals(packed.stdout)).toBe(true);
  });

  it('decompress overwrites nothing without --force; --skip-existing leaves and names, exit code 3', async () => {
    expect((await pack('in', 'over.vaez')).code).toBe(0);
    await mkdir(at('over'));
    await writeFile(at('over', '1.png'), 'mine');
    const unpack = ['decompress', 'over.vaez', '-m', 'model', '-o', 'over'];
    const refused = await cli(...unpack);
    expect(refused.code).toBe(1);
    expect(await readdir(at('over'))).toEqual(['1.png']);
    const skipped = await cli(...unpack, '--skip-existing');
    expect({ code: skipped.code, stderr: skipped.stderr }).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('1.png'),
    });
    expect(await readFile(at('over', '1.png'), 'utf8')).toBe('mine');
    expect((await cli(...unpack, '--force')).code).toBe(0);
    expect(await readFile(at('over', '1.png'), 'utf8')).not.toBe('mine');
  });

  it('append refuses names that are there, and archives that are cut or damaged, and changes nothing', async () => {
    expect((await pack('in', 'grow.vaez')).code).toBe(0);
    const whole = await readFile(at('grow.vaez'));
    expect((await pack('in', 'grow.vaez', '--append')).code).toBe(1);
    await mkdir(at('more'));
    await copyFile(at('in', '0.png'), at('more', 'new.png'));
    const flipped = Buffer.from(whole);
    flipped[flipped.length >> 1]! ^= 1;
    for (const bytes of [whole.subarray(0, -30), whole.subarray(0, -200), flipped]) {
      await writeFile(at('grow.vaez'), bytes);
      expect((await pack('more', 'grow.vaez', '--append')).code).toBe(1);
      expect((await readFile(at('grow.vaez'))).equals(bytes)).toBe(true);
    }
    await writeFile(at('grow.vaez'), whole);
    expect((await pack('more', 'grow.vaez', '--append')).code).toBe(0);
    expect((await cli('archive', 'test', 'grow.vaez', '-m', 'model')).code).toBe(0);
  });

  it('identical files are stored once', async () => {
    await mkdir(at('same'));
    const bytes = Buffer.from(Array.from({ length: 50_000 }, (_, i) => (Math.imul(i, 2654435761) >>> 13) & 255));
    for (const name of ['a.bin', 'b.bin', 'c.bin']) await writeFile(at('same', name), bytes);
    await copyFile(at('in', '0.png'), at('same', 'x.png'));
    const { bytesOut } = JSON.parse((await pack('same', 'same.vaez')).stdout) as { bytesOut: number };
    expect(bytesOut).toBeLessThan(52_000);
  });

  it('a partial of other input is kept and told, or dropped where that is asked for', async () => {
    await writeFile(at('.other.vaez.partial'), 'of another job');
    const kept = await pack('in', 'other.vaez');
    expect(kept.stderr).toContain('it was kept as');
    expect(await readFile(at('.other.vaez.partial.1'), 'utf8')).toBe('of another job');
    await writeFile(at('.drop.vaez.partial'), 'of another job');
    expect((await pack('in', 'drop.vaez', '--drop-partial')).stderr).toContain('was dropped');
    expect((await readdir(cwd)).filter((name) => name.startsWith('.drop'))).toEqual([]);
  });

  it('archives written one behind the other are recognised, and both come out with --salvage', async () => {
    await mkdir(at('second'));
    await copyFile(at('in', '0.png'), at('second', 'second.png'));
    await writeFile(at('second', 'long.txt'), 'text '.repeat(40_000));
    await pack('in', 'one.vaez', '--embed-model');
    await pack('second', 'two.vaez', '--embed-model');
    await writeFile(at('both.vaez'), Buffer.concat([await readFile(at('one.vaez')), await readFile(at('two.vaez'))]));
    expect((await cli('decompress', 'both.vaez', '-o', 'both')).stderr).toContain('Two archives stand one behind');
    expect((await cli('decompress', 'both.vaez', '-o', 'both', '--salvage')).code).toBe(0);
    expect([...(await read(at('both'))).keys()]).toEqual(expect.arrayContaining(['0.png', 'second.png', 'deep/5.png']));
  });
});

it('small files cost no more than their bytes and names and 1%, or 64 bytes', async () => {
  await mkdir(at('tiny'));
  let size = 0;
  for (let index = 0; index < 300; index += 1) {
    const name = `f${Math.imul(index + 1, 2654435761) >>> 8}`;
    const bytes = Buffer.from(
      Array.from({ length: index % 90 }, (_, i) => (Math.imul(i + 99 * index, 40503) >>> 7) & 255),
    );
    await writeFile(at('tiny', name), bytes);
    size += bytes.length + Buffer.byteLength(name);
  }
  await copyFile(at('in', '0.png'), at('tiny', 'x.png'));
  size += (await stat(at('tiny', 'x.png'))).size + 5;
  const { bytesOut } = JSON.parse((await pack('tiny', 'tiny.vaez')).stdout) as { bytesOut: number };
  expect(bytesOut).toBeLessThanOrEqual(size + Math.max(64, size / 100));
});
