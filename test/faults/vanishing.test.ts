/** Files that vanish or shrink while they are in use: an error that names them, and models and archives stay whole. */
import { rmSync, truncateSync } from 'node:fs';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { compress, readImages, Vae, writeNpy } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('vanishing');

const image = { kind: 'image', height: 16, width: 16 } as const;
/** Decoded whenever they are read, as pictures that do not fit into memory are. */
const OPENED = { size: 16, colour: 'grey', memoryBytes: 0 } as const;
const parametersOf = (vae: Vae) => vae.info.parameters.map(({ name }) => vae.parameter(name));

async function pictures(name: string, count: number): Promise<string> {
  const at = join(folder, name);
  await mkdir(at);
  for (let index = 0; index < count; index += 1) {
    const background = { r: index, g: index, b: index };
    const picture = sharp({ create: { width: 16, height: 16, channels: 3, background } });
    await writeFile(join(at, `${index}.png`), await picture.png().toBuffer());
  }
  return at;
}

test('a picture vanishes while a model trains', async () => {
  const at = await pictures('pictures', 40);
  const data = await readImages(at, OPENED);
  await using vae = await Vae.create({ input: image, latentDim: 2 });
  let steps = 0;
  const run = vae.fit(data, {
    epochs: 1000,
    batchSize: 8,
    onProgress: ({ kind }) => {
      if (kind === 'step') steps += 1;
      if (steps === 3) rmSync(join(at, '7.png'), { force: true });
    },
  });
  await expect(run).rejects.toMatchObject({ code: 'ERR_VAE_IO', message: expect.stringContaining('7.png') });
  // The model is that of the last step that was completed, and goes on without the picture.
  for (const values of parametersOf(vae)) expect(values.every(Number.isFinite)).toBe(true);
  const rest = await readImages(at, OPENED);
  expect(rest.length).toBe(39);
  expect((await vae.fit(rest, { epochs: 1 })).epochs).toHaveLength(1);
});

test('an input shrinks while it is compressed: nothing bears the name of the archive', async () => {
  const path = join(folder, 'digits.npy');
  await writeNpy(path, { data: new Uint8Array(3000 * 784).fill(9), shape: [3000, 1, 28, 28] });
  const output = join(folder, 'digits.vaez');
  const running = compress(path, {
    model: 'mnist-codec',
    output,
    chunkItems: 100,
    onProgress: () => truncateSync(path, 500 * 784),
  });
  await expect(running).rejects.toMatchObject({
    code: 'ERR_VAE_IO',
    message: expect.stringContaining('digits.npy: it became shorter'),
  });
  await expect(stat(output)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a model directory vanishes after it was loaded', async () => {
  const at = join(folder, 'model');
  {
    await using made = await Vae.create({ input: image, latentDim: 2 });
    await made.save(at);
  }
  await using vae = await Vae.load(at);
  await rm(at, { recursive: true });
  const batch = { data: new Uint8Array(256), shape: [1, 1, 16, 16] };
  // Everything was read: nothing is asked of the disk again.
  expect((await vae.reconstruct(batch)).dims).toEqual([1, 1, 16, 16]);
  await vae.save(at);
  expect((await readdir(at)).sort()).toEqual(['config.json', 'decoder.onnx', 'encoder.onnx', 'summary.json']);
  await rm(join(at, 'decoder.onnx'));
  await expect(Vae.load(at)).rejects.toMatchObject({
    code: 'ERR_VAE_FORMAT',
    message: expect.stringContaining('decoder.onnx'),
  });
});
