/** The training and optimizer graphs run by stock ONNX Runtime, step by step, against PyTorch's parameters. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, test } from 'vitest';
import { buildObjective } from '../../src/architectures/graphs.js';
import { TERMS } from '../../src/architectures/names.js';
import { generateArtifacts } from '../../src/artifacts/generate.js';
import type { OptimizerConfig } from '../../src/artifacts/optimizer-options.js';
import { writeModel } from '../../src/graph/index.js';
import { loadSmallVae, relativeError } from '../golden/load.js';
import { goldenVae } from '../support/golden-vae.js';

const golden = loadSmallVae();

/** Parameters after the golden steps, by name. */
async function train(optimizer: OptimizerConfig, clipGradientNorm: number | undefined, steps: number) {
  const { vae, parameters } = goldenVae(golden.case.net, golden.weights);
  const artifacts = generateArtifacts({
    model: buildObjective(vae, parameters.asInitializers),
    scalars: TERMS,
    noDecay: [],
    optimizer,
    ...(clipGradientNorm === undefined ? {} : { clipGradientNorm }),
  });
  const training = await InferenceSession.create(writeModel(artifacts.trainingModel));
  const stepping = await InferenceSession.create(writeModel(artifacts.optimizerModel));
  let values: Record<string, Tensor> = {};
  for (const spec of parameters.specs) values[spec.name] = new Tensor('float32', parameters.view(spec), spec.dims);
  let moments: Record<string, Tensor> = {};
  for (const name of stepping.inputNames.filter((input) => input.includes('_moment'))) {
    const of = parameters.specs.find((spec) => name.startsWith(`${spec.name}_moment`))!;
    moments[name] = new Tensor('float32', new Float32Array(parameters.view(of).length), of.dims);
  }
  const width = golden.rows.shape[1]!;
  const latent = golden.epsilons.shape[2]!;
  for (let step = 0; step < steps; step += 1) {
    const input = golden.indices[step]!.flatMap((row) => [
      ...golden.rows.values.subarray(row * width, (row + 1) * width),
    ]);
    const noise = golden.epsilons.values.slice(
      step * golden.batchSize * latent,
      (step + 1) * golden.batchSize * latent,
    );
    const outputs = await training.run({
      ...values,
      input: new Tensor('float32', input, [golden.batchSize, width]),
      epsilon: new Tensor('float32', noise, [golden.batchSize, latent]),
      kl_weight: new Tensor('float32', [1], []),
    });
    const gradients = Object.fromEntries(Object.entries(outputs).filter(([name]) => name.endsWith('_grad')));
    const next = await stepping.run({
      ...values,
      ...moments,
      ...gradients,
      learning_rate: new Tensor('float32', [optimizer.learningRate], []),
      step: new Tensor('float32', [step + 1], []),
    });
    const renamed = Object.entries(next).map(
      ([name, tensor]) => [name.replace(/_out$/, ''), tensor as Tensor] as const,
    );
    values = Object.fromEntries(renamed.filter(([name]) => !name.includes('_moment')));
    moments = Object.fromEntries(renamed.filter(([name]) => name.includes('_moment')));
  }
  await Promise.all([training.release(), stepping.release()]);
  return values;
}

describe.each(Object.entries(golden.optimizers))('%s', (_, expected) => {
  test('ends at the parameters that PyTorch ends at', async () => {
    const { clipGradientNorm, ...optimizer } = expected.optimizer;
    const values = await train(optimizer, clipGradientNorm, expected.steps);
    for (const [name, tensor] of Object.entries(expected.parameters)) {
      expect(relativeError(values[name]!.data as Float32Array, tensor.values), name).toBeLessThan(1e-4);
    }
  });
});
