/** What the user calls lossless is: profiles, orientation, frames, text and resolution come out, or the file is kept whole. */
import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { Codec } from '../../src/codecs/lossless/codec.js';
import { encodePng } from '../../src/codecs/lossless/image-files.js';
import { runCli } from '../cli/run-cli.js';
import { randomSpec } from '../codecs/random-spec.js';
import { temporaryFolder } from '../support/temporary.js';

const cwd = temporaryFolder('kept');
const at = (...parts: string[]) => join(cwd, ...parts);
const pixels = Uint8Array.from({ length: 90 }, (_, i) => (Math.imul(i, 2654435761) >>> 9) & 255);

/** A chunk of a PNG file, right behind its header. */
function withChunk(png: Buffer, type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length, 0);
  frame.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([png.subarray(0, 33), frame.subarray(0, 4), body, frame.subarray(4), png.subarray(33)]);
}

const image = () => sharp(pixels, { raw: { width: 5, height: 6, channels: 3 } });
/** Two frames of one size below one another, as sharp joins them. */
const frames = () =>
  sharp(Buffer.concat([pixels, pixels.toReversed()]), { raw: { width: 5, height: 12, channels: 3, pageHeight: 6 } });

/** Files that are more than their pixels, and what is said of them. */
const WHOLE: readonly (readonly [name: string, make: () => Promise<Buffer>, said: RegExp])[] = [
  ['display-p3.png', () => image().withIccProfile('p3').png().toBuffer(), /colour profile/],
  ['oriented.png', () => image().withMetadata({ orientation: 6 }).png().toBuffer(), /EXIF|profile/],
  [
    'frames.png',
    async () => withChunk(await encodePng(pixels, [3, 6, 5]), 'acTL', Buffer.from([0, 0, 0, 1, 0, 0, 0, 0])),
    /several frames/,
  ],
  ['frames.gif', () => frames().gif().toBuffer(), /GIF file/],
  ['frames.webp', () => frames().webp({ lossless: true }).toBuffer(), /WebP file/i],
  ['pages.tiff', () => image().tiff().toBuffer(), /TIFF file/i],
  ['oriented.jpg', () => image().withMetadata({ orientation: 6 }).jpeg().toBuffer(), /JPEG file/],
];

const pack = (input: string, output: string, ...more: string[]) =>
  runCli(['compress', input, '-m', 'model', '-o', output, '--json', ...more], { cwd });

beforeAll(async () => {
  await using codec = await Codec.make([3, 6, 5], randomSpec(1, 6, 5, 3));
  await codec.save(at('model'));
  await mkdir(at('in'));
  await writeFile(at('in', 'plain.png'), await encodePng(pixels, [3, 6, 5]));
  for (const [name, make] of WHOLE) await writeFile(at('in', name), await make());
});

describe('pictures that are more than their pixels', () => {
  it('are kept as the files that they are, by name and with the reason', async () => {
    const { code, stdout } = await pack('in', 'x.vaez');
    expect(code).toBe(0);
    const result = JSON.parse(stdout) as { items: number; storedBecause: { name: string; reason: string }[] };
    expect(result.items).toBe(1);
    expect(result.storedBecause.map(({ name }) => name).sort()).toEqual(WHOLE.map(([name]) => name).sort());
    for (const [name, , said] of WHOLE)
      expect(result.storedBecause.find((each) => each.name === name)?.reason).toMatch(said);
    expect((await runCli(['decompress', 'x.vaez', '-m', 'model', '-o', 'out'], { cwd })).code).toBe(0);
    for (const name of await readdir(at('in')))
      expect((await readFile(at('out', name))).equals(await readFile(at('in', name))), name).toBe(true);
  });

  it('are refused by name where nothing else is to be stored', async () => {
    for (const [name, , said] of WHOLE) {
      const { code, stderr } = await pack(join('in', name), 'refused.vaez', '--others', 'fail');
      expect({ name, code }).toEqual({ name, code: 1 });
      expect(stderr).toContain(name);
      expect(stderr).toMatch(said);
    }
    expect((await readdir(cwd)).filter((name) => name.includes('refused'))).toEqual([]);
  });

  it('lose what is beside their pixels only where that is asked for', async () => {
    // Turned, it is 5 high and 6 wide: nothing of the model's shape.
    const { code, stderr } = await pack('in/oriented.png', 'pixels.vaez', '--pixels-only');
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('oriented.png') });
    const profile = await pack('in/display-p3.png', 'profile.vaez', '--pixels-only');
    expect(JSON.parse(profile.stdout)).toMatchObject({ items: 1, storedFiles: 0 });
  });
});

it('text, resolution and gamma of a PNG come out with its pixels', async () => {
  const wanted = await sharp(await encodePng(pixels, [3, 6, 5]))
    .raw()
    .toBuffer();
  const chunks: [string, Buffer][] = [
    ['tEXt', Buffer.from('Author\0somebody')],
    ['pHYs', Buffer.from([0, 0, 11, 19, 0, 0, 11, 19, 1])],
    ['gAMA', Buffer.from([0, 0, 177, 143])],
  ];
  await mkdir(at('beside'));
  for (const [type, data] of chunks)
    await writeFile(at('beside', `${type}.png`), withChunk(await encodePng(pixels, [3, 6, 5]), type, data));
  const { stdout } = await pack('beside', 'beside.vaez');
  const { items, storedFiles } = JSON.parse(stdout) as { items: number; storedFiles: number };
  expect(items + storedFiles).toBe(3);
  expect((await runCli(['decompress', 'beside.vaez', '-m', 'model', '-o', 'beside-out'], { cwd })).code).toBe(0);
  for (const [type, data] of chunks) {
    const out = await readFile(at('beside-out', `${type}.png`));
    const place = out.indexOf(type, 0, 'latin1');
    expect(out.subarray(place + 4, place + 4 + data.length).equals(data), type).toBe(true);
    expect((await sharp(out).raw().toBuffer()).equals(wanted), type).toBe(true);
  }
});

describe.skipIf(process.platform === 'win32')('what killed jobs left', () => {
  const old = new Date(Date.now() - 2 * 3_600_000);

  it('partials by the process number, of earlier releases, go when the same archive is written again', async () => {
    for (const name of ['.y.vaez.3.partial', '.y.vaez.4.partial', '.other.vaez.3.partial'])
      await writeFile(at(name), 'of a dead job');
    await utimes(at('.y.vaez.3.partial'), old, old);
    await utimes(at('.other.vaez.3.partial'), old, old);
    expect((await pack('in/plain.png', 'y.vaez')).code).toBe(0);
    // One that is younger than an hour may be somebody's, and so may another archive's.
    expect((await readdir(cwd)).filter((name) => name.endsWith('.partial')).sort()).toEqual([
      '.other.vaez.3.partial',
      '.y.vaez.4.partial',
    ]);
  });

  it('and so do numbered temporary files, when the same file is written again', async () => {
    await mkdir(at('temporary'));
    for (const name of ['.a.png.0123456789ab.tmp', '.a.png.ba9876543210.tmp', '.b.png.0123456789ab.tmp'])
      await writeFile(at('temporary', name), 'of a dead job');
    await utimes(at('temporary', '.a.png.0123456789ab.tmp'), old, old);
    await utimes(at('temporary', '.b.png.0123456789ab.tmp'), old, old);
    expect((await runCli(['sample', 'mnist-mlp', '-n', '4', '-o', 'temporary/a.png'], { cwd })).code).toBe(0);
    expect((await readdir(at('temporary'))).sort()).toEqual([
      '.a.png.ba9876543210.tmp',
      '.b.png.0123456789ab.tmp',
      'a.png',
    ]);
  });

  it('and so do folders of what was read from pipes, but not that of a job that lives', async () => {
    const spools = at('spools');
    const input = await readFile(at('in', 'plain.png'));
    const main = join(import.meta.dirname, '../../dist/cli/main.js');
    const begin = (output: string) => {
      const args = [main, 'compress', '-', '-m', 'model', '-o', output];
      const child = spawn(process.execPath, args, {
        ...{ cwd, env: { ...process.env, TMPDIR: spools } },
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      return { child, ended: new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code))) };
    };
    const found = async () => (await readdir(spools)).filter((name) => name.startsWith('node-vae-input-'));
    await mkdir(join(spools, 'node-vae-input-dead'), { recursive: true });
    for (const name of ['lock', '0-standard-input'])
      await writeFile(join(spools, 'node-vae-input-dead', name), 'of a dead job');
    // It waits for the rest of its input.
    const living = begin('living.vaez');
    living.child.stdin?.write(input.subarray(0, 20));
    while (!(await found()).some((name) => !name.endsWith('dead'))) await new Promise((go) => setTimeout(go, 10));
    const [own] = (await found()).filter((name) => !name.endsWith('dead'));
    // Its folder is there before it is locked; the file in it comes after that.
    while (!(await readdir(join(spools, own!))).includes('0')) await new Promise((go) => setTimeout(go, 10));
    const other = begin('spooled.vaez');
    other.child.stdin?.end(input);
    expect(await other.ended).toBe(0);
    expect(await found()).toEqual([own]);
    living.child.stdin?.end(input.subarray(20));
    expect(await living.ended).toBe(0);
    expect(await found()).toEqual([]);
    expect((await readFile(at('living.vaez'))).equals(await readFile(at('spooled.vaez')))).toBe(true);
  });
});
