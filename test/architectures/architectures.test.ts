/** Every architecture with one stochastic layer: shapes, odd sizes, labels, latents as maps, gradients. */
import { describe, expect, test } from 'vitest';
import {
  buildDecoder,
  buildEncoder,
  buildObjective,
  buildPosterior,
  buildPrior,
  buildTraining,
} from '../../src/architectures/graphs.js';
import { generateArtifacts } from '../../src/artifacts/generate.js';
import { elementCount } from '../../src/core/dtype.js';
import { writeModel } from '../../src/graph/index.js';
import { LIKELIHOOD_NAMES } from '../../src/nn/likelihoods/index.js';
import { hashedUniform } from '../golden/formula.js';
import { type Given, runModel } from '../support/evaluate.js';
import { batchFor, type RecipeInput, smallModel } from '../support/recipes.js';

const image = (height: number, width = height, channels = 1) => ({ kind: 'image', height, width, channels }) as const;

/** Smooth activations: differences across a kink are not derivatives. */
const CASES: Readonly<Record<string, RecipeInput>> = {
  'mlp on images': { architecture: { type: 'mlp', hidden: [16], activation: 'tanh' }, input: image(6) },
  'conv, vector': { architecture: { type: 'conv', channels: [4, 6], activation: 'tanh' }, input: image(12, 8, 2) },
  'conv, odd size': { architecture: { type: 'conv', channels: [4, 6], activation: 'tanh' }, input: image(11, 7) },
  'conv, kernel 3, dense layer': {
    architecture: { type: 'conv', channels: [4], kernel: 3, hidden: 10, activation: 'elu' },
    input: image(9, 10),
  },
  'conv, map': {
    architecture: { type: 'conv', channels: [4, 6], latent: 'map', activation: 'tanh' },
    input: image(8),
  },
  'conv, four numbers a value': {
    architecture: { type: 'conv', channels: [4], activation: 'tanh' },
    input: image(6, 6, 2),
    likelihood: { type: 'gaussian', variance: 'perValue' },
  },
  resnet: { architecture: { type: 'resnet', channels: [4, 8], groups: 2 }, input: image(8) },
  'resnet, map': {
    architecture: { type: 'resnet', channels: [4, 4], groups: 2, latent: 'map' },
    input: image(8, 4, 3),
  },
  ladder: {
    architecture: {
      type: 'ladder',
      latents: [4, 3, 2],
      hidden: [10, 8, 6],
      activation: 'tanh',
      skip: true,
      norm: true,
    },
    input: image(5),
  },
  'ladder as in the paper': {
    architecture: {
      type: 'ladder',
      latents: [4, 3, 2],
      hidden: [10, 8, 6],
      norm: false,
      skip: false,
      activation: 'elu',
    },
    input: image(5),
  },
  chain: {
    architecture: { type: 'chain', latents: [4, 3, 2], hidden: [10, 8, 6], depth: 2, activation: 'tanh' },
    input: image(5),
  },
  conv1d: {
    architecture: { type: 'conv1d', channels: [4, 6], kernel: 5, stride: 3, activation: 'tanh' },
    input: { kind: 'sequence', length: 50, channels: 2 },
  },
  conv3d: {
    architecture: { type: 'conv3d', channels: [3, 4], activation: 'tanh' },
    input: { kind: 'video', frames: 5, height: 8, width: 6 },
  },
};

const LABELLED = ['mlp on images', 'conv, vector', 'conv, map', 'resnet', 'conv1d', 'conv3d', 'ladder', 'chain'];
const ROWS = 3;

describe.each(Object.entries(CASES))('%s', (name, recipe) => {
  const model = smallModel(recipe);
  const { vae, parameters } = model;
  const batch = batchFor(model, ROWS);
  const source = parameters.asInitializers;

  test('encoder and decoder have the shapes they say', async () => {
    const { mean, log_variance: spread } = await runModel(writeModel(buildEncoder(vae, source)), batch);
    expect(mean!.dims).toEqual([ROWS, ...vae.network.latentShape]);
    expect(spread!.dims).toEqual(mean!.dims);
    const latent = { data: mean!.data, dims: mean!.dims };
    const { output } = await runModel(writeModel(buildDecoder(vae, source)), { latent });
    expect(output!.dims).toEqual([ROWS, ...vae.dataShape]);
    expect(new Set(output!.data).size).toBeGreaterThan(ROWS);
  });

  test('examples do not touch one another', async () => {
    const graph = writeModel(buildObjective(vae, source));
    const whole = await runModel(graph, batch);
    const cut = (given: Given): Given =>
      given.dims[0] === ROWS
        ? { ...given, data: Array.from(given.data).slice(-given.data.length / ROWS), dims: [1, ...given.dims.slice(1)] }
        : given;
    const alone = await runModel(
      graph,
      Object.fromEntries(Object.entries(batch).map(([key, given]) => [key, cut(given)])),
    );
    for (const term of ['reconstruction_per_example', 'kl_per_example']) {
      const [expected, found] = [whole[term]!.data[ROWS - 1]!, alone[term]!.data[0]!];
      expect(Math.abs(found / expected - 1), term).toBeLessThan(1e-4);
    }
  });

  test('its gradient is that of its loss, every parameter included', { timeout: 60_000 }, async () => {
    await expectGradient(model, batch);
  });

  test.runIf(LABELLED.includes(name))('labels reach encoder and decoder', async () => {
    for (const condition of [{ classes: 4 }, { classes: 4, embedding: 2 }]) {
      const labelled = smallModel({ ...recipe, condition });
      const given = { ...batchFor(labelled, ROWS), label: { data: [0, 1, 3], dims: [ROWS], dtype: 'int64' as const } };
      const other = { ...given, label: { ...given.label, data: [2, 1, 3] } };
      const encoder = writeModel(buildEncoder(labelled.vae, labelled.parameters.asInitializers));
      const decoder = writeModel(buildDecoder(labelled.vae, labelled.parameters.asInitializers));
      const size = elementCount(labelled.vae.network.latentShape);
      const latent = { data: hashedUniform(3, ROWS * size, 1), dims: [ROWS, ...labelled.vae.network.latentShape] };
      for (const [graph, output] of [
        [encoder, 'mean'],
        [decoder, 'output'],
      ] as const) {
        const first = (await runModel(graph, { ...given, latent }))[output]!.data;
        const second = (await runModel(graph, { ...other, latent }))[output]!.data;
        const width = first.length / ROWS;
        expect(first.slice(0, width)).not.toEqual(second.slice(0, width));
        expect(first.slice(width)).toEqual(second.slice(width));
      }
    }
  });
});

describe.each<[string, RecipeInput]>([
  ['iaf', { posterior: { type: 'iaf', steps: 2, hidden: 8 } }],
  ['iaf on a map', { posterior: { type: 'iaf', steps: 1, hidden: 8 }, ...CASES['conv, map'] }],
  ['vamp', { prior: { type: 'vamp', components: 4 } }],
  ['vamp with iwae', { prior: { type: 'vamp', components: 4 }, objective: { type: 'iwae', samples: 3 } }],
  ['iaf with iwae', { posterior: { type: 'iaf', steps: 2, hidden: 8 }, objective: { type: 'iwae', samples: 3 } }],
  ['ladder with iwae', { ...CASES['ladder'], objective: { type: 'iwae', samples: 3 } }],
  ['chain with iwae', { ...CASES['chain'], objective: { type: 'iwae', samples: 3 } }],
  ['iaf with free bits', { posterior: { type: 'iaf', steps: 2, hidden: 8 }, objective: 'free-bits' }],
])('%s', (_, recipe) => {
  const model = smallModel(recipe);
  test('its gradient is that of its loss', async () => {
    await expectGradient(model, batchFor(model, ROWS, model.vae.objective.samples));
  });

  test('what it encodes can be decoded, and what it draws from the prior too', async () => {
    const { vae, parameters } = model;
    const source = parameters.asInitializers;
    const batch = batchFor(model, ROWS);
    const { mean } = await runModel(writeModel(buildEncoder(vae, source)), batch);
    const { latent } = await runModel(writeModel(buildPosterior(vae, source)), batch);
    expect(latent!.dims).toEqual(mean!.dims);
    if (vae.network.priorNoise !== undefined) {
      const given = { ...batch, uniform: { data: [0.01, 0.5, 0.999], dims: [ROWS] } };
      const drawn = await runModel(writeModel(buildPrior(vae, source)), given);
      expect(drawn['latent']!.dims).toEqual(mean!.dims);
    }
  });
});

describe('every likelihood can be trained', () => {
  test.each<[string, RecipeInput['likelihood']]>([
    // A network of neighbours has kinks, a table says what its columns are: they have tests of their own.
    ...LIKELIHOOD_NAMES.filter((name) => name !== 'local-mixture' && name !== 'table').map(
      (name): [string, RecipeInput['likelihood']] => [name, name],
    ),
    ['mixture', { type: 'discretised-logistic', components: 3 }],
    ['variance of each dimension', { type: 'gaussian', variance: 'perDimension' }],
    ['scale of each value', { type: 'laplace', scale: 'perValue' }],
  ])('%s', async (_, likelihood) => {
    const model = smallModel({ architecture: CASES['mlp on images']!.architecture!, input: image(3, 4), likelihood });
    await expectGradient(model, batchFor(model, ROWS));
  });
});

/** Along a direction through all parameters, and along each one's own. */
async function expectGradient(model: ReturnType<typeof smallModel>, batch: Record<string, Given>): Promise<void> {
  const { vae, parameters } = model;
  const { model: graph, states, stopped } = buildTraining(vae, parameters.asInitializers);
  const artifacts = generateArtifacts({
    model: graph,
    evaluation: buildObjective(vae, parameters.asInitializers),
    trainable: parameters.specs.filter(({ trainable }) => trainable).map(({ name }) => name),
    states,
    stopped,
    optimizer: { type: 'adam', learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
  });
  expect(artifacts.unused).toEqual([]);
  const bytes = writeModel(artifacts.trainingModel);
  const sign = (index: number) => (index % 3 === 0 ? 1 : -0.5);
  const at = async (offset: number) => {
    const inputs: Record<string, Given> = { ...batch };
    for (const spec of parameters.specs) {
      const data = Float32Array.from(parameters.view(spec), (value, index) => value + offset * sign(index));
      inputs[spec.name] = { data, dims: spec.dims };
    }
    return runModel(bytes, inputs);
  };
  const here = await at(0);
  let slope = 0;
  for (const { name } of parameters.specs) {
    const gradient = here[`${name}_grad`];
    if (gradient === undefined) continue;
    expect(
      gradient.data.some((value) => value !== 0),
      name,
    ).toBe(true);
    slope += gradient.data.reduce((sum, value, index) => sum + value * sign(index), 0);
  }
  // Two steps of different length, extrapolated: what is left is rounding.
  const difference = async (step: number) => {
    const [up, down] = [await at(step), await at(-step)];
    return (up['loss']!.data[0]! - down['loss']!.data[0]!) / (2 * step);
  };
  const numeric = (4 * (await difference(2e-3)) - (await difference(4e-3))) / 3;
  expect(Math.abs(numeric - slope)).toBeLessThan(0.01 * Math.max(Math.abs(slope), 1));
}
