/** Graphs that tf2onnx wrote of a Keras model, against what TensorFlow computes. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { TERMS } from '../../src/architectures/names.js';
import { importOnnx } from '../../src/artifacts/import-onnx.js';
import { artifactsOf } from '../../src/artifacts/model-io.js';
import { readModel, writeModel } from '../../src/graph/index.js';
import { Vae } from '../../src/index.js';
import { runGraph } from '../../src/inference/imported/run-graph.js';
import { relativeError } from '../golden/load.js';
import { temporaryFolderOfTest } from '../support/temporary.js';

const file = (name: string): string => fileURLToPath(new URL(`../golden/tensorflow/${name}`, import.meta.url));
const golden = JSON.parse(await readFile(file('golden.json'), 'utf8')) as {
  picture: number[];
  epsilon: number[];
  mean: number[];
  logVariance: number[];
  decoded: number[];
  loss: number;
  reconstruction: number;
  kl: number;
  gradients: Record<string, { shape: number[]; values: number[] }>;
};
const [ROWS, SIDE, CHANNELS, LATENT] = [4, 12, 2, 3];
const ADAM = { type: 'adam', learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 } as const;

/** Axes in another order: `order` names the old axis of each new one. */
function transposed(values: readonly number[], shape: readonly number[], order: readonly number[]): number[] {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, dim) => product * dim, 1));
  let all = [0];
  for (const axis of order) {
    all = all.flatMap((base) => Array.from({ length: shape[axis]! }, (_, index) => base + index * strides[axis]!));
  }
  return all.map((at) => values[at]!);
}

const pictures = [ROWS, SIDE, SIDE, CHANNELS];
const layouts = {
  last: { shape: [SIDE, SIDE, CHANNELS], of: (values: number[]) => values },
  first: { shape: [CHANNELS, SIDE, SIDE], of: (values: number[]) => transposed(values, pictures, [0, 3, 1, 2]) },
} as const;

/** Where a weight of Keras went: its name in the graph, and its axes there. */
const WEIGHTS: readonly (readonly [keras: string, onnx: string, order?: readonly number[]])[] = [
  ['encoder.stem/kernel', 'encoder.encoder_1/stem_1/convolution/ReadVariableOp:0', [3, 2, 0, 1]],
  ['encoder.stem/bias', 'encoder.encoder_1/stem_1/Squeeze:0'],
  [
    'encoder.separable/pointwise_kernel',
    'encoder.encoder_1/separable_1/separable_conv2d/ReadVariableOp_1:0',
    [3, 2, 0, 1],
  ],
  ['encoder.separable/bias', 'encoder.encoder_1/separable_1/Squeeze:0'],
  ['encoder.layer_norm/gamma', 'encoder.encoder_1/layer_norm_1/Reshape:0'],
  ['encoder.z_mean/kernel', 'encoder.encoder_1/z_mean_1/Cast/ReadVariableOp:0'],
  ['encoder.z_mean/bias', 'encoder.encoder_1/z_mean_1/BiasAdd/ReadVariableOp:0'],
  ['encoder.z_log_var/kernel', 'encoder.encoder_1/z_log_var_1/Cast/ReadVariableOp:0'],
  ['encoder.z_log_var/bias', 'encoder.encoder_1/z_log_var_1/BiasAdd/ReadVariableOp:0'],
  ['decoder.widen/kernel', 'decoder.decoder_1/widen_1/Cast/ReadVariableOp:0'],
  ['decoder.widen/bias', 'decoder.decoder_1/widen_1/BiasAdd/ReadVariableOp:0'],
  ['decoder.up/kernel', 'decoder.decoder_1/up_1/conv_transpose/ReadVariableOp:0', [3, 2, 0, 1]],
  ['decoder.up/bias', 'decoder.decoder_1/up_1/Squeeze:0'],
  ['decoder.group_norm/gamma', 'decoder.decoder_1/group_norm_1/Reshape_1:0'],
  ['decoder.group_norm/beta', 'decoder.decoder_1/group_norm_1/Reshape_2:0'],
  ['decoder.picture_out/kernel', 'decoder.decoder_1/picture_out_1/convolution/ReadVariableOp:0', [3, 2, 0, 1]],
  ['decoder.picture_out/bias', 'decoder.decoder_1/picture_out_1/Squeeze:0'],
];

describe.each(['last', 'first'] as const)('channels %s', (layout) => {
  const { shape, of } = layouts[layout];
  const pair = { encoder: file(`${layout}-encoder.onnx`), decoder: file(`${layout}-decoder.onnx`) };
  const rows = { data: Float32Array.from(of(golden.picture)), shape: [ROWS, ...shape] };
  const expectNear = ({ data }: Tensor, expected: readonly number[]) =>
    expect(relativeError(data as Float32Array, expected as number[])).toBeLessThan(1e-5);

  test.each(['load', 'fromOnnx'] as const)('Vae.%s() encodes and decodes as TensorFlow does', async (how) => {
    await using vae = await (how === 'load' ? Vae.load(pair) : Vae.fromOnnx(pair));
    expect([vae.dataShape, vae.latentShape]).toEqual([shape, [LATENT]]);
    const { mean, logVariance } = await vae.encode(rows);
    expectNear(mean, golden.mean);
    expectNear(logVariance, golden.logVariance);
    expectNear(await vae.decode(mean), of(golden.decoded));
  });

  test('loss terms and gradients agree with TensorFlow', async () => {
    const parts = await importOnnx(
      {
        ...pair,
        likelihood: { type: 'bernoulli' },
        objective: { type: 'elbo' },
        freeze: [],
        seed: 0,
        untie: false,
      },
      runGraph,
    );
    const { trainingModel } = artifactsOf(parts, ADAM, undefined);
    const session = await InferenceSession.create(writeModel(trainingModel));
    const feeds: Record<string, Tensor> = {
      input: new Tensor('float32', rows.data, rows.shape),
      epsilon: new Tensor('float32', golden.epsilon, [ROWS, LATENT]),
      kl_weight: new Tensor('float32', [1], []),
    };
    for (const spec of parts.parameters.specs) {
      feeds[spec.name] = new Tensor('float32', parts.parameters.view(spec), spec.dims);
    }
    const outputs = await session.run(feeds);
    await session.release();
    for (const term of TERMS) {
      expect(Math.abs((outputs[term]!.data[0] as number) / golden[term] - 1), term).toBeLessThan(1e-5);
    }
    for (const [keras, onnx, order] of WEIGHTS) {
      const { shape: axes, values } = golden.gradients[keras]!;
      const expected = order === undefined ? values : transposed(values, axes, order);
      expect(relativeError(outputs[`${onnx}_grad`]!.data as Float32Array, expected), keras).toBeLessThan(1e-4);
    }
    // The factors of Resize are float32 arrays too, and no weights.
    expect(parts.parameters.specs.filter(({ name }) => /scales|roi/.test(name))).toEqual([]);
  });

  test('trains, and is saved with the names it came with', async () => {
    const folder = temporaryFolderOfTest('tensorflow');
    await using vae = await Vae.fromOnnx(pair);
    const meanOf = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const before = meanOf((await vae.score(rows)).elbo);
    await vae.fit(rows, { epochs: 60, batchSize: 4, learningRate: 2e-3 });
    expect(meanOf((await vae.score(rows)).elbo)).toBeGreaterThan(before + 20);
    await vae.save(folder);
    for (const half of ['encoder', 'decoder'] as const) {
      const [original, saved] = [await readModel(pair[half]), await readModel(join(folder, `${half}.onnx`))];
      expect(saved.graph.inputs).toEqual(original.graph.inputs);
      expect(saved.graph.outputs).toEqual(original.graph.outputs);
    }
    await using again = await Vae.load({
      encoder: join(folder, 'encoder.onnx'),
      decoder: join(folder, 'decoder.onnx'),
    });
    expectNear(await again.reconstruct(rows), Array.from((await vae.reconstruct(rows)).data as Float32Array));
  });
});
