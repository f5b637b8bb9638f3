/** One command for a job that may be interrupted: it begins, goes on, is done, and refuses what contradicts it. */
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary.js';
import { MNIST, runCli } from './run-cli.js';

const cwd = temporaryFolder('resume');
const RUN = ['--limit', '300', '--hidden', '16', '--latent', '3', '--seed', '7', '--no-validation', '--json'];
const COMMAND = ['train', MNIST, ...RUN, '--batch-size', '32', '--learning-rate', '0.002', '--resume', '--epochs'];

interface Result {
  readonly epochs: number;
  readonly history: readonly { readonly train: object }[];
}

async function train(args: readonly string[]): Promise<Result> {
  const { code, stdout, stderr } = await runCli(args, { cwd });
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return JSON.parse(stdout) as Result;
}

describe('train --resume', () => {
  it('begins where there is nothing, in folders that are there or not', async () => {
    await mkdir(join(cwd, 'empty'));
    for (const out of ['empty', 'new/deep']) expect((await train([...COMMAND, '2', '-o', out])).epochs).toBe(2);
  });

  it('goes on with the very options that it was started with, and comes to what one run comes to', async () => {
    await train([...COMMAND, '2', '-o', 'parts']);
    const parts = await train([...COMMAND, '4', '-o', 'parts']);
    const whole = await train([...COMMAND.filter((each) => each !== '--resume'), '4', '-o', 'whole']);
    expect(parts.history).toHaveLength(4);
    expect(parts.history[3]!.train).toEqual(whole.history[3]!.train);
  });

  it('is done where everything was done, and changes nothing', async () => {
    const first = await train([...COMMAND, '2', '-o', 'done']);
    const again = await train([...COMMAND, '2', '-o', 'done']);
    expect(again.epochs).toBe(2);
    expect(again.history.map(({ train: terms }) => terms)).toEqual(first.history.map(({ train: terms }) => terms));
  });

  it('refuses what contradicts the model, by flags, --set and --config, and names both', async () => {
    await writeFile(join(cwd, 'config.json'), JSON.stringify({ model: { latentDim: 3 } }));
    await writeFile(join(cwd, 'other.json'), JSON.stringify({ model: { latentDim: 9 } }));
    const plain = ['train', MNIST, '--limit', '300', '--no-validation', '--batch-size', '32'];
    await train([...plain, '--hidden', '16', '--config', 'config.json', '--epochs', '1', '-o', 'held', '--json']);
    const resume = [...plain, '--resume', '--epochs', '2', '-o', 'held', '--json'];
    for (const [more, named] of [
      [['--hidden', '32'], '--hidden'],
      [['--seed', '8'], '--seed'],
      [['--set', 'model.latentDim=5'], 'model.latentDim'],
      [['--config', 'other.json'], 'model.latentDim'],
      [['--likelihood', 'gaussian'], '--likelihood'],
    ] as const) {
      const { code, stderr } = await runCli([...resume, ...more], { cwd });
      expect({ code, stderr }).toMatchObject({ code: 2 });
      expect(stderr).toContain(`leave out ${named}`);
    }
    expect((await train([...resume, '--hidden', '16', '--config', 'config.json'])).epochs).toBe(2);
  });

  it('goes on with what may change: more epochs, another rate', async () => {
    await train([...COMMAND, '1', '-o', 'rates']);
    const other = COMMAND.map((each) => (each === '0.002' ? '0.0005' : each));
    expect((await train([...other, '3', '-o', 'rates'])).epochs).toBe(3);
  });
});

describe('compress and decompress, which go on by themselves', () => {
  it('the same command begins, and says so where everything is there', async () => {
    const digits = Buffer.concat([Buffer.from([0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 28, 0, 0, 0, 28]), Buffer.alloc(3136)]);
    await writeFile(join(cwd, 'digits-idx3-ubyte'), digits);
    const pack = ['compress', 'digits-idx3-ubyte', '-m', 'mnist-codec', '-o', 'x.vaez'];
    expect((await runCli(pack, { cwd })).code).toBe(0);
    const before = await stat(join(cwd, 'x.vaez'));
    const again = await runCli([...pack, '--json'], { cwd });
    expect({ code: again.code, stderr: again.stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('x.vaez was there already, whole and with all of this: nothing was written.'),
    });
    expect(JSON.parse(again.stdout)).toMatchObject({ already: true, verified: true, items: 4 });
    expect(await stat(join(cwd, 'x.vaez'))).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs });
    const unpack = ['decompress', 'x.vaez', '-o', 'out', '--json'];
    expect((await runCli(unpack, { cwd })).code).toBe(0);
    expect((await runCli(unpack, { cwd })).code).toBe(0);
  });

  it('what is there and is anything else is refused, and stays as it is', async () => {
    const idx = (fill: number, rows = 4) =>
      Buffer.concat([
        Buffer.from([0, 0, 8, 3, 0, 0, 0, rows, 0, 0, 0, 28, 0, 0, 0, 28]),
        Buffer.alloc(784 * rows, fill),
      ]);
    const pack = ['compress', 'other-idx3-ubyte', '-m', 'mnist-codec', '-o', 'other.vaez'];
    await writeFile(join(cwd, 'other-idx3-ubyte'), idx(1));
    expect((await runCli(pack, { cwd })).code).toBe(0);
    const archive = await readFile(join(cwd, 'other.vaez'));
    const damaged = Buffer.from(archive);
    damaged[damaged.length >> 1]! ^= 1;
    for (const [input, there, said] of [
      [idx(2), archive, 'is not what this job would write'],
      [idx(1, 3), archive, 'is not what this job would write'],
      [idx(1), archive.subarray(0, -9), 'is there already'],
      [idx(1), damaged, ''],
      [idx(1), Buffer.from('a letter'), 'is there already'],
      [idx(1), Buffer.alloc(0), 'is there already'],
    ] as const) {
      await writeFile(join(cwd, 'other-idx3-ubyte'), input);
      await writeFile(join(cwd, 'other.vaez'), there);
      const { code, stderr } = await runCli(pack, { cwd });
      expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining(said) });
      expect((await readFile(join(cwd, 'other.vaez'))).equals(there)).toBe(true);
    }
    expect((await readdir(cwd)).filter((name) => name.startsWith('.other'))).toEqual([]);
  });

  it('a finished archive with loss is refused by name, as its files cannot be told from it', async () => {
    const { encodePng } = await import('../../src/codecs/lossless/image-files.js');
    await writeFile(join(cwd, 'grey.png'), await encodePng(new Uint8Array(1024), [1, 32, 32]));
    const pack = ['compress', 'grey.png', '--lossy', '50', '-o', 'lossy.vaez'];
    expect((await runCli(pack, { cwd })).code).toBe(0);
    const again = await runCli(pack, { cwd });
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('node-vae archive test');
  });
});
