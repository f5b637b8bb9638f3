/** Training of one variant by the library's own loop. */
import { NAMES, perExample, TERMS } from '../../../src/architectures/names.js';
import { collectParameters, ParameterStore } from '../../../src/architectures/parameters.js';
import { generateArtifacts } from '../../../src/artifacts/generate.js';
import { initializeParameters } from '../../../src/artifacts/initialize.js';
import { STREAMS } from '../../../src/binding/streams.js';
import { Dataset } from '../../../src/data/dataset.js';
import { customRows } from '../../../src/data/rows/custom.js';
import { rowDraws } from '../../../src/data/rows/draws.js';
import type { ParameterSpec } from '../../../src/nn/scope.js';
import { runTask } from '../../../src/training/fit.js';
import { fitOptionsSchema } from '../../../src/training/fit-options.js';
import { scheduleFunction } from '../../../src/training/loop/schedules.js';
import { buildObjective, NOISE, ROWS, type Shape, type Variant } from './objective.js';
import { itemNumbers, type Regions, writeItem } from './regions.js';

/** Regions in a step, and pixels of each. */
const [BATCH, PIXELS] = [64, 32];
const REPORT_STEPS = 500;
const RATE = 3e-3;
const LAST_RATE = 0.005;

export async function train(
  variant: Variant,
  shape: Omit<Shape, 'pixels'>,
  regions: Regions,
  { steps, threads, seed }: { readonly steps: number; readonly threads: number; readonly seed: number },
): Promise<ParameterStore> {
  const { blocks, latents, kind } = variant;
  const full = { ...shape, pixels: PIXELS };
  const specs: ParameterSpec[] = [];
  buildObjective(variant, full, collectParameters(specs), false);
  const store = initializeParameters(specs, BigInt(seed));
  const model = buildObjective(variant, full, store.asInitializers, false);
  const numbers = itemNumbers(regions, blocks, PIXELS);
  const length = REPORT_STEPS * BATCH;
  const data = new Dataset(
    customRows(
      {
        length,
        rowShape: [numbers],
        read(wanted, _, pass = 0) {
          const out = new Float32Array(wanted.length * numbers);
          for (let i = 0; i < wanted.length; i += 1) {
            const draw = rowDraws(seed, wanted[i]!, pass);
            writeItem(regions, Math.floor(draw() * regions.count), blocks, PIXELS, draw, out, i * numbers);
          }
          return out;
        },
      },
      'photographs/latents',
    ),
  );
  const noise = { name: NOISE, dims: [blocks.seen, latents], stream: STREAMS.trainingNoise };
  let trained: Float32Array | undefined;
  let [sum, since] = [0, 0];
  await runTask(
    {
      artifacts: generateArtifacts({
        ...{ model, trainable: specs.map(({ name }) => name), scalars: [...TERMS] },
        perExample: TERMS.map(perExample),
        optimizer: { type: 'adam', learningRate: RATE, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
        clipGradientNorm: 1,
      }),
      feeds: [
        { kind: 'rows', name: ROWS, dims: [numbers], dtype: 'float32' },
        { kind: kind === 'bits-back' ? 'normal' : 'uniform', ...noise },
        { kind: 'scalar', name: NAMES.klWeight },
      ],
      ...{ seed: BigInt(seed), checkpoint: undefined },
      inputs: {
        transform: { scale: 1, offset: 0, binarise: 'none' },
        names: { rows: ROWS, labels: undefined },
        ...{ constants: {}, scheduled: [], layers: [], scalars: [] },
      },
      saveModel: () => Promise.reject(new Error('There is no model to be saved.')),
    },
    {
      options: fitOptionsSchema.parse({
        ...{ epochs: steps / REPORT_STEPS, batchSize: BATCH, shuffle: false, clipGradientNorm: 1, seed },
        optimizer: { type: 'adam', learningRate: RATE },
        learningRate: scheduleFunction({ type: 'cosine', from: RATE, to: LAST_RATE * RATE, warmUpSteps: 100 }),
        // Latents learn what they are good for before they have to pay for it.
        klWeight: { type: 'linear', from: 0.1, to: 1, steps: Math.floor(0.4 * steps) },
      }),
      ...{ train: data, validation: undefined, session: { intraOpThreads: threads } },
      emit: (progress) => {
        if (progress.kind !== 'step') return;
        sum += progress.loss;
        since += 1;
        if (progress.step % REPORT_STEPS !== 0) return;
        console.log(
          `${kind} ${blocks.side}, step ${progress.step}/${steps}: ${(sum / since).toFixed(4)} bits a sample`,
        );
        [sum, since] = [0, 0];
      },
      keep: ({ checkpoint: { parameters } }) => {
        trained = parameters;
      },
    },
  );
  return new ParameterStore(specs, Float32Array.from(trained!));
}
