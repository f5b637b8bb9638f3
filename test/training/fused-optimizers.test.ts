/** The addon's training session against PyTorch, and its fused optimizers against optimizer_model.onnx. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { buildObjective } from '../../src/architectures/graphs.js';
import { perExample, TERMS } from '../../src/architectures/names.js';
import { type Artifacts, generateArtifacts } from '../../src/artifacts/generate.js';
import type { OptimizerConfig } from '../../src/artifacts/optimizer-options.js';
import type { NativeTrainingSession } from '../../src/binding/addon.js';
import { loadAddon } from '../../src/binding/index.js';
import { elementCount } from '../../src/core/dtype.js';
import { writeModel } from '../../src/graph/index.js';
import { digestError, loadFullVae, loadSmallVae, relativeError } from '../golden/load.js';
import { goldenVae } from '../support/golden-vae.js';

type Golden = Pick<ReturnType<typeof loadSmallVae>, 'weights'> & { net: ReturnType<typeof loadFullVae>['net'] };

async function open(golden: Golden, optimizer: OptimizerConfig, clipGradientNorm: number | undefined) {
  const { vae, parameters } = goldenVae(golden.net, golden.weights);
  const clip = clipGradientNorm === undefined ? {} : { clipGradientNorm };
  const artifacts = generateArtifacts({
    model: buildObjective(vae, parameters.asInitializers),
    scalars: TERMS,
    perExample: TERMS.map(perExample),
    // PyTorch decays every parameter unless told otherwise.
    noDecay: [],
    optimizer,
    ...clip,
  });
  const { learningRate: _, ...native } = optimizer;
  const session = await loadAddon().createTrainingSession({
    trainingModel: writeModel(artifacts.trainingModel),
    evalModel: writeModel(artifacts.evalModel),
    parameters: artifacts.manifest.parameters.map(({ name, dims, gradient }) => ({
      name,
      dims,
      gradient,
      trainable: true,
    })),
    states: [],
    feeds: [
      { kind: 'rows', name: 'input', dims: vae.dataShape, dtype: 'float32' },
      { kind: 'given', name: 'epsilon' },
      { kind: 'scalar', name: 'kl_weight' },
    ],
    scalars: artifacts.manifest.scalars,
    perExample: artifacts.manifest.perExample,
    optimizer: native,
    ...clip,
    seed: 1n,
  });
  session.setParameters(artifacts.checkpoint.parameters);
  return { session, artifacts };
}

function stepOn(
  session: NativeTrainingSession,
  rows: readonly number[],
  epsilon: Float32Array,
  latentDim: number,
  learningRate: number,
  step: number,
) {
  return session.train({
    indices: Uint32Array.from(rows),
    batchSizes: Uint32Array.of(rows.length),
    firstMicroBatch: step,
    scalars: { kl_weight: Float32Array.of(1) },
    learningRates: Float64Array.of(learningRate),
    accumulate: 1,
    given: { epsilon: { dtype: 'float32', dims: [rows.length, latentDim], data: epsilon } },
  });
}

function byName(flat: Float32Array, artifacts: Artifacts): Record<string, Float32Array> {
  const result: Record<string, Float32Array> = {};
  let offset = 0;
  for (const { name, dims } of artifacts.manifest.parameters) {
    result[name] = flat.subarray(offset, offset + elementCount(dims));
    offset += elementCount(dims);
  }
  return result;
}

const small = loadSmallVae();

describe.each(Object.entries(small.optimizers))('small VAE, %s', (_, expected) => {
  test('follows PyTorch step by step', async () => {
    const { clipGradientNorm, ...optimizer } = expected.optimizer;
    const { session, artifacts } = await open(
      { net: small.case.net, weights: small.weights },
      optimizer,
      clipGradientNorm,
    );
    session.attachRows('input', small.rows.values, small.rows.shape[0]!, { scale: 1, offset: 0, binarise: 'none' });
    const size = small.batchSize * small.case.net.latentDim;
    for (let step = 0; step < expected.steps; step += 1) {
      const epsilon = small.epsilons.values.slice(step * size, (step + 1) * size);
      const rows = small.indices[step]!;
      const result = await stepOn(session, rows, epsilon, small.case.net.latentDim, optimizer.learningRate, step);
      for (const term of TERMS) {
        expect(Math.abs(result.scalars[term]![0]! / expected.history[term][step]! - 1), `${term} ${step}`).toBeLessThan(
          1e-4,
        );
      }
      expect(Math.abs(result.gradientNorms[0]! / expected.history.gradientNorm[step]! - 1)).toBeLessThan(1e-4);
    }
    const parameters = byName(session.getParameters(), artifacts);
    for (const [name, tensor] of Object.entries(expected.parameters)) {
      expect(relativeError(parameters[name]!, tensor.values), name).toBeLessThan(1e-4);
    }
    await session.close();
  });

  test('agrees with optimizer_model.onnx within 1e-6 after 100 steps', async () => {
    const { clipGradientNorm, ...optimizer } = expected.optimizer;
    await holdToGraph(optimizer, clipGradientNorm, expected.steps);
  });
});

describe('the forms of AdamW', () => {
  const adamw = {
    type: 'adamw',
    learningRate: 2e-3,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-6,
    weightDecay: 0.05,
  } as const;
  const steps = Object.values(small.optimizers)[0]!.steps;

  test.each([
    { form: 'onnxruntime' },
    { form: 'onnxruntime', biasCorrection: false },
    { form: 'pytorch', biasCorrection: false },
  ] as const)('%o agrees with optimizer_model.onnx within 1e-6 after 100 steps', async (form) => {
    await holdToGraph({ ...adamw, ...form }, 1, steps);
  });
});

/** Lets the session and the graph of its optimizer go the same way. */
async function holdToGraph(
  optimizer: OptimizerConfig,
  clipGradientNorm: number | undefined,
  goldenSteps: number,
): Promise<void> {
  const { session, artifacts } = await open(
    { net: small.case.net, weights: small.weights },
    optimizer,
    clipGradientNorm,
  );
  session.attachRows('input', small.rows.values, small.rows.shape[0]!, { scale: 1, offset: 0, binarise: 'none' });
  const graph = await InferenceSession.create(writeModel(artifacts.optimizerModel));
  const { parameters } = artifacts.manifest;
  let values = tensorsOf(byName(artifacts.checkpoint.parameters.slice(), artifacts), '');
  let moments: Record<string, Tensor> = Object.fromEntries(
    graph.inputNames
      .filter((name) => name.includes('_moment'))
      .map((name) => {
        const { dims } = parameters.find((parameter) => name.startsWith(`${parameter.name}_moment`))!;
        return [name, new Tensor('float32', new Float32Array(elementCount(dims)), dims)];
      }),
  );
  function tensorsOf(flat: Record<string, Float32Array>, suffix: string): Record<string, Tensor> {
    return Object.fromEntries(
      parameters.map(({ name, dims }) => [name + suffix, new Tensor('float32', flat[name]!.slice(), dims)]),
    );
  }
  const latent = small.case.net.latentDim;
  for (let step = 0; step < 100; step += 1) {
    // Both take the gradient that the session computed, so only the optimizers are compared.
    const at = (step % goldenSteps) * small.batchSize * latent;
    const epsilon = small.epsilons.values.slice(at, at + small.batchSize * latent);
    await stepOn(session, small.indices[step % small.indices.length]!, epsilon, latent, optimizer.learningRate, step);
    const next = await graph.run({
      ...values,
      ...moments,
      ...tensorsOf(byName(session.getGradients(), artifacts), '_grad'),
      learning_rate: new Tensor('float32', [optimizer.learningRate], []),
      step: new Tensor('float32', [step + 1], []),
    });
    const renamed = Object.entries(next).map(
      ([name, tensor]) => [name.replace(/_out$/, ''), tensor as Tensor] as const,
    );
    values = Object.fromEntries(renamed.filter(([name]) => !name.includes('_moment')));
    moments = Object.fromEntries(renamed.filter(([name]) => name.includes('_moment')));
  }
  const ours = byName(session.getParameters(), artifacts);
  for (const { name } of parameters) {
    expect(relativeError(ours[name]!, values[name]!.data as Float32Array), name).toBeLessThan(1e-6);
  }
  await Promise.all([session.close(), graph.release()]);
}

test('VAE 784-400-20 is where PyTorch is after 20 steps of Adam', async () => {
  const golden = loadFullVae();
  const { clipGradientNorm, ...optimizer } = golden.trained.optimizer;
  const { session, artifacts } = await open(golden, optimizer, clipGradientNorm);
  const { batchSize, net } = golden;
  session.attachRows('input', golden.rows, golden.rows.length / net.inputDim, {
    scale: 1 / 256,
    offset: 0,
    binarise: 'none',
  });
  for (let step = 0; step < golden.trained.steps; step += 1) {
    const rows = Array.from({ length: batchSize }, (_, index) => step * batchSize + index);
    const size = batchSize * net.latentDim;
    const epsilon = golden.epsilons.slice(step * size, (step + 1) * size);
    await stepOn(session, rows, epsilon, net.latentDim, optimizer.learningRate, step);
  }
  const parameters = byName(session.getParameters(), artifacts);
  for (const [name, digest] of Object.entries(golden.trained.parameters)) {
    expect(digestError(parameters[name]!, digest, golden.projectionStream), name).toBeLessThan(1e-4);
  }
  await session.close();
});
