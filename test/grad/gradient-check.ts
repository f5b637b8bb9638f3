/**
 * Gradient checks: a graph with its backward pass is built and run by onnxruntime-node, and inner
 * products of the gradient with random directions are held against central differences.
 */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect } from 'vitest';
import { type DataType, elementCount } from '../../src/core/dtype.js';
import { differentiate } from '../../src/grad/index.js';
import { type Dim, GraphBuilder, type Node, type Value, writeModel } from '../../src/graph/index.js';

type FloatType = 'float32' | 'float64';

export interface InputSpec {
  readonly dims: readonly number[];
  /** Shape as the graph declares it, symbolic lengths included. Default: `dims`; null: unknown rank. */
  readonly shape?: readonly Dim[] | null;
  /** Uniform range of the elements. Default [-2, 2]. */
  readonly range?: readonly [low: number, high: number];
  /** Elements are moved at least this far from each of `kinks`. */
  readonly kinks?: readonly number[];
  /** Elements are all different by at least a fifth of the mean spacing: for maxima. */
  readonly distinct?: boolean;
  /** Exact elements; integer inputs need them. */
  readonly values?: readonly number[];
  readonly dtype?: 'int64' | 'bool';
  /** Whether a gradient is asked for. Default: for float inputs. */
  readonly wrt?: boolean;
}

export interface GradientCase {
  readonly name: string;
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** The forward graph: its float outputs. */
  build(g: GraphBuilder, inputs: Readonly<Record<string, Value>>, dtype: FloatType): Value | readonly Value[];
  readonly opset?: number;
  /** Default: float64 where ONNX Runtime has the operators in it, otherwise float32. */
  readonly dtype?: FloatType;
  /** Largest error relative to the norms of gradient and direction. */
  readonly tolerance?: number;
}

/** Mulberry32: a small generator, so that every run checks the same numbers. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function seedOf(text: string): number {
  let hash = 2166136261;
  for (const character of text) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619);
  return hash >>> 0;
}

const normal = (random: () => number) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

function elementsOf(spec: InputSpec, random: () => number): number[] {
  const count = elementCount(spec.dims);
  if (spec.values) {
    expect(spec.values.length).toBe(count);
    return [...spec.values];
  }
  const [low, high] = spec.range ?? [-2, 2];
  if (spec.distinct) {
    const spacing = (high - low) / count;
    const values = Array.from({ length: count }, (_, i) => low + spacing * (i + 0.1 + 0.8 * random()));
    for (let i = count - 1; i > 0; i -= 1) {
      const j = Math.floor(random() * (i + 1));
      [values[i], values[j]] = [values[j]!, values[i]!];
    }
    return values;
  }
  return Array.from({ length: count }, () => {
    for (;;) {
      const value = low + (high - low) * random();
      if ((spec.kinks ?? []).every((kink) => Math.abs(value - kink) > 0.05)) return value;
    }
  });
}

function tensorOf(elements: readonly number[], dims: readonly number[], dtype: DataType): Tensor {
  switch (dtype) {
    case 'float64':
      return new Tensor('float64', Float64Array.from(elements), dims);
    case 'int64':
      return new Tensor('int64', BigInt64Array.from(elements, BigInt), dims);
    case 'bool':
      return new Tensor('bool', Uint8Array.from(elements), dims);
    default:
      return new Tensor('float32', Float32Array.from(elements), dims);
  }
}

const isMissingKernel = (error: unknown) =>
  /NOT_IMPLEMENTED|Could not find an implementation|Failed to find kernel|Type Error/i.test(String(error));

/** Checks one case; in float32 where float64 is not to be had. Resolves with the type used. */
export async function checkGradients(one: GradientCase): Promise<FloatType> {
  if (one.dtype !== undefined) {
    await checkIn(one, one.dtype);
    return one.dtype;
  }
  try {
    await checkIn(one, 'float64');
    return 'float64';
  } catch (error) {
    if (!isMissingKernel(error)) throw error;
  }
  await checkIn(one, 'float32');
  return 'float32';
}

async function checkIn(one: GradientCase, dtype: FloatType): Promise<void> {
  const random = randomNumbers(seedOf(one.name));
  const point = new Map(Object.entries(one.inputs).map(([name, spec]) => [name, elementsOf(spec, random)]));
  const wrt = Object.entries(one.inputs)
    .filter(([, spec]) => spec.wrt ?? spec.dtype === undefined)
    .map(([name]) => name);
  const feedsAt = (moved?: readonly [name: string, elements: readonly number[]]) =>
    Object.fromEntries(
      Object.entries(one.inputs).map(([name, spec]) => [
        name,
        tensorOf(name === moved?.[0] ? moved[1] : point.get(name)!, spec.dims, spec.dtype ?? dtype),
      ]),
    );

  const forward = await open(forwardModel(one, dtype), dtype);
  try {
    const values = await forward.run(feedsAt());
    const names = Object.keys(values);
    const weights = names.map((name) => Array.from({ length: values[name]!.size }, () => normal(random)));
    const lossAt = async (moved: readonly [string, readonly number[]]) => {
      const results = await forward.run(feedsAt(moved));
      return names.reduce((sum, name, index) => sum + dot(numbers(results[name]!), weights[index]!), 0);
    };
    const backward = await open(backwardModel(one, dtype, wrt), dtype);
    const weightFeeds = Object.fromEntries(
      names.map((name, index) => [`weights_${name}`, tensorOf(weights[index]!, values[name]!.dims, dtype)]),
    );
    const results = await backward.run({ ...feedsAt(), ...weightFeeds }).finally(() => backward.release());
    for (const name of names) {
      // Forward means the same after differentiation has rewritten parts of it.
      expect(distance(numbers(results[name]!), numbers(values[name]!)), 'forward result').toBeLessThan(
        dtype === 'float64' ? 1e-10 : 1e-4,
      );
    }
    for (const name of wrt) {
      const gradient = results[`${name}_grad`]!;
      expect(gradient.dims, `shape of the gradient of ${name}`).toEqual(one.inputs[name]!.dims);
      await compare(one, dtype, name, point.get(name)!, numbers(gradient), lossAt, random);
    }
  } finally {
    await forward.release();
  }
}

/** In float64 without the fusions, whose kernels are float32 only. */
const open = (model: Uint8Array, dtype: FloatType) =>
  InferenceSession.create(model, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    logSeverityLevel: 4,
    graphOptimizationLevel: dtype === 'float64' ? 'basic' : 'all',
  });

function build(one: GradientCase, dtype: FloatType): { g: GraphBuilder; outputs: readonly Value[] } {
  const g = new GraphBuilder({ name: 'check', ...(one.opset === undefined ? {} : { opset: one.opset }) });
  const inputs: Record<string, Value> = {};
  for (const [name, spec] of Object.entries(one.inputs)) {
    inputs[name] = g.input(name, spec.dtype ?? dtype, spec.shape === null ? undefined : (spec.shape ?? spec.dims));
  }
  const built = one.build(g, inputs, dtype);
  return { g, outputs: (Array.isArray(built) ? built : [built]) as Value[] };
}

function forwardModel(one: GradientCase, dtype: FloatType): Uint8Array {
  const { g, outputs } = build(one, dtype);
  for (const [index, output] of outputs.entries()) g.output(`y${index}`, output);
  return writeModel(g.model);
}

function backwardModel(one: GradientCase, dtype: FloatType, wrt: readonly string[]): Uint8Array {
  const { g, outputs } = build(one, dtype);
  // The loss is a sum with random weights, inputs because the shapes may be symbolic.
  const parts = outputs.map((output, index) =>
    g.op('ReduceSum', [g.op('Mul', [output, g.input(`weights_y${index}`, dtype, output.shape)])], { keepdims: 0 }),
  );
  const loss = parts.reduce((sum, part) => g.op('Add', [sum, part]));
  const forward = [...g.graph.nodes];
  const { gradients, unused } = differentiate(g, { loss, parameters: wrt });
  expect(unused, 'parameters without a way to the loss').toEqual([]);
  expectNoDeadNodes(g, forward, [...gradients.values()]);
  for (const [index, output] of outputs.entries()) g.output(`y${index}`, output);
  for (const name of wrt) g.output(`${name}_grad`, gradients.get(name)!);
  expect(g.graph.nodes.filter((node) => node.domain !== '')).toEqual([]);
  return writeModel(g.model);
}

async function compare(
  one: GradientCase,
  dtype: FloatType,
  name: string,
  point: readonly number[],
  gradient: readonly number[],
  lossAt: (moved: readonly [string, readonly number[]]) => Promise<number>,
  random: () => number,
): Promise<void> {
  const tolerance = one.tolerance ?? (dtype === 'float64' ? 2e-6 : 3e-3);
  for (let direction = 0; direction < 2; direction += 1) {
    const along = gradient.map(() => normal(random));
    const h = (dtype === 'float64' ? 1e-4 : 1e-2) / Math.max(1, ...along.map(Math.abs));
    const at = (distance: number) => lossAt([name, point.map((value, i) => value + distance * along[i]!)]);
    // Fourth order: the step may be large enough for float32.
    const numeric = (8 * ((await at(h)) - (await at(-h))) - ((await at(2 * h)) - (await at(-2 * h)))) / (12 * h);
    const analytic = dot(gradient, along);
    const scale = norm(gradient) * norm(along) + Math.abs(numeric);
    const error = Math.abs(analytic - numeric) / Math.max(scale, 1e-3);
    const said = `${one.name} (${dtype}): gradient of ${name}: analytic ${analytic}, numeric ${numeric}`;
    expect(error, said).toBeLessThan(tolerance);
  }
}

const numbers = (tensor: Tensor): number[] => Array.from(tensor.data as Float64Array, Number);
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const norm = (vector: readonly number[]) => Math.sqrt(dot(vector, vector));
const distance = (a: readonly number[], b: readonly number[]) =>
  a.reduce((worst, value, i) => Math.max(worst, Math.abs(value - b[i]!) / (1 + Math.abs(b[i]!))), 0);

/** Every node that differentiation adds must lead to a gradient or to a value that was there before. */
function expectNoDeadNodes(g: GraphBuilder, before: readonly Node[], gradients: readonly Value[]): void {
  const used = new Set([...gradients.map(({ name }) => name), ...before.flatMap((node) => node.outputs)]);
  const dead: string[] = [];
  for (let at = g.graph.nodes.length - 1; at >= 0; at -= 1) {
    const node = g.graph.nodes[at]!;
    if (node.outputs.some((name) => used.has(name))) for (const name of node.inputs) used.add(name);
    else dead.push(`${node.op} "${node.name}"`);
  }
  expect(dead.join(', '), 'nodes that lead nowhere').toBe('');
}
