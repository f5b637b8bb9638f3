/** What can be wrong about a run's directory is said clearly, and the last good state stays whole. */
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeSafeTensors, encodeSafeTensors } from '../../src/artifacts/safetensors.js';
import { type FitOptions, Vae, type VaeOptions } from '../../src/index.js';
import { digits } from '../support/digits.js';
import { temporaryFolder } from '../support/temporary.js';

const train = digits(256);
const make = (options: Partial<VaeOptions> = {}): Promise<Vae> =>
  Vae.create({
    architecture: { type: 'mlp', hidden: [8] },
    input: { kind: 'image', height: 28, width: 28, channels: 1 },
    latentDim: 2,
    seed: 6,
    ...options,
  });
const refusal = async (vae: Vae, data: typeof train, options: FitOptions<typeof train>): Promise<unknown> => {
  try {
    await vae.fit(data, { batchSize: 32, ...options });
  } catch (error) {
    return error;
  }
  throw new Error('the run was not refused');
};

/**
 * A file where the folder was: what is written there fails, as on a disk that is full. A writer at work may make the
 * folder anew between the two steps; then that one is moved away too. Returns where the folders are now.
 */
const fileInPlaceOf = (path: string): string[] => {
  const away: string[] = [];
  for (;;) {
    const to = `${path}-away-${away.length}`;
    renameSync(path, to);
    away.push(to);
    try {
      writeFileSync(path, '', { flag: 'wx' });
      return away;
    } catch (error) {
      if (!existsSync(path)) throw error;
    }
  }
};

const folder = temporaryFolder('bad');
let directory: string;
/** Every file of the directory, byte for byte. */
const content = async (): Promise<Map<string, string>> => {
  const names = (await readdir(directory)).sort();
  const files = names.map(async (name) => [name, (await readFile(join(directory, name))).toString('base64')] as const);
  return new Map(await Promise.all(files));
};
const checkpoints = async (): Promise<string[]> =>
  (await readdir(directory)).filter((name) => name.startsWith('checkpoint-')).sort();

beforeAll(async () => {
  directory = join(folder, 'run');
  await using vae = await make();
  // Stops in the middle of the second epoch.
  await vae.fit(train, {
    epochs: 3,
    batchSize: 32,
    checkpoint: { directory, everySteps: 3, keep: 2 },
    onProgress: (event, control) => event.kind === 'step' && event.step > 8 && control.stop(),
  });
  expect(await checkpoints()).toHaveLength(2);
});

describe('a directory with checkpoints', () => {
  test('of another model', async () => {
    const before = await content();
    await using other = await make({ latentDim: 3 });
    expect(await refusal(other, train, { resume: true, checkpoint: { directory } })).toMatchObject({
      code: 'ERR_VAE_REPRODUCIBILITY',
      message: expect.stringMatching(/checkpoint-\d+\.safetensors belongs to another model: parameter "/),
    });
    expect(await content()).toEqual(before);
  });

  test('of data that changed in the middle of an epoch', async () => {
    const before = await content();
    const changed = { ...train, data: Uint8Array.from(train.data) };
    changed.data[12_345]! ^= 1;
    await using vae = await make();
    expect(await refusal(vae, changed, { resume: true, checkpoint: { directory } })).toMatchObject({
      code: 'ERR_VAE_REPRODUCIBILITY',
      message: expect.stringMatching(/data are not those/),
    });
    expect([...(await content()).keys()]).toEqual([...before.keys()]);
  });

  test('of a run that another is not to be mixed with, unless it may replace it', async () => {
    const before = await content();
    await using vae = await make();
    expect(await refusal(vae, train, { checkpoint: { directory } })).toMatchObject({
      code: 'ERR_VAE_OPTION',
      message: expect.stringMatching(/resume: true.*replace: true.*another directory/),
    });
    expect(await refusal(vae, train, { resume: true, checkpoint: { directory, replace: true } })).toMatchObject({
      code: 'ERR_VAE_OPTION',
      message: expect.stringMatching(/exclude each other/),
    });
    expect(await content()).toEqual(before);
    const copy = join(folder, 'copy');
    await vae.fit(train, { epochs: 1, batchSize: 32, checkpoint: { directory: copy } });
    await vae.fit(train, { epochs: 1, batchSize: 64, checkpoint: { directory: copy, replace: true } });
    expect((await readdir(copy)).filter((name) => name.startsWith('checkpoint-'))).toEqual([
      'checkpoint-0000000004.safetensors',
    ]);
  });

  test('of a newer version', async () => {
    const names = await checkpoints();
    const kept = await content();
    for (const name of names) {
      const { tensors, metadata } = decodeSafeTensors(await readFile(join(directory, name)), name);
      await writeFile(
        join(directory, name),
        Buffer.concat(encodeSafeTensors({ tensors, metadata: { ...metadata, version: '2' } })),
      );
    }
    await using vae = await make();
    expect(await refusal(vae, train, { resume: true, checkpoint: { directory } })).toMatchObject({
      code: 'ERR_VAE_FORMAT',
      message: expect.stringMatching(/version 2.*upgrade node-vae/),
    });
    for (const [name, text] of kept) await writeFile(join(directory, name), Buffer.from(text, 'base64'));
  });

  test('all of them cut short', async () => {
    const names = await checkpoints();
    const kept = await content();
    for (const name of names) await truncate(join(directory, name), 1000);
    await using vae = await make();
    expect(await refusal(vae, train, { resume: true, checkpoint: { directory } })).toMatchObject({
      code: 'ERR_VAE_FORMAT',
    });
    for (const [name, text] of kept) await writeFile(join(directory, name), Buffer.from(text, 'base64'));
  });

  test('that another run of this process writes into', async () => {
    await using first = await make();
    await using second = await make();
    const shared = join(folder, 'shared');
    const controller = new AbortController();
    let refused: Promise<unknown> | undefined;
    const run = first.fit(train, {
      epochs: 100_000,
      batchSize: 32,
      checkpoint: { directory: shared, everySteps: 1000 },
      signal: controller.signal,
      onProgress: () => {
        refused ??= refusal(second, train, { resume: true, checkpoint: { directory: shared } }).finally(() =>
          controller.abort(),
        );
      },
    });
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
    expect(await refused).toMatchObject({ code: 'ERR_VAE_BUSY', message: expect.stringMatching(/Another run/) });
  });

  test('that a run of the same number left its lock in, as the first process of every container has', async () => {
    await using vae = await make();
    const left = join(folder, 'left');
    await mkdir(left);
    // This process, and one that lives: neither of them is the run that was killed.
    for (const holder of [process.pid, process.ppid]) {
      await writeFile(join(left, 'run.lock'), String(holder));
      await vae.fit(train, { epochs: 1, batchSize: 32, checkpoint: { directory: left, replace: true } });
      expect(await readdir(left)).not.toContain('run.lock');
    }
  });

  test('that goes away under a run: the run fails, and the model has what it learned', async () => {
    await using vae = await make();
    const gone = join(folder, 'gone');
    const before = vae.parameter('encoder.mean.bias');
    const away: string[] = [];
    const error = await refusal(vae, train, {
      epochs: 400,
      checkpoint: { directory: gone },
      onProgress: (event) => {
        if (event.kind === 'epoch' && event.epoch > 2 && away.length === 0) away.push(...fileInPlaceOf(gone));
      },
    });
    expect(error).toMatchObject({ code: 'ERR_VAE_IO' });
    expect(vae.parameter('encoder.mean.bias')).not.toEqual(before);
    const whole = (await readdir(away[0] as string)).filter((name) => /^checkpoint-\d+\.safetensors$/.test(name));
    expect(whole.length).toBeGreaterThan(0);
  });

  test('goes on after all that to the very end of the run that was never interrupted', async () => {
    await using straight = await make();
    await straight.fit(train, { epochs: 3, batchSize: 32 });
    await using vae = await make();
    await vae.fit(train, { epochs: 3, batchSize: 32, resume: true, checkpoint: { directory } });
    for (const { name } of vae.info.parameters) expect(vae.parameter(name)).toEqual(straight.parameter(name));
  });
});
