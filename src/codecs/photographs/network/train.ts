/** Training of a model for photographs without loss, and the integers made of it. */
import { join } from 'node:path';
import { z } from 'zod';
import { NAMES, perExample, TERMS } from '../../../architectures/names.js';
import { collectParameters, ParameterStore } from '../../../architectures/parameters.js';
import { generateArtifacts } from '../../../artifacts/generate.js';
import { initializeParameters } from '../../../artifacts/initialize.js';
import type { IntegerLayer } from '../../../binding/coder.js';
import { VaeError } from '../../../core/errors.js';
import { type InputOf, parseOptions } from '../../../core/options.js';
import { seedSchema } from '../../../core/seed.js';
import type { ParameterSpec } from '../../../nn/scope.js';
import { runTask } from '../../../training/fit.js';
import { fitOptionsSchema } from '../../../training/fit-options.js';
import { scheduleFunction } from '../../../training/loop/schedules.js';
import type { TrainingTask } from '../../../training/request.js';
import type { FloatLayer } from '../../integers/float-network.js';
import type { Picture } from '../../pictures/picture.js';
import { PhotoCodec } from '../photo-codec.js';
import { collectPriors, collectRows, floatRow, type RoleRows, rowsDataset } from './collect.js';
import { photoConfigSchema, ROLES } from './config.js';
import { buildPhotoObjective, type NetworkShape, ROWS, startingScales } from './objective.js';
import { integerNetwork } from './to-integers.js';

/** Pictures that predictors' beginnings are taken from. */
const PRIOR_PICTURES = 16;
/** Rows that the ranges of hidden layers are taken from. */
const CALIBRATION_ROWS = 4000;
/** Part of the learning rate that is left at the end. */
const LAST_RATE = 0.005;
/** Steps between two reports, and of an epoch, at whose end a checkpoint may be written. */
const REPORT_STEPS = 500;

const optionsSchema = fitOptionsSchema.pick({ signal: true }).extend({
  config: photoConfigSchema.prefault({}),
  /** Optimizer steps of each of the networks, a multiple of 500. Default 20,000. */
  steps: z.int().multipleOf(REPORT_STEPS).min(REPORT_STEPS).default(20_000),
  /** Rows in a step. Default 2048. */
  batchSize: z.int().min(1).max(65_536).default(2048),
  /** Adam's highest learning rate; it rises over the first steps and falls along a cosine. Default 3e-3. */
  learningRate: z.number().positive().default(3e-3),
  /** About one of so many samples is trained on. Default 60. */
  every: z.int().min(1).default(60),
  seed: seedSchema.default(0),
  threads: z.int().min(0).max(1024).default(0),
  /** A folder for where training stands: the same call with `resume` goes on from there. */
  checkpoints: z.string().min(1).optional(),
  resume: z.boolean().default(false),
  /** Told every 500 steps. */
  onProgress: z.custom<(progress: PhotoProgress) => void>((value) => typeof value === 'function').optional(),
});

export interface PhotoProgress {
  /** Which network: the plane's number and the effort's. */
  readonly role: number;
  readonly effort: number;
  readonly step: number;
  readonly steps: number;
  /** Mean since the last report. */
  readonly bitsPerSample: number;
}

export interface TrainPhotoOptions extends InputOf<typeof optionsSchema> {}

/**
 * Trains a codec for photographs on samples of pictures. The same seed, options and pictures give the same codec on the
 * same machine and number of threads, and a run that is gone on from its checkpoints ends where it would have ended.
 *
 * @param pictures 8 bits, grey or RGB, at least one of them RGB; borrowed.
 * @throws VaeError ERR_VAE_OPTION, ERR_VAE_SHAPE for what was given; ERR_VAE_RUNTIME where training diverges; the signal's
 *   reason when aborted.
 */
export async function trainPhotoCodec(
  pictures: readonly Picture[],
  options: TrainPhotoOptions = {},
): Promise<PhotoCodec> {
  const parsed = parseOptions(optionsSchema, options, 'trainPhotoCodec()');
  const { config, every, signal } = parsed;
  const seed = Number(BigInt(parsed.seed) & 0xffff_ffffn);
  const step = Math.max(1, Math.floor(pictures.length / PRIOR_PICTURES));
  const priors = await collectPriors(
    pictures.filter((_, index) => index % step === 0),
    signal,
  );
  const rows = await collectRows(pictures, priors, every, seed, signal);
  const networks: IntegerLayer[][][] = Array.from({ length: ROLES }, () => []);
  for (let role = 0; role < ROLES; role += 1) {
    const own = rows[role]!;
    if (own.count === 0) {
      throw new VaeError('ERR_VAE_OPTION', 'trainPhotoCodec(): expected pictures in colour, received none.');
    }
    for (const [effort, hidden] of config.hidden.entries()) {
      const shape = { features: own.features, hidden, components: config.components };
      const layers = await trainNetwork(parsed, shape, own, role, effort);
      networks[role]!.push(integerNetwork(layers, config.components, calibration(own)));
    }
  }
  const roles = priors.map((prior, role) => ({ prior, networks: networks[role]! }));
  return PhotoCodec.make({ config, spec: { components: config.components, roles } });
}

async function trainNetwork(
  options: z.output<typeof optionsSchema>,
  shape: NetworkShape,
  rows: RoleRows,
  role: number,
  effort: number,
): Promise<FloatLayer[]> {
  const { steps, batchSize, learningRate, checkpoints, resume, threads, signal, onProgress } = options;
  const specs: ParameterSpec[] = [];
  buildPhotoObjective(shape, collectParameters(specs));
  const seed = BigInt(options.seed) + BigInt(effort * ROLES + role);
  const store = initializeParameters(specs, seed);
  const { model, stopped } = buildPhotoObjective(shape, store.asInitializers);
  const task: TrainingTask = {
    artifacts: generateArtifacts({
      ...{ model, stopped, trainable: specs.map(({ name }) => name) },
      scalars: [...TERMS],
      perExample: TERMS.map(perExample),
      optimizer: { type: 'adam', learningRate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
      clipGradientNorm: 1,
    }),
    feeds: [
      { kind: 'rows', name: ROWS, dims: [rows.features + rows.extra], dtype: 'float32' },
      { kind: 'scalar', name: NAMES.klWeight },
    ],
    ...{ seed, checkpoint: undefined },
    inputs: {
      transform: { scale: 1, offset: 0, binarise: 'none' },
      names: { rows: ROWS, labels: undefined },
      ...{ constants: {}, scheduled: [], layers: [], scalars: [] },
    },
    saveModel: () =>
      Promise.reject(new VaeError('ERR_VAE_OPTION', 'trainPhotoCodec(): a codec is made when training has ended.')),
  };
  let trained: Float32Array | undefined;
  let [sum, since] = [0, 0];
  await runTask(task, {
    options: fitOptionsSchema.parse({
      ...{ epochs: steps / REPORT_STEPS, batchSize, shuffle: false, clipGradientNorm: 1, seed, signal },
      ...(checkpoints !== undefined && {
        checkpoint: { directory: join(checkpoints, `${role}-${effort}`), everyMinutes: 5 },
        resume,
      }),
      optimizer: { type: 'adam', learningRate },
      learningRate: scheduleFunction({
        type: 'cosine',
        from: learningRate,
        to: LAST_RATE * learningRate,
        warmUpSteps: 100,
      }),
    }),
    ...{
      train: rowsDataset(rows, REPORT_STEPS * batchSize, seed),
      validation: undefined,
      session: { intraOpThreads: threads },
    },
    emit: (progress) => {
      if (progress.kind !== 'step') return;
      sum += progress.loss;
      since += 1;
      if (progress.step % REPORT_STEPS !== 0) return;
      onProgress?.({ role, effort, step: progress.step, steps, bitsPerSample: sum / since });
      [sum, since] = [0, 0];
    },
    keep: ({ checkpoint: { parameters } }) => {
      trained = parameters;
    },
  });
  return floatLayers(new ParameterStore(specs, Float32Array.from(trained!)), shape);
}

function floatLayers(store: ParameterStore, { features, hidden, components }: NetworkShape): FloatLayer[] {
  const widths = [features, ...hidden, 3 * components];
  const numbers = (name: string): Float64Array => {
    const spec = store.specs.find((one) => one.name === name);
    if (spec === undefined) throw new VaeError('ERR_VAE_GRAPH', `The network has no parameter named "${name}".`);
    return Float64Array.from(store.view(spec));
  };
  const layers = widths.slice(1).map((outputs, index) => ({
    ...{ inputs: widths[index]!, outputs },
    weights: numbers(`${index}.weight`),
    bias: numbers(`${index}.bias`),
  }));
  const offsets = startingScales(components);
  layers.at(-1)!.bias.forEach((value, index, bias) => {
    bias[index] = value + offsets[index]!;
  });
  return layers;
}

/** Features of some rows, from all over. */
function calibration(rows: RoleRows): Float32Array[] {
  const count = Math.min(rows.count, CALIBRATION_ROWS);
  return Array.from({ length: count }, (_, index) => {
    const row = new Float32Array(rows.features + rows.extra);
    floatRow(rows, Math.floor((index * rows.count) / count), row, 0);
    return row.subarray(0, rows.features);
  });
}
