/** Commands on a disk that fills up, and on one that is read-only: what is said, and what is left. */
import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Vae, writeNpy } from '../../src/index.js';
import { runCli } from '../cli/run-cli.js';
import { temporaryFolder } from '../support/temporary.js';

/** Mounting a file system of its own needs Linux and root. */
const folder = temporaryFolder('disk');
const mounts: string[] = [];
const canMount = mount('probe', '64k');
afterAll(async () => {
  for (const at of mounts) spawnSync('umount', [at]);
});

/** A small file system of its own below the folder. */
function mount(name: string, size: string): boolean {
  const at = join(folder, name);
  spawnSync('mkdir', ['-p', at]);
  const mounted =
    process.platform === 'linux' && spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', at]).status === 0;
  if (mounted) mounts.push(at);
  return mounted;
}

/** Everything that lies below a folder, without what takes no room. */
async function left(name: string): Promise<string[]> {
  const entries = await readdir(join(folder, name), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
}

describe.skipIf(!canMount)('on a small file system (needs Linux and root)', () => {
  beforeAll(async () => {
    const pictures = Uint8Array.from({ length: 3000 * 784 }, (_, i) => (Math.imul(i, 2654435761) >>> 11) & 255);
    await writeNpy(join(folder, 'pictures.npy'), { data: pictures, shape: [3000, 1, 28, 28] });
    await writeNpy(join(folder, 'latents.npy'), { data: new Float32Array(3000 * 20), shape: [3000, 20] });
    const vae = await Vae.create({
      input: { kind: 'image', height: 28, width: 28 },
      architecture: { type: 'mlp', hidden: [16] },
      latentDim: 2,
    });
    await vae.save(join(folder, 'small'));
    await vae.close();
    const archive = await runCli(['compress', 'pictures.npy', '-m', 'mnist-codec', '-o', 'pictures.vaez'], {
      cwd: folder,
    });
    expect(archive.stderr + archive.stdout).not.toContain('ERR_');
  }, 240_000);

  const WRITING = {
    train: ['train', 'pictures.npy', '--limit', '64', '--epochs', '1', '-o', 'DISK/model'],
    encode: ['encode', 'mnist-mlp', 'pictures.npy', '-o', 'DISK/latents.npy'],
    decode: ['decode', 'mnist-mlp', 'latents.npy', '-o', 'DISK/pictures.npy'],
    sample: ['sample', 'mnist-mlp', '-n', '3000', '-o', 'DISK/samples.npy'],
    plot: [
      'plot',
      'mnist-mlp',
      'pictures.npy',
      '--limit',
      '64',
      '--only',
      'reconstructions,samples',
      '-o',
      'DISK/plots',
    ],
    export: ['export', 'mnist-mlp', '-o', 'DISK/exported'],
    decompress: ['decompress', 'pictures.vaez', '-o', 'DISK/unpacked'],
  };
  const onDisk = (args: readonly string[], disk: string) => args.map((arg) => arg.replace('DISK', disk));

  test.each(Object.entries(WRITING))(
    '%s: a full disk',
    async (name, args) => {
      const disk = `full-${name}`;
      mount(disk, '40k');
      const { code, stderr } = await runCli(onDisk(args, disk), { cwd: folder });
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: expect.stringMatching(/ERR_VAE_IO: .*the disk is full.*\(ENOSPC\)/s),
      });
      // Nothing half written, neither under the name asked for nor beside it; training keeps its log.
      expect(await left(disk)).toEqual(name === 'train' ? ['metrics.jsonl'] : []);
      // What failed leaves nothing that would stand in the way of the next try.
      spawnSync('mount', ['-o', 'remount,size=64m', join(folder, disk)]);
      const again = await runCli(onDisk(args, disk), { cwd: folder });
      expect(again).toMatchObject({ code: 0 });
      expect((await left(disk)).filter((file) => /^\.|\.tmp$|partial/.test(file))).toEqual([]);
    },
    120_000,
  );

  test.each(Object.entries(WRITING))(
    '%s: a read-only disk',
    async (name, args) => {
      const disk = `read-only-${name}`;
      mount(disk, '100k');
      spawnSync('mount', ['-o', 'remount,ro', join(folder, disk)]);
      const { code, stderr } = await runCli(onDisk(args, disk), { cwd: folder });
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: expect.stringMatching(/ERR_VAE_IO: .*read-only.*\(EROFS\)/s),
      });
    },
    120_000,
  );

  test('compress: a full disk leaves what the next try goes on from, and the next try does', async () => {
    const whole = await readFile(join(folder, 'pictures.vaez'));
    mount('archive', `${Math.floor((whole.length * 0.6) / 4096) * 4}k`);
    const args = ['compress', 'pictures.npy', '-m', 'mnist-codec', '-o', 'archive/pictures.vaez'];
    const { code, stderr } = await runCli(args, { cwd: folder });
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/ERR_VAE_IO: .*the disk is full/s) });
    expect(await left('archive')).toEqual(['.pictures.vaez.partial']);
    expect((await stat(join(folder, 'archive', '.pictures.vaez.partial'))).size).toBeGreaterThan(whole.length / 4);
    spawnSync('mount', ['-o', 'remount,size=16m', join(folder, 'archive')]);
    expect(await runCli(args, { cwd: folder })).toMatchObject({ code: 0 });
    expect(await left('archive')).toEqual(['pictures.vaez']);
    expect((await readFile(join(folder, 'archive', 'pictures.vaez'))).equals(whole)).toBe(true);
  }, 240_000);

  test('archive merge and rm: a full disk leaves the archives, and the next try goes on', async () => {
    const { size: whole } = await stat(join(folder, 'pictures.vaez'));
    mount('merged', `${Math.floor((whole * 0.6) / 4096) * 4}k`);
    const half = (first: string, last: string, name: string) =>
      runCli(['archive', 'rm', 'pictures.vaez', '--items', `${first}-${last}`, '-o', name], { cwd: folder });
    expect(await half('0', '1535', 'end.vaez')).toMatchObject({ code: 0 });
    expect(await half('1536', '2999', 'start.vaez')).toMatchObject({ code: 0 });
    const args = ['archive', 'merge', 'start.vaez', 'end.vaez', '-o', 'merged/all.vaez'];
    const { code, stderr } = await runCli(args, { cwd: folder });
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/ERR_VAE_IO: .*the disk is full/s) });
    expect(await left('merged')).toEqual(['.all.vaez.partial']);
    spawnSync('mount', ['-o', 'remount,size=16m', join(folder, 'merged')]);
    expect(await runCli(args, { cwd: folder })).toMatchObject({ code: 0 });
    expect(await left('merged')).toEqual(['all.vaez']);
    expect(
      (await readFile(join(folder, 'merged', 'all.vaez'))).equals(await readFile(join(folder, 'pictures.vaez'))),
    ).toBe(true);
    const size = Math.ceil((await stat(join(folder, 'merged', 'all.vaez'))).size / 4096) * 4;
    spawnSync('mount', ['-o', `remount,size=${Math.floor(size * 1.4)}k`, join(folder, 'merged')]);
    const rm = ['archive', 'rm', 'merged/all.vaez', '--items', '1'];
    expect((await runCli(rm, { cwd: folder })).code).toBe(1);
    expect(await runCli(['archive', 'test', 'merged/all.vaez'], { cwd: folder })).toMatchObject({ code: 0 });
  }, 240_000);

  test('save() over a model on a full disk leaves the model that was there', async () => {
    mount('model', '400k');
    const at = join(folder, 'model', 'it');
    await mkdir(at);
    for (const name of await readdir(join(folder, 'small'))) {
      await writeFile(join(at, name), await readFile(join(folder, 'small', name)));
    }
    await using large = await Vae.create({ input: { kind: 'image', height: 28, width: 28 }, latentDim: 20 });
    await expect(large.save(at)).rejects.toMatchObject({ code: 'ERR_VAE_IO' });
    await using still = await Vae.load(at);
    expect(still.info.latentDim).toBe(2);
    expect((await left('model')).sort()).toEqual((await readdir(join(folder, 'small'))).sort());
  });
});
