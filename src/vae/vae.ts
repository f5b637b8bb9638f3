/** The Vae class: ties network, parameters, training and inference together. */
import type { Tensor } from 'onnxruntime-common';
import { z } from 'zod';
import { saveModel } from '../artifacts/model-io.js';
import type { Codec } from '../codecs/lossless/codec.js';
import { codecFromModel } from '../codecs/lossless/from-vae.js';
import { Lifetime } from '../core/disposal.js';
import { elementCount } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import { parseOptions } from '../core/options.js';
import { floatTensor, type TensorLike } from '../core/tensor.js';
import type { Dataset } from '../data/dataset.js';
import { type ReadDatasetOptions, readDataset } from '../data/read-dataset.js';
import type { DataRecipe } from '../data/recipe.js';
import { type DatasetInput, toDataset } from '../data/to-dataset.js';
import type { DeviceTensor } from '../inference/device/device-tensor.js';
import type { DeviceEncoding, DeviceLatents } from '../inference/device/run-on-device.js';
import type { Engine } from '../inference/engine.js';
import type { OnnxPair } from '../inference/imported/open-imported.js';
import { saveNetworks } from '../inference/imported/save-networks.js';
import { compareScores, type QuantizationReport } from '../inference/int8/quantization-report.js';
import { quantizeEngine } from '../inference/int8/quantize.js';
import { saveQuantized } from '../inference/int8/quantized-model.js';
import { recipeNetworks } from '../inference/recipe.js';
import { rowLabels } from '../inference/rows/labels.js';
import type { BatchInput } from '../inference/rows/rows.js';
import { profileEngine } from '../inference/sessions/profile.js';
import { type LatentStatistics, LatentStatisticsSum } from '../latent/statistics.js';
import { Batcher, type BatcherOptions } from '../serving/batcher.js';
import type { StreamOptions, VaeStream } from '../serving/streams.js';
import { warmUp } from '../serving/warm-up.js';
import { estimateTraining, type TrainingEstimate } from '../training/estimate/estimate.js';
import { openFitData } from '../training/fit-data.js';
import { type EstimateOptions, estimateSchema, type FitOptions, fitOptionsSchema } from '../training/fit-options.js';
import { FitRun } from '../training/fit-run.js';
import { Draws, reconstructRows, sampleRows } from './draws.js';
import { type RebuiltFile, type ReconstructFileOptions, reconstructFile } from './files.js';
import { fitModel } from './fit.js';
import { createModel, importModel, type OpenedModel, openModel } from './open.js';
import {
  type DecodeOptions,
  type DeviceOptions,
  decodeSchema,
  deviceSchema,
  type EncodeOptions,
  type Encoding,
  encodeSchema,
  type FromOnnxOptions,
  type LabelledOptions,
  type LatentStatisticsOptions,
  type LoadOptions,
  latentStatisticsSchema,
  NO_OPTIONS,
  operationSchema,
  parseCall,
  quantizeSchema,
  type ReconstructOptions,
  reconstructSchema,
  resizeSchema,
  type SampleOptions,
  type ScoreOptions,
  type Scores,
  sampleSchema,
  saveSchema,
  scoreSchema,
  type VaeInfo,
  type VaeOptions,
  type WarmUpOptions,
  warmUpSchema,
} from './options.js';
import { describeOrigin, descriptionOf, type Origin, quantizedOrigin, recipeOf, seedOf } from './origin.js';
import { type ResizeOptions, resizedParts } from './resize.js';
import { streamOf } from './stream.js';

/**
 * A variational autoencoder (Kingma and Welling 2014; Rezende et al. 2014): trains, encodes, decodes,
 * samples and scores. Everything that takes time runs off the JavaScript thread.
 */
export class Vae {
  #origin: Origin;
  #engine: Engine;
  readonly #lifetime = new Lifetime('Vae');
  #fitting = false;
  readonly #draws = new Draws(() => seedOf(this.#origin));

  private constructor(origin: Origin, engine: Engine) {
    this.#origin = origin;
    this.#engine = engine;
  }

  static #of({ origin, engine }: OpenedModel): Vae {
    return new Vae(origin, engine);
  }

  /**
   * Makes an untrained model.
   *
   * @throws VaeError ERR_VAE_OPTION for options that are unknown, out of range or do not fit together;
   *   ERR_VAE_BINDING where the addon, ONNX Runtime or the provider cannot be loaded.
   */
  static async create(options: VaeOptions): Promise<Vae> {
    return Vae.#of(await createModel(options));
  }

  /**
   * Opens a model directory; a model of this package by its name, such as `mnist-mlp`; two ONNX files of
   * anyone's making, `{ encoder, decoder }`; or a folder with vae_encoder/model.onnx,
   * vae_decoder/model.onnx and config.json, as Hugging Face's exporter writes it for the autoencoder of a
   * diffusion model. Latents of the last are scaled and shifted as its config says, so that
   * decode(encode(x)) is right and other tools of that model can take them.
   *
   * @throws VaeError ERR_VAE_IO where there is none, ERR_VAE_FORMAT where a file is missing, truncated,
   *   altered or written by a newer version, ERR_VAE_GRAPH where two graphs are not the two halves of a
   *   VAE, ERR_VAE_BINDING where the provider is not there.
   */
  static async load(source: string | OnnxPair, options: LoadOptions = {}): Promise<Vae> {
    return Vae.#of(await openModel(source, options));
  }

  /**
   * Takes an encoder and a decoder that PyTorch, TensorFlow or anyone exported to ONNX, to be trained
   * further: their weights become parameters, joined by sampling and a loss. `save()` writes them
   * back with the inputs and outputs they came with. Opsets 13 to 23, float32. Data has the layout of the
   * graphs: TensorFlow's have channels last unless tf2onnx is told otherwise (`--inputs-as-nchw`).
   *
   * @throws VaeError ERR_VAE_FORMAT, ERR_VAE_GRAPH, ERR_VAE_SHAPE, ERR_VAE_UNSUPPORTED_OPERATOR for graphs that
   *   cannot be read or are not the halves of a VAE; ERR_VAE_OPTION.
   */
  static async fromOnnx(options: FromOnnxOptions): Promise<Vae> {
    return Vae.#of(await importModel(options));
  }

  get info(): VaeInfo {
    return describeOrigin(this.#origin, this.#engine.networks);
  }

  /** Shape of one example, channels first; −1 on an axis that may have any size. */
  get dataShape(): readonly number[] {
    return this.#engine.networks.dataShape;
  }

  /** Shape of one latent: [latentDim], or with spatial axes; −1 on an axis that may have any size. */
  get latentShape(): readonly number[] {
    return this.#engine.networks.latentShape;
  }

  /** How the files it was trained on became rows; undefined where it was trained on arrays. */
  get recipe(): DataRecipe | undefined {
    return descriptionOf(this.#origin)?.data as DataRecipe | undefined;
  }

  /** The execution provider that networks run on, such as `cpu` or `cuda`. */
  get provider(): string {
    return this.#engine.provider;
  }

  /** A copy of one parameter's values, float32, row-major. */
  parameter(name: string): Float32Array {
    const { parameters } = recipeOf(this.#origin, 'parameter()');
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
        const before = recipeOf(this.#origin, 'fit()');
        if (this.#fitting) {
          const message = 'fit(): this model is being trained already; wait for that run or abort it.';
          throw new VaeError('ERR_VAE_BUSY', message);
        }
        this.#fitting = true;
        try {
          return await fitModel(before, {
            ...{ data, validation: options.validation, options: resolved, session: this.#engine.sessionOptions, emit },
            keep: (parts) => {
              this.#origin = { parts };
            },
          });
        } finally {
          this.#fitting = false;
          await this.#renewEngine();
        }
      }),
    );
  }

  /**
   * What a fit() of this data with these options would take: shapes and memory from its graphs and, by a few
   * steps of it on a session of its own, time and the memory that they need. Neither the model nor any file is
   * touched.
   *
   * @throws VaeError as fit() does.
   */
  estimateFit(data: DatasetInput, options: EstimateOptions<DatasetInput> = {}): Promise<TrainingEstimate> {
    return this.#lifetime.run(async () => {
      const { measureSeconds, ...resolved } = parseOptions(estimateSchema, options, 'estimateFit()');
      const opened = await openFitData(data, options.validation, this.dataShape, resolved.signal);
      const session = this.#engine.sessionOptions;
      const request = { options: resolved, ...opened, session, measureSeconds };
      return estimateTraining(recipeOf(this.#origin, 'estimateFit()'), request);
    });
  }

  /**
   * The posterior of each example.
   *
   * @param batch float32 (or uint8, as the range of the data says: fractions of 255, or −1 to 1 for
   *   diffusion models) [N, ...data] or flattened [N, size]. Contiguous float32 is used where it lies:
   *   borrowed, neither to be changed nor transferred until the promise settles.
   * @returns float32 [N, ...latent]; arrays of the caller's own where `into` names them. An encoder that
   *   gives a latent instead of a distribution has it as the mean, with a log-variance of −30.
   */
  encode(batch: BatchInput, options: EncodeOptions = NO_OPTIONS): Promise<Encoding> {
    return this.#lifetime.run(async () => {
      const { into, ...call } = parseCall(encodeSchema, options, 'encode()');
      const { mean, logVariance, dims } = await this.#engine.encode(batch, call, 'encode()', into);
      return { mean: floatTensor(mean, dims), logVariance: floatTensor(logVariance, dims) };
    });
  }

  /**
   * The mean of p(x|z) for each latent.
   *
   * @param latents float32 [N, ...latent]; borrowed as encode() borrows its batch.
   * @returns float32 [N, ...data]; over the caller's own array where `into` names it.
   */
  decode(latents: TensorLike, options: DecodeOptions = NO_OPTIONS): Promise<Tensor> {
    return this.#lifetime.run(async () => {
      const { into, ...call } = parseCall(decodeSchema, options, 'decode()');
      const { data, dims } = await this.#engine.decode(latents, call, 'decode()', into);
      return floatTensor(data, dims);
    });
  }

  /**
   * As encode(), in one run, with the results left in the execution provider's memory: with CUDA, what
   * decodeOnDevice() takes from there does not pass through the processor's. Dispose of them when done.
   */
  encodeOnDevice(batch: BatchInput, options: DeviceOptions = {}): Promise<DeviceEncoding> {
    return this.#lifetime.run(async () => {
      const call = parseOptions(deviceSchema, options, 'encodeOnDevice()');
      return this.#engine.encodeOnDevice(batch, call, 'encodeOnDevice()');
    });
  }

  /** As decode(), in one run, from latents in the provider's memory or not, to data in the provider's memory. */
  decodeOnDevice(latents: DeviceLatents, options: DeviceOptions = {}): Promise<DeviceTensor> {
    return this.#lifetime.run(async () => {
      const call = parseOptions(deviceSchema, options, 'decodeOnDevice()');
      return this.#engine.decodeOnDevice(latents, call, 'decodeOnDevice()');
    });
  }

  /** Encodes and decodes: from the posterior's mean, or from a draw with `{ sample: true }`. */
  reconstruct(batch: BatchInput, options: ReconstructOptions = NO_OPTIONS): Promise<Tensor> {
    return this.#lifetime.run(async () => {
      const call = parseCall(reconstructSchema, options, 'reconstruct()');
      return this.#withEngine((engine) => reconstructRows(engine, batch, call, this.#draws));
    });
  }

  /** Decodes `count` draws from the prior; float32 [count, ...data]. */
  sample(count: number, options: SampleOptions = {}): Promise<Tensor> {
    return this.#lifetime.run(async () => {
      parseOptions(z.int().positive(), count, 'sample(), count');
      const call = parseOptions(sampleSchema, options, 'sample()');
      return this.#withEngine((engine) => sampleRows(engine, count, call, this.#draws));
    });
  }

  /**
   * The evidence lower bound of each example and its terms, in nats, at one draw from the posterior; with
   * `importanceSamples`, at so many, and with their importance-weighted bound of log p(x). The same
   * seed (default: the model's) gives the same scores.
   */
  score(batch: BatchInput, options: ScoreOptions = NO_OPTIONS): Promise<Scores> {
    return this.#lifetime.run(async () => {
      const { seed = seedOf(this.#origin), importanceSamples, ...call } = parseCall(scoreSchema, options, 'score()');
      const rows = await (importanceSamples === undefined
        ? this.#engine.score(batch, BigInt(seed), call, 'score()')
        : this.#engine.scoreByImportance(batch, importanceSamples, BigInt(seed), call, 'score()'));
      return { elbo: rows.reconstruction.map((value, row) => -(value + rows.kl[row]!)), ...rows };
    });
  }

  /**
   * Which latent dimensions the model uses: the divergence of each and how far its mean spreads over the
   * data, and the number of active units (Burda et al. 2016). Dimensions with next to none have collapsed:
   * the model does without them. Takes a data set of any size in memory for one piece of it.
   *
   * @throws VaeError as score() does.
   */
  latentStatistics(data: BatchInput, options: LatentStatisticsOptions = {}): Promise<LatentStatistics> {
    return this.#lifetime.run(async () => {
      const where = 'latentStatistics()';
      const { seed = seedOf(this.#origin), threshold, ...call } = parseOptions(latentStatisticsSchema, options, where);
      const { layers } = this.#engine.networks;
      let sum: LatentStatisticsSum | undefined;
      await this.#engine.inspectLatents(data, BigInt(seed), call, where, ({ latentShape, ...rows }) => {
        sum ??= new LatentStatisticsSum(layers ?? [{ name: 'z', size: elementCount(latentShape) }]);
        sum.add(rows);
      });
      return sum!.result(threshold);
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
      return codecFromModel(recipeOf(this.#origin, 'toCodec()'), data, signal);
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
      const { networks } = this.#engine;
      if (!training && 'frozen' in this.#origin) return saveQuantized(directory, this.#origin.frozen, networks);
      if (!training && 'imported' in this.#origin && this.#origin.quantized) return saveNetworks(directory, networks);
      await saveModel(directory, recipeOf(this.#origin, 'save()'), training);
    });
  }

  /**
   * Reads files the way the training data were read: same size and colours, same columns and means, same
   * frames. Data of no kind of their own (.npy, IDX) are read as they are.
   *
   * @throws VaeError as readDataset() does; ERR_VAE_DATA for files of another kind than the model's.
   */
  read(path: string | readonly string[], options: Omit<ReadDatasetOptions, 'recipe'> = {}): Promise<Dataset> {
    return this.#lifetime.run(() => readDataset(path, { ...options, recipe: this.recipe }));
  }

  /**
   * Passes a file of the kind the model was trained on through it, and writes what comes out: pictures (whole ones of
   * any size, for models of crops) as PNG, sound as WAV, video as .y4m or through ffmpeg, tables as CSV or JSON lines with
   * missing values filled in. Sound and video of any length need the memory of a few rows.
   *
   * @returns how far the result is from the original.
   * @throws VaeError ERR_VAE_OPTION for a model that was trained on arrays; ERR_VAE_IO, ERR_VAE_FORMAT.
   */
  reconstructFile(input: string, output: string, options: ReconstructFileOptions = {}): Promise<RebuiltFile> {
    return this.#lifetime.run(() => reconstructFile(this, input, output, options));
  }

  /**
   * Another Vae with the same parameters for data of other sides: a model of 64×64 crops for a whole picture. It
   * is to be closed by itself, and stays as it is when this one is trained.
   *
   * @throws VaeError ERR_VAE_OPTION where the model's parameters depend on the sides, as those of dense layers do.
   */
  resized(sides: ResizeOptions): Vae {
    this.#lifetime.check();
    const asked = parseOptions(resizeSchema, sides, 'resized()');
    const parts = resizedParts(recipeOf(this.#origin, 'resized()'), asked as ResizeOptions);
    return new Vae({ parts }, this.#engine.with(recipeNetworks(parts.vae, parts.parameters)));
  }

  /**
   * Another Vae of the same model that shares its networks and their memory: closing one leaves the
   * other usable, and training one leaves the other as it was.
   */
  clone(): Vae {
    this.#lifetime.check();
    return new Vae(this.#origin, this.#engine.share());
  }

  /**
   * Opens the networks and runs both once for each batch size, so that the first request does not wait
   * for that. Data whose sides are open is warmed up at the sides given.
   */
  warmUp(options: WarmUpOptions = {}): Promise<void> {
    return this.#lifetime.run(async () => {
      const { batchSizes, shape, signal } = parseOptions(warmUpSchema, options, 'warmUp()');
      await warmUp(this.#engine, batchSizes, shape, signal);
    });
  }

  /**
   * Gathers concurrent requests into batches: for servers. It holds the networks by itself: closing this
   * model leaves it working, and training this model leaves it as it was.
   *
   * @throws VaeError ERR_VAE_OPTION.
   */
  batcher(options: BatcherOptions = {}): Batcher {
    const model = this.clone();
    return new Batcher(model, this.#engine.networks, options, () => model.close());
  }

  /** One operation over a sequence of any length; see VaeStream for its three faces. */
  stream(operation: 'encode', options?: StreamOptions): VaeStream<Encoding>;
  stream(operation: 'decode' | 'reconstruct', options?: StreamOptions): VaeStream<Tensor>;
  stream(operation: 'encode' | 'decode' | 'reconstruct', options: StreamOptions = {}): VaeStream<Encoding | Tensor> {
    this.#lifetime.check();
    parseOptions(operationSchema, operation, 'stream(), operation');
    if (options.label !== undefined) rowLabels(this.#engine.networks, options.label, undefined, 1, 'stream(), label');
    return streamOf(operation, options, (setting) => this.batcher(setting));
  }

  /**
   * The same model in 8-bit integers, for processors with fast integer products: smaller and quicker, and
   * a little worse. Products with constant weights of matrices and convolutions are rewritten; how wide
   * their inputs spread is measured on `data`, a few hundred examples like those to come. The result
   * cannot be trained; it is saved and loaded like any other model, but for imported ones, which save()
   * writes as two ONNX files for Vae.load({ encoder, decoder }).
   *
   * @returns the model, to be closed by the caller, and what it loses, measured on the same data.
   * @throws VaeError ERR_VAE_OPTION where nothing can be gained, and as encode() does for the data.
   */
  quantize(
    data: BatchInput,
    options: Pick<LabelledOptions, 'labels' | 'signal'> = {},
  ): Promise<{ vae: Vae; report: QuantizationReport }> {
    return this.#lifetime.run(async () => {
      const call = parseOptions(quantizeSchema, options, 'quantize()');
      const seed = seedOf(this.#origin);
      const { engine, products, bytes } = await quantizeEngine(this.#engine, data, seed, call);
      const vae = new Vae(quantizedOrigin(this.#origin), engine);
      const again = { ...options, seed };
      try {
        const [before, after] = [await this.score(data, again), await vae.score(data, again)];
        return { vae, report: compareScores(before, after, products, bytes) };
      } catch (error) {
        await vae.close();
        throw error;
      }
    });
  }

  /**
   * Runs `work` with a clone that records what every operator of every run takes, and writes the trace
   * to `path` in the format that chrome://tracing, Perfetto and speedscope open.
   *
   * @returns what `work` returns.
   * @throws VaeError ERR_VAE_IO where the file cannot be written; what `work` throws.
   */
  profile<T>(path: string, work: (vae: Vae) => Promise<T>): Promise<T> {
    return this.#lifetime.run(() =>
      profileEngine(this.#engine, path, async (engine) => {
        const vae = new Vae(this.#origin, engine.share());
        try {
          return await work(vae);
        } finally {
          await vae.close();
        }
      }),
    );
  }

  /** Idempotent; waits for work in flight, a running fit() included (abort its signal to end it sooner). */
  close(): Promise<void> {
    return this.#lifetime.close(() => this.#engine.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Sessions of the present parameters from here on; work under way ends with those it began with. */
  async #renewEngine(): Promise<void> {
    const { vae, parameters } = recipeOf(this.#origin, 'fit()');
    const old = this.#engine;
    this.#engine = old.with(recipeNetworks(vae, parameters));
    await old.close();
  }

  /** Runs what needs more than one network with those of one moment, even where a fit() ends meanwhile. */
  async #withEngine<T>(work: (engine: Engine) => Promise<T>): Promise<T> {
    const engine = this.#engine.share();
    try {
      return await work(engine);
    } finally {
      await engine.close();
    }
  }
}
