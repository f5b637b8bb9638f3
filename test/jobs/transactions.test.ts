/** Appending that is killed or meets another, and files that change while they are read. */
import { spawn } from 'node:child_process';
import { appendFile, copyFile, mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { compress, decompress } from '../../src/codecs/index.js';
import { Codec } from '../../src/codecs/lossless/codec.js';
import { encodePng } from '../../src/codecs/lossless/image-files.js';
import { RUNS_BUILT, runCli } from '../cli/run-cli.js';
import { randomSpec } from '../codecs/random-spec.js';
import { temporaryFolder } from '../support/temporary.js';
import { read } from './trees.js';

const cwd = temporaryFolder('transactions');
const at = (...parts: string[]) => join(cwd, ...parts);

/** A folder of pictures that differ, and a file that is none. */
async function folder(name: string, count: number): Promise<void> {
  await mkdir(at(name), { recursive: true });
  for (let index = 0; index < count; index += 1) {
    const pixels = Uint8Array.from({ length: 30 }, (_, i) => (Math.imul(i + index, 2654435761) >>> 11) & 255);
    await writeFile(at(name, `${name}-${index}.png`), await encodePng(pixels, [1, 6, 5]));
  }
  await writeFile(at(name, `${name}.txt`), name.repeat(1000));
}

beforeAll(async () => {
  await using codec = await Codec.make([1, 6, 5], randomSpec(1, 6, 5));
  await codec.save(at('model'));
  await folder('first', 4);
  await folder('second', 300);
  await folder('third', 300);
  await compress(at('first'), { model: codec, output: at('first.vaez') });
});

const append = (input: string, output: string) =>
  runCli(['compress', input, '-m', 'model', '-o', output, '--append'], { cwd });

async function unpacked(archive: string, out: string): Promise<Map<string, Buffer>> {
  await decompress(at(archive), { model: at('model'), output: at(out) });
  return read(at(out));
}

/** Ends the command line after a time, by SIGKILL; whether it had ended before. */
function killed(args: readonly string[], after: number): Promise<boolean> {
  const main = join(import.meta.dirname, '../../dist/cli/main.js');
  const child = spawn(process.execPath, [main, ...args], { cwd, stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), after);
  return new Promise((resolve) =>
    child.once('exit', (code) => {
      clearTimeout(timer);
      resolve(code !== null);
    }),
  );
}

describe.skipIf(process.platform === 'win32' || !RUNS_BUILT)('appending (needs signals and a build)', () => {
  it('killed at any moment leaves the archive that was, and the same command again does it once', async () => {
    const before = await readFile(at('first.vaez'));
    const wanted = [...(await read(at('first'))).keys(), ...(await read(at('second'))).keys()].sort();
    for (const [index, after] of [150, 300, 400, 500, 650, 900].entries()) {
      const archive = `killed-${index}.vaez`;
      await copyFile(at('first.vaez'), at(archive));
      const done = await killed(['compress', 'second', '-m', 'model', '-o', archive, '--append'], after);
      if (!done) {
        const now = await readFile(at(archive));
        // The kill may come after the longer one has its name; then it is whole.
        if (!now.equals(before)) expect((await unpacked(archive, `whole-${index}`)).size).toBe(wanted.length);
        else expect(await append('second', archive)).toMatchObject({ code: 0 });
      }
      expect([...(await unpacked(archive, `out-${index}`)).keys()].sort()).toEqual(wanted);
    }
  }, 240_000);

  it('of two at once one is refused, or both are in it', async () => {
    await copyFile(at('first.vaez'), at('two.vaez'));
    const both = await Promise.all([append('second', 'two.vaez'), append('third', 'two.vaez')]);
    const wanted = [...(await read(at('first'))).keys()];
    for (const [index, { code, stderr }] of both.entries()) {
      if (code === 0) wanted.push(...(await read(at(['second', 'third'][index]!))).keys());
      else expect(stderr).toMatch(/Another job is/);
    }
    expect(both.some(({ code }) => code === 0)).toBe(true);
    expect([...(await unpacked('two.vaez', 'two')).keys()].sort()).toEqual(wanted.sort());
  }, 120_000);
});

describe('a file that changes while the job runs', () => {
  const CHANGES: Record<string, (path: string) => Promise<void>> = {
    grows: (path) => appendFile(path, 'and more'),
    shrinks: (path) => truncate(path, 10),
    'is overwritten in place': (path) => writeFile(path, 'x'.repeat(5000)),
  };

  it.each(Object.entries(CHANGES))(
    'and %s is in the archive as it was or is, or is left out by name',
    async (how, change) => {
      const name = how.replaceAll(' ', '-');
      await folder(name, 40);
      const path = at(name, `${name}.txt`);
      const before = await readFile(path);
      let changed = 0;
      const { leftOut } = await compress(at(name), {
        ...{ model: at('model'), output: at(`${name}.vaez`), threads: 1, chunkItems: 4 },
        // Again and again, so that it happens between the listing, the first look and the second.
        onProgress: () => void (changed++ < 6 && change(path)),
      });
      expect(changed).toBeGreaterThan(0);
      const found = (await unpacked(`${name}.vaez`, `${name}-out`)).get(`${name}.txt`);
      if (found === undefined) expect(leftOut.map((each) => each.name)).toContain(`${name}.txt`);
      else {
        const versions = [before];
        // Whatever it held at one moment: what grew did so by whole writes.
        for (let times = 1; times <= 6; times += 1)
          versions.push(Buffer.concat([before, Buffer.from('and more'.repeat(times))]));
        // A file that is written anew is empty for a moment.
        versions.push(before.subarray(0, 10), Buffer.alloc(0), Buffer.from('x'.repeat(5000)));
        expect(versions.some((version) => version.equals(found))).toBe(true);
      }
    },
  );
});
