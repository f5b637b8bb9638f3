/** Where commands write: nothing is replaced, no ending stands for another format, links and devices stay; and what is said. */
import { spawnSync } from 'node:child_process';
import { chmod, lstat, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { RowProgress, ShareProgress } from '../../src/cli/progress.js';
import { compress, decompress } from '../../src/codecs/index.js';
import { Codec } from '../../src/codecs/lossless/codec.js';
import { encodePng } from '../../src/codecs/lossless/image-files.js';
import { writeNpy } from '../../src/index.js';
import { MNIST, runCli } from '../cli/run-cli.js';
import { randomSpec } from '../codecs/random-spec.js';
import { temporaryFolder } from '../support/temporary.js';
import { read } from './trees.js';

const cwd = temporaryFolder('outputs');
const at = (...parts: string[]) => join(cwd, ...parts);
const MAIN = join(import.meta.dirname, '../../dist/cli/main.js');
const cli = (...args: string[]) => runCli(args, { cwd });

beforeAll(async () => {
  await using codec = await Codec.make([1, 6, 5], randomSpec(1, 6, 5));
  await codec.save(at('model'));
  await mkdir(at('in'));
  for (let index = 0; index < 40; index += 1) {
    const pixels = Uint8Array.from({ length: 30 }, (_, i) => (Math.imul(i + 31 * index, 2654435761) >>> 11) & 255);
    await writeFile(at('in', `${String(index).padStart(2, '0')}.png`), await encodePng(pixels, [1, 6, 5]));
  }
  await compress(at('in'), { model: codec, output: at('x.vaez'), chunkItems: 8 });
  await writeFile(at('digit.png'), await encodePng(new Uint8Array(784).fill(7), [1, 28, 28]));
  expect((await cli('encode', 'mnist-mlp', MNIST, '--limit', '4', '-o', 'latents.npy')).code).toBe(0);
});

const WRITERS: readonly (readonly [command: string, args: readonly string[], output: string])[] = [
  ['encode', ['mnist-mlp', MNIST, '--limit', '4'], 'out.npy'],
  ['decode', ['mnist-mlp', 'latents.npy'], 'out.png'],
  ['sample', ['mnist-mlp', '-n', '4'], 'out.png'],
  ['reconstruct', ['mnist-mlp', 'digit.png'], 'out.png'],
  ['score', ['mnist-mlp', MNIST, '--limit', '4'], 'out.csv'],
  ['plot', ['mnist-mlp', MNIST, '--limit', '40'], 'folder'],
];

describe.each(WRITERS)('%s', (command, args, output) => {
  it('replaces nothing without --force', async () => {
    const place = at(command);
    await rm(place, { recursive: true, force: true });
    await mkdir(place);
    const file = output === 'folder' ? join(place, output, 'mine.txt') : join(place, output);
    if (output === 'folder') await mkdir(join(place, output));
    await writeFile(file, 'mine');
    const { code, stderr } = await cli(command, ...args, '-o', join(command, output));
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringMatching(/is there already|files in it/) });
    expect(await readFile(file, 'utf8')).toBe('mine');
    expect(await readdir(place, { recursive: true })).toHaveLength(output === 'folder' ? 2 : 1);
  });

  it.skipIf(output === 'folder')('writes no other format under an ending that it does not know', async () => {
    const { code, stderr } = await cli(command, ...args, '-o', `${command}.xyz`);
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('.xyz') });
    expect(await readdir(cwd)).not.toContain(`${command}.xyz`);
  });
});

it('export replaces networks only where that is said (--overwrite)', async () => {
  await mkdir(at('networks'));
  await writeFile(at('networks', 'encoder.onnx'), 'mine');
  expect((await cli('export', 'mnist-mlp', '-o', 'networks')).code).toBe(2);
  expect(await readFile(at('networks', 'encoder.onnx'), 'utf8')).toBe('mine');
  expect(await readdir(at('networks'))).toEqual(['encoder.onnx']);
});

describe.skipIf(process.platform === 'win32')('devices (of a Unix)', () => {
  it('/dev/stdout is written to, and stays the link that it is', async () => {
    const before = await lstat('/dev/stdout');
    const args = [MAIN, 'compress', 'in', '-m', 'model', '-o', '/dev/stdout'];
    const { status, stdout } = spawnSync(process.execPath, args, { cwd });
    expect(status).toBe(0);
    const now = await lstat('/dev/stdout');
    expect([now.ino, now.isSymbolicLink()]).toEqual([before.ino, before.isSymbolicLink()]);
    await decompress(new Uint8Array(stdout), { model: at('model'), output: at('stdout') });
    expect([...(await read(at('stdout'))).keys()]).toHaveLength(40);
  });

  it.each([
    ['encode', ['mnist-mlp', MNIST, '--limit', '4']],
    ['sample', ['mnist-mlp', '-n', '4']],
    ['decode', ['mnist-mlp', 'latents.npy']],
  ])('standard output carries what %s writes, pipe or socket', async (command, rest) => {
    await writeNpy(at('latents.npy'), { data: new Float32Array(3 * 20), shape: [3, 20] });
    // Node makes sockets of the streams of programs that it starts.
    const args = [command, ...rest, '-o', '-'];
    const { status, stdout } = spawnSync(process.execPath, [MAIN, ...args], { cwd });
    expect({ status, start: stdout.subarray(1, 6).toString() }).toEqual({ status: 0, start: 'NUMPY' });
    const piped = spawnSync('sh', ['-c', '"$@" | head -c 6 | tail -c 5', 'sh', process.execPath, MAIN, ...args], {
      cwd,
    });
    expect(piped.stdout.toString()).toBe('NUMPY');
  });

  it('of a file that may not be read the permission is named', async () => {
    await mkdir(at('closed'));
    await writeFile(at('closed', 'a.png'), await readFile(at('in', '00.png')));
    await writeFile(at('closed', 'b.png'), await readFile(at('in', '01.png')));
    await chmod(at('closed', 'b.png'), 0);
    await chmod(cwd, 0o777);
    // The superuser may read everything.
    const own = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [MAIN, ...args], {
        cwd,
        encoding: 'utf8',
        env: { ...process.env, HOME: cwd },
        ...own,
      });
    if (run('--version').status !== 0) return; // this checkout lies where only the superuser may go
    const { status, stderr } = run('compress', 'closed', '-m', 'model', '-o', 'closed.vaez');
    expect({ status, stderr }).toMatchObject({ status: 1, stderr: expect.stringMatching(/b\.png.*permission/) });
    const skipped = run('compress', 'closed', '-m', 'model', '-o', 'closed.vaez', '--skip-bad', '--json');
    expect(skipped.status).toBe(3);
    expect(JSON.parse(skipped.stdout).leftOut).toEqual([
      { name: 'b.png', reason: expect.stringContaining('permission') },
    ]);
  });
});

describe('damage', () => {
  it('a flipped bit anywhere in the first 150 bytes loses nothing with --salvage, and gives nothing wrong without', async () => {
    const whole = await readFile(at('x.vaez'));
    const wanted = await read(at('in'));
    for (let byte = 0; byte < 150; byte += 7) {
      const bytes = Buffer.from(whole);
      bytes[byte]! ^= 1 << (byte & 7);
      const out = at(`flipped-${byte}`);
      const options = { model: at('model'), output: out };
      const plain = await decompress(new Uint8Array(bytes), options).catch((error: { code: string }) => error.code);
      if (typeof plain !== 'string') await rm(out, { recursive: true });
      const salvaged = await decompress(new Uint8Array(bytes), { ...options, salvage: true });
      const got = await read(out);
      for (const [name, is] of got) expect(is.equals(wanted.get(name)!), `${byte}: ${name}`).toBe(true);
      // Beyond the header lies the first chunk, of eight.
      const lost = salvaged.damaged.reduce((sum, { items }) => sum + items, 0);
      expect(got.size, `byte ${byte}`).toBe(40 - lost);
      expect(lost).toBeLessThanOrEqual(8);
    }
  });

  it('what --salvage could not save is counted, with exit code 3', async () => {
    const bytes = await readFile(at('x.vaez'));
    bytes[bytes.length >> 1]! ^= 4;
    await writeFile(at('hurt.vaez'), bytes);
    const { code, stdout } = await cli('decompress', 'hurt.vaez', '-m', 'model', '-o', 'hurt', '--salvage');
    expect({ code, stdout }).toMatchObject({ code: 3, stdout: expect.stringMatching(/\b8 of 40\b|\b32 of 40\b/) });
    expect([...(await read(at('hurt'))).keys()]).toHaveLength(32);
    expect((await cli('archive', 'test', 'hurt.vaez', '-m', 'model')).code).toBe(1);
    expect((await cli('archive', 'info', 'x.vaez')).code).toBe(0);
    expect((await cli('info', 'x.vaez')).stderr).toContain('node-vae archive info x.vaez');
  });
});

describe('progress', () => {
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  it('is a line each minute in a log, and nothing where none is wanted', () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const said: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
    for (const [mode, lines] of [
      ['plain', 3],
      ['none', 0],
    ] as const) {
      said.length = 0;
      const progress = new RowProgress('compressing', 1000, 16, mode);
      for (let second = 0; second < 200; second += 1) {
        vi.advanceTimersByTime(1000);
        progress.update(second * 5);
      }
      progress.close();
      expect(said.filter((line) => /compressing: [\d,]+ of 1,000, about/.test(line))).toHaveLength(lines);
    }
  });

  it('tells of large items the share that is done, and nothing of time before that is known', () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const said: string[] = [];
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
    const progress = new ShareProgress('compressing', 'plain');
    for (const share of [0, 0.25, 0.5, 1]) {
      vi.advanceTimersByTime(60_000);
      progress.update({ items: Math.floor(share), totalItems: 1, share });
    }
    progress.close();
    expect(said.map((line) => line.trim())).toEqual([
      'compressing: 0%, 0 of 1',
      'compressing: 25%, 0 of 1, about 6 min 00 s left',
      'compressing: 50%, 0 of 1, about 3 min 00 s left',
      'compressing: 100%, 1 of 1, about 0 s left',
    ]);
    said.length = 0;
    const bar = new ShareProgress('compressing', 'bar');
    bar.update({ items: 0, totalItems: 1, share: 0.1 });
    expect(said).toEqual([]);
    vi.advanceTimersByTime(10_000);
    bar.update({ items: 0, totalItems: 1, share: 0.25 });
    bar.close();
    expect(said.join('')).toMatch(/25% {2}0 of 1, about 30 s left/);
  });
});
