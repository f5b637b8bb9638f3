import { describeParameters } from '../src/architectures/graphs.js';
import { makeVaeNetwork, recipeSchema } from '../src/architectures/vae-network.js';
import { initializeParameters } from '../src/artifacts/initialize.js';
import type { ModelParts } from '../src/artifacts/model-io.js';
import { loadRuntime, type NativeTrainingSession, type TrainRequest } from '../src/binding/index.js';
import { elementCount } from '../src/core/dtype.js';
import { toDataset } from '../src/data/to-dataset.js';
import { fitOptionsSchema } from '../src/training/fit-options.js';
import { openSession } from '../src/training/open-session.js';
import { vaeTask } from '../src/training/vae-task.js';
import { alternate } from './lib/rounds.js';
import type { Bench, BenchCase, BenchContext } from './lib/types.js';

const MNIST = { kind: 'image', height: 28, width: 28, channels: 1 };
const SMALL = { kind: 'image', height: 32, width: 32, channels: 3 };
const ROWS = 1024;

const MODELS = [
  { name: 'mlp 784-400-20, batch 128', recipe: { input: MNIST, latentDim: 20 }, batch: 128, steps: 40 },
  { name: 'conv 28×28, batch 128', recipe: { architecture: 'conv', input: MNIST }, batch: 128, steps: 6 },
  { name: 'resnet 32×32×3, batch 32', recipe: { architecture: 'resnet', input: SMALL }, batch: 32, steps: 2 },
] as const;

/**
 * A step by one session with all threads, beside two sessions of one thread that take half of the batch each: once
 * with their gradients averaged and the parameters handed on, and once without any exchange, which is what the best
 * of exchanges could come near.
 */
export const bench: Bench = {
  question: 'Are two sessions of one thread, their gradients averaged, faster than one session of two?',
  async run(context) {
    loadRuntime();
    const cases: BenchCase[] = [];
    for (const model of MODELS) cases.push(await measure(model, context));
    return { cases, missing: {}, sections: [] };
  },
};

async function measure(
  { name, recipe, batch, steps }: (typeof MODELS)[number],
  context: BenchContext,
): Promise<BenchCase> {
  const whole = await open(recipe, batch, 2);
  const halves = [await open(recipe, batch, 1), await open(recipe, batch, 1)] as const;
  try {
    const half = batch / 2;
    const timed = async (work: () => Promise<unknown>): Promise<number> => {
      const started = performance.now();
      await work();
      return (performance.now() - started) / steps;
    };
    const timings = await alternate(
      [
        { name: 'one', round: () => timed(() => whole.train(request(steps, batch))) },
        {
          name: 'apart',
          round: () => timed(() => Promise.all(halves.map((session) => session.train(request(steps, half))))),
        },
        { name: 'averaged', round: () => timed(() => averagedSteps(halves, steps, half)) },
      ],
      context,
    );
    const [one, apart, averaged] = ['one', 'apart', 'averaged'].map((key) => timings[key]!.median) as [
      number,
      number,
      number,
    ];
    return {
      name,
      ours: { stepMs: one },
      peers: { 'two, averaged': { stepMs: averaged }, 'two, no exchange': { stepMs: apart } },
      ratios: { 'two, averaged': averaged / one, 'two, no exchange': apart / one },
    };
  } finally {
    for (const session of [whole, ...halves]) await session.close();
  }
}

/** Synchronous data parallelism: both halves of the gradient, one optimizer step, the parameters to both. */
async function averagedSteps(
  [first, second]: readonly [NativeTrainingSession, NativeTrainingSession],
  steps: number,
  half: number,
): Promise<void> {
  for (let step = 0; step < steps; step += 1) {
    await Promise.all([first.accumulate(request(1, half)), second.accumulate(request(1, half))]);
    const mean = first.getSlot('accumulator')!;
    const other = second.getSlot('accumulator')!;
    for (let index = 0; index < mean.length; index += 1) mean[index] = (mean[index]! + other[index]!) / 2;
    first.setSlot('accumulator', mean);
    await first.optimizerStep(1e-3);
    second.resetGradient();
    second.setParameters(first.getParameters());
  }
}

function request(steps: number, rows: number): TrainRequest {
  return {
    indices: Uint32Array.from({ length: steps * rows }, (_, index) => index % ROWS),
    batchSizes: new Uint32Array(steps).fill(rows),
    firstMicroBatch: 0,
    scalars: { kl_weight: new Float32Array(steps).fill(1) },
    learningRates: new Float64Array(steps).fill(1e-3),
    accumulate: 1,
  };
}

async function open(options: object, batchSize: number, threads: number): Promise<NativeTrainingSession> {
  const recipe = recipeSchema.parse(options);
  const vae = makeVaeNetwork(recipe);
  const parameters = initializeParameters(describeParameters(vae), 1n);
  const fit = fitOptionsSchema.parse({ batchSize });
  const latentDim = recipe.latentDim ?? 32;
  const description = { ...recipe, latentDim, seed: '1', parameterCount: parameters.count };
  const parts: ModelParts = { description, vae, parameters, training: undefined };
  const rows = toDataset({ data: new Uint8Array(elementCount(vae.dataShape)), shape: [1, ...vae.dataShape] });
  const session = await openSession(
    vaeTask(parts, await rows, fit),
    { options: fit, session: { intraOpThreads: threads } },
    1n,
  );
  const data = Uint8Array.from({ length: ROWS * elementCount(vae.dataShape) }, (_, index) => (index * 7919) % 251);
  session.attachRows('input', data, ROWS, { scale: 1 / 255, offset: 0, binarise: 'none' });
  return session;
}
