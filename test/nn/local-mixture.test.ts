import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { ParameterStore } from '../../src/architectures/parameters.js';
import { differentiate } from '../../src/grad/index.js';
import { GraphBuilder } from '../../src/graph/builder.js';
import { writeModel } from '../../src/graph/index.js';
import { makeLikelihood } from '../../src/nn/likelihoods/index.js';
import { headOffsets, type LocalMixtureConfig } from '../../src/nn/likelihoods/local-mixture.js';
import { neighbourhood } from '../../src/nn/likelihoods/neighbours.js';
import { sumPerExample } from '../../src/nn/reduce.js';
import { type ParameterSpec, Scope } from '../../src/nn/scope.js';
import { randomNumbers } from '../codecs/random-spec.js';

const config: LocalMixtureConfig = {
  type: 'local-mixture',
  features: 2,
  components: 3,
  above: 1,
  beside: 2,
  hidden: [7, 5],
};
const shape = [2, 3, 4];
const size = 24;

function randomStore(specs: readonly ParameterSpec[], seed: number, spread: number): ParameterStore {
  const random = randomNumbers(seed);
  const store = new ParameterStore(specs);
  for (let i = 0; i < store.values.length; i += 1) store.values[i] = (random() * 2 - 1) * spread;
  return store;
}

/** Graph of negativeLog with features as an input, its parameters random. */
function build(seed: number, spread = 0.6) {
  const specs: ParameterSpec[] = [];
  const make = (source: (spec: ParameterSpec, g: GraphBuilder) => ReturnType<GraphBuilder['input']>) => {
    const g = new GraphBuilder({ name: 'likelihood' });
    const x = g.input('x', 'float32', ['N', ...shape]);
    const features = g.input('features', 'float32', ['N', config.features, ...shape]);
    const likelihood = makeLikelihood(config);
    g.output('nll', likelihood.negativeLog(new Scope(g, source), x, [features]));
    g.output('mean', likelihood.mean(new Scope(g, source), [features]));
    return g;
  };
  make((spec, g) => {
    if (!specs.some(({ name }) => name === spec.name)) specs.push(spec);
    return g.graph.types.has(spec.name) ? g.value(spec.name) : g.input(spec.name, 'float32', spec.dims);
  });
  const store = randomStore(specs, seed, spread);
  const g = make((spec, builder) =>
    builder.graph.initializers.has(spec.name)
      ? builder.value(spec.name)
      : builder.initializer(spec.name, store.constant(spec)),
  );
  return { g, store };
}

const bytes = (seed: number, count: number): number[] => {
  const random = randomNumbers(seed);
  // Zeros, full values and all between.
  return Array.from({ length: count * size }, () => {
    const kind = random();
    return kind < 0.3 ? 0 : kind < 0.4 ? 255 : Math.floor(random() * 256);
  });
};
const scaled = (values: readonly number[]) => Float32Array.from(values, (value) => value * (1 / 255));
const featureValues = (seed: number, count: number) => {
  const random = randomNumbers(seed);
  return Float32Array.from({ length: count * config.features * size }, () => random() * 4 - 2);
};

const tensor = (data: Float32Array, ...dims: number[]) => new Tensor('float32', data, dims);

async function run(g: GraphBuilder, x: Float32Array, features: Float32Array, count: number) {
  const session = await InferenceSession.create(Buffer.from(writeModel(g.model)));
  const result = await session.run({
    x: tensor(x, count, ...shape),
    features: tensor(features, count, config.features, ...shape),
  });
  return Object.fromEntries(Object.entries(result).map(([name, { data }]) => [name, data as Float32Array]));
}

/** The formula written plainly in double precision: S(a) − S(b) for the values, one by one. */
function plain(store: ParameterStore, values: readonly number[], features: Float32Array): number[] {
  const parameter = (name: string) => store.view(store.specs.find((spec) => spec.name === name)!);
  const layer = (path: string, input: readonly number[], context: readonly number[], relu: boolean) => {
    const [weight, bias] = [parameter(`${path}.weight`), parameter(`${path}.bias`)];
    const beside = context.length > 0 ? parameter(`${path}.neighbours`) : [];
    return Array.from(bias, (start, o) => {
      const own = input.reduce((total, value, i) => total + value * weight[o * input.length + i]!, start);
      const sum = context.reduce((total, value, i) => total + value * beside[o * context.length + i]!, own);
      return relu ? Math.max(sum, 0) : sum;
    });
  };
  const sigmoid = (t: number) => 1 / (1 + Math.exp(-t));
  const { components: k } = config;
  const offsets = headOffsets(k);
  return values.map((value, position) => {
    const [y, x] = [Math.floor(position / 4), position % 4];
    const context = neighbourhood(config.above, config.beside).map(({ rows, columns }) => {
      const [row, column] = [y - rows, x + columns];
      return row >= 0 && column >= 0 && column < 4 ? values[row * 4 + column]! / 255 : 0;
    });
    const own = Array.from({ length: config.features }, (_, f) => features[f * size + position]!);
    const hidden = layer('hidden.1', layer('hidden.0', own, context, true), [], true);
    const raw = layer('output', hidden, context, false).map((v, i) => v + offsets[i]!);
    const weights = raw.slice(0, k).map((logit) => Math.exp(logit));
    const total = weights.reduce((a, b) => a + b);
    const zero = sigmoid(raw[3 * k]!);
    if (value === 0) return -Math.log(zero);
    const share = weights.reduce((sum, weight, c) => {
      const mean = raw[k + c]! * 255;
      const scale = Math.exp(Math.min(Math.max(raw[2 * k + c]!, -2.5), 5.5));
      const upper = value === 255 ? 1 : sigmoid((value + 0.5 - mean) / scale);
      const lower = value === 1 ? 0 : sigmoid((value - 0.5 - mean) / scale);
      return sum + (weight / total) * (upper - lower);
    }, 0);
    return -Math.log((1 - zero) * share);
  });
}

describe('the local mixture', () => {
  it('is the formula of its papers', async () => {
    const { g, store } = build(1);
    const values = bytes(2, 3);
    const features = featureValues(3, 3);
    const { nll } = await run(g, scaled(values), features, 3);
    for (let n = 0; n < 3; n += 1) {
      const expected = plain(
        store,
        values.slice(n * size, (n + 1) * size),
        features.subarray(n * size * 2, (n + 1) * size * 2),
      );
      expected.forEach((value, i) => {
        expect(Math.abs(nll![n * size + i]! - value)).toBeLessThan(1e-4 * Math.max(1, value));
      });
    }
  });

  it('sums to one over the 256 values', async () => {
    const { g } = build(4, 1.2);
    const values = bytes(5, 1);
    const all = Array.from({ length: 256 }, (_, v) => [...values.slice(0, size - 1), v]).flat();
    const one = featureValues(6, 1);
    const features = Float32Array.from({ length: 256 * one.length }, (_, i) => one[i % one.length]!);
    const { nll } = await run(g, scaled(all), features, 256);
    const sum = Array.from({ length: 256 }, (_, v) => Math.exp(-nll![v * size + size - 1]!)).reduce((a, b) => a + b);
    expect(Math.abs(sum - 1)).toBeLessThan(1e-4);
  });

  it('depends on what stands before a value and on nothing after it', async () => {
    const { g } = build(7);
    const values = bytes(8, 1);
    const features = featureValues(9, 1);
    const changed = values.with(9, values[9]! > 128 ? 3 : 250);
    const before = (await run(g, scaled(values), features, 1))['nll']!;
    const after = (await run(g, scaled(changed), features, 1))['nll']!;
    // Position 9 is row 2, column 1; a value in row 2 or 3 within two columns sees it.
    const seen = [10, 11, 12, 13, 14, 15];
    for (let i = 0; i < size; i += 1) {
      if (seen.includes(i)) expect(after[i]).not.toBeCloseTo(before[i]!, 5);
      else if (i !== 9) expect(after[i]).toBe(before[i]);
    }
  });

  it('has the gradient of its value', async () => {
    const { g, store } = build(10);
    const loss = g.op('ReduceSum', [sumPerExample(g, g.value('nll'))], { keepdims: 0 });
    g.output('loss', loss);
    const names = store.specs.map((spec) => spec.name);
    const { gradients } = differentiate(g, { loss: 'loss', parameters: [...names, 'features'] });
    for (const [name, value] of gradients) g.output(`${name}_grad`, value);
    const x = scaled(bytes(11, 2));
    const features = featureValues(12, 2);
    const result = await run(g, x, features, 2);
    const random = randomNumbers(13);
    const direction = Float32Array.from(features, () => random() * 2 - 1);
    const along = (step: number) => Float32Array.from(features, (value, i) => value + step * direction[i]!);
    const at = async (step: number) =>
      (await run(g, x, along(step), 2))['nll']!.reduce((total, value) => total + value, 0);
    const numeric = ((await at(1e-2)) - (await at(-1e-2))) / 2e-2;
    const analytic = result['features_grad']!.reduce((total, value, i) => total + value * direction[i]!, 0);
    expect(Math.abs(analytic - numeric)).toBeLessThan(1e-2 * Math.max(1, Math.abs(numeric)));
    for (const name of names) expect(result[`${name}_grad`]!.some((value) => value !== 0)).toBe(true);
  });

  it('has a mean within the data range', async () => {
    const { g } = build(14, 1.5);
    const { mean } = await run(g, scaled(bytes(15, 4)), featureValues(16, 4), 4);
    expect(mean!.length).toBe(4 * size);
    for (const value of mean!) expect(value >= 0 && value <= 1).toBe(true);
  });
});
