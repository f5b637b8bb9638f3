/** Graphs put together at random, where rules meet in ways that nobody thought of. */
import { describe, expect, it } from 'vitest';
import { VaeError } from '../../src/core/errors.js';
import { GraphBuilder, type Value } from '../../src/graph/index.js';
import { checkGradients, type GradientCase, randomNumbers } from './gradient-check.js';

const GRAPHS = 100;
const NODES = 14;

type Random = () => number;
type Step = (g: GraphBuilder, pick: () => Value, random: Random) => Value | undefined;

const choose = <T>(random: Random, list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
const rankOf = (value: Value) => value.shape!.length;

/** Values stay bounded, so that long graphs do not overflow. */
const bounded = (g: GraphBuilder, value: Value) => g.op('Tanh', [value]);

const STEPS: readonly Step[] = [
  (g, pick, random) => bounded(g, g.op(choose(random, ['Add', 'Sub', 'Mul']), [pick(), pick()])),
  (g, pick) => g.op('Div', [pick(), g.op('Exp', [bounded(g, pick())])]),
  (g, pick, random) => g.op(choose(random, ['Sin', 'Sigmoid', 'Tanh', 'Neg', 'Softplus', 'Identity']), [pick()]),
  (g, pick) => {
    const x = pick();
    return g.op('Mul', [x, g.op('Sigmoid', [x])]);
  },
  (g, pick, random) => {
    const x = pick();
    const axes = x.shape!.map((_, axis) => axis).filter(() => random() < 0.5);
    const list = axes.length > 0 && axes.length < rankOf(x) ? g.int64s(axes) : undefined;
    const op = choose(random, ['ReduceSum', 'ReduceMean', 'ReduceLogSumExp']);
    return bounded(g, g.op(op, [x, list], { keepdims: choose(random, [0, 1]) }));
  },
  (g, pick) => {
    const x = pick();
    return rankOf(x) === 2 ? g.op('Transpose', [x]) : undefined;
  },
  (g, pick, random) => {
    const x = pick();
    return rankOf(x) === 0 ? undefined : g.op('Softmax', [x], { axis: choose(random, [0, -1]) });
  },
  (g, pick) => {
    const x = pick();
    return g.op('Reshape', [x, g.int64s([-1])]);
  },
  (g, pick, random) => {
    const x = pick();
    if (rankOf(x) === 0) return undefined;
    return g.op('Concat', [x, g.op('Sin', [x])], { axis: Math.floor(random() * rankOf(x)) });
  },
  (g, pick) => {
    const [a, b] = [pick(), pick()];
    if (rankOf(a) !== 2 || rankOf(b) !== 2 || a.shape![1] !== b.shape![0]) return undefined;
    return bounded(g, g.op('MatMul', [a, b]));
  },
  (g, pick) => {
    const x = pick();
    return rankOf(x) === 0 ? undefined : g.op('Slice', [x, g.int64s([0]), g.int64s([1]), g.int64s([0])]);
  },
];

const DIMS = { a: [3, 4], b: [4], c: [1, 4], d: [4, 4], e: [], f: [3, 1] } as const;

/** Takes one step; the values it read, and the one it made where it could be taken. */
function take(step: Step, g: GraphBuilder, values: readonly Value[], seed: number) {
  const random = randomNumbers(seed);
  const read: Value[] = [];
  const pick = () => {
    // Newer values are likelier, so that graphs grow deep as well as wide.
    const value = values[Math.floor(values.length * Math.sqrt(random()))]!;
    read.push(value);
    return value;
  };
  try {
    return { read, made: step(g, pick, random) };
  } catch (error) {
    // Shapes that do not broadcast: another step will do.
    expect(error).toBeInstanceOf(VaeError);
    return { read, made: undefined };
  }
}

/** Every other graph has a batch of symbolic length; a twin of static shapes tells whether lengths agree. */
function randomGraph(seed: number): GradientCase {
  const isSymbolic = seed % 2 === 0;
  const specs = Object.entries(DIMS).map(([name, dims]) => {
    const shape = isSymbolic && dims[0] === 3 ? ['N', ...dims.slice(1)] : dims;
    return [name, { dims, shape }] as const;
  });
  return {
    name: `random graph ${seed}`,
    inputs: Object.fromEntries(specs),
    build: (g, inputs, dtype) => {
      const random = randomNumbers(seed);
      const twin = new GraphBuilder();
      const twins = Object.entries(DIMS).map(([name, dims]) => twin.input(name, dtype, dims));
      const values = Object.values(inputs);
      const used = new Set<string>();
      for (let count = 0; count < NODES; count += 1) {
        const [step, choice] = [choose(random, STEPS), Math.floor(random() * 2 ** 32)];
        const possible = take(step, twin, twins, choice).made;
        if (possible === undefined) continue;
        const { read, made } = take(step, g, values, choice);
        if (made === undefined) continue;
        twins.push(possible);
        values.push(made);
        for (const { name } of read) used.add(name);
      }
      return values.filter(({ name }) => !used.has(name));
    },
  };
}

describe('gradients of random graphs', () => {
  it.each(Array.from({ length: GRAPHS }, (_, seed) => [seed]))('graph %i', async (seed) => {
    await checkGradients(randomGraph(seed));
  });
});
