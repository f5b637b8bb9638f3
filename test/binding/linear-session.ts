/** The training session on a regression whose gradient, steps and noise the tests compute again, in double precision. */
import { afterEach, expect } from 'vitest';
import type {
  NativeTrainingSession,
  RowTransform,
  TrainingSessionConfig,
  TrainRequest,
} from '../../src/binding/addon.js';
import { loadAddon } from '../../src/binding/index.js';
import { LINEAR, linearEvalModel, linearTrainingModel } from './models.js';

export const addon = loadAddon();
export const { inputs: INPUTS, outputs: OUTPUTS } = LINEAR;
const { noiseStream } = LINEAR;
export const ROWS = 40;
const SEED = 0x1234_5678_9abc_def0n;
export const PLAIN: RowTransform = { scale: 1, offset: 0, binarise: 'none' };
export const SGD = { type: 'sgd' as const, momentum: 0, nesterov: false, dampening: 0, weightDecay: 0 };
export const ADAM = { type: 'adam' as const, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 };

export const X = Float32Array.from({ length: ROWS * INPUTS }, (_, i) => Math.sin(i * 0.9));
export const TARGET = Float32Array.from({ length: ROWS * OUTPUTS }, (_, i) => Math.cos(i * 1.7));
/** W [3, 2], gain [2] (frozen), b [2]. */
export const START = Float32Array.of(0.1, -0.2, 0.3, 0.4, -0.5, 0.6, 1.5, -0.5, 0.05, -0.07);
export const W = 0;
export const GAIN = 6;
export const B = 8;
export const COUNT = 10;

const open: NativeTrainingSession[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((session) => session.close()));
});

export async function create(options: Partial<TrainingSessionConfig> = {}): Promise<NativeTrainingSession> {
  const session = await addon.createTrainingSession({
    trainingModel: linearTrainingModel(),
    evalModel: linearEvalModel(),
    parameters: [
      { name: 'W', dims: [INPUTS, OUTPUTS], trainable: true, gradient: 'W_grad' },
      { name: 'gain', dims: [OUTPUTS], trainable: false },
      { name: 'b', dims: [OUTPUTS], trainable: true, gradient: 'b_grad', weightDecayScale: 0, learningRateScale: 0.5 },
    ],
    states: [{ name: 'running', dims: [INPUTS], output: 'running_next' }],
    feeds: [
      { kind: 'rows', name: 'x', dims: [INPUTS], dtype: 'float32' },
      { kind: 'rows', name: 'target', dims: [OUTPUTS], dtype: 'float32' },
      { kind: 'normal', name: 'noise', dims: [OUTPUTS], stream: noiseStream },
      { kind: 'scalar', name: 'weight' },
    ],
    scalars: ['loss', 'loss_again'],
    perExample: ['loss_each'],
    optimizer: SGD,
    seed: SEED,
    ...options,
  });
  open.push(session);
  session.setParameters(START);
  session.attachRows('x', X, ROWS, PLAIN);
  session.attachRows('target', TARGET, ROWS, PLAIN);
  return session;
}

/** A request for micro-batches of the given sizes, over rows taken in a fixed irregular order. */
export function request(sizes: readonly number[], options: Partial<TrainRequest> = {}): TrainRequest {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const first = options.firstMicroBatch ?? 0;
  return {
    indices: Uint32Array.from({ length: total }, (_, i) => (i * 7 + first * 13) % ROWS),
    batchSizes: Uint32Array.from(sizes),
    firstMicroBatch: first,
    scalars: { weight: new Float32Array(sizes.length).fill(1) },
    learningRates: new Float64Array(sizes.length).fill(0.1),
    accumulate: 1,
    ...options,
  };
}

function noiseOf(rows: number, microBatch: number): Float32Array {
  const noise = new Float32Array(rows * OUTPUTS);
  addon.random.fillNormal(noise, SEED, noiseStream, BigInt(microBatch));
  return noise;
}

/** Loss, gradient and per-example losses of one micro-batch, in double precision. */
export function reference(
  parameters: ArrayLike<number>,
  indices: ArrayLike<number>,
  microBatch: number,
  weight = 1,
  x = X,
) {
  const rows = indices.length;
  const noise = noiseOf(rows, microBatch);
  const gradient = new Float64Array(COUNT);
  const each = new Float64Array(rows);
  for (let n = 0; n < rows; n += 1) {
    for (let o = 0; o < OUTPUTS; o += 1) {
      let affine = parameters[B + o]!;
      for (let i = 0; i < INPUTS; i += 1) affine += x[indices[n]! * INPUTS + i]! * parameters[W + i * OUTPUTS + o]!;
      const gain = parameters[GAIN + o]!;
      const error = affine * gain + noise[n * OUTPUTS + o]! - TARGET[indices[n]! * OUTPUTS + o]!;
      each[n]! += (weight * error * error) / OUTPUTS;
      const slope = (2 * weight * error * gain) / (rows * OUTPUTS);
      gradient[B + o]! += slope;
      for (let i = 0; i < INPUTS; i += 1) gradient[W + i * OUTPUTS + o]! += slope * x[indices[n]! * INPUTS + i]!;
    }
  }
  return { loss: each.reduce((sum, value) => sum + value, 0) / rows, gradient, each };
}

export function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 2e-6): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < actual.length; i += 1) {
    expect(Math.abs(actual[i]! - expected[i]!), `element ${i}: ${actual[i]} for ${expected[i]}`).toBeLessThanOrEqual(
      tolerance * Math.max(1, Math.abs(expected[i]!)),
    );
  }
}

export const norm = (values: ArrayLike<number>): number => Math.hypot(...Array.from(values));
export const mean = (arrays: readonly Float64Array[]): Float64Array =>
  Float64Array.from(arrays[0]!, (_, i) => arrays.reduce((sum, array) => sum + array[i]!, 0) / arrays.length);
/** Per element: is it trained, and with which scales (as create() says). */
export const trained = (i: number): boolean => i < GAIN || i >= B;
export const rateScale = (i: number): number => (i >= B ? 0.5 : 1);
export const decayScale = (i: number): number => (i >= B ? 0 : 1);
