/** Loss terms and gradients of the generated training graph against PyTorch's, run by ONNX Runtime. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { buildObjective } from '../../src/architectures/graphs.js';
import { perExample, TERMS } from '../../src/architectures/names.js';
import { generateArtifacts } from '../../src/artifacts/generate.js';
import { writeModel } from '../../src/graph/index.js';
import {
  digestError,
  type GoldenCase,
  type GoldenNet,
  type GoldenTensor,
  loadActivationCases,
  loadFullVae,
  loadSmallVae,
  loadVaeVariants,
  relativeError,
} from '../golden/load.js';
import { goldenVae } from '../support/golden-vae.js';

const TERM_TOLERANCE = 1e-5;
const GRADIENT_TOLERANCE = 1e-4;

interface Batch {
  readonly input: Float32Array;
  readonly epsilon: Float32Array;
  readonly rows: number;
}

async function run(net: GoldenNet, weights: Readonly<Record<string, GoldenTensor>>, batch: Batch, klWeight: number) {
  const { vae, parameters } = goldenVae(net, weights);
  const artifacts = generateArtifacts({
    model: buildObjective(vae, parameters.asInitializers),
    scalars: TERMS,
    perExample: TERMS.map(perExample),
    optimizer: { type: 'adam', learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
  });
  const feeds: Record<string, Tensor> = {
    input: new Tensor('float32', batch.input, [batch.rows, net.inputDim]),
    epsilon: new Tensor('float32', batch.epsilon, [batch.rows, net.latentDim]),
    kl_weight: new Tensor('float32', [klWeight], []),
  };
  for (const spec of parameters.specs) feeds[spec.name] = new Tensor('float32', parameters.view(spec), spec.dims);
  const results: Record<string, Float32Array> = {};
  for (const model of [artifacts.trainingModel, artifacts.evalModel]) {
    const session = await InferenceSession.create(writeModel(model));
    const outputs = await session.run(feeds);
    for (const [name, tensor] of Object.entries(outputs)) results[name] = tensor.data as Float32Array;
    await session.release();
  }
  return results;
}

function smallBatch(): Batch {
  const golden = loadSmallVae();
  const width = golden.rows.shape[1]!;
  const input = new Float32Array(golden.batchSize * width);
  golden.indices[0]!.forEach((row, index) => {
    input.set(golden.rows.values.subarray(row * width, (row + 1) * width), index * width);
  });
  const latent = golden.epsilons.shape[2]!;
  return { input, epsilon: golden.epsilons.values.subarray(0, golden.batchSize * latent), rows: golden.batchSize };
}

function expectCase(results: Record<string, Float32Array>, golden: GoldenCase): void {
  for (const term of TERMS) {
    expect(Math.abs(results[term]![0]! / golden.terms64[term] - 1), term).toBeLessThan(TERM_TOLERANCE);
    if (golden.perExample) {
      const error = relativeError(results[perExample(term)]!, golden.perExample[term]);
      expect(error, perExample(term)).toBeLessThan(TERM_TOLERANCE);
    }
  }
  for (const [name, gradient] of Object.entries(golden.gradients)) {
    expect(relativeError(results[`${name}_grad`]!, gradient.values), name).toBeLessThan(GRADIENT_TOLERANCE);
  }
}

describe('small VAE', () => {
  const golden = loadSmallVae();

  test('loss terms and gradients agree with PyTorch', async () => {
    expectCase(await run(golden.case.net, golden.weights, smallBatch(), golden.case.klWeight), golden.case);
  });

  test('so they do with a weight on the KL divergence', async () => {
    const { weightedCase } = golden;
    expect(weightedCase.klWeight).not.toBe(golden.case.klWeight);
    expectCase(await run(weightedCase.net, golden.weights, smallBatch(), weightedCase.klWeight), weightedCase);
  });

  test.each(Object.entries(loadActivationCases()))('activation %s', async (_, activation) => {
    expectCase(await run(activation.net, golden.weights, smallBatch(), activation.klWeight), activation);
  });

  test.each(Object.entries(loadVaeVariants()))('variant %s', async (_, variant) => {
    expectCase(await run(variant.net, variant.weights, smallBatch(), variant.klWeight), variant);
  });
});

test('VAE 784-400-20 at batch 128 agrees with PyTorch', async () => {
  const golden = loadFullVae();
  const rows = golden.batchSize;
  const input = Float32Array.from(golden.rows.subarray(0, rows * golden.net.inputDim), (value) => value / 256);
  const epsilon = golden.epsilons.subarray(0, rows * golden.net.latentDim);
  const results = await run(golden.net, golden.weights, { input, epsilon, rows }, golden.klWeight);
  for (const term of TERMS) {
    expect(Math.abs(results[term]![0]! / golden.terms64[term] - 1), term).toBeLessThan(TERM_TOLERANCE);
    expect(relativeError(results[perExample(term)]!, golden.perExample[term])).toBeLessThan(TERM_TOLERANCE);
  }
  for (const [name, digest] of Object.entries(golden.gradients)) {
    const error = digestError(results[`${name}_grad`]!, digest, golden.projectionStream);
    expect(error, name).toBeLessThan(GRADIENT_TOLERANCE);
  }
});
