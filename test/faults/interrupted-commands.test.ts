/** SIGTERM in every command that takes time: the exit code, and nothing half written under the name asked for. */
import { existsSync, statSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { Vae, WavWriter, writeNpy } from '../../src/index.js';
import { type CliResult, RUNS_BUILT, runCli } from '../cli/run-cli.js';
import { temporaryFolder } from '../support/temporary.js';

const cwd = temporaryFolder('term');
beforeAll(async () => {
  const pictures = Uint8Array.from({ length: 20_000 * 784 }, (_, i) => (i * 31 + (i >> 9)) % 251);
  await writeNpy(join(cwd, 'pictures.npy'), { data: pictures, shape: [20_000, 1, 28, 28] });
  await writeNpy(join(cwd, 'latents.npy'), { data: new Float32Array(400_000 * 8), shape: [400_000, 8] });
  // Wide enough that every command below works for seconds.
  const vae = await Vae.create({
    input: { kind: 'image', height: 28, width: 28 },
    architecture: { type: 'mlp', hidden: [1024, 1024] },
    latentDim: 8,
  });
  await vae.save(join(cwd, 'wide'));
  await vae.close();
  await noise('short.wav', 20);
  await noise('long.wav', 600);
  const train = ['train', 'short.wav', '-o', 'voices', '--epochs', '10', '--batch-size', '8'];
  expect(await runCli(train, { cwd })).toMatchObject({ code: 0 });
}, 240_000);

async function noise(name: string, seconds: number): Promise<void> {
  const file = await WavWriter.create(join(cwd, name), { sampleRate: 16_000, channels: 1 });
  const second = Float32Array.from({ length: 16_000 }, (_, i) => Math.sin(i * i) / 4);
  for (let written = 0; written < seconds; written += 1) await file.write(second);
  await file.close();
}

/** Says on stderr when a command begins to listen to signals, as it does when its work begins. */
const TELLTALE = `data:text/javascript,${encodeURIComponent(
  "process.on('newListener', (name) => name === 'SIGTERM' && process.stderr.write('LISTENS\\n'))",
)}`;

/** Sends SIGTERM so long after the work began, or once there is a file that is not empty. */
function terminated(args: readonly string[], when: number | string): Promise<CliResult> {
  let sent = false;
  return runCli(args, {
    cwd,
    env: { NODE_OPTIONS: `--import=${TELLTALE}` },
    onStderr: (child, said) => {
      if (sent || !said.includes('LISTENS')) return;
      sent = true;
      if (typeof when === 'number') setTimeout(() => child.kill('SIGTERM'), when);
      else {
        const path = join(cwd, when);
        const timer = setInterval(() => {
          if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) === 0) return;
          clearInterval(timer);
          child.kill('SIGTERM');
        }, 2);
        child.once('exit', () => clearInterval(timer));
      }
    },
  });
}

/** Each with what it may leave: what the next run of the same command goes on from. */
const COMMANDS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['encode', ['encode', 'wide', 'pictures.npy', '-o', 'out-encode.npy'], []],
  ['decode', ['decode', 'wide', 'latents.npy', '-o', 'out-decode.npy'], []],
  ['sample', ['sample', 'wide', '-n', '100000', '-o', 'out-sample.npy'], []],
  ['score', ['score', 'wide', 'pictures.npy', '--importance-samples', '50'], []],
  ['plot', ['plot', 'wide', 'pictures.npy', '-o', 'out-plots'], []],
  ['export', ['export', 'wide', '--int8', '--data', 'pictures.npy', '--rows', '20000', '-o', 'out-export'], []],
  ['bench-codec', ['bench-codec', 'pictures.npy', '-m', 'mnist-codec'], []],
  ['reconstruct', ['reconstruct', 'voices', 'long.wav', '-o', 'out.wav'], []],
  ['reproduce', ['reproduce', 'voices', '-o', 'out-again'], []],
  ['compress', ['compress', 'pictures.npy', '-m', 'mnist-codec', '-o', 'out.vaez'], ['.out.vaez.partial']],
];

const MOMENTS = [0, 400];

describe.skipIf(process.platform === 'win32' || !RUNS_BUILT)(
  'SIGTERM (needs signals and a build that is up to date)',
  () => {
    test.each(COMMANDS.flatMap((command) => MOMENTS.map((delay) => [...command, delay] as const)))(
      '%s',
      async (_, args, leaves, delay) => {
        const before = new Set(await readdir(cwd));
        const { code, stdout, stderr } = await terminated(args, delay);
        expect({ code, stdout, stderr }).toMatchObject({ code: 130, stdout: '' });
        expect(stderr).toContain('finishing the step in flight');
        expect(stderr).toMatch(/INTERRUPTED: /);
        const left = (await readdir(cwd)).filter((name) => !before.has(name));
        expect(leaves).toEqual(expect.arrayContaining(left));
      },
      120_000,
    );

    test('reproduce leaves no half repetition', async () => {
      const args = ['reproduce', 'voices', '-o', 'half-again'];
      expect((await terminated(args, 'half-again')).code).toBe(130);
      expect(existsSync(join(cwd, 'half-again'))).toBe(false);
    }, 120_000);

    test('compress goes on where it was stopped, and decompress can be stopped and run again', async () => {
      const some = Uint8Array.from({ length: 6000 * 784 }, (_, i) => (Math.imul(i, 2654435761) >>> 11) & 255);
      await writeNpy(join(cwd, 'some.npy'), { data: some, shape: [6000, 1, 28, 28] });
      const compress = ['compress', 'some.npy', '-m', 'mnist-codec', '-o', 'some.vaez'];
      expect((await terminated(compress, '.some.vaez.partial')).code).toBe(130);
      expect(existsSync(join(cwd, 'some.vaez'))).toBe(false);
      expect(await runCli(compress, { cwd })).toMatchObject({ code: 0 });
      expect(existsSync(join(cwd, '.some.vaez.partial'))).toBe(false);
      const decompress = ['decompress', 'some.vaez', '-o', 'unpacked'];
      expect((await terminated(decompress, 0)).code).toBe(130);
      expect(existsSync(join(cwd, 'unpacked', 'some.npy'))).toBe(false);
      expect(await runCli(decompress, { cwd })).toMatchObject({ code: 0 });
      const original = await readFile(join(cwd, 'some.npy'));
      expect((await readFile(join(cwd, 'unpacked', 'some.npy'))).equals(original)).toBe(true);
    }, 240_000);
  },
);
