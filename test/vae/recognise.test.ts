/** Models that other tools keep are named, with the command that makes of them what can be opened. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { GraphBuilder, writeModel } from '../../src/graph/index.js';
import { Vae } from '../../src/index.js';
import { runCli } from '../cli/run-cli.js';
import { temporaryFolder } from '../support/temporary.js';

const folder = temporaryFolder('foreign');

/** The beginning of a zip file, with the name of its first entry. */
const zip = (entry: string): Buffer => {
  const head = Buffer.alloc(30);
  head.write('PK\x03\x04', 'latin1');
  head.writeUInt16LE(entry.length, 26);
  return Buffer.concat([head, Buffer.from(entry), Buffer.alloc(64)]);
};
const safetensors = (): Buffer => {
  const header = Buffer.from('{"encoder.weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.alloc(4)]);
};
const tagged = (tag: string): Buffer => Buffer.concat([Buffer.from([24, 0, 0, 0]), Buffer.from(tag), Buffer.alloc(64)]);

const FILES: Readonly<Record<string, readonly [name: string, bytes: Buffer, what: RegExp, remedy: RegExp]>> = {
  'a checkpoint of PyTorch': ['vae.pt', zip('vae/data.pkl'), /checkpoint of PyTorch/, /torch\.onnx\.export\(/],
  'an older checkpoint of PyTorch': [
    'vae.pth',
    Buffer.from([0x80, 2, 0x8a, 10, 0x6c]),
    /checkpoint of PyTorch/,
    /torch\.onnx\.export\(/,
  ],
  'a file of safetensors': ['vae.safetensors', safetensors(), /safetensors/, /torch\.onnx\.export\(/],
  'a Keras file': ['vae.keras', zip('metadata.json'), /Keras model/, /load_model\('vae\.keras'\)\.export/],
  'a Keras file in HDF5': ['vae.h5', Buffer.from('\x89HDF\r\n\x1a\n\0\0', 'latin1'), /Keras model in HDF5/, /tf2onnx/],
  'a file in the ORT format': ['vae.ort', tagged('ORTM'), /ORT format/, /\.onnx file that it was made from/],
  'a model of TensorFlow Lite': ['vae.tflite', tagged('TFL3'), /TensorFlow Lite/, /--tflite vae\.tflite/],
  'a pointer of Git LFS': [
    'model.onnx',
    Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n'),
    /pointer of Git LFS/,
    /git lfs pull/,
  ],
};

async function decoderFile(): Promise<string> {
  const g = new GraphBuilder();
  g.output('y', g.op('Sigmoid', [g.input('z', 'float32', ['N', 2])]));
  const path = join(folder, 'decoder.onnx');
  await writeFile(path, writeModel(g.model));
  return path;
}

describe.each(Object.keys(FILES))('%s', (title) => {
  const [name, bytes, what, remedy] = FILES[title]!;
  const expected = { code: 'ERR_VAE_FORMAT', message: expect.stringMatching(what) };

  test.each(['Vae.load(path)', 'Vae.load({ encoder, decoder })', 'Vae.fromOnnx()', 'Vae.fromOnnx() of bytes'])(
    'given to %s',
    async (how) => {
      const path = join(folder, name);
      await writeFile(path, bytes);
      const decoder = await decoderFile();
      const work = {
        'Vae.load(path)': () => Vae.load(path),
        'Vae.load({ encoder, decoder })': () => Vae.load({ encoder: path, decoder }),
        'Vae.fromOnnx()': () => Vae.fromOnnx({ encoder: path, decoder }),
        'Vae.fromOnnx() of bytes': () => Vae.fromOnnx({ encoder: bytes, decoder }),
      }[how]!;
      const error = await work().then(
        () => undefined,
        (reason: Error) => reason,
      );
      expect(error).toMatchObject(expected);
      if (!how.endsWith('bytes')) expect(error!.message).toMatch(remedy);
    },
  );
});

const FOLDERS: Readonly<Record<string, readonly [files: Readonly<Record<string, Buffer>>, what: RegExp]>> = {
  'a SavedModel': [
    { 'saved_model.pb': Buffer.from([8, 1]) },
    /SavedModel of TensorFlow.*tf2onnx\.convert --saved-model/,
  ],
  'weights of diffusers': [
    {
      'config.json': Buffer.from('{"_class_name":"AutoencoderKL"}'),
      'diffusion_pytorch_model.safetensors': safetensors(),
    },
    /diffusion model's autoencoder for PyTorch.*optimum-cli export onnx/,
  ],
  'safetensors alone': [
    { 'config.json': Buffer.from('{}'), 'model.safetensors': safetensors() },
    /safetensors.*torch\.onnx\.export/,
  ],
  'a folder with a checkpoint of PyTorch': [{ 'pytorch_model.bin': zip('archive/data.pkl') }, /checkpoint of PyTorch/],
  'artifacts of onnxruntime-training': [
    {
      'training_model.onnx': Buffer.from([8, 1]),
      'eval_model.onnx': Buffer.from([8, 1]),
      checkpoint: Buffer.from([1]),
    },
    /onnxruntime-training made.*TrainingSession\.create/,
  ],
  'two graphs without a config': [
    { 'encoder.onnx': Buffer.from([8, 1]), 'decoder.onnx': Buffer.from([8, 1]) },
    /no config\.json.*Vae\.load\(\{ encoder: '.*encoder\.onnx'/,
  ],
};

describe.each(Object.keys(FOLDERS))('%s', (title) => {
  test('is named by Vae.load() and by the command line', async () => {
    const [files, what] = FOLDERS[title]!;
    const home = join(folder, title.replaceAll(' ', '-'));
    await mkdir(home, { recursive: true });
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(home, name), bytes);
    await expect(Vae.load(home)).rejects.toMatchObject({
      code: 'ERR_VAE_FORMAT',
      message: expect.stringMatching(what),
    });
    const { code, stderr } = await runCli(['info', home]);
    expect(code).toBe(1);
    expect(stderr.replace(/\s+/g, ' ')).toMatch(what);
  });
});

test('one graph where two are wanted', async () => {
  await expect(Vae.load(await decoderFile())).rejects.toMatchObject({
    code: 'ERR_VAE_FORMAT',
    message: expect.stringMatching(/one ONNX graph, and a VAE has two.*Vae\.load\(\{ encoder, decoder \}\)/),
  });
});

test('what is not recognised keeps its own error', async () => {
  await expect(Vae.load(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'ERR_VAE_IO' });
  const path = join(folder, 'odd.bin');
  await writeFile(path, 'nothing that anybody knows');
  await expect(Vae.load({ encoder: path, decoder: await decoderFile() })).rejects.toThrow(/odd\.bin/);
});
