/** Files that Git LFS has not fetched are named as such by every reader, with the command that fetches them. */
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openArchive } from '../../src/codecs/index.js';
import { constantOf, GraphBuilder, readModel, writeModel } from '../../src/graph/index.js';
import { readDataset, Vae } from '../../src/index.js';
import { runCli } from '../cli/run-cli.js';
import { temporaryFolder } from '../support/temporary.js';

const POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n';

const folder = temporaryFolder('lfs');

async function pointer(name: string): Promise<string> {
  await writeFile(join(folder, name), POINTER);
  return join(folder, name);
}

const refusal = (name: string) => ({
  code: 'ERR_VAE_FORMAT',
  message: expect.stringMatching(new RegExp(`${name.replaceAll('.', '\\.')}.*pointer of Git LFS.*git lfs pull`)),
});

it.each([
  ...['a.npy', 'a.npy.gz', 'a.npz', 'a.mat', 'a-idx3-ubyte', 'a.idx3-ubyte.gz', 'a.csv', 'a.csv.gz', 'a.jsonl'],
  ...['a.parquet', 'a.arrow', 'a.png', 'a.wav', 'a.y4m', 'a.mp4', 'a.unknown'],
])('readDataset() of %s', async (name) => {
  await expect(readDataset(await pointer(name))).rejects.toMatchObject(refusal(name));
});

it.each(['labels.npy', 'labels-idx1-ubyte', 'labels.csv'])('labels in %s', async (name) => {
  const data = join(folder, 'data.csv');
  await writeFile(data, 'a,b\n1,2\n3,4\n');
  await expect(readDataset(data, { labels: await pointer(name) })).rejects.toMatchObject(refusal(name));
});

it('labels beside a file of pictures, which are found by their name', async () => {
  const images = Buffer.from([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 7]);
  await writeFile(join(folder, 'train-images-idx3-ubyte'), images);
  await pointer('train-labels-idx1-ubyte');
  await expect(readDataset(join(folder, 'train-images-idx3-ubyte'))).rejects.toMatchObject(
    refusal('train-labels-idx1-ubyte'),
  );
});

it.each(['config.json', 'encoder.onnx', 'decoder.onnx'])('%s of a model directory', async (name) => {
  const directory = join(folder, `model-${name}`);
  await using vae = await Vae.create({
    architecture: { type: 'mlp', hidden: [4] },
    input: { kind: 'vector', length: 2 },
    latentDim: 1,
  });
  await vae.save(directory);
  await writeFile(join(directory, name), POINTER);
  await expect(Vae.load(directory)).rejects.toMatchObject(refusal(name));
});

it('the checkpoint of a model directory', async () => {
  const directory = join(folder, 'model-trained');
  await using vae = await Vae.create({
    architecture: { type: 'mlp', hidden: [4] },
    input: { kind: 'vector', length: 2 },
    latentDim: 1,
  });
  await vae.fit({ data: new Float32Array(64).fill(0.5), shape: [32, 2] }, { epochs: 1, batchSize: 8 });
  await vae.save(directory, { training: true });
  await pointer('model-trained/training/checkpoint.safetensors');
  await using again = await Vae.load(directory).catch((error: unknown) => {
    expect(error).toMatchObject(refusal('checkpoint.safetensors'));
    return undefined;
  });
  expect(again).toBeUndefined();
});

it('data of a graph that lie beside it', async () => {
  const g = new GraphBuilder();
  const w = g.initializer('w', constantOf(new Float32Array(64 * 64), 'float32', [64, 64]));
  g.output('y', g.op('MatMul', [g.input('x', 'float32', ['N', 64]), w]));
  const home = join(folder, 'graph');
  await mkdir(home);
  await writeModel(g.model, join(home, 'g.onnx'), { externalData: true });
  await pointer('graph/g.onnx.data');
  await expect(readModel(join(home, 'g.onnx'))).rejects.toMatchObject(refusal('g.onnx.data'));
  // A file that is merely short is no pointer.
  await truncate(join(home, 'g.onnx.data'), 20);
  await writeFile(join(home, 'g.onnx.data'), 'short');
  await expect(readModel(join(home, 'g.onnx'))).rejects.toThrow(/truncated/);
});

it('an archive', async () => {
  await expect(openArchive(await pointer('a.nvae'))).rejects.toMatchObject(refusal('a.nvae'));
});

it('is said on the command line', async () => {
  const { code, stderr } = await runCli(
    ['train', await pointer('b.npy'), '--out', join(folder, 'out'), '--epochs', '1'],
    { cwd: folder },
  );
  expect(code).toBe(1);
  expect(stderr).toMatch(/b\.npy: a pointer of Git LFS.*\s.*git lfs pull/s);
});
