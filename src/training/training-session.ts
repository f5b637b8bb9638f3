/**
 * Training of any ONNX graph with a scalar loss, step by step. Has the capabilities of ONNX Runtime's
 * own on-device training API, which ended with release 1.19, on a stock runtime.
 */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from '../artifacts/checkpoint.js';
import { ARTIFACT_FILES, type Artifacts } from '../artifacts/generate.js';
import { type ArtifactsManifest, readManifest } from '../artifacts/manifest.js';
import { withNativeKernels } from '../artifacts/native-kernels.js';
import { isOrtCheckpoint } from '../artifacts/onnxruntime/checkpoint.js';
import {
  isOrtDirectory,
  type OrtOrigin,
  ortArtifacts,
  readOrtCheckpoint,
  readOrtDirectory,
} from '../artifacts/onnxruntime/directory.js';
import { encodeOrtCheckpoint } from '../artifacts/onnxruntime/encode-checkpoint.js';
import { fromCheckpoint, toCheckpoint } from '../artifacts/onnxruntime/state.js';
import type { NativeTensor, NativeTrainingSession, TrainRequest } from '../binding/addon.js';
import { loadAddon } from '../binding/index.js';
import { withAbort } from '../binding/with-abort.js';
import { signalShape } from '../core/common-options.js';
import { Lifetime } from '../core/disposal.js';
import { elementCount } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import { ioError, writeFilesAtomically } from '../core/files.js';
import { type InputOf, nearest, parseOptions } from '../core/options.js';
import { seedSchema } from '../core/seed.js';
import { asDense, type TensorLike } from '../core/tensor.js';
import { constantOf, GraphBuilder, type Model, readModel, writeModel } from '../graph/index.js';
import { removeDeadNodes } from '../graph/passes/dead-nodes.js';
import { type Schedule, type ScheduleFunction, scheduleFunction, scheduleSchema } from './loop/schedules.js';
import { putValues, takeValues } from './record/snapshot.js';

/** What checkpoints of a session have of the optimizer. */
const MOMENTS = ['moment1', 'moment2'] as const;

const optionsSchema = z.strictObject({
  /** Seed of dropout and other draws of the graph. Default 0. */
  seed: seedSchema.default(0),
  /** Threads inside one operator; 0 lets ONNX Runtime choose. Default 0. */
  threads: z.int().min(0).max(1024).default(0),
  /**
   * Let the addon compute convolutions, their gradients and group normalisation by kernels of its own; otherwise
   * ONNX Runtime runs the training graph as it is written to files. Default true.
   */
  nativeKernels: z.boolean().default(true),
});

export interface TrainingSessionOptions extends InputOf<typeof optionsSchema> {}
export type TrainingFeeds = Readonly<Record<string, TensorLike>>;

const stepSchema = z.strictObject({
  ...signalShape,
});

export interface StepOptions extends InputOf<typeof stepSchema> {}

const sourceSchema = z.strictObject({
  /** A directory of `writeArtifacts`, or one that onnxruntime-training made. */
  artifacts: z.string().min(1),
  /** Another checkpoint of the same format than the directory's own. */
  checkpoint: z.string().min(1).optional(),
});

/** Training artifacts on disk. */
export interface ArtifactDirectory extends InputOf<typeof sourceSchema> {}

const saveSchema = z.strictObject({
  /**
   * `node-vae`: a safetensors file with everything. `onnxruntime`: what onnxruntime-training 1.17 to 1.19 load, for
   * sessions opened from its artifacts. Default `node-vae`.
   */
  format: z.enum(['node-vae', 'onnxruntime']).default('node-vae'),
  /** Whether the moments and the step go along, without which training cannot go on from there. Default true. */
  optimizerState: z.boolean().default(true),
});

export interface SaveCheckpointOptions extends InputOf<typeof saveSchema> {}

export interface OptimizerStepResult {
  /** Global L2 norm of the accumulated mean gradient, before clipping. */
  readonly gradientNorm: number;
  /** L2 norm of the change of the parameters. */
  readonly updateNorm: number;
}

/**
 * Parameters and optimizer state live in native memory. `trainStep` adds to the gradient, `optimizerStep` applies it.
 *
 * What is applied is the mean of the gradients since the last optimizer step; `lazyResetGrad` drops what was added
 * since. Where the artifacts say `accumulation: 'sum'`, as those of onnxruntime-training do, it is the sum of all
 * gradients since `lazyResetGrad`, and an optimizer step leaves it as it is.
 */
export class TrainingSession {
  readonly #native: NativeTrainingSession;
  readonly #manifest: ArtifactsManifest;
  readonly #evalModel: Model;
  readonly #lifetime = new Lifetime('TrainingSession');
  readonly #seed: bigint;
  readonly #origin: OrtOrigin | undefined;
  #learningRate: number;
  #scheduler: { readonly rate: ScheduleFunction; readonly steps: number } | undefined;
  #resetBeforeNext = false;
  #microBatch = 0;

  private constructor(native: NativeTrainingSession, { manifest, evalModel, origin }: OpenArtifacts, seed: bigint) {
    this.#origin = origin;
    this.#native = native;
    this.#manifest = manifest;
    this.#evalModel = evalModel;
    this.#seed = seed;
    this.#learningRate = manifest.optimizer.learningRate;
  }

  /**
   * Opens artifacts as `generateArtifacts` gives them, or a directory of `writeArtifacts` or of onnxruntime-training
   * (its Python package up to 1.19.2), with the checkpoint in it.
   *
   * Of a directory of onnxruntime-training the forward graph is taken and differentiated here; its optimizer, its
   * frozen parameters and its way of accumulating stay what they are. See docs/guides/onnxruntime-training.md.
   *
   * @throws VaeError ERR_VAE_IO, ERR_VAE_FORMAT for a directory that is not whole; ERR_VAE_UNSUPPORTED_OPERATOR for
   *   graphs that cannot be differentiated; ERR_VAE_REPRODUCIBILITY for a checkpoint of other graphs.
   */
  static async create(
    source: Artifacts | ArtifactDirectory | string,
    options: TrainingSessionOptions = {},
  ): Promise<TrainingSession> {
    const { seed, threads, nativeKernels } = parseOptions(optionsSchema, options, 'TrainingSession.create()');
    const artifacts = await openArtifacts(source);
    const { manifest, trainingModel, evalModel, checkpoint } = artifacts;
    const { learningRate: _, ...optimizer } = manifest.optimizer;
    const native = await loadAddon().createTrainingSession({
      trainingModel: writeModel(nativeKernels ? withNativeKernels(trainingModel) : trainingModel),
      evalModel: writeModel(evalModel),
      parameters: manifest.parameters.map(({ name, dims, gradient, decay }) => ({
        name,
        dims,
        gradient,
        trainable: true,
        weightDecayScale: decay ? 1 : 0,
      })),
      states: manifest.states,
      feeds: manifest.inputs.map((name) => ({ kind: 'given', name })),
      scalars: manifest.scalars,
      perExample: manifest.perExample,
      optimizer,
      ...(manifest.clipGradientNorm === undefined ? {} : { clipGradientNorm: manifest.clipGradientNorm }),
      sumGradients: manifest.accumulation === 'sum',
      keepGradient: manifest.accumulation === 'sum',
      intraOpThreads: threads,
      seed: BigInt(seed),
    });
    const session = new TrainingSession(native, artifacts, BigInt(seed));
    session.#restore(checkpoint);
    return session;
  }

  /** Names of the data inputs that a step must be given. */
  get inputNames(): readonly string[] {
    return this.#manifest.inputs;
  }

  /** Parameters in the order of the flat buffer. */
  get parameters(): readonly { readonly name: string; readonly dims: readonly number[] }[] {
    return this.#manifest.parameters.map(({ name, dims }) => ({ name, dims }));
  }

  /** Number of float32 values in all parameters. */
  get parameterCount(): number {
    return this.#native.parameterCount;
  }

  /** Optimizer steps taken. */
  get step(): number {
    return this.#native.step;
  }

  /**
   * Runs forward and backward on one batch and adds to the gradient.
   *
   * @param feeds one tensor for each of `inputNames`, borrowed until the promise settles.
   * @returns the scalar outputs by name, the loss first.
   * @throws VaeError ERR_VAE_SHAPE for inputs that are missing or do not fit; ERR_VAE_RUNTIME where the
   *   loss or gradient is not finite (the gradient then must be reset).
   */
  trainStep(feeds: TrainingFeeds, options: StepOptions = {}): Promise<Record<string, number>> {
    return this.#lifetime.run(async () => {
      const { signal } = parseOptions(stepSchema, options, 'trainStep()');
      if (this.#resetBeforeNext) this.#native.resetGradient();
      this.#resetBeforeNext = false;
      const request = this.#request(feeds, 'trainStep()');
      const result = await withAbort(signal, (flag) => this.#native.accumulate(request, flag));
      if (result.nonFinite !== undefined) {
        throw new VaeError(
          'ERR_VAE_RUNTIME',
          `trainStep(): ${result.nonFinite.where} is not finite. Reset the gradient, and try a lower learning rate.`,
        );
      }
      this.#microBatch += 1;
      return Object.fromEntries(this.#manifest.scalars.map((name) => [name, result.scalars[name]![0]!]));
    });
  }

  /**
   * Runs the eval graph on one batch: its per-example outputs, [rows, ...] each, or one value where an output is one
   * for the whole batch, as the loss of onnxruntime-training's graphs.
   */
  evalStep(feeds: TrainingFeeds, options: StepOptions = {}): Promise<Record<string, Float32Array>> {
    return this.#lifetime.run(async () => {
      const { signal } = parseOptions(stepSchema, options, 'evalStep()');
      const { indices, batchSizes, firstMicroBatch, scalars, given } = this.#request(feeds, 'evalStep()');
      const request = { indices, batchSizes, firstMicroBatch, scalars, ...(given && { given }) };
      return withAbort(signal, (flag) => this.#native.evaluate(request, flag));
    });
  }

  /** Applies the accumulated gradient (see above), at the current learning rate. */
  optimizerStep(): Promise<OptimizerStepResult> {
    return this.#lifetime.run(async () => {
      if (this.#native.pendingMicroBatches === 0) {
        throw new VaeError('ERR_VAE_OPTION', 'optimizerStep(): there is no gradient; call trainStep() first.');
      }
      // ONNX Runtime's rate is a float32, and so it stands in its checkpoints.
      const rate = this.#origin === undefined ? this.#learningRate : Math.fround(this.#learningRate);
      const { gradientNorm, updateNorm, nonFinite } = await this.#native.optimizerStep(rate);
      if (nonFinite !== undefined) {
        throw new VaeError(
          'ERR_VAE_RUNTIME',
          `optimizerStep(): the gradient of ${nonFinite} is not finite; the parameters were left as they are.`,
        );
      }
      return { gradientNorm, updateNorm };
    });
  }

  /** The next `trainStep` begins with an empty gradient. */
  lazyResetGrad(): void {
    this.#lifetime.check();
    this.#resetBeforeNext = true;
  }

  get learningRate(): number {
    return this.#learningRate;
  }

  setLearningRate(learningRate: number): void {
    this.#learningRate = parseOptions(z.number().positive(), learningRate, 'setLearningRate(), learningRate');
  }

  /** Lets a schedule set the learning rate: once now, then with every `schedulerStep`. */
  setScheduler(schedule: Schedule, steps: number): void {
    const rate = scheduleFunction(parseOptions(scheduleSchema, schedule, 'setScheduler(), schedule'));
    this.#scheduler = { rate, steps: parseOptions(z.int().positive(), steps, 'setScheduler(), steps') };
    this.schedulerStep();
  }

  /** Sets the learning rate to the schedule's value at the present step. */
  schedulerStep(): void {
    if (this.#scheduler === undefined) {
      throw new VaeError('ERR_VAE_OPTION', 'schedulerStep(): there is no scheduler; call setScheduler() first.');
    }
    const { rate, steps } = this.#scheduler;
    this.#learningRate = rate({ step: this.step, steps, epoch: this.step / steps, losses: [] });
  }

  /** A copy of all parameters as one flat buffer, in the order of `parameters`. */
  getParameters(): Float32Array {
    this.#lifetime.check();
    return this.#native.getParameters();
  }

  setParameters(values: Float32Array): void {
    this.#lifetime.check();
    if (values.length !== this.parameterCount) {
      throw new VaeError(
        'ERR_VAE_SHAPE',
        `setParameters(): expected ${this.parameterCount} values, received ${values.length}.`,
      );
    }
    this.#native.setParameters(values);
  }

  /**
   * Writes parameters, optimizer moments and step to a file.
   *
   * @throws VaeError ERR_VAE_OPTION for `format: 'onnxruntime'` of a session that was not opened from its artifacts,
   *   whose graphs that library would not have; ERR_VAE_IO.
   */
  saveCheckpoint(path: string, options: SaveCheckpointOptions = {}): Promise<void> {
    return this.#lifetime.run(async () => {
      const { format, optimizerState } = parseOptions(saveSchema, options, 'saveCheckpoint()');
      const { slots, ...snapshot } = this.#snapshot();
      const checkpoint = { ...snapshot, slots: optimizerState ? slots : {} };
      if (format === 'node-vae') return writeFilesAtomically([{ path, chunks: encodeCheckpoint(checkpoint) }]);
      if (this.#origin === undefined) {
        throw new VaeError(
          'ERR_VAE_OPTION',
          "saveCheckpoint(): format 'onnxruntime' is for a session that was opened from artifacts of onnxruntime-training, " +
            'as only their graphs go with such a checkpoint. Leave format out.',
        );
      }
      const chunks = [encodeOrtCheckpoint(fromCheckpoint(checkpoint, this.#origin, optimizerState))];
      return writeFilesAtomically([{ path, chunks }]);
    });
  }

  /**
   * Of either format, told by the file itself.
   *
   * @throws VaeError ERR_VAE_FORMAT for damaged files, ERR_VAE_REPRODUCIBILITY for another model's.
   */
  loadCheckpoint(path: string): Promise<void> {
    return this.#lifetime.run(async () => {
      const bytes = await read(path);
      if (!isOrtCheckpoint(bytes)) return this.#restore(decodeCheckpoint(bytes, this.#manifest, path));
      const saved = await readOrtCheckpoint(path);
      if (saved.nominal) throw new VaeError('ERR_VAE_FORMAT', `${path} is a nominal checkpoint: it has no values.`);
      const manifest = this.#manifest;
      const states = this.#native.getStates();
      this.#restore(toCheckpoint({ manifest, checkpoint: { ...this.#snapshot(), slots: {}, states } }, saved, path));
    });
  }

  /**
   * Writes the graph with the present parameters inside, for any ONNX runtime.
   *
   * @param outputs which values of the eval graph to give: its outputs or any value on the way to them, by name. Inputs
   *   that they do not need are left out.
   */
  exportForInference(path: string, outputs: readonly string[]): Promise<void> {
    return this.#lifetime.run(async () => {
      const values = new Map<string, { dims: readonly number[]; data: Float32Array }>();
      const flat = this.#native.getParameters();
      let offset = 0;
      for (const { name, dims } of this.#manifest.parameters) {
        const count = elementCount(dims);
        values.set(name, { dims, data: flat.subarray(offset, offset + count) });
        offset += count;
      }
      const states = this.#native.getStates();
      for (const { name, dims } of this.#manifest.states) values.set(name, { dims, data: states[name]! });
      await writeFilesAtomically([{ path, chunks: [writeModel(withConstants(this.#evalModel, values, outputs))] }]);
    });
  }

  /** Idempotent; waits for work in flight. */
  close(): Promise<void> {
    return this.#lifetime.close(() => this.#native.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #request(feeds: TrainingFeeds, where: string): TrainRequest {
    const given: Record<string, NativeTensor> = {};
    for (const name of this.inputNames) {
      const feed = feeds[name];
      if (feed === undefined) {
        throw new VaeError(
          'ERR_VAE_SHAPE',
          `${where}: input "${name}" is missing; the graph needs ${this.inputNames.join(', ')}.`,
        );
      }
      given[name] = asDense(feed, `${where}, input "${name}"`);
    }
    const unknown = Object.keys(feeds).find((name) => !(name in given));
    if (unknown !== undefined) {
      throw new VaeError(
        'ERR_VAE_SHAPE',
        `${where}: the graph has no input "${unknown}"; it needs ${this.inputNames.join(', ')}.`,
      );
    }
    const rows = Math.max(...Object.values(given).map(({ dims }) => dims[0] ?? 1), 1);
    return {
      indices: new Uint32Array(rows),
      batchSizes: Uint32Array.of(rows),
      firstMicroBatch: this.#microBatch,
      scalars: {},
      learningRates: Float64Array.of(this.#learningRate),
      accumulate: 1,
      given,
    };
  }

  #snapshot(): Checkpoint {
    return {
      manifest: this.#manifest,
      ...takeValues(this.#native, MOMENTS),
      progress: {
        step: this.step,
        microBatch: this.#microBatch,
        epoch: 0,
        position: 0,
        pending: 0,
        seed: String(this.#seed),
        learningRate: this.#learningRate,
        optimizer: this.#manifest.optimizer.type,
      },
    };
  }

  #restore({ progress, ...values }: Checkpoint): void {
    putValues(this.#native, values, MOMENTS);
    this.#native.step = progress.step;
    this.#microBatch = progress.microBatch;
    if (progress.learningRate > 0) this.#learningRate = progress.learningRate;
  }
}

interface OpenArtifacts extends Omit<Artifacts, 'optimizerModel' | 'unused'> {
  /** Of artifacts of onnxruntime-training. */
  readonly origin?: OrtOrigin;
}

async function openArtifacts(source: Artifacts | ArtifactDirectory | string): Promise<OpenArtifacts> {
  if (typeof source === 'string') return openArtifacts({ artifacts: source });
  if ('trainingModel' in source) return source;
  const { artifacts, checkpoint } = parseOptions(sourceSchema, source, 'TrainingSession.create(), source');
  if (await isOrtDirectory(artifacts, checkpoint)) return ortArtifacts(await readOrtDirectory(artifacts, checkpoint));
  return readArtifacts(artifacts, checkpoint);
}

/** Reads an artifact directory of this package. */
async function readArtifacts(directory: string, other: string | undefined): Promise<OpenArtifacts> {
  const path = (kind: keyof typeof ARTIFACT_FILES): string => join(directory, ARTIFACT_FILES[kind]);
  const trainingModel = await readModel(path('training'));
  const evalModel = await readModel(path('eval'));
  const manifest = readManifest(trainingModel, path('training'));
  const from = other ?? path('checkpoint');
  const checkpoint = decodeCheckpoint(await read(from), manifest, from);
  return { trainingModel, evalModel, manifest, checkpoint };
}

function read(path: string): Promise<Uint8Array> {
  return readFile(path).catch((error: unknown) => {
    throw ioError(error, `reading ${path}`);
  });
}

/** The graph with some of its inputs as constants, and only what the wanted outputs need. */
function withConstants(
  model: Model,
  values: ReadonlyMap<string, { readonly dims: readonly number[]; readonly data: Float32Array }>,
  outputs: readonly string[],
): Model {
  const { graph } = model;
  const initializers = new Map(graph.initializers);
  for (const [name, { dims, data }] of values) initializers.set(name, constantOf(data, 'float32', dims));
  const result = GraphBuilder.from({
    ...model,
    metadata: new Map(),
    graph: { ...graph, initializers, inputs: graph.inputs.filter(({ name }) => !values.has(name)) },
  }).model;
  result.graph.outputs = outputs.map((name) => {
    const output = result.graph.outputs.find((info) => info.name === name);
    if (output !== undefined) return output;
    const type = result.graph.types.get(name);
    if (type !== undefined) return { name, ...type };
    const names = [...graph.outputs.map((info) => info.name), ...graph.nodes.flatMap((node) => node.outputs)];
    const near = nearest(name, names);
    const known = graph.outputs.map((info) => info.name).join(', ');
    throw new VaeError(
      'ERR_VAE_OPTION',
      `exportForInference(): the graph has no output "${name}"; it has ${known}, and every value on the way to them` +
        `${near === undefined || near === name ? '' : `, such as "${near}"`}.`,
    );
  });
  removeDeadNodes(result);
  const read = new Set(result.graph.nodes.flatMap(({ inputs }) => inputs));
  result.graph.inputs = result.graph.inputs.filter(({ name }) => read.has(name));
  return result;
}
