/** Fine-tuning of graphs that PyTorch 2.13 exported: residual blocks, group normalisation, SiLU, attention. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { constantOf, GraphBuilder, readModel, writeModel } from '../../src/graph/index.js';
import { Vae } from '../../src/index.js';
import { temporaryFolder } from '../support/temporary.js';

const golden = (name: string): string => fileURLToPath(new URL(`../golden/import/${name}`, import.meta.url));
const diffusion = (folder: string) => ({
  encoder: golden(`${folder}/vae_encoder/model.onnx`),
  decoder: golden(`${folder}/vae_decoder/model.onnx`),
  input: { kind: 'image', height: 16, width: 16, channels: 3 } as const,
  likelihood: 'gaussian' as const,
});
const folder = temporaryFolder('import');

const pictures = {
  data: Float32Array.from({ length: 8 * 3 * 16 * 16 }, (_, index) => Math.sin(index * 0.013 + Math.floor(index / 768))),
  shape: [8, 3, 16, 16],
};
const weightsOf = (vae: Vae): Record<string, Float32Array> =>
  Object.fromEntries(vae.info.parameters.map(({ name }) => [name, vae.parameter(name)]));
const meanOf = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe('an autoencoder of a diffusion model', () => {
  const name = 'diffusion';

  test('encodes and decodes as the files do', async () => {
    await using vae = await Vae.fromOnnx(diffusion(name));
    const encoder = await InferenceSession.create(diffusion(name).encoder);
    const outputs = await encoder.run({
      [encoder.inputNames[0]!]: new Tensor('float32', pictures.data, pictures.shape),
    });
    const given = outputs[encoder.outputNames[0]!]!;
    const { mean } = await vae.encode(pictures);
    const half = mean.size / 8;
    const expected = Float32Array.from({ length: mean.size }, (_, index) => {
      const width = given.size / 8;
      return (given.data as Float32Array)[Math.floor(index / half) * width + (index % half)]!;
    });
    (mean.data as Float32Array).forEach((value, index) => {
      expect(value).toBeCloseTo(expected[index]!, 4);
    });
  });

  test('trains, leaves frozen weights alone, and keeps its names when saved', { timeout: 120_000 }, async () => {
    await using vae = await Vae.fromOnnx({ ...diffusion(name), freeze: ['encoder.*conv_in*', /^decoder\..*conv_out/] });
    const before = meanOf((await vae.score(pictures)).elbo);
    const initial = weightsOf(vae);
    expect(Object.keys(initial).some((weight) => /encoder\..*conv_in|decoder\..*conv_out/.test(weight))).toBe(false);
    await vae.fit(pictures, { epochs: 6, batchSize: 4, learningRate: 2e-3 });
    expect(meanOf((await vae.score(pictures)).elbo)).toBeGreaterThan(before + 100);
    const moved = Object.entries(weightsOf(vae)).filter(([weight, values]) =>
      values.some((value, i) => value !== initial[weight]![i]),
    );
    expect(moved.length).toBe(Object.keys(initial).length);

    const directory = join(folder, name);
    await vae.save(directory);
    const original = await readModel(diffusion(name).encoder);
    const saved = await readModel(join(directory, 'encoder.onnx'));
    expect(saved.graph.inputs.map((input) => input.name)).toEqual(original.graph.inputs.map((input) => input.name));
    expect(saved.graph.outputs.map((output) => output.name)).toEqual(
      original.graph.outputs.map((output) => output.name),
    );
    const frozen = [...original.graph.initializers.keys()].filter((weight) => weight.includes('conv_in'));
    expect(frozen.length).toBeGreaterThan(0);
    for (const weight of frozen) {
      expect(saved.graph.initializers.get(weight)!.data).toEqual(original.graph.initializers.get(weight)!.data);
    }

    const decoder = await InferenceSession.create(join(directory, 'decoder.onnx'));
    const { mean } = await vae.encode(pictures);
    const outputs = await decoder.run({ [decoder.inputNames[0]!]: mean });
    const ours = await vae.decode(mean);
    (outputs[decoder.outputNames[0]!]!.data as Float32Array).forEach((value, index) => {
      expect(value).toBeCloseTo((ours.data as Float32Array)[index]!, 4);
    });

    await using again = await Vae.load(directory);
    expect(weightsOf(again)).toEqual(weightsOf(vae));
    expect((await again.score(pictures)).elbo).toEqual((await vae.score(pictures)).elbo);
  });
});

describe('a pair of small graphs', () => {
  /** x [N, 4] to mean and log-variance [N, 2]; z [N, 2] to a Sigmoid of [N, 4]. */
  function pair(options: { batch?: number; latent?: number; end?: 'Sigmoid' | 'If' } = {}) {
    const { batch = 'N', latent = 2 } = options;
    const weight = (g: GraphBuilder, name: string, rows: number, columns: number) =>
      g.initializer(
        name,
        constantOf(
          Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i + 1)),
          'float32',
          [rows, columns],
        ),
      );
    const encoder = new GraphBuilder({ name: 'encoder' });
    const x = encoder.input('features', 'float32', [batch, 4]);
    encoder.output('code_logvar', encoder.op('MatMul', [x, weight(encoder, 'spread', 4, latent)]));
    encoder.output('code_mu', encoder.op('MatMul', [x, weight(encoder, 'center', 4, latent)]));
    const decoder = new GraphBuilder({ name: 'decoder' });
    const z = decoder.input('code', 'float32', ['N', 2]);
    decoder.output('restored', decoder.op('Sigmoid', [decoder.op('MatMul', [z, weight(decoder, 'back', 2, 4)])]));
    return { encoder: writeModel(encoder.model), decoder: writeModel(decoder.model) };
  }
  const rows = { data: Float32Array.from({ length: 40 }, (_, i) => (i % 7) / 7), shape: [10, 4] };

  test('tells mean from log-variance by their names, and takes logits before a last Sigmoid', async () => {
    await using vae = await Vae.fromOnnx(pair());
    expect(vae.info.architecture).toMatchObject({ posterior: { mean: 'code_mu', logVariance: 'code_logvar' } });
    const { mean } = await vae.encode(rows);
    const decoded = (await vae.decode(mean)).data as Float32Array;
    expect(decoded.every((value) => value > 0 && value < 1)).toBe(true);
    const session = await InferenceSession.create(pair().decoder);
    const outputs = await session.run({ code: mean });
    (outputs['restored']!.data as Float32Array).forEach((value, index) => {
      expect(value).toBeCloseTo(decoded[index]!, 6);
    });
    const { epochs } = await vae.fit(rows, { epochs: 20, batchSize: 5, learningRate: 0.05 });
    expect(epochs.at(-1)!.train.loss).toBeLessThan(epochs[0]!.train.loss);
  });

  test.each([
    ['a fixed batch', { ...pair({ batch: 1 }) }, 'ERR_VAE_GRAPH', /fixed batch of 1.*dynamic first axis/],
    ['halves that do not fit', { ...pair({ latent: 3 }) }, 'ERR_VAE_SHAPE', /do not fit each other.*\[3\].*"code"/],
    [
      'a pattern that freezes nothing',
      { ...pair(), freeze: ['encoder.conv*'] },
      'ERR_VAE_OPTION',
      /encoder\.conv\* names no weight.*encoder\.spread/,
    ],
    ['an unknown option', { ...pair(), freez: [] }, 'ERR_VAE_OPTION', /did you mean "freeze"/],
    ['bytes that are no model', { ...pair(), encoder: Buffer.from('not an onnx file at all') }, 'ERR_VAE_FORMAT', /./],
    ['a missing file', { ...pair(), encoder: '/nowhere/encoder.onnx' }, 'ERR_VAE_IO', /nowhere/],
  ])('%s is refused', async (_, options, code, message) => {
    await expect(Vae.fromOnnx(options as never)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
  });

  test('half precision is refused by name', async () => {
    const options = { ...diffusion('diffusion'), encoder: golden('diffusion-fp16/vae_encoder/model.onnx') };
    await expect(Vae.fromOnnx(options)).rejects.toMatchObject({
      code: 'ERR_VAE_GRAPH',
      message: expect.stringMatching(/float16/),
    });
  });

  test('the architecture cannot be made without files', async () => {
    const architecture = {
      type: 'onnx',
      posterior: { moments: 'm' },
      output: 'o',
      trainable: { encoder: [], decoder: [] },
    } as const;
    await expect(Vae.create({ architecture, input: { kind: 'vector', length: 4 } } as never)).rejects.toThrow(
      /Vae\.fromOnnx/,
    );
  });
});

test('the file a model came from is not changed by training it', async () => {
  const before = await readFile(diffusion('diffusion').encoder);
  await using vae = await Vae.fromOnnx(diffusion('diffusion'));
  await vae.fit(pictures, { epochs: 1, batchSize: 4 });
  expect(await readFile(diffusion('diffusion').encoder)).toEqual(before);
});
