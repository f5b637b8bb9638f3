/** Graphs built and run in one go: small pieces of a network checked by their numbers. */
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { ParameterStore } from '../../src/architectures/parameters.js';
import { GraphBuilder, type Value } from '../../src/graph/builder.js';
import { writeModel } from '../../src/graph/index.js';
import { type ParameterSpec, Scope } from '../../src/nn/scope.js';
import { hash, hashedNormal } from '../golden/formula.js';

export interface Given {
  readonly data: ArrayLike<number>;
  readonly dims: readonly number[];
  readonly dtype?: 'float32' | 'int64';
  /** Shape in the graph, where it is not that of the data: ['N', 3]. */
  readonly shape?: readonly (number | string)[];
}

/** Parameters from a formula, of this spread, in place of their initializers. */
export function hashedStore(specs: readonly ParameterSpec[], spread = 0.5, stream = 900): ParameterStore {
  const store = new ParameterStore(specs);
  specs.forEach((spec, index) => {
    const view = store.view(spec);
    hashedNormal(stream + index, view.length).forEach((value, at) => {
      view[at] = value * spread;
    });
  });
  return store;
}

/** Builds a graph of the inputs, with parameters from a formula, and returns its outputs' values. */
export async function evaluate(
  inputs: Readonly<Record<string, Given>>,
  build: (scope: Scope, inputs: Readonly<Record<string, Value>>) => Readonly<Record<string, Value>>,
  spread = 0.5,
): Promise<Record<string, { readonly data: Float32Array; readonly dims: readonly number[] }>> {
  const specs: ParameterSpec[] = [];
  const construct = (make: (spec: ParameterSpec, g: GraphBuilder) => Value): GraphBuilder => {
    const g = new GraphBuilder();
    const values = Object.fromEntries(
      Object.entries(inputs).map(([name, { dims, dtype, shape }]) => [
        name,
        g.input(name, dtype ?? 'float32', shape ?? dims),
      ]),
    );
    for (const [name, value] of Object.entries(build(new Scope(g, make), values))) g.output(name, value);
    return g;
  };
  construct((spec, g) => {
    specs.push(spec);
    return g.input(spec.name, 'float32', spec.dims);
  });
  const { model } = construct(hashedStore(specs, spread).asInitializers);
  return runModel(writeModel(model), inputs);
}

export async function runModel(
  bytes: Uint8Array,
  inputs: Readonly<Record<string, Given>>,
): Promise<Record<string, { readonly data: Float32Array; readonly dims: readonly number[] }>> {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const feeds = Object.fromEntries(
    Object.entries(inputs)
      .filter(([name]) => session.inputNames.includes(name))
      .map(([name, given]) => [name, tensorOf(given)]),
  );
  const outputs = await session.run(feeds);
  await session.release();
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { data, dims }]) => [name, { data: data as Float32Array, dims }]),
  );
}

function tensorOf({ data, dims, dtype }: Given): Tensor {
  return dtype === 'int64'
    ? new Tensor(
        'int64',
        BigInt64Array.from(Array.from(data), (value) => BigInt(value)),
        dims,
      )
    : new Tensor('float32', Float32Array.from(data), dims);
}

export function meanOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index += 1) sum += values[index]!;
  return sum / values.length;
}

/** Standard normal numbers by Box and Muller, from the hash. */
export function standardNormal(stream: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => {
    const radius = Math.sqrt(-2 * Math.log((hash(stream, 2 * index) + 0.5) / 2 ** 32));
    return radius * Math.cos((2 * Math.PI * hash(stream, 2 * index + 1)) / 2 ** 32);
  });
}
