/** The Vae class: ties network, parameters, training and inference together. */
import type { Tensor } from 'onnxruntime-common';
import { z } from 'zod';
import {
  buildDecoder,
  buildEncoder,
  buildObjective,
  describeParameters,
  NAMES,
  perExample,
} from './architectures/graphs.js';
import { type ArchitectureConfig, type ArchitectureInput, architectureSchema } from './architectures/index.js';
import { type InputOptions, type InputSpec, inputSchema } from './architectures/input.js';
import type { ParameterStore } from './architectures/parameters.js';
import { initialiseParameters } from './artifacts/initialize.js';
import { loadModel, type ModelParts, networkOf, saveModel } from './artifacts/model-io.js';
import { findModel } from './artifacts/model-source.js';
import type { SessionOptions } from './binding/addon.js';
import { STREAMS } from './binding/streams.js';
import type { Codec } from './codec/codec.js';
import { codecFromModel } from './codec/from-vae.js';
import { Lifetime } from './core/disposal.js';
import { VaeError } from './core/errors.js';
import { parseOptions } from './core/options.js';
import { type Seed, seedSchema } from './core/seed.js';
import { floatTensor, type TensorLike } from './core/tensor.js';
import { type DatasetInput, toDataset } from './data/to-dataset.js';
import { type Model, writeModel } from './graph/index.js';
import { normalRows } from './inference/noise.js';
import { type BatchInput, type RowReader, readRows } from './inference/rows.js';
import { GraphSession, type RunOptions } from './inference/session.js';
import { SessionPool } from './inference/session-pool.js';
import { type LikelihoodConfig, type LikelihoodInput, likelihoodSchema } from './nn/likelihoods/index.js';
import { type FitOptions, fitOptionsSchema } from './training/fit-options.js';
import { FitRun } from './training/fit-run.js';
import { trainModel } from './training/train-model.js';

const sessionShape = {
  /** Threads inside one operator; 0 lets ONNX Runtime choose (one per physical core). Default 0. */
  threads: z.int().min(0).max(1024).default(0),
  /** Where networks run. Default `cpu`. */
  provider: z.enum(['cpu']).default('cpu'),
};

const createSchema = z.strictObject({
  architecture: architectureSchema.default(() => architectureSchema.parse('mlp')),
  input: inputSchema,
  latentDim: z
    .int()
    .positive()
    .max(1 << 16),
  likelihood: likelihoodSchema.default(() => likelihoodSchema.parse('bernoulli')),
  seed: seedSchema.default(0),
  ...sessionShape,
});

const loadSchema = z.strictObject(sessionShape);
const saveSchema = z.strictObject({
  /** Also write the training artifacts, so that training can go on. Default false. */
  training: z.boolean().default(false),
});
const signalShape = {
  signal: z.custom<AbortSignal>((value) => value instanceof AbortSignal, 'expected an AbortSignal').optional(),
};
const runSchema = z.strictObject(signalShape);
const drawSchema = z.strictObject({ ...signalShape, seed: seedSchema.optional() });
const reconstructSchema = z.strictObject({
  ...signalShape,
  seed: seedSchema.optional(),
  /** Decode a draw from the posterior rather than its mean. Default false. */
  sample: z.boolean().default(false),
});
const sampleSchema = z.strictObject({
  ...signalShape,
  seed: seedSchema.optional(),
  /** Standard deviation of the latents drawn; the prior's is 1. Default 1. */
  temperature: z.number().min(0).max(100).default(1),
});

export interface VaeSessionOptions {
  readonly threads?: number;
  readonly provider?: 'cpu';
}

export interface VaeOptions extends VaeSessionOptions {
  /** Name of an architecture, or `{ type, ...options }`. Default `mlp`. */
  readonly architecture?: ArchitectureInput;
  /** What one example is. */
  readonly input: InputOptions;
  /** Number of latent dimensions. */
  readonly latentDim: number;
  /** Name of a likelihood, or `{ type, ...options }`. Default `bernoulli`. */
  readonly likelihood?: LikelihoodInput;
  /** Seed of the initial weights and, where fit() is given none, of training. Default 0. */
  readonly seed?: Seed;
}

export interface Encoding {
  /** Mean of q(z|x), float32 [N, latentDim]. */
  readonly mean: Tensor;
  /** Natural logarithm of the variance of q(z|x), float32 [N, latentDim]. */
  readonly logVariance: Tensor;
}

/** One value for each example, in nats. */
export interface Scores {
  /** Evidence lower bound, a lower bound of log p(x): −(reconstruction + kl). */
  readonly elbo: Float32Array;
  /** −log p(x|z) at one draw of z from the posterior. */
  readonly reconstruction: Float32Array;
  /** KL divergence of the posterior from the prior. */
  readonly kl: Float32Array;
}

export interface DrawOptions extends RunOptions {
  /** Default: a new draw with every call, the same sequence for the same model seed. */
  readonly seed?: Seed;
}

export interface ReconstructOptions extends DrawOptions {
  readonly sample?: boolean;
}

export interface SampleOptions extends DrawOptions {
  readonly temperature?: number;
}

/** What a model is, as its config.json has it. */
export interface VaeInfo {
  readonly architecture: ArchitectureConfig;
  readonly input: InputSpec;
  readonly latentDim: number;
  readonly likelihood: LikelihoodConfig;
  readonly seed: bigint;
  readonly parameterCount: number;
  readonly parameters: readonly { readonly name: string; readonly dims: readonly number[] }[];
  /** Whole epochs of training this model can go on from; undefined where it cannot. */
  readonly trainedEpochs: number | undefined;
}

/**
 * A variational autoencoder (Kingma and Welling 2014; Rezende et al. 2014): trains, encodes, decodes,
 * samples and scores. Everything that takes time runs off the JavaScript thread.
 */
export class Vae {
  #parts: ModelParts;
  readonly #sessionOptions: SessionOptions;
  readonly #lifetime = new Lifetime('Vae');
  readonly #sessions: SessionPool<SessionKind>;
  #fitting = false;
  #draws = 0;

  private constructor(parts: ModelParts, sessionOptions: SessionOptions) {
    this.#parts = parts;
    this.#sessionOptions = sessionOptions;
    this.#sessions = new SessionPool((kind) => {
      const model = SESSION_GRAPHS[kind](this.#parts.vae, this.#parts.parameters);
      return GraphSession.open(writeModel(model), `Vae's ${kind}`, sessionOptions);
    });
  }

  /**
   * Makes an untrained model.
   *
   * @throws VaeError ERR_VAE_OPTION for options that are unknown, out of range or do not fit together;
   *   ERR_VAE_BINDING where the addon or ONNX Runtime cannot be loaded.
   */
  static async create(options: VaeOptions): Promise<Vae> {
    const { threads, provider: _, seed, ...model } = parseOptions(createSchema, options, 'Vae.create()');
    const vae = networkOf(model);
    const parameters = initialiseParameters(describeParameters(vae), BigInt(seed));
    const description = { ...model, seed: String(seed), parameterCount: parameters.count };
    return new Vae({ description, vae, parameters, training: undefined }, { intraOpThreads: threads });
  }

  /**
   * Opens a model directory, or a model of this package by its name, such as `mnist-mlp`.
   *
   * @throws VaeError ERR_VAE_IO where there is none, ERR_VAE_FORMAT where a file is missing, truncated,
   *   altered or written by a newer version.
   */
  static async load(source: string, options: VaeSessionOptions = {}): Promise<Vae> {
    const { threads } = parseOptions(loadSchema, options, 'Vae.load()');
    return new Vae(await loadModel(await findModel(source)), { intraOpThreads: threads });
  }

  get info(): VaeInfo {
    const { description, parameters, training } = this.#parts;
    const { architecture, input, latentDim, likelihood, seed, parameterCount } = description;
    return {
      architecture,
      input,
      latentDim,
      likelihood,
      seed: BigInt(seed),
      parameterCount,
      parameters: parameters.specs.map(({ name, dims }) => ({ name, dims })),
      trainedEpochs: training?.checkpoint.progress.epoch,
    };
  }

  /** Shape of one example, channels first. */
  get dataShape(): readonly number[] {
    return this.#parts.vae.dataShape;
  }

  /** A copy of one parameter's values, float32, row-major. */
  parameter(name: string): Float32Array {
    const { parameters } = this.#parts;
    const spec = parameters.specs.find((candidate) => candidate.name === name);
    if (spec === undefined) {
      const known = parameters.specs.map((candidate) => candidate.name).join(', ');
      throw new VaeError('ERR_VAE_OPTION', `This model has no parameter named "${name}"; it has ${known}.`);
    }
    return parameters.view(spec).slice();
  }

  /**
   * Trains. The result is both a promise of the history and an async iterable of progress. Data in
   * memory is borrowed, not copied, and must not change meanwhile; 8-bit values stand for fractions
   * of 255. When the run ends early, by its signal or an error, the model has the parameters of the
   * last step that was completed.
   *
   * @throws VaeError (as a rejection) ERR_VAE_OPTION, ERR_VAE_DATA or ERR_VAE_SHAPE for what was given;
   *   ERR_VAE_BUSY while another fit() is running; ERR_VAE_RUNTIME where training diverges;
   *   the signal's reason when aborted.
   */
  fit(data: DatasetInput, options: FitOptions<DatasetInput> = {}): FitRun {
    return new FitRun((emit) =>
      this.#lifetime.run(async () => {
        const resolved = parseOptions(fitOptionsSchema, options, 'fit()');
        if (this.#fitting) {
          throw new VaeError(
            'ERR_VAE_BUSY',
            'fit(): this model is being trained already; wait for that run or abort it.',
          );
        }
        this.#fitting = true;
        try {
          resolved.signal?.throwIfAborted();
          const rowShape = this.dataShape;
          const { signal } = resolved;
          const named = (where: string) => ({ where, rowShape, ...(signal && { signal }) });
          const train = await toDataset(data, named('fit()'));
          const validation =
            options.validation === undefined
              ? undefined
              : await toDataset(options.validation, named('fit(), validation'));
          return await trainModel(this.#parts, {
            options: resolved,
            train,
            validation,
            session: this.#sessionOptions,
            emit: (progress) => {
              resolved.onProgress?.(progress);
              emit(progress);
            },
            keep: (training) => {
              const parameters = this.#parts.parameters.with(training.checkpoint.parameters);
              this.#parts = { ...this.#parts, parameters, training };
            },
          });
        } finally {
          this.#fitting = false;
          await this.#sessions.refresh();
        }
      }),
    );
  }

  /**
   * The posterior of each example.
   *
   * @param batch float32 (or uint8, as fractions of 255) [N, ...data] or flattened [N, size]; borrowed
   *   until the promise settles.
   */
  encode(batch: BatchInput, options: RunOptions = {}): Promise<Encoding> {
    return this.#lifetime.run(async () => {
      const { signal } = parseOptions(runSchema, options, 'encode()');
      return this.#encodeRows(readRows(batch, this.dataShape, 'encode()', signal), signal);
    });
  }

  /**
   * The mean of p(x|z) for each latent.
   *
   * @param latents float32 [N, latentDim]; borrowed until the promise settles.
   * @returns float32 [N, ...data].
   */
  decode(latents: TensorLike, options: RunOptions = {}): Promise<Tensor> {
    return this.#lifetime.run(async () => {
      const { signal } = parseOptions(runSchema, options, 'decode()');
      const reader = readRows(latents, this.#parts.vae.network.latentShape, 'decode()', signal);
      return this.#decodeRows(reader, signal);
    });
  }

  /** Encodes and decodes: from the posterior's mean, or from a draw with `{ sample: true }`. */
  reconstruct(batch: BatchInput, options: ReconstructOptions = {}): Promise<Tensor> {
    return this.#lifetime.run(async () => {
      const { signal, sample, seed } = parseOptions(reconstructSchema, options, 'reconstruct()');
      const reader = readRows(batch, this.dataShape, 'reconstruct()', signal);
      const { mean, logVariance } = await this.#encodeRows(reader, signal);
      const latents = mean.data as Float32Array;
      if (sample) {
        const spread = logVariance.data as Float32Array;
        const noise = normalRows(mean.dims[0]!, mean.dims.slice(1), ...this.#draw(seed, STREAMS.reconstruction));
        for (let index = 0; index < latents.length; index += 1) {
          latents[index] = latents[index]! + Math.exp(0.5 * spread[index]!) * (noise.data as Float32Array)[index]!;
        }
      }
      return this.#decodeRows(readRows(mean, mean.dims.slice(1), 'reconstruct()', signal), signal);
    });
  }

  /** Decodes `count` draws from the prior; float32 [count, ...data]. */
  sample(count: number, options: SampleOptions = {}): Promise<Tensor> {
    return this.#lifetime.run(async () => {
      parseOptions(z.int().positive(), count, 'sample(), count');
      const { signal, seed, temperature } = parseOptions(sampleSchema, options, 'sample()');
      const shape = this.#parts.vae.network.latentShape;
      const noise = normalRows(count, shape, ...this.#draw(seed, STREAMS.sampling));
      const values = noise.data as Float32Array;
      if (temperature !== 1) for (let index = 0; index < values.length; index += 1) values[index]! *= temperature;
      const reader = readRows({ data: values, shape: noise.dims }, shape, 'sample()', signal);
      return this.#decodeRows(reader, signal);
    });
  }

  /**
   * The evidence lower bound of each example and its terms, in nats, at one draw from the posterior.
   * The same seed (default: the model's) gives the same scores.
   */
  score(batch: BatchInput, options: DrawOptions = {}): Promise<Scores> {
    return this.#lifetime.run(async () => {
      const { signal, seed = BigInt(this.#parts.description.seed) } = parseOptions(drawSchema, options, 'score()');
      const { latentShape } = this.#parts.vae.network;
      const reader = readRows(batch, this.dataShape, 'score()', signal);
      const one = { dtype: 'float32' as const, dims: [], data: Float32Array.of(1) };
      const [reconstruction, kl] = await this.#sessions.use('objective', (session) =>
        session.runRows(
          reader.rows,
          async (from, to) => ({
            [NAMES.input]: await reader.read(from, to),
            [NAMES.epsilon]: normalRows(to - from, latentShape, BigInt(seed), STREAMS.scoreNoise, from),
            [NAMES.klWeight]: one,
          }),
          [
            { name: perExample('reconstruction'), rowShape: [] },
            { name: perExample('kl'), rowShape: [] },
          ],
          { signal },
        ),
      );
      return {
        elbo: reconstruction!.map((value, row) => -(value + kl![row]!)),
        reconstruction: reconstruction!,
        kl: kl!,
      };
    });
  }

  /**
   * The model's networks in integers, as a codec whose archives decode on every machine. It must have
   * the `mlp` architecture with `relu` and the `local-mixture` likelihood. `calibration` holds 8-bit
   * items like those to be compressed; a few hundred are enough.
   *
   * @throws VaeError ERR_VAE_OPTION, saying why, for a model that cannot be one; ERR_VAE_DATA for items
   *   that are not bytes.
   */
  toCodec(calibration: DatasetInput, options: { readonly signal?: AbortSignal } = {}): Promise<Codec> {
    return this.#lifetime.run(async () => {
      const { signal } = options;
      const rowShape = this.dataShape;
      const data = await toDataset(calibration, { where: 'toCodec()', rowShape, ...(signal && { signal }) });
      return codecFromModel(this.#parts, data, signal);
    });
  }

  /**
   * Writes a model directory: config.json, encoder.onnx (`input` to `mean`, `log_variance`) and
   * decoder.onnx (`latent` to `output`), which any ONNX runtime can run. Earlier files stay whole
   * until all new ones are complete.
   *
   * @throws VaeError ERR_VAE_IO where the disk is full or read-only.
   */
  async save(directory: string, options: { readonly training?: boolean } = {}): Promise<void> {
    return this.#lifetime.run(async () => {
      const { training } = parseOptions(saveSchema, options, 'save()');
      await saveModel(directory, this.#parts, training);
    });
  }

  /** Idempotent; waits for work in flight, a running fit() included (abort its signal to end it sooner). */
  close(): Promise<void> {
    return this.#lifetime.close(() => this.#sessions.refresh());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #encodeRows(reader: RowReader, signal: AbortSignal | undefined): Promise<Encoding> {
    const { latentShape } = this.#parts.vae.network;
    const [mean, logVariance] = await this.#sessions.use('encoder', (session) =>
      session.runRows(
        reader.rows,
        async (from, to) => ({ [NAMES.input]: await reader.read(from, to) }),
        [
          { name: NAMES.mean, rowShape: latentShape },
          { name: NAMES.logVariance, rowShape: latentShape },
        ],
        { signal },
      ),
    );
    const dims = [reader.rows, ...latentShape];
    return { mean: floatTensor(mean!, dims), logVariance: floatTensor(logVariance!, dims) };
  }

  async #decodeRows(reader: RowReader, signal: AbortSignal | undefined): Promise<Tensor> {
    const rowShape = this.dataShape;
    const [output] = await this.#sessions.use('decoder', (session) =>
      session.runRows(
        reader.rows,
        async (from, to) => ({ [NAMES.latent]: await reader.read(from, to) }),
        [{ name: NAMES.output, rowShape }],
        { signal },
      ),
    );
    return floatTensor(output!, [reader.rows, ...rowShape]);
  }

  /** Seed, stream and counter of one draw: the caller's seed, or the next of the model's own sequence. */
  #draw(seed: Seed | undefined, stream: number): [seed: bigint, stream: number, counter: number] {
    if (seed !== undefined) return [BigInt(seed), stream, 0];
    this.#draws += 1;
    return [BigInt(this.#parts.description.seed), stream, this.#draws];
  }
}

type SessionKind = 'encoder' | 'decoder' | 'objective';

const SESSION_GRAPHS: Readonly<Record<SessionKind, (vae: ModelParts['vae'], parameters: ParameterStore) => Model>> = {
  encoder: (vae, parameters) => buildEncoder(vae, parameters.asInitializers),
  decoder: (vae, parameters) => buildDecoder(vae, parameters.asInitializers),
  objective: (vae, parameters) => buildObjective(vae, parameters.asInitializers),
};
