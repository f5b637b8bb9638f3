/** Trains a VAE that onnxruntime-training made, by its own graphs: its loss, its optimizer, its checkpoint. */
import { copyFile, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Tensor } from 'onnxruntime-common';
import { z } from 'zod';
import { describeArtifacts } from '../artifacts/onnxruntime/describe.js';
import { loadAddon } from '../binding/index.js';
import { STREAMS } from '../binding/streams.js';
import { signalShape } from '../core/common-options.js';
import { elementCount } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import { ioError } from '../core/files.js';
import { type InputOf, parseOptions } from '../core/options.js';
import { seedSchema } from '../core/seed.js';
import type { Dataset } from '../data/dataset.js';
import { TrainingSession } from './training-session.js';

const optionsSchema = z.strictObject({
  /** Directory of onnxruntime-training, of a VAE whose loss takes data and noise. */
  artifacts: z.string().min(1),
  /** Another checkpoint than its own. */
  checkpoint: z.string().min(1).optional(),
  /** Directory that gets the graphs and the trained checkpoint. Default: nothing is written. */
  out: z.string().min(1).optional(),
  /** Passes over the data. Default 10. */
  epochs: z.int().positive().max(1_000_000).default(10),
  /** Rows in a batch; a last one that is not full is trained as well. Default 32. */
  batchSize: z
    .int()
    .positive()
    .max(1 << 20)
    .default(32),
  /** Default: the checkpoint's, else ONNX Runtime's own 0.001. */
  learningRate: z.number().positive().max(10).optional(),
  /** Of the order of the rows and of the noise. Default 0. */
  seed: seedSchema.default(0),
  /** Draws the order of the rows anew in every epoch. Default true. */
  shuffle: z.boolean().default(true),
  threads: z.int().min(0).max(1024).default(0),
  ...signalShape,
  onEpoch: z
    .custom<(epoch: ArtifactsEpoch) => void>((value) => typeof value === 'function', 'expected a function')
    .optional(),
});

export interface TrainArtifactsOptions extends InputOf<typeof optionsSchema> {}

export interface ArtifactsEpoch {
  readonly epoch: number;
  readonly epochs: number;
  /** Mean over the rows of their batch's loss, as the graph defines it. */
  readonly loss: number;
  readonly step: number;
  readonly seconds: number;
}

export interface ArtifactsTraining {
  readonly epochs: readonly ArtifactsEpoch[];
  readonly step: number;
  readonly interrupted: boolean;
}

const GRAPHS = ['training_model.onnx', 'eval_model.onnx', 'optimizer_model.onnx'] as const;

/**
 * 8-bit values stand for fractions of 255. When the signal ends it early, what was learned is written all the same.
 *
 * @throws VaeError ERR_VAE_OPTION where the directory holds no such VAE, ERR_VAE_SHAPE for data of another shape, and what
 *   TrainingSession throws.
 */
export async function trainArtifacts(data: Dataset, options: TrainArtifactsOptions): Promise<ArtifactsTraining> {
  const settings = parseOptions(optionsSchema, options, 'trainArtifacts()');
  const { artifacts, checkpoint, epochs, batchSize, learningRate, shuffle, threads, signal, out } = settings;
  const seed = BigInt(settings.seed);
  const ports = await portsOf(artifacts, data);
  await using session = await TrainingSession.create(
    { artifacts, ...(checkpoint && { checkpoint }) },
    { seed: settings.seed, threads },
  );
  if (learningRate !== undefined) session.setLearningRate(learningRate);
  const rows = elementCount(ports.data.dims);
  const done: ArtifactsEpoch[] = [];
  let batch = session.step;
  for (let epoch = 0; epoch < epochs && !signal?.aborted; epoch += 1) {
    const started = performance.now();
    const order = shuffle
      ? loadAddon().random.permutation(data.length, seed, STREAMS.shuffle, BigInt(epoch))
      : Uint32Array.from({ length: data.length }, (_, i) => i);
    let sum = 0;
    let seen = 0;
    for (let at = 0; at < data.length && !signal?.aborted; at += batchSize) {
      const indices = order.subarray(at, at + batchSize);
      const count = indices.length;
      const values = await data.read(indices, undefined, epoch);
      const x = values instanceof Float32Array ? values : Float32Array.from(values, (value) => value / 255);
      const noise = new Float32Array(count * elementCount(ports.noise.dims));
      loadAddon().random.fillNormal(noise, seed, STREAMS.trainingNoise, BigInt(batch));
      const losses = await session.trainStep({
        [ports.data.name]: new Tensor('float32', x.subarray(0, count * rows), [count, ...ports.data.dims]),
        [ports.noise.name]: new Tensor('float32', noise, [count, ...ports.noise.dims]),
      });
      await session.optimizerStep();
      session.lazyResetGrad();
      sum += Object.values(losses)[0]! * count;
      seen += count;
      batch += 1;
    }
    if (seen === 0) break;
    const seconds = (performance.now() - started) / 1000;
    const told = { epoch: epoch + 1, epochs, loss: sum / seen, step: session.step, seconds };
    done.push(told);
    settings.onEpoch?.(told);
  }
  if (out !== undefined) await writeDirectory(artifacts, out, session);
  return { epochs: done, step: session.step, interrupted: signal?.aborted ?? false };
}

interface Port {
  readonly name: string;
  readonly dims: readonly number[];
}

async function portsOf(artifacts: string, data: Dataset): Promise<{ readonly data: Port; readonly noise: Port }> {
  const described = await describeArtifacts(artifacts);
  if (described?.vae === undefined) {
    const why =
      described === undefined
        ? 'it is no directory of onnxruntime-training'
        : (described.problem ?? 'its loss is not that of a VAE that takes data and noise');
    throw new VaeError(
      'ERR_VAE_OPTION',
      `trainArtifacts(): "${artifacts}" cannot be trained on data alone: ${why}. TrainingSession.create({ artifacts }) trains ` +
        'any loss step by step.',
    );
  }
  const port = (name: string): Port => {
    const dims = described.inputs!.find((input) => input.name === name)!.shape.slice(1);
    if (dims.every((dim): dim is number => typeof dim === 'number')) return { name, dims };
    throw new VaeError(
      'ERR_VAE_GRAPH',
      `trainArtifacts(): input "${name}" of "${artifacts}" has rows of ${dims.join('×')}; expected fixed sides.`,
    );
  };
  const ports = { data: port(described.vae.data), noise: port(described.vae.noise) };
  if (elementCount(ports.data.dims) !== elementCount(data.rowShape)) {
    throw new VaeError(
      'ERR_VAE_SHAPE',
      `trainArtifacts(): the data have rows of ${data.rowShape.join('×')}, input "${ports.data.name}" takes rows of ${ports.data.dims.join('×')}.`,
    );
  }
  return ports;
}

/** The graphs as they are, and the checkpoint as it is now. */
async function writeDirectory(from: string, to: string, session: TrainingSession): Promise<void> {
  try {
    await mkdir(to, { recursive: true });
    if (resolve(from) !== resolve(to)) for (const file of GRAPHS) await copyFile(join(from, file), join(to, file));
  } catch (error) {
    throw ioError(error, `writing ${to}`);
  }
  await session.saveCheckpoint(join(to, 'checkpoint'), { format: 'onnxruntime' });
}
