/**
 * The typed face of the native addon. Everything that crosses between TypeScript and C++ is
 * declared here and nowhere else; native/binding implements it.
 *
 * Native code makes its errors by the function given to `setErrorFactory`, so what it throws and
 * rejects with are VaeErrors; an aborted run rejects with an AbortError (see linkAbort).
 */
import type { DataType, TypedArray } from '../core/dtype.js';
import type { NativeAbortFlag } from './abort-flag.js';
import type { ItemCodecSpec, LatentCodecSpec, NativeItemCodec, NativeLatentCodec } from './coder-types.js';
import type {
  CollectedSamples,
  NativePhotoCodec,
  PhotoCodecSpec,
  PhotoConstants,
  PhotoTileShape,
} from './photo-types.js';

export type { NativeAbortFlag } from './abort-flag.js';

export interface RuntimeInfo {
  /** ONNX Runtime's version, such as "1.30.0". */
  readonly version: string;
  readonly libraryPath: string;
  /** Execution providers compiled into the library, by ONNX Runtime's names. */
  readonly providers: readonly string[];
}

/** A device as a plugin of execution providers offers it. */
export interface ProviderDevice {
  /** ONNX Runtime's name of the provider, such as `WebGpuExecutionProvider`. */
  readonly provider: string;
  readonly providerVendor: string;
  /** `cpu`: computed in software, on the processor. */
  readonly type: 'cpu' | 'gpu' | 'npu';
  readonly vendor: string;
  readonly vendorId: number;
  readonly deviceId: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A dense tensor in host memory. `data` is borrowed for the length of the call. */
export interface NativeTensor {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  /** float16 and bfloat16 travel as Uint16Array, bool as Uint8Array. */
  readonly data: TypedArray;
}

/** A tensor that lies where an execution provider has its memory. */
export interface NativeDeviceTensor {
  readonly dtype: DataType;
  readonly dims: readonly number[];
  /** `cuda`, or `cpu` where the provider works in the processor's memory. */
  readonly location: string;
  readonly disposed: boolean;
  /** Lets go of the memory once runs in flight that read it have ended. Idempotent. */
  dispose(): void;
}

export interface ValueDescription {
  readonly name: string;
  readonly dtype: DataType;
  /** -1 where the dimension is dynamic. */
  readonly dims: readonly number[];
  /** The symbolic name of each dynamic dimension, '' where there is none. */
  readonly symbols: readonly string[];
}

/** How a layer multiplies in 8-bit integers; where the processor has no instructions for it, ONNX Runtime does. */
export interface Int8Layer {
  /** Of the input, as ONNX's QuantizeLinear to uint8 has them. */
  readonly scale: number;
  readonly zero: number;
  /** [inputs, outputs], within ±64. */
  readonly weights: Int8Array;
  /** What 1 of the weights is, [outputs]. */
  readonly scales: Float32Array;
  /** [outputs], in steps of scale · scales; default: zeros. */
  readonly bias?: Int32Array | undefined;
}

/** One fully connected layer of a network that native code runs by itself. */
export interface DenseLayer {
  /** 0: the network's input; i: layer i − 1. */
  readonly from: number;
  readonly inputs: number;
  readonly outputs: number;
  /** [inputs, outputs]; of layers in 8-bit integers, left out. */
  readonly weights?: Float32Array | undefined;
  /** [outputs]; default: zeros. */
  readonly bias?: Float32Array | undefined;
  readonly int8?: Int8Layer | undefined;
  readonly activation: 'none' | 'relu' | 'sigmoid' | 'tanh';
  /** Which of the model's outputs it is, if any. */
  readonly output?: number | undefined;
}

/** A model of fully connected layers only, in the order in which they are computed. */
export interface DenseNetworkSpec {
  /** Elements of one row of the model's one input. */
  readonly inputs: number;
  readonly layers: readonly DenseLayer[];
  /** What the session says of itself, where ONNX Runtime is not asked: it opens the model when a run needs it. */
  readonly ends?: { readonly inputs: readonly ValueDescription[]; readonly outputs: readonly ValueDescription[] };
  /** Path of ONNX Runtime's library, where it is to be loaded late; for models that are given as bytes. */
  readonly library?: string;
}

export interface SessionOptions {
  /** Threads inside one operator. 0: ONNX Runtime's choice (one per physical core). */
  readonly intraOpThreads?: number;
  /** Whether idle threads spin (lower latency) or sleep (lower load). Default true. */
  readonly spin?: boolean;
  /**
   * Whether what a run needs in between is kept for the next one (quicker), or goes back to the system (less memory where
   * shapes are large). Default true.
   */
  readonly keepMemory?: boolean;
  /** Execution providers in order of preference, by ONNX Runtime's short names (`cpu`, `cuda`, …). */
  readonly providers?: readonly {
    readonly name: string;
    readonly options?: Readonly<Record<string, string>>;
    /** A plugin that has it, by its path, and which of the devices that it offers; then `name` may be anything. */
    readonly library?: string;
    readonly device?: number;
  }[];
  /** 0 none, 1 basic, 2 extended, 99 all (default). */
  readonly optimizationLevel?: 0 | 1 | 2 | 99;
  /** Whether graphs run in operators that give the same bits on every processor: see artifacts/plain-operators.ts. */
  readonly plainOperators?: boolean;
  /** Writes ONNX Runtime's profile beside this prefix. */
  readonly profilePrefix?: string;
  /** Writes the graph as ONNX Runtime optimised it. */
  readonly optimizedModelPath?: string;
  /** What the model computes: its runs then do without ONNX Runtime, and are faster. */
  readonly denseNetwork?: DenseNetworkSpec | undefined;
  /**
   * What runs with `checkFinite` demand of the first input besides: values from `low` to `high`, and with `steps` above 0
   * multiples of one part in so many.
   */
  readonly inputDomain?: { readonly low: number; readonly high: number; readonly steps: number } | undefined;
}

export interface NativeInferenceSession {
  readonly inputs: readonly ValueDescription[];
  readonly outputs: readonly ValueDescription[];
  /**
   * Runs the graph off the JavaScript thread; several runs may be in flight. Input arrays are used
   * in place: they must be neither changed nor transferred before the promise settles. `outputs`
   * names the wanted outputs, in order, and may give an array to write into (then that very array
   * comes back; with `dims`, or from the second run of the same shapes on, without a copy);
   * otherwise fresh arrays do.
   *
   * With `checkFinite`, float32 inputs that hold NaN or infinity are refused, and a first input with values outside the
   * session's `inputDomain`: ERR_VAE_DATA.
   *
   * Rejects with ERR_VAE_SHAPE (an input or a given array does not fit), ERR_VAE_OPTION (unknown
   * output), ERR_VAE_RUNTIME (ONNX Runtime failed), ERR_VAE_DISPOSED, or an AbortError.
   */
  run(
    feeds: Readonly<Record<string, NativeTensor>>,
    outputs: readonly { readonly name: string; readonly into?: TypedArray; readonly dims?: readonly number[] }[],
    abort?: NativeAbortFlag,
    checkFinite?: boolean,
  ): Promise<NativeTensor[]>;
  /**
   * As run(), for tensors in the memory of the session's execution provider: inputs may lie there, and
   * outputs with `keep` stay there. Such a tensor holds the session's memory until it is disposed of.
   */
  runOnDevice(
    feeds: Readonly<Record<string, NativeTensor | NativeDeviceTensor>>,
    outputs: readonly { readonly name: string; readonly keep: boolean }[],
    abort?: NativeAbortFlag,
  ): Promise<(NativeTensor | NativeDeviceTensor)[]>;
  /** Ends profiling and returns the trace file's path. */
  endProfiling(): string;
  /** Idempotent; resolves once runs in flight have ended and native memory is released. */
  close(): Promise<void>;
}

/**
 * How one input of the training graph, parameters and states aside, is filled for each micro-batch. The
 * eval graph may have the same inputs. Any feed may be replaced for one request by `given`.
 */
export type FeedSource =
  /** Rows gathered from an attached array (see attachRows), by the request's indices. */
  | {
      readonly kind: 'rows';
      readonly name: string;
      readonly dims: readonly number[];
      readonly dtype: 'float32' | 'int64';
    }
  /**
   * Random numbers, [rows, ...dims]: those that NativeRandom makes of the session's seed, `stream` (below
   * 2^31, the rest is the session's own) and the micro-batch's number. So a run that is resumed draws what
   * it would have drawn, and an evaluation draws others if its numbers are others.
   */
  | {
      readonly kind: 'normal' | 'uniform';
      readonly name: string;
      readonly dims: readonly number[];
      readonly stream: number;
    }
  /** A float32 scalar given with each request. */
  | { readonly kind: 'scalar'; readonly name: string }
  /** A tensor given with the request; such a request holds one micro-batch. */
  | { readonly kind: 'given'; readonly name: string };

export interface ParameterDescription {
  readonly name: string;
  readonly dims: readonly number[];
  readonly trainable: boolean;
  /** Output of the training graph holding its gradient, of the same shape; absent when frozen. */
  readonly gradient?: string;
  /** Multiplies the optimizer's weight decay; 0 for biases and norms where asked. Default 1. */
  readonly weightDecayScale?: number;
  /** Multiplies the learning rate. Default 1. */
  readonly learningRateScale?: number;
}

/**
 * A float32 value carried from step to step by the graph itself, such as running statistics. It begins at
 * zero; a micro-batch that is not finite leaves it as it was.
 */
export interface StateDescription {
  readonly name: string;
  readonly dims: readonly number[];
  /** Output of the training graph holding the next value. */
  readonly output: string;
}

/** As PyTorch's optimizers of these names; adam adds weight decay to the gradient, adamw is decoupled. */
export type OptimizerConfig =
  | {
      readonly type: 'sgd';
      readonly momentum: number;
      readonly nesterov: boolean;
      readonly dampening: number;
      readonly weightDecay: number;
    }
  | {
      readonly type: 'adam' | 'adamw';
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly weightDecay: number;
      /** adamw only. Default pytorch. */
      readonly form?: 'pytorch' | 'onnxruntime' | undefined;
      /** adamw only. Default true. */
      readonly biasCorrection?: boolean | undefined;
    };

export interface TrainingSessionConfig extends SessionOptions {
  readonly trainingModel: string | Uint8Array;
  readonly evalModel?: string | Uint8Array;
  readonly parameters: readonly ParameterDescription[];
  readonly states: readonly StateDescription[];
  readonly feeds: readonly FeedSource[];
  /** Outputs of the training graph reported for each micro-batch; float32 scalars, `loss` first. */
  readonly scalars: readonly string[];
  /** Outputs of the eval graph, float32 [rows, ...fixed], or of one value for the whole batch ([] or [1, ...]). */
  readonly perExample: readonly string[];
  readonly optimizer: OptimizerConfig;
  /** Clips the global L2 norm of the gradient as PyTorch's clip_grad_norm_; absent: no clipping. */
  readonly clipGradientNorm?: number;
  /** Accumulated gradients are summed rather than averaged. Default false. */
  readonly sumGradients?: boolean;
  /** optimizerStep() leaves the accumulated gradient as it is; resetGradient() ends it. Default false. */
  readonly keepGradient?: boolean;
  /** For providers with memory of their own: the optimizer as graphs, so that nothing leaves it (device-step.ts). */
  readonly device?: {
    readonly step: Uint8Array;
    readonly accumulate: Uint8Array;
    readonly copy: Uint8Array;
    /** Rows of the table of losses and norms. */
    readonly logRows: number;
  };
  /** Keeps an exponential moving average of the trainable parameters with this decay, 0 <= decay < 1. */
  readonly emaDecay?: number;
  /** Key of every random number the session draws. 64 bits. */
  readonly seed: bigint;
}

/** How stored rows become the graph's input: out = in * scale + offset, then binarised where asked. */
export interface RowTransform {
  readonly scale: number;
  readonly offset: number;
  /** `threshold`: 1 above 0.5, else 0. `sample`: a Bernoulli of each value, drawn anew in every micro-batch. */
  readonly binarise: 'none' | 'threshold' | 'sample';
}

export interface TrainRequest {
  /** Row numbers of all micro-batches, one after another. */
  readonly indices: Uint32Array;
  /** Rows of each micro-batch. */
  readonly batchSizes: Uint32Array;
  /** Number of the first micro-batch since training began: the counter of the random numbers. */
  readonly firstMicroBatch: number;
  /** One value for each micro-batch, for every feed of kind `scalar`. */
  readonly scalars: Readonly<Record<string, Float32Array>>;
  /** One value for each micro-batch; the one of an accumulation's last micro-batch is used. */
  readonly learningRates: Float64Array;
  /** Micro-batches whose mean gradient makes one optimizer step. Accumulation goes on across requests. */
  readonly accumulate: number;
  /** Tensors in place of what feeds would make, by name; borrowed. The request then holds one micro-batch. */
  readonly given?: Readonly<Record<string, NativeTensor>>;
  /** Also measure the norm of each update (costs a pass over the parameters). */
  readonly measureUpdates?: boolean;
}

export interface TrainResult {
  /** Micro-batches done; fewer than asked after an abort or a non-finite value. */
  readonly completed: number;
  /** For each name of `scalars`, one value for each completed micro-batch. */
  readonly scalars: Readonly<Record<string, Float32Array>>;
  /** Global norm before clipping, for each completed micro-batch that ended in an optimizer step; NaN for others. */
  readonly gradientNorms: Float32Array;
  readonly updateNorms?: Float32Array;
  /**
   * Set when a loss, a gradient or the next value of a state was not finite: that micro-batch changed nothing. `where`
   * is a name of `scalars`, "gradient of …" or "next value of …"; "update of …" where the step itself was not finite,
   * which shows only once it is `applied`: the parameters are then useless.
   */
  readonly nonFinite?: { readonly microBatch: number; readonly where: string; readonly applied?: true };
  /** Seconds spent assembling batches, in the graph, and in the optimizer. */
  readonly seconds: { readonly assemble: number; readonly graph: number; readonly optimizer: number };
}

export interface EvalRequest {
  readonly indices: Uint32Array;
  readonly batchSizes: Uint32Array;
  readonly firstMicroBatch: number;
  readonly scalars: Readonly<Record<string, Float32Array>>;
  readonly given?: Readonly<Record<string, NativeTensor>>;
  /** Evaluate with the moving average of the parameters. */
  readonly useEma?: boolean;
}

export type OptimizerSlot = 'moment1' | 'moment2' | 'ema' | 'accumulator';

/**
 * Parameters, optimizer and graphs of a model in training, in native memory. One call at a time: whatever
 * is called while another is in flight fails with ERR_VAE_BUSY, after close() with ERR_VAE_DISPOSED.
 *
 * The same seed, rows and numbers of micro-batches give the same bits on one machine with one number of
 * threads, however they are divided into requests; gathering, noise and optimizer give the same bits
 * everywhere, the graphs do not.
 */
export interface NativeTrainingSession {
  /** Total number of float32 values in the flat parameter buffer. */
  readonly parameterCount: number;
  /** Optimizer steps taken; settable when a checkpoint is restored. */
  step: number;
  /** Micro-batches in the accumulator that no optimizer step has used yet. */
  pendingMicroBatches: number;
  /**
   * Lends an array whose rows feed every input of kind `rows` with this name. The array is used in
   * place (never copied) until it is replaced or the session is closed.
   */
  attachRows(
    name: string,
    data: Uint8Array | Float32Array | BigInt64Array,
    rowCount: number,
    transform: RowTransform,
  ): void;
  /**
   * One optimizer step for every `accumulate` micro-batches. An abort resolves with what was done so far;
   * a micro-batch is applied wholly or not at all.
   */
  train(request: TrainRequest, abort?: NativeAbortFlag): Promise<TrainResult>;
  /** Per-example outputs of the eval graph, concatenated over the micro-batches. An abort rejects. */
  evaluate(request: EvalRequest, abort?: NativeAbortFlag): Promise<Record<string, Float32Array>>;
  /** Forward and backward only: adds to the accumulator without an optimizer step. */
  accumulate(request: TrainRequest, abort?: NativeAbortFlag): Promise<TrainResult>;
  /** Applies the accumulated gradient and empties the accumulator. */
  optimizerStep(learningRate: number): Promise<{ gradientNorm: number; updateNorm: number; nonFinite?: string }>;
  /** Drops the accumulated gradient. */
  resetGradient(): void;
  /** Changes settings between steps. Another type of optimizer starts with empty moments and `step` 0. */
  setOptimizer(optimizer: OptimizerConfig): void;
  /** Copies of the flat buffers: all parameters, in the order of the description, without gaps. */
  getParameters(): Float32Array;
  /** Also sets the moving average, where there is one, to the same. */
  setParameters(values: Float32Array): void;
  /** Mean of the accumulated micro-batches, or the last one's gradient; 0 for frozen parameters. */
  getGradients(): Float32Array;
  /** Undefined for a slot that this session does not have; 0 for frozen parameters. */
  getSlot(slot: OptimizerSlot): Float32Array | undefined;
  setSlot(slot: OptimizerSlot, values: Float32Array): void;
  getStates(): Record<string, Float32Array>;
  setStates(values: Readonly<Record<string, Float32Array>>): void;
  endProfiling(): string;
  close(): Promise<void>;
}

/** Counter-based random numbers: Philox 4x32-10 (Salmon et al. 2011). The same on every machine. */
export interface NativeRandom {
  /** One block of the generator: four 32-bit words. */
  philox(counter: Uint32Array, key: Uint32Array): Uint32Array;
  /** Uniform in [0, 1), 24 bits; element i depends only on (seed, stream, counter, i). */
  fillUniform(out: Float32Array, seed: bigint, stream: number, counter: bigint): void;
  /** Standard normal by Box–Muller, magnitude below 6.7; as uniform, element by element. */
  fillNormal(out: Float32Array, seed: bigint, stream: number, counter: bigint): void;
  /** Fisher–Yates of 0..count-1. */
  permutation(count: number, seed: bigint, stream: number, counter: bigint): Uint32Array;
}

export interface Addon {
  /** Opens the library once per process; a second, different path is an error that says so. */
  loadRuntime(libraryPath: string): RuntimeInfo;
  /**
   * Registers a plugin of execution providers with ONNX Runtime, once per process and file, and tells the devices that it
   * offers. It is never unregistered. Throws ERR_VAE_BINDING.
   */
  registerProviderLibrary(path: string): readonly ProviderDevice[];
  createInferenceSession(model: string | Uint8Array, options: SessionOptions): Promise<NativeInferenceSession>;
  createTrainingSession(config: TrainingSessionConfig): Promise<NativeTrainingSession>;
  createItemCodec(spec: ItemCodecSpec): Promise<NativeItemCodec>;
  createLatentCodec(spec: LatentCodecSpec): Promise<NativeLatentCodec>;
  createPhotoCodec(spec: PhotoCodecSpec): Promise<NativePhotoCodec>;
  /**
   * Takes the advisory lock of an open file for as long as its descriptor is open, and no longer than the process
   * lives: `held`; `taken` by another opening of the file; `unsupported` where the file system has no locks.
   */
  lockFile(descriptor: number): 'held' | 'taken' | 'unsupported';
  /**
   * Reads files of `most` bytes at most, by their paths, a zero byte behind each; 0: only looks at them. Of each the size,
   * -1 for what is no ordinary file or cannot be read; the time of its last change in nanoseconds; and how many of `bytes`
   * it has, in this order, -1 where it was not read. Not on Windows.
   */
  readonly readFiles?: (
    paths: Uint8Array,
    most: number,
  ) => Promise<{
    readonly sizes: Float64Array;
    readonly lengths: Float64Array;
    readonly changed: BigInt64Array;
    readonly bytes: Uint8Array;
  }>;
  /**
   * How one channel of two pictures of one size differs, [height, width, channels] bytes, borrowed until the promise is
   * settled: the sum of squared differences, and the means of MS-SSIM's five scales (contrast and structure; at the last
   * one times luminance), which are 0 for pictures of less than 176 pixels a side.
   */
  pictureDifference(
    a: Uint8Array,
    b: Uint8Array,
    size: { readonly width: number; readonly height: number; readonly channels: number },
    channel: number,
  ): Promise<Float64Array>;
  /**
   * What the networks of photographs are trained on, of about one of `every` samples of a tile of 8 bits or fewer, and the
   * sums that its predictors learned from. `priors` are those of the roles. Borrowed until the promise is settled.
   */
  collectPhotoSamples(
    samples: Uint8Array,
    shape: PhotoTileShape,
    priors: readonly Int32Array[],
    every: number,
    seed: number,
  ): Promise<CollectedSamples[]>;
  /** What the networks of photographs look like. */
  readonly photoConstants: PhotoConstants;
  /** Numbers of native/coder that models made here depend on: a test holds them against ours. */
  readonly coderConstants: Readonly<Record<string, number>>;
  AbortFlag: new () => NativeAbortFlag;
  readonly random: NativeRandom;
  /** Bytes of native memory held by live sessions' own buffers, for tests of leaks. */
  nativeBytes(): number;
}
