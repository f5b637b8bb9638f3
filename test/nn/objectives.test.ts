/** Each objective is the ELBO where its paper says so, and what its paper says elsewhere. */
import { describe, expect, test } from 'vitest';
import { buildEncoder, buildObjective, buildPosterior, buildTraining } from '../../src/architectures/graphs.js';
import { generateArtifacts } from '../../src/artifacts/generate.js';
import { writeModel } from '../../src/graph/index.js';
import { OBJECTIVE_NAMES } from '../../src/nn/objectives/index.js';
import { infoMmd } from '../../src/nn/objectives/info-mmd.js';
import { evaluate, type Given, meanOf, runModel, standardNormal } from '../support/evaluate.js';
import { batchFor, type RecipeInput, smallModel } from '../support/recipes.js';

const ROWS = 7;

async function trainingLoss(options: RecipeInput, batch?: Record<string, Given>, samples = 1): Promise<number> {
  const model = smallModel(options);
  const { model: graph } = buildTraining(model.vae, model.parameters.asInitializers);
  const { loss } = await runModel(writeModel(graph), batch ?? batchFor(model, ROWS, samples));
  return loss!.data[0]!;
}

/** The negative ELBO at the same draws, its divergence in closed form. */
async function bound(): Promise<number> {
  const model = smallModel({});
  const graph = buildObjective(model.vae, model.parameters.asInitializers);
  const { reconstruction, kl } = await runModel(writeModel(graph), batchFor(model, ROWS));
  return reconstruction!.data[0]! + kl!.data[0]!;
}

/** −mean(log w) at one draw, from the graph of two: the draw is given twice. */
async function sampledBound(): Promise<number> {
  const model = smallModel({});
  const batch = batchFor(model, ROWS);
  const { data, dims } = batch['epsilon']!;
  const twice: number[] = [];
  for (let row = 0; row < ROWS; row += 1) {
    const one = Array.from(data).slice(row * 3, row * 3 + 3);
    twice.push(...one, ...one);
  }
  const epsilons = { data: twice, dims: [ROWS, 2, ...dims.slice(1)] };
  const graph = buildObjective(model.vae, model.parameters.asInitializers, 2);
  const { log_weight: weights } = await runModel(writeModel(graph), { ...batch, epsilons });
  return -meanOf(weights!.data);
}

describe('reduces to the ELBO', () => {
  test.each<[string, RecipeInput['objective']]>([
    ['beta-VAE at 1', { type: 'beta', beta: 1 }],
    ['free bits at 0', { type: 'free-bits', lambda: 0 }],
    ['InfoVAE at alpha 0, lambda 1', { type: 'info-mmd', alpha: 0, lambda: 1 }],
  ])('%s', async (_, objective) => {
    const elbo = await bound();
    expect(Math.abs((await trainingLoss({ objective })) / elbo - 1)).toBeLessThan(1e-6);
  });

  test.each<[string, RecipeInput['objective']]>([
    ['beta-TCVAE with weights 1', { type: 'beta-tc', alpha: 1, beta: 1, gamma: 1 }],
    ['IWAE with one draw', { type: 'iwae', samples: 1 }],
  ])('%s, its divergence taken at the draws', async (_, objective) => {
    expect(Math.abs((await trainingLoss({ objective })) / (await sampledBound()) - 1)).toBeLessThan(1e-5);
  });
});

describe('away from it', () => {
  test('beta weighs the divergence', async () => {
    const elbo = await bound();
    const one = await trainingLoss({ objective: { type: 'beta', beta: 2 } });
    const two = await trainingLoss({ objective: { type: 'beta', beta: 3 } });
    expect(two - one).toBeCloseTo(one - elbo, 4);
    expect(one).toBeGreaterThan(elbo);
  });

  test('free bits cost lambda for each dimension that lies below it', async () => {
    const model = smallModel({});
    const graph = buildObjective(model.vae, model.parameters.asInitializers);
    const { reconstruction } = await runModel(writeModel(graph), batchFor(model, ROWS));
    const loss = await trainingLoss({ objective: { type: 'free-bits', lambda: 50 } });
    expect(loss).toBeCloseTo(reconstruction!.data[0]! + 3 * 50, 3);
  });

  test('more draws do not make the bound of IWAE worse', async () => {
    const losses = await Promise.all([1, 4, 16].map(async (samples) => (await manyDraws(samples)).loss));
    expect(losses[1]).toBeLessThan(losses[0]!);
    expect(losses[2]).toBeLessThan(losses[1]!);
  });

  async function manyDraws(samples: number): Promise<{ loss: number }> {
    // Enough rows that the rise stands out from the noise of the draws.
    const model = smallModel({}, 0.6);
    const rows = 2000;
    const graph = buildObjective(model.vae, model.parameters.asInitializers, Math.max(samples, 2));
    const batch = batchFor(model, rows, Math.max(samples, 2));
    const { log_weight: weights, loss } = await runModel(writeModel(graph), batch);
    return { loss: samples === 1 ? -meanOf(weights!.data) : loss!.data[0]! };
  }

  test('total correlation is estimated as its formula says', async () => {
    const alphas = [0, 3, 2] as const;
    const objective = { type: 'beta-tc', alpha: alphas[0], beta: alphas[1], gamma: alphas[2] } as const;
    const loss = await trainingLoss({ objective });
    const model = smallModel({});
    const batch = batchFor(model, ROWS);
    const source = model.parameters.asInitializers;
    const { mean, log_variance: spread } = await runModel(writeModel(buildEncoder(model.vae, source)), batch);
    const { latent: z } = await runModel(writeModel(buildPosterior(model.vae, source)), batch);
    const { reconstruction } = await runModel(writeModel(buildObjective(model.vae, source)), batch);
    const log = (i: number, j: number, d: number): number => {
      const variance = Math.exp(spread!.data[j * 3 + d]!);
      const difference = z!.data[i * 3 + d]! - mean!.data[j * 3 + d]!;
      return -0.5 * (Math.log(2 * Math.PI * variance) + difference ** 2 / variance);
    };
    const logMean = (values: number[]): number => {
      const top = Math.max(...values);
      return top + Math.log(values.reduce((sum, value) => sum + Math.exp(value - top), 0)) - Math.log(ROWS * 1000);
    };
    const indices = Array.from({ length: ROWS }, (_, j) => j);
    const dimensions = [0, 1, 2];
    let rest = 0;
    for (const i of indices) {
      const joint = logMean(indices.map((j) => dimensions.reduce((sum, d) => sum + log(i, j, d), 0)));
      const marginals = dimensions.reduce((sum, d) => sum + logMean(indices.map((j) => log(i, j, d))), 0);
      const prior = dimensions.reduce((sum, d) => sum - 0.5 * (Math.log(2 * Math.PI) + z!.data[i * 3 + d]! ** 2), 0);
      rest += (alphas[1] * (joint - marginals) + alphas[2] * (marginals - prior)) / ROWS;
    }
    expect(Math.abs(loss / (reconstruction!.data[0]! + rest) - 1)).toBeLessThan(1e-4);
  });

  test('the discrepancy of InfoVAE is near 0 for draws from the prior and large for others', async () => {
    const objective = infoMmd.make({ type: 'info-mmd', alpha: 1, lambda: 1 });
    const discrepancy = async (shift: number, scale: number): Promise<number> => {
      const rows = 1500;
      const data = standardNormal(40, rows * 2).map((value) => value * scale + shift);
      const { loss } = await evaluate({ z: { data, dims: [rows, 2] } }, ({ g }, { z }) => {
        const zeros = g.op('Mul', [g.op('ReduceSum', [z!, g.int64s([1])], { keepdims: 0 }), g.scalar(0)]);
        const term = { name: 'z', z: z!, kl: () => z!, logRatio: () => zeros };
        const context = { g, samples: 1, reconstruction: zeros, terms: [term], penalty: undefined };
        return {
          loss: objective.loss({
            ...context,
            klWeight: g.scalar(1),
            freeBits: () => g.scalar(0),
            datasetSize: () => g.scalar(rows),
          }),
        };
      });
      return loss!.data[0]!;
    };
    expect(Math.abs(await discrepancy(0, 1))).toBeLessThan(2e-3);
    // For N(m, 1) and N(0, 1) in two dimensions with s² = 1: 2 (1/3) (1 − exp(−‖m‖²/6)).
    expect(await discrepancy(1, 1)).toBeCloseTo((2 / 3) * (1 - Math.exp(-2 / 6)), 1);
    expect(await discrepancy(0, 0.2)).toBeGreaterThan(0.1);
  });
});

describe('every objective can be differentiated and its gradient is that of its loss', () => {
  test.each(OBJECTIVE_NAMES)('%s', async (type) => {
    const model = smallModel({ objective: { type } as never });
    const { model: graph, states, stopped } = buildTraining(model.vae, model.parameters.asInitializers);
    const artifacts = generateArtifacts({
      model: graph,
      evaluation: buildObjective(model.vae, model.parameters.asInitializers),
      scalars: ['loss', 'reconstruction', 'kl'],
      trainable: model.parameters.specs.map(({ name }) => name),
      states,
      stopped,
      optimizer: { type: 'adam', learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
    });
    const batch = batchFor(model, ROWS, model.vae.objective.samples);
    const at = async (offset: number, name: string) => {
      const inputs: Record<string, Given> = { ...batch };
      for (const spec of model.parameters.specs) {
        const data = Float32Array.from(model.parameters.view(spec));
        if (spec.name === name) for (let i = 0; i < data.length; i += 1) data[i]! += offset * (i % 2 === 0 ? 1 : -0.5);
        inputs[spec.name] = { data, dims: spec.dims };
      }
      return runModel(writeModel(artifacts.trainingModel), inputs);
    };
    for (const name of ['encoder.mean.weight', 'encoder.log_variance.bias', 'decoder.hidden.0.weight']) {
      const step = 2e-3;
      const [up, down, here] = await Promise.all([at(step, name), at(-step, name), at(0, name)]);
      const numeric = (up.loss!.data[0]! - down.loss!.data[0]!) / (2 * step);
      const analytic = here[`${name}_grad`]!.data.reduce((sum, value, i) => sum + value * (i % 2 === 0 ? 1 : -0.5), 0);
      expect(Math.abs(numeric - analytic), name).toBeLessThan(0.02 * Math.max(Math.abs(analytic), 0.2));
    }
  });
});
