/** Training of a model for lossy compression, and the integers made of it. */
import { performance } from 'node:perf_hooks';
import { z } from 'zod';
import { collectParameters, ParameterStore } from '../../architectures/parameters.js';
import { generateArtifacts } from '../../artifacts/generate.js';
import { initialiseParameters } from '../../artifacts/initialize.js';
import { optimizerSchema } from '../../artifacts/optimizer-options.js';
import { loadAddon } from '../../binding/index.js';
import { VaeError } from '../../core/errors.js';
import { parseOptions } from '../../core/options.js';
import { seedSchema } from '../../core/seed.js';
import { type Model, writeModel } from '../../graph/index.js';
import { GraphSession } from '../../inference/sessions/session.js';
import type { ParameterSpec } from '../../nn/scope.js';
import { TrainingSession } from '../../training/training-session.js';
import { DOWNSAMPLING, HYPER_DOWNSAMPLING, type LossyConfig, lossyConfigSchema } from './config.js';
import { buildHyperPeaks, buildNetwork, constantsFrom } from './graphs.js';
import { LossyCodec } from './lossy-codec.js';
import { PIXEL_CHANNELS } from './networks.js';
import { buildLossyObjective, gainName, INPUTS, LEAST_LOG_SCALE } from './objective.js';
import { checkPicture, type Picture } from './picture.js';
import { quantiseLatentCoder, type Weights, type WeightsOf } from './to-integers.js';
import { startFromWavelets } from './wavelet-start.js';

const CROP_STEP = DOWNSAMPLING * HYPER_DOWNSAMPLING;
/** Numbers that keep the draws of this training apart. */
const [CROP_STREAM, NOISE_STREAM, HYPER_NOISE_STREAM] = [101, 102, 103];
const CALIBRATION_CROPS = 48;
const GREY_SHARE = 0.15;

const optionsSchema = z.strictObject({
  config: lossyConfigSchema.prefault({}),
  steps: z.int().min(1).default(4000),
  maxSeconds: z.number().positive().default(Number.POSITIVE_INFINITY),
  batchSize: z.int().min(1).max(1024).default(8),
  cropSize: z.int().multipleOf(CROP_STEP).min(CROP_STEP).max(1024).default(128),
  learningRate: z.number().positive().default(1e-3),
  relaxation: z.enum(['noise', 'straight-through', 'mixed']).default('mixed'),
  seed: seedSchema.default(0),
  threads: z.int().min(0).max(1024).default(0),
  /** Weights of a model to go on from. */
  from: z.custom<WeightsOf>((value) => typeof value === 'function').optional(),
  signal: z.instanceof(AbortSignal).optional(),
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
  /** @internal Inside use: the weights as they are now, to be saved on the way; a copy. */
  readonly weights: () => WeightsOf;
}

export interface TrainLossyOptions {
  /** Sizes of the networks, the prior, and λ of each level. */
  readonly config?: z.input<typeof lossyConfigSchema>;
  /** Optimizer steps. Default 4000. */
  readonly steps?: number;
  /**
   * Training ends after this time if the steps are not done by then, the learning rate falling in time for
   * it. What comes out then depends on the machine's speed. Default: no limit.
   */
  readonly maxSeconds?: number;
  /** Crops in a step. Default 8. */
  readonly batchSize?: number;
  /** Pixels of a side of a crop, a multiple of 64. Default 128. */
  readonly cropSize?: number;
  /** Adam's highest learning rate; it rises over the first steps and falls along a cosine. Default 1e-3. */
  readonly learningRate?: number;
  /** What stands for rounding. Default 'mixed'. */
  readonly relaxation?: 'noise' | 'straight-through' | 'mixed';
  readonly seed?: number | bigint;
  readonly threads?: number;
  /** @internal Inside use: weights of a model of the same configuration to go on from. */
  readonly from?: WeightsOf;
  readonly signal?: AbortSignal;
  /** Told every 50 steps. */
  readonly onProgress?: (progress: LossyProgress) => void;
}

export interface TrainedLossy {
  readonly codec: LossyCodec;
  /** @internal Inside use: the weights as they were trained, to go on from. */
  readonly weights: WeightsOf;
}

/**
 * Trains a lossy codec on pictures: random crops of them, turned and mirrored, some of them in grey. The
 * same seed, options and pictures give the same codec on the same machine and number of threads.
 *
 * @param pictures at least one, none smaller than a crop; borrowed.
 * @throws VaeError ERR_VAE_OPTION, ERR_VAE_SHAPE for what was given; ERR_VAE_RUNTIME where training
 *   diverges; the signal's reason when aborted.
 */
export async function trainLossy(pictures: readonly Picture[], options: TrainLossyOptions = {}): Promise<TrainedLossy> {
  const parsed = parseOptions(optionsSchema, options, 'trainLossy()');
  const { config, steps, batchSize, cropSize, relaxation, threads, signal, onProgress } = parsed;
  const seed = BigInt(parsed.seed);
  checkPictures(pictures, cropSize);
  const specs: ParameterSpec[] = [];
  buildLossyObjective(config, cropSize, relaxation, collectParameters(specs));
  const store = parsed.from ? storeFrom(specs, parsed.from) : initialiseParameters(specs, seed);
  const calibration = feedsOf(pictures, config, { batchSize: CALIBRATION_CROPS, cropSize, seed, step: steps });
  if (!parsed.from) {
    startFromWavelets(store, config);
    await startScales(store, config, calibration);
  }
  const { model, stopped } = buildLossyObjective(config, cropSize, relaxation, store.asInitializers);
  const artifacts = generateArtifacts({
    ...{ model, stopped, scalars: ['bits_per_pixel', 'squared_error'], trainable: specs.map(({ name }) => name) },
    optimizer: optimizerSchema.parse({ type: 'adam', learningRate: parsed.learningRate }),
    clipGradientNorm: 10,
  });
  await using session = await TrainingSession.create(artifacts, { seed: parsed.seed, threads });
  const warmUp = Math.min(100, Math.ceil(steps / 10));
  let sums = { loss: 0, bits_per_pixel: 0, squared_error: 0 };
  let since = 0;
  const started = performance.now();
  let done = false;
  for (let step = 0; !done; step += 1) {
    signal?.throwIfAborted();
    const part = Math.max(step / steps, (performance.now() - started) / 1000 / parsed.maxSeconds);
    done = step + 1 === steps || part >= 1;
    const fall = 0.5 * (1 + Math.cos(Math.PI * Math.min(1, part)));
    session.setLearningRate(parsed.learningRate * Math.min(1, (step + 1) / warmUp) * (0.01 + 0.99 * fall));
    session.lazyResetGrad();
    const feeds = feedsOf(pictures, config, { batchSize, cropSize, seed, step });
    const scalars = await session.trainStep(feeds, signal ? { signal } : {});
    await session.optimizerStep();
    for (const key of ['loss', 'bits_per_pixel', 'squared_error'] as const) sums[key] += scalars[key]!;
    since += 1;
    if ((step + 1) % 50 !== 0 && !done) continue;
    onProgress?.({
      ...{ step: step + 1, steps, loss: sums.loss / since },
      ...{ bitsPerPixel: sums.bits_per_pixel / since, squaredError: sums.squared_error / since },
      weights: () => weightsOf(new ParameterStore(specs, Float32Array.from(session.getParameters()))),
    });
    sums = { loss: 0, bits_per_pixel: 0, squared_error: 0 };
    since = 0;
  }
  const trained = new ParameterStore(specs, Float32Array.from(session.getParameters()));
  const weights = weightsOf(trained);
  const peaks = await hyperPeaks(config, weights, calibration);
  const codec = await LossyCodec.make(
    { config, weights, coder: quantiseLatentCoder(config, weights, peaks) },
    { threads },
  );
  return { codec, weights };
}

function checkPictures(pictures: readonly Picture[], cropSize: number): void {
  if (pictures.length === 0) {
    throw new VaeError('ERR_VAE_OPTION', 'trainLossy(): expected at least one picture, received none.');
  }
  for (const [index, picture] of pictures.entries()) {
    checkPicture(picture, `trainLossy(), picture ${index}`);
    if (Math.min(picture.width, picture.height) >= cropSize) continue;
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `trainLossy(): picture ${index} has ${picture.width} × ${picture.height} pixels, less than a crop of ${cropSize}. ` +
        'Leave it out, or train on smaller crops (cropSize).',
    );
  }
}

type Feeds = ReturnType<typeof feedsOf>;

interface Batch {
  readonly batchSize: number;
  readonly cropSize: number;
  readonly seed: bigint;
  readonly step: number;
}

/** What one step is fed: the same for the same seed and step. */
function feedsOf(pictures: readonly Picture[], config: LossyConfig, { batchSize, cropSize, seed, step }: Batch) {
  const { random } = loadAddon();
  const draws = new Float32Array(batchSize * 8);
  random.fillUniform(draws, seed, CROP_STREAM, BigInt(step));
  const uniform = (stream: number, shape: readonly number[]) => {
    const data = new Float32Array(shape.reduce((product, dim) => product * dim, 1));
    random.fillUniform(data, seed, stream, BigInt(step));
    for (let i = 0; i < data.length; i += 1) data[i]! -= 0.5;
    return { data, shape };
  };
  const plane = cropSize * cropSize;
  const pixels = new Float32Array(batchSize * PIXEL_CHANNELS * plane);
  const levels = config.lambdas.length;
  const level = new Float32Array(batchSize * levels);
  for (let row = 0; row < batchSize; row += 1) {
    const draw = draws.subarray(row * 8, row * 8 + 8);
    crop(pictures, draw, cropSize, pixels.subarray(row * PIXEL_CHANNELS * plane, (row + 1) * PIXEL_CHANNELS * plane));
    // Levels in turn, so that every step has its share of each.
    level[row * levels + ((step * batchSize + row) % levels)] = 1;
  }
  const side = cropSize / DOWNSAMPLING;
  const hyperSide = side / HYPER_DOWNSAMPLING;
  return {
    [INPUTS.pixels]: { data: pixels, shape: [batchSize, PIXEL_CHANNELS, cropSize, cropSize] },
    [INPUTS.level]: { data: level, shape: [batchSize, levels] },
    [INPUTS.noise]: uniform(NOISE_STREAM, [batchSize, config.latents, side, side]),
    ...(config.prior === 'hyperprior' && {
      [INPUTS.hyperNoise]: uniform(HYPER_NOISE_STREAM, [batchSize, config.hyperLatents, hyperSide, hyperSide]),
    }),
  };
}

/** A random part of a random picture into [3, size, size], -0.5..0.5. Larger pictures are taken more often. */
function crop(pictures: readonly Picture[], draw: Float32Array, size: number, into: Float32Array): void {
  const areas = pictures.map(({ width, height }) => Math.sqrt(width * height));
  let rest = draw[0]! * areas.reduce((sum, area) => sum + area, 0);
  const found = areas.findIndex((area) => {
    rest -= area;
    return rest < 0;
  });
  const { width, height, channels, data } = pictures[found < 0 ? pictures.length - 1 : found]!;
  const top = Math.floor(draw[1]! * (height - size + 1));
  const left = Math.floor(draw[2]! * (width - size + 1));
  const [mirrored, turned, grey] = [draw[3]! < 0.5, draw[4]! < 0.5, draw[5]! < GREY_SHARE];
  const plane = size * size;
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      const y = top + (turned ? column : row);
      const x = left + (turned ? row : column);
      const from = (y * width + x) * channels;
      const at = row * size + (mirrored ? size - 1 - column : column);
      for (let channel = 0; channel < PIXEL_CHANNELS; channel += 1) {
        into[channel * plane + at] = data[from + (channels === 1 ? 0 : channel)]! / 255 - 0.5;
      }
      if (!grey) continue;
      // Luma of ITU-R BT.601.
      const luma = 0.299 * into[at]! + 0.587 * into[plane + at]! + 0.114 * into[2 * plane + at]!;
      for (let channel = 0; channel < PIXEL_CHANNELS; channel += 1) into[channel * plane + at] = luma;
    }
  }
}

/**
 * Makes each channel's scale what it is on average on some crops: training then only learns how scales
 * differ from place to place and from level to level.
 */
async function startScales(store: ParameterStore, config: LossyConfig, feeds: Feeds): Promise<void> {
  if (config.prior !== 'hyperprior') return;
  const weights = weightsOf(store);
  const { data, dims } = await analyse(config, weights, feeds);
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
async function hyperPeaks(config: LossyConfig, weights: WeightsOf, feeds: Feeds): Promise<number[]> {
  if (config.prior !== 'hyperprior') return [];
  const y = await analyse(config, weights, feeds);
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
async function analyse(config: LossyConfig, weights: WeightsOf, feeds: Feeds): Promise<Floats> {
  const { data, shape } = feeds[INPUTS.pixels]!;
  const network = buildNetwork('analysis', config, constantsFrom(weights));
  const [latents] = await runOnce(network, { data: data as Float32Array, dims: shape }, ['output']);
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

function storeFrom(specs: readonly ParameterSpec[], from: WeightsOf): ParameterStore {
  const store = new ParameterStore(specs);
  for (const spec of specs) store.view(spec).set(from(spec.name).data);
  return store;
}
