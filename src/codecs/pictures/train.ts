/** Training of a model for lossy compression, and the integers made of it. */
import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { NAMES, perExample, TERMS } from '../../architectures/names.js';
import { collectParameters, ParameterStore } from '../../architectures/parameters.js';
import { generateArtifacts } from '../../artifacts/generate.js';
import { initializeParameters } from '../../artifacts/initialize.js';
import type { FeedSource, RowTransform } from '../../binding/addon.js';
import { STREAMS } from '../../binding/streams.js';
import { VaeError } from '../../core/errors.js';
import { type InputOf, parseOptions } from '../../core/options.js';
import { seedSchema } from '../../core/seed.js';
import type { Dataset } from '../../data/dataset.js';
import { type Model, writeModel } from '../../graph/index.js';
import { GraphSession } from '../../inference/sessions/session.js';
import type { ParameterSpec } from '../../nn/scope.js';
import { runTask } from '../../training/fit.js';
import { fitOptionsSchema } from '../../training/fit-options.js';
import { type ScheduleFunction, scheduleFunction } from '../../training/loop/schedules.js';
import type { FitProgress } from '../../training/progress.js';
import type { TrainingTask } from '../../training/request.js';
import { DOWNSAMPLING, HYPER_DOWNSAMPLING, type LossyConfig, lossyConfigSchema } from './config.js';
import { cropRows } from './crops.js';
import { buildHyperPeaks, buildNetwork, constantsFrom } from './graphs.js';
import { LossyCodec } from './lossy-codec.js';
import { PIXEL_CHANNELS } from './networks.js';
import { buildLossyObjective, gainName, INPUTS, LEAST_LOG_SCALE } from './objective.js';
import type { Picture } from './picture.js';
import { quantizeLatentCoder, type Weights, type WeightsOf } from './to-integers.js';
import { startFromWavelets } from './wavelet-start.js';

const CROP_STEP = DOWNSAMPLING * HYPER_DOWNSAMPLING;
const CALIBRATION_CROPS = 48;
/** Crops that nothing is trained on are those of this pass. */
const CALIBRATION_PASS = 2 ** 31 - 1;
const BITS_PER_PIXEL = 'bits_per_pixel';
const SQUARED_ERROR = 'squared_error';
/** Steps between two reports. */
const REPORT_STEPS = 50;
/** Steps of an epoch: seldom enough for what is measured at the end of each, often enough to follow. */
const [LEAST_EPOCH, MOST_EPOCH] = [50, 500];
/** Part of the learning rate that is left at the end. */
const LAST_RATE = 0.01;
/** Bytes as the networks take them, -0.5..0.5. */
const PIXELS: RowTransform = { scale: 1 / 255, offset: -0.5, binarise: 'none' };

// As with fit(): every step is one of its batches.
const optionsSchema = fitOptionsSchema
  .pick({
    checkpoint: true,
    resume: true,
    log: true,
    onNonFinite: true,
    emaDecay: true,
    signal: true,
  })
  .extend({
    /** Sizes of the networks, the prior, and λ of each level. */
    config: lossyConfigSchema.prefault({}),
    /** Optimizer steps. Default 4000. */
    steps: z.int().min(1).default(4000),
    /**
     * Training ends after this time if the steps are not done by then, the learning rate falling in time for
     * it. What comes out then depends on the machine's speed. Default: no limit.
     */
    maxSeconds: z.number().positive().default(Number.POSITIVE_INFINITY),
    /** Crops in a step. Default 8. */
    batchSize: z.int().min(1).max(1024).default(8),
    /** Pixels of a side of a crop, a multiple of 64. Default 128. */
    cropSize: z.int().multipleOf(CROP_STEP).min(CROP_STEP).max(1024).default(128),
    /** Adam's highest learning rate; it rises over the first steps and falls along a cosine. Default 1e-3. */
    learningRate: z.number().positive().default(1e-3),
    /** What stands for rounding. Default 'mixed'. */
    relaxation: z.enum(['noise', 'straight-through', 'mixed']).default('mixed'),
    seed: seedSchema.default(0),
    threads: z.int().min(0).max(1024).default(0),
    /** Told every 50 steps, and at the end. */
    onProgress: z.custom<(progress: LossyProgress) => void>((value) => typeof value === 'function').optional(),
  });

export interface LossyProgress {
  readonly step: number;
  readonly steps: number;
  /** Means since the last report. */
  readonly loss: number;
  readonly bitsPerPixel: number;
  /** Mean squared error in steps of 8-bit values. */
  readonly squaredError: number;
}

export interface TrainLossyOptions extends InputOf<typeof optionsSchema> {}

export interface TrainedLossy {
  readonly codec: LossyCodec;
  /** Steps done: fewer than asked where the time was up. */
  readonly steps: number;
}

/**
 * Trains a lossy codec on pictures: random crops of them, turned and mirrored, some of them in grey. The
 * same seed, options and pictures give the same codec on the same machine and number of threads, and a run that is
 * gone on from its checkpoints ends where it would have ended.
 *
 * @param pictures at least one, none smaller than a crop; borrowed.
 * @throws VaeError ERR_VAE_OPTION, ERR_VAE_SHAPE for what was given; ERR_VAE_RUNTIME where training
 *   diverges; the signal's reason when aborted.
 */
export async function trainLossy(pictures: readonly Picture[], options: TrainLossyOptions = {}): Promise<TrainedLossy> {
  const parsed = parseOptions(optionsSchema, options, 'trainLossy()');
  const { config, steps, batchSize, cropSize, threads, onProgress, ...fit } = parsed;
  const seed = BigInt(parsed.seed);
  const epochSteps = epochLength(steps);
  const setting = { cropSize, seed, levels: config.lambdas.length };
  const train = cropRows(pictures, { ...setting, rows: epochSteps * batchSize });
  const held = cropRows(pictures, { ...setting, rows: CALIBRATION_CROPS });
  const calibration = await floatsOf(held);
  const { task, specs } = await makeTask(parsed, calibration);
  const clock = new Clock(parsed.maxSeconds);
  const report = new Report(steps, onProgress);
  let trained: Float32Array | undefined;
  const { log, checkpoint, resume, onNonFinite, emaDecay, signal } = fit;
  await runTask(task, {
    options: fitOptionsSchema.parse({
      ...{ epochs: steps / epochSteps, batchSize, shuffle: false, clipGradientNorm: 10, seed: parsed.seed },
      ...{ log, checkpoint, resume, onNonFinite, emaDecay, signal },
      optimizer: { type: 'adam', learningRate: parsed.learningRate },
      learningRate: clock.schedule(rateOf(parsed.learningRate, steps), steps),
    }),
    ...{ train, validation: undefined, session: { intraOpThreads: threads } },
    emit: (progress, control) => {
      report.take(progress);
      if (clock.isUp) control.stop();
    },
    keep: ({ checkpoint: { parameters, slots } }) => {
      trained = slots.ema ?? parameters;
    },
  });
  report.end();
  const weights = weightsOf(new ParameterStore(specs, Float32Array.from(trained!)));
  const peaks = await hyperPeaks(config, weights, calibration);
  const model = { config, weights, coder: quantizeLatentCoder(config, weights, peaks) };
  return { codec: await LossyCodec.make(model, { threads }), steps: report.steps };
}

/** The longest that divides the steps, within bounds; all of them where none does. */
function epochLength(steps: number): number {
  for (let length = MOST_EPOCH; length >= LEAST_EPOCH; length -= 1) if (steps % length === 0) return length;
  return steps;
}

function rateOf(learningRate: number, steps: number): ScheduleFunction {
  const warmUpSteps = Math.min(100, Math.ceil(steps / 10));
  return scheduleFunction({ type: 'cosine', from: learningRate, to: LAST_RATE * learningRate, warmUpSteps });
}

/** The objective, what it is fed, and the parameters that it begins with. */
async function makeTask(
  { config, cropSize, relaxation, seed, learningRate }: z.output<typeof optionsSchema>,
  calibration: Floats,
): Promise<{ readonly task: TrainingTask; readonly specs: readonly ParameterSpec[] }> {
  const specs: ParameterSpec[] = [];
  buildLossyObjective(config, cropSize, relaxation, collectParameters(specs));
  const store = initializeParameters(specs, BigInt(seed));
  startFromWavelets(store, config);
  await startScales(store, config, calibration);
  const { model, stopped } = buildLossyObjective(config, cropSize, relaxation, store.asInitializers);
  const artifacts = generateArtifacts({
    ...{ model, stopped, trainable: specs.map(({ name }) => name) },
    scalars: [...TERMS, BITS_PER_PIXEL, SQUARED_ERROR],
    perExample: TERMS.map(perExample),
    optimizer: { type: 'adam', learningRate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
    clipGradientNorm: 10,
  });
  const side = cropSize / DOWNSAMPLING;
  const hyperSide = side / HYPER_DOWNSAMPLING;
  const feeds: FeedSource[] = [
    { kind: 'rows', name: INPUTS.pixels, dims: [PIXEL_CHANNELS, cropSize, cropSize], dtype: 'float32' },
    { kind: 'rows', name: INPUTS.level, dims: [], dtype: 'int64' },
    { kind: 'uniform', name: INPUTS.noise, dims: [config.latents, side, side], stream: STREAMS.lossyNoise },
    {
      kind: 'uniform',
      name: INPUTS.hyperNoise,
      dims: [config.hyperLatents, hyperSide, hyperSide],
      stream: STREAMS.lossyHyperNoise,
    },
    { kind: 'scalar', name: NAMES.klWeight },
  ];
  const task: TrainingTask = {
    ...{ artifacts, feeds, seed: BigInt(seed), checkpoint: undefined },
    inputs: {
      transform: PIXELS,
      names: { rows: INPUTS.pixels, labels: INPUTS.level },
      ...{ constants: {}, scheduled: [], layers: [], scalars: [BITS_PER_PIXEL, SQUARED_ERROR] },
    },
    saveModel: () =>
      Promise.reject(new VaeError('ERR_VAE_OPTION', 'trainLossy(): a codec is made when training has ended.')),
  };
  return { task, specs };
}

/** Ends a run in time, with the learning rate where it would be at the end. */
class Clock {
  readonly #started = performance.now();
  readonly #maxSeconds: number;

  constructor(maxSeconds: number) {
    this.#maxSeconds = maxSeconds;
  }

  get isUp(): boolean {
    return this.#part >= 1;
  }

  /** The schedule at the step, or at the part of the time that has gone by, whichever is further. */
  schedule(schedule: ScheduleFunction, steps: number): ScheduleFunction {
    return (at) => schedule({ ...at, step: Math.max(at.step, Math.min(1, this.#part) * steps), steps });
  }

  get #part(): number {
    return (performance.now() - this.#started) / 1000 / this.#maxSeconds;
  }
}

/** Means of what the steps tell, every so many of them. */
class Report {
  steps = 0;
  readonly #all: number;
  readonly #tell: ((progress: LossyProgress) => void) | undefined;
  #loss = 0;
  #bitsPerPixel = 0;
  #squaredError = 0;
  #since = 0;

  constructor(steps: number, tell: ((progress: LossyProgress) => void) | undefined) {
    this.#all = steps;
    this.#tell = tell;
  }

  take(progress: FitProgress): void {
    if (progress.kind !== 'step') return;
    this.steps = progress.step;
    this.#since += 1;
    this.#loss += progress.loss;
    this.#bitsPerPixel += progress.scalars![BITS_PER_PIXEL]!;
    this.#squaredError += progress.scalars![SQUARED_ERROR]!;
    if (this.steps % REPORT_STEPS === 0) this.end();
  }

  /** Tells of what was not told yet. */
  end(): void {
    if (this.#since === 0) return;
    const [loss, bitsPerPixel, squaredError] = [this.#loss, this.#bitsPerPixel, this.#squaredError].map(
      (sum) => sum / this.#since,
    ) as [number, number, number];
    this.#tell?.({ step: this.steps, steps: this.#all, loss, bitsPerPixel, squaredError });
    this.#loss = 0;
    this.#bitsPerPixel = 0;
    this.#squaredError = 0;
    this.#since = 0;
  }
}

/** Crops as the networks take them. */
async function floatsOf(crops: Dataset): Promise<Floats> {
  const rows = Uint32Array.from({ length: crops.length }, (_, row) => row);
  const bytes = await crops.read(rows, undefined, CALIBRATION_PASS);
  const data = Float32Array.from(bytes, (value) => value * PIXELS.scale + PIXELS.offset);
  return { data, dims: [crops.length, ...crops.rowShape] };
}

/**
 * Makes each channel's scale what it is on average on some crops: training then only learns how scales
 * differ from place to place and from level to level.
 */
async function startScales(store: ParameterStore, config: LossyConfig, crops: Floats): Promise<void> {
  if (config.prior !== 'hyperprior') return;
  const weights = weightsOf(store);
  const { data, dims } = await analyse(config, weights, crops);
  const [rows, channels] = dims as [number, number];
  const plane = data.length / rows / channels;
  const bias = weights('hyper_synthesis.2.bias').data;
  for (let channel = 0; channel < channels; channel += 1) {
    let sum = 0;
    for (let row = 0; row < rows; row += 1) {
      const from = (row * channels + channel) * plane;
      for (let at = from; at < from + plane; at += 1) sum += Math.abs(data[at]!);
    }
    // The mean of |x| of a logistic is its scale times 2 ln 2.
    const scale = sum / (rows * plane) / (2 * Math.LN2);
    bias[channels + channel] = Math.max(LEAST_LOG_SCALE, Math.log2(scale));
  }
}

/** How large the hidden layers of the hyper synthesis get on some crops. */
async function hyperPeaks(config: LossyConfig, weights: WeightsOf, crops: Floats): Promise<number[]> {
  if (config.prior !== 'hyperprior') return [];
  const y = await analyse(config, weights, crops);
  const source = constantsFrom(weights);
  const [z] = await runOnce(buildNetwork('hyper_analysis', config, source), y, ['output']);
  const peaks = await runOnce(buildHyperPeaks(config, source), z!, ['peak0', 'peak1']);
  return peaks.map((peak) => Number(peak.data[0]));
}

interface Floats {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

/** The latents of crops, [N, latents, h, w], every crop at a level of its own in turn. */
async function analyse(config: LossyConfig, weights: WeightsOf, crops: Floats): Promise<Floats> {
  const network = buildNetwork('analysis', config, constantsFrom(weights));
  const [latents] = await runOnce(network, crops, ['output']);
  const y = latents!.data;
  const [rows, channels] = latents!.dims as [number, number];
  const plane = y.length / rows / channels;
  for (let row = 0; row < rows; row += 1) {
    const gain = weights(gainName('up', row % config.lambdas.length)).data;
    for (let i = 0; i < channels * plane; i += 1)
      y[row * channels * plane + i]! *= Math.exp(gain[Math.floor(i / plane)]!);
  }
  return latents!;
}

async function runOnce(model: Model, { data, dims }: Floats, outputs: readonly string[]): Promise<Floats[]> {
  const session = await GraphSession.open(writeModel(model), model.graph.name);
  try {
    const made = await session.run(
      { input: { dtype: 'float32', dims, data } },
      outputs.map((name) => ({ name })),
    );
    return made.map((output) => ({ data: output.data as Float32Array, dims: output.dims }));
  } finally {
    await session.close();
  }
}

function weightsOf(store: ParameterStore): WeightsOf {
  const views = new Map<string, Weights>(
    store.specs.map((spec) => [spec.name, { dims: spec.dims, data: store.view(spec) }]),
  );
  return (name) => {
    const found = views.get(name);
    if (found === undefined) throw new VaeError('ERR_VAE_GRAPH', `The model has no parameter named "${name}".`);
    return found;
  };
}
