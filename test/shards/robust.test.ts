/** Jobs that are killed, stopped, run out of disk, or meet what has changed: they go on, to the same bytes, or say what is wrong. */
import { spawnSync } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePng } from '../../src/data/image/encode.js';
import { compress, Vae } from '../../src/index.js';
import { sortedEntries } from '../../src/jobs/places/sorted-names.js';
import { type CliResult, RUNS_BUILT, runCli } from '../cli/run-cli.js';
import { digits } from '../support/digits.js';
import { temporaryFolder } from '../support/temporary.js';
import { outputOf } from './support/tree.js';

const cwd = temporaryFolder('robust-jobs');
const at = (...parts: string[]): string => join(cwd, ...parts);
const COUNT = 400;

const cli = (...args: string[]): Promise<CliResult> => runCli(['jobs', 'run', ...args, '--progress', 'none'], { cwd });
const encode = (out: string, ...more: string[]): Promise<CliResult> =>
  cli('encode', '-m', 'model', '-i', 'pictures', '-o', out, '--shard-size', '30', ...more);

beforeAll(async () => {
  const { data } = digits(COUNT);
  await mkdir(at('pictures'));
  for (let index = 0; index < COUNT; index += 1) {
    const pixels = { data: data.subarray(index * 784, (index + 1) * 784), width: 28, height: 28, channels: 1 as const };
    await writeFile(at('pictures', `${String(index).padStart(4, '0')}.png`), await encodePng(pixels));
  }
  await using vae = await Vae.create({ input: { kind: 'image', height: 28, width: 28 }, latentDim: 8, seed: 3 });
  await vae.save(at('model'));
});

/** Files below a folder, whatever they are; those that go meanwhile do not matter. */
async function countFiles(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true }).catch(() => []);
  return entries.length;
}

/** Runs a job and kills it when it has made so many more files. @returns whether it was still running then. */
async function killAfter(args: readonly string[], out: string, files: number): Promise<boolean> {
  const before = await countFiles(at(out));
  let killed = false;
  let running = true;
  const done = runCli(['jobs', 'run', ...args], {
    cwd,
    onStart(child) {
      void (async () => {
        while (running) {
          if ((await countFiles(at(out))) - before >= files) {
            killed = child.kill('SIGKILL');
            return;
          }
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
      })();
    },
  });
  await done;
  running = false;
  return killed;
}

describe('jobs that are killed', () => {
  const JOBS: Readonly<Record<string, readonly string[]>> = {
    encode: ['encode', '-m', 'model', '-i', 'pictures', '--shard-size', '30', '--batch', '4', '--log-variance'],
    tar: ['reconstruct', '-m', 'model', '-i', 'pictures', '--shard-size', '45', '--format', 'tar', '--batch', '8'],
    score: ['score', '-m', 'model', '-i', 'pictures', '--shard-size', '400', '--format', 'jsonl', '--batch', '3'],
    compress: ['compress', '-m', 'mnist-codec', '-i', 'pictures', '--shard-size', '120'],
  };

  it.each(Object.keys(JOBS))('%s goes on to the bytes of a job that was not', { timeout: 240_000 }, async (name) => {
    const args = JOBS[name]!;
    expect(await cli(...args, '-o', `${name}-whole`)).toMatchObject({ code: 0 });
    let kills = 0;
    for (const [round, files] of [2, 6, 13, 3].entries()) {
      const processes = round % 2 === 0 ? '1' : '2';
      if (await killAfter([...args, '-o', `${name}-killed`, '--processes', processes], `${name}-killed`, files))
        kills += 1;
    }
    expect(kills).toBeGreaterThan(0);
    const last = await cli(...args, '-o', `${name}-killed`);
    expect(last).toMatchObject({ code: 0 });
    expect(await outputOf(at(`${name}-killed`))).toEqual(await outputOf(at(`${name}-whole`)));
    // Nothing is left of what was begun, whichever moment it was.
    expect(await readdir(at(`${name}-killed`, '.job', 'spool')).catch(() => [])).toEqual([]);
  });

  it('what was left beside shards and unpacked files goes at the end, and nothing that an archive holds', async () => {
    const odd = '.notes.0123456789ab.tmp';
    await mkdir(at('left'));
    await writeFile(at('left', odd), 'what somebody keeps');
    await cp(at('pictures', '0000.png'), at('left', '0.png'));
    await compress(at('left'), { model: 'mnist-codec', output: at('left.vaez') });
    const args = ['decompress', '-i', 'left.vaez', '-o', 'left-out'];
    await mkdir(at('left-out', 'files'), { recursive: true });
    expect(await cli(...args)).toMatchObject({ code: 0 });
    await rm(at('left-out', 'index.json'));
    await writeFile(at('left-out', 'files', `.${odd}.abcdefabcdef.tmp`), 'half of it');
    await writeFile(at('left-out', '.shard-000000.files.jsonl.abcdefabcdef.tmp'), 'half of it');
    expect(await cli(...args)).toMatchObject({ code: 0 });
    expect(Object.keys(await outputOf(at('left-out')))).toEqual([
      `files/${odd}`,
      'files/0.png',
      'index.json',
      'shard-000000.files.jsonl',
    ]);
  });

  it.skipIf(!RUNS_BUILT)(
    'SIGTERM finishes what is in flight and leaves a job that goes on',
    { timeout: 120_000 },
    async () => {
      await encode('stopped-whole', '--batch', '2', '--shard-size', '4');
      for (const processes of ['1', '2']) {
        const out = `stopped-${processes}`;
        let sent = false;
        const args = ['jobs', 'run', 'encode', '-m', 'model', '-i', 'pictures', '-o', out, '--shard-size', '4'];
        const stopped = await runCli([...args, '--batch', '2', '--processes', processes], {
          cwd,
          onStart(child) {
            void (async () => {
              while (!sent && child.exitCode === null) {
                if ((await countFiles(at(out, '.job', 'done'))) > 0) sent = child.kill('SIGTERM');
                await new Promise((resolve) => setTimeout(resolve, 2));
              }
            })();
          },
        });
        expect(sent).toBe(true);
        // A job may be done before it hears of it.
        expect([0, 130]).toContain(stopped.code);
        if (stopped.code === 130) expect(stopped.stdout).toBe('');
        const again = await encode(out, '--batch', '2', '--shard-size', '4', '--json');
        expect(again.code).toBe(0);
        expect(JSON.parse(again.stdout).shardsBefore).toBeGreaterThan(0);
        expect(await outputOf(at(out))).toEqual(await outputOf(at('stopped-whole')));
      }
    },
  );
});

describe('what has changed is named and refused', () => {
  beforeAll(async () => {
    await cp(at('pictures'), at('changing'), { recursive: true });
    expect(await job('changing')).toMatchObject({ code: 0 });
  });
  const job = (input: string, ...more: string[]): Promise<CliResult> =>
    cli('encode', '-m', 'model', '-i', input, '-o', 'changed', '--shard-size', '50', ...more);

  it('the same command does nothing', async () => {
    const before = await outputOf(at('changed'));
    const { code, stdout } = await job('changing', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ shards: 8, shardsBefore: 8, items: COUNT });
    expect(await outputOf(at('changed'))).toEqual(before);
  });

  it.each([
    ['the size of shards', ['--shard-size', '51'], 'the size of shards was 50, is 51'],
    ['an option', ['--log-variance'], 'option logVariance was not given, is true'],
    ['the format', ['--format', 'npy'], 'the format was parquet, is npy'],
    ['the model', ['-m', 'mnist-mlp'], "the model's SHA-256 was"],
  ])('%s', async (_, more, words) => {
    const { code, stderr } = await job('changing', ...more);
    expect(code).toBe(1);
    expect(stderr).toContain('ERR_VAE_REPRODUCIBILITY');
    expect(stderr).toContain(words);
  });

  it('other inputs, a changed, a new and a missing file; --force does what is needed', async () => {
    expect((await job('pictures')).stderr).toContain('inputs were');
    await utimes(at('changing', '0105.png'), 1, 1);
    expect((await job('changing')).stderr).toContain('0105.png has changed');
    const forced = await job('changing', '--force', '--json');
    // The one shard with the file, and no other.
    expect(JSON.parse(forced.stdout)).toMatchObject({ shards: 8, shardsBefore: 7 });
    await writeFile(at('changing', '0105a.png'), await readFile(at('changing', '0105.png')));
    expect((await job('changing')).stderr).toContain('0105a.png was not there');
    await rm(at('changing', '0105a.png'));
    await rm(at('changing', '0399.png'));
    expect((await job('changing')).stderr).toContain('0399.png is gone');
    expect(JSON.parse((await job('changing', '--force', '--json')).stdout)).toMatchObject({
      items: 399,
      shardsBefore: 7,
    });
  });

  it('a shard that went, or was cut, is made again', async () => {
    const before = await outputOf(at('changed'));
    await rm(at('changed', 'shard-000002.parquet'));
    await writeFile(at('changed', 'shard-000003.parquet'), 'cut');
    await rm(at('changed', 'index.json'));
    expect(JSON.parse((await job('changing', '--json')).stdout)).toMatchObject({ shardsBefore: 6 });
    expect(await outputOf(at('changed'))).toEqual(before);
  });

  it('fewer shards than before: what is too much goes, with --force only', async () => {
    const { code } = await job('changing', '--force', '--shard-size', '200', '--format', 'npy');
    expect(code).toBe(0);
    const names = Object.keys(await outputOf(at('changed')));
    expect(names.filter((name) => name.startsWith('shard'))).toEqual([
      'shard-000000.items.jsonl',
      'shard-000000.npy',
      'shard-000001.items.jsonl',
      'shard-000001.npy',
    ]);
  });

  it('a folder with files of others is left alone', async () => {
    await mkdir(at('others'));
    await writeFile(at('others', 'thesis.txt'), 'mine');
    const { code, stderr } = await encode('others');
    expect(code).toBe(1);
    expect(stderr).toContain('thesis.txt');
    expect(await readdir(at('others'))).toEqual(['thesis.txt']);
  });

  it('a second run of the same job at the same time is refused', async () => {
    const [one, two] = await Promise.all([encode('twice'), encode('twice')]);
    const codes = [one.code, two.code].sort();
    // Where one was done before the other began, both are right.
    expect([
      [0, 0],
      [0, 1],
    ]).toContainEqual(codes);
    if (codes[1] === 1) expect(one.stderr + two.stderr).toContain('Another job is running the job');
  });
});

describe('items that cannot be used', () => {
  beforeAll(async () => {
    await cp(at('pictures'), at('some-bad'), { recursive: true });
    await writeFile(at('some-bad', '0007.png'), 'no picture');
    await writeFile(at('some-bad', '0200.png'), (await readFile(at('pictures', '0200.png'))).subarray(0, 60));
    await writeFile(at('some-bad', 'notes.txt'), 'hello');
  });
  const job = (out: string, ...more: string[]): Promise<CliResult> =>
    cli('encode', '-m', 'model', '-i', 'some-bad', '-o', out, '--shard-size', '100', ...more);

  it('are named in errors.jsonl, with exit code 3', async () => {
    const { code, stderr, stdout } = await job('bad', '--json');
    expect(code).toBe(3);
    expect(stderr).toContain('notes.txt');
    expect(JSON.parse(stdout)).toMatchObject({ items: 398, failed: 2, passedOver: 1 });
    const lines = (await readFile(at('bad', 'errors.jsonl'), 'utf8')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { shard: 0, name: '0007.png', code: 'ERR_VAE_FORMAT' },
      { shard: 2, name: '0200.png', code: 'ERR_VAE_FORMAT' },
    ]);
    const index = JSON.parse(await readFile(at('bad', 'index.json'), 'utf8'));
    expect(index).toMatchObject({ operation: 'encode', items: 398, failed: 2 });
    expect(index.shards[0]).toMatchObject({ items: 99, failed: 1 });
    expect(index.shards[0].contains[7]).toBe('0007.png');
    // The same command again says the same.
    expect((await job('bad')).code).toBe(3);
  });

  it('more than --max-errors end the job, and are named all the same', async () => {
    for (const processes of ['1', '2']) {
      const out = `most-${processes}`;
      const { code, stderr } = await job(out, '--max-errors', '0', '--processes', processes);
      expect(code).toBe(1);
      expect(stderr).toContain('--max-errors');
      expect(await readFile(at(out, 'errors.jsonl'), 'utf8')).toContain('.png');
      // With more allowed, it goes on.
      expect((await job(out)).code).toBe(3);
    }
  });

  it('nothing that can be used is a failure', async () => {
    await mkdir(at('all-bad'));
    for (const name of ['a.png', 'b.png']) await writeFile(at('all-bad', name), 'x');
    const { code, stderr } = await cli('encode', '-m', 'model', '-i', 'all-bad', '-o', 'none');
    expect(code).toBe(1);
    expect(stderr).toContain('none of 2 items');
  });

  it('NaN in one row of an array takes no other with it', async () => {
    const { writeNpy } = await import('../../src/index.js');
    const rows = new Float32Array(50 * 784);
    rows[7 * 784 + 3] = Number.NaN;
    await writeNpy(at('nan.npy'), { data: rows, shape: [50, 1, 28, 28] });
    const { code } = await cli('encode', '-m', 'model', '-i', 'nan.npy', '-o', 'nan');
    expect(code).toBe(3);
    expect(await readFile(at('nan', 'errors.jsonl'), 'utf8')).toContain('"nan.npy[7]"');
  });
});

describe('names', () => {
  it.skipIf(process.platform !== 'linux')('that are no text, very long, or lead elsewhere', async () => {
    const bytes = await readFile(at('pictures', '0000.png'));
    await mkdir(at('odd'));
    await writeFile(
      Buffer.concat([Buffer.from(`${at('odd')}/`), Buffer.from([0xff, 0xfe]), Buffer.from('.png')]),
      bytes,
    );
    await writeFile(at('odd', `${'n'.repeat(240)}.png`), bytes);
    await writeFile(at('odd', 'line\nend "quoted".png'), bytes);
    await mkdir(at('odd', 'a.b'));
    await writeFile(at('odd', 'a.b', 'c.d.png'), bytes);
    await writeFile(
      at('odd.txt'),
      ['odd/a.b/c.d.png', '../../../../etc/passwd', `${at('pictures', '0001.png')}`].join('\n'),
    );
    for (const format of ['tar', 'parquet', 'npz', 'safetensors', 'jsonl', 'npy']) {
      const { code, stdout } = await cli(
        'encode',
        '-m',
        'model',
        '-i',
        'odd',
        '-o',
        `odd-${format}`,
        '--format',
        format,
        '--json',
      );
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({ items: 4 });
    }
    const listed = await cli('encode', '-m', 'model', '-i', 'odd.txt', '-o', 'odd-list', '--format', 'tar');
    // /etc/passwd is no picture.
    expect(listed.code).toBe(3);
    const { stdout } = spawnSync('tar', ['tf', at('odd-list', 'shard-000000.tar')], { encoding: 'utf8' });
    const names = stdout.trimEnd().split('\n');
    expect(names.some((name) => name.startsWith('/') || name.split('/').includes('..'))).toBe(false);
    expect(names).toContain('odd/a_b/c_d.mean.npy');
  });

  it('a NUL, and URLs that are no storage, are refused', async () => {
    const { stderr, code } = await cli('encode', '-m', 'model', '-i', 'https://example.org/a.png', '-o', 'url');
    expect(code).toBe(2);
    expect(stderr).toContain('https: is not read');
    const { runJob } = await import('../../src/jobs/index.js');
    const job = { operation: 'encode', model: at('model'), input: 'a\0b', output: at('nul') } as const;
    await expect(runJob(job)).rejects.toThrow('byte 0');
  });

  it('an output that looks like a file is refused with what to write instead', async () => {
    const { stderr, code } = await encode('latents.parquet');
    expect(code).toBe(2);
    expect(stderr).toContain('-o latents/ --format parquet');
    const packed = await runCli(['compress', 'pictures', '-m', 'mnist-codec', '-o', 'packed.parquet'], { cwd });
    expect(packed).toMatchObject({ code: 2, stderr: expect.stringContaining('ends in .parquet') });
  });
});

describe('planning', () => {
  it('sorts names that are too many for memory on disk', async () => {
    await mkdir(at('many'));
    const names = Array.from({ length: 1000 }, (_, index) => `f${(index * 7919) % 1000}\n`);
    for (const name of names) await writeFile(at('many', name), '');
    const found: string[] = [];
    for await (const { name } of sortedEntries(at('many'), cwd, 64)) found.push(name);
    expect(found).toEqual(names.sort());
    expect((await readdir(cwd)).filter((name) => name.startsWith('names-'))).toEqual([]);
  });

  it('a job whose planning failed leaves nothing, and is begun anew without --force', async () => {
    expect((await cli('encode', '-m', 'model', '-i', 'nothing-there', '-o', 'retry')).code).toBe(1);
    expect(await readdir(cwd)).not.toContain('retry');
    expect((await encode('retry')).code).toBe(0);
  });
});

afterAll(() => {
  if (canMount) spawnSync('umount', [at('disk')]);
});

const canMount =
  process.platform === 'linux' &&
  spawnSync('sh', ['-c', `mkdir -p ${cwd}/disk && mount -t tmpfs -o size=600k none ${cwd}/disk`]).status === 0;

describe.skipIf(!canMount)('on a small disk (needs Linux and root)', () => {
  it('says that it is full, and goes on when there is room', { timeout: 60_000 }, async () => {
    const args = ['reconstruct', '-m', 'model', '-i', 'pictures', '--shard-size', '60', '--format', 'npy'];
    const { code, stderr } = await cli(...args, '-o', 'disk/out');
    expect(code).toBe(1);
    expect(stderr).toMatch(/the disk is full|ENOSPC/);
    expect(spawnSync('mount', ['-o', 'remount,size=20m', at('disk')]).status).toBe(0);
    expect((await cli(...args, '-o', 'disk/out')).code).toBe(0);
    expect((await cli(...args, '-o', 'roomy')).code).toBe(0);
    expect(await outputOf(at('disk', 'out'))).toEqual(await outputOf(at('roomy')));
  });
});
