/// <reference types="node" preserve="true" />
/**
 * Variational autoencoders for Node.
 *
 * @module node-vae
 */

export type { ConditionConfig, ConditionInput } from './architectures/condition.js';
export type { BuildNetwork } from './architectures/custom.js';
export type { ImportedGraphs } from './architectures/imported-graph.js';
export {
  ARCHITECTURE_NAMES,
  type ArchitectureConfig,
  type ArchitectureInput,
  type Network,
  type NetworkContext,
} from './architectures/index.js';
export type { InputOptions, InputSpec } from './architectures/input.js';
export * as layers from './architectures/layers.js';
export type { Term } from './architectures/names.js';
export type { Checkpoint, CheckpointProgress, CheckpointSlot } from './artifacts/checkpoint.js';
export { type Artifacts, type GenerateOptions, generateArtifacts, writeArtifacts } from './artifacts/generate.js';
export type { ArtifactsManifest } from './artifacts/manifest.js';
export { shippedModels } from './artifacts/model-source.js';
export {
  type ArtifactsDescription,
  type DescribedTensor,
  describeArtifacts,
} from './artifacts/onnxruntime/describe.js';
export type { OptimizerConfig, OptimizerInput, OptimizerOptions } from './artifacts/optimizer-options.js';
export { type PrunedLibraries, type PruneOptions, pruneRuntime } from './binding/prune.js';
export * from './codecs/index.js';
export { VaeError, type VaeErrorCode, type VaeErrorOptions } from './core/errors.js';
export type { Seed } from './core/seed.js';
export type { ArrayWithShape, Layout, TensorLike } from './core/tensor.js';
export type { RebuiltSound } from './data/audio/rebuild.js';
export type { OpenWavOptions } from './data/audio/wav.js';
export * from './data/index.js';
export type { Rows } from './data/rows/rows.js';
export type { NestedRow, NestedRows } from './data/stack.js';
export type { BatchInput as DatasetBatch, LabelledRows } from './data/to-dataset.js';
export type { RebuiltVideo } from './data/video/rebuild.js';
export { DeviceTensor } from './inference/device/device-tensor.js';
export type { DeviceEncoding, DeviceLatents } from './inference/device/run-on-device.js';
export type { OnnxPair, PosteriorNames } from './inference/imported/open-imported.js';
export type { QuantizationReport } from './inference/int8/quantization-report.js';
export type { LabelledArray, LabelRows } from './inference/rows/labels.js';
export type { BatchInput, RowsInput } from './inference/rows/rows.js';
export type { TilingInput } from './inference/rows/tiling.js';
export type { Batcher, BatcherOptions, RequestOptions, RowScores } from './inference/serving/batcher.js';
export type { StreamItem, StreamOptions, VaeStream } from './inference/serving/streams.js';
export {
  listProviders,
  type ProviderInput,
  type ProviderListing,
  type ProviderName,
} from './inference/sessions/providers.js';
export * from './latent/index.js';
export { LIKELIHOOD_NAMES, type LikelihoodConfig, type LikelihoodInput } from './nn/likelihoods/index.js';
export type { LikelihoodHead } from './nn/likelihoods/likelihood.js';
export { OBJECTIVE_NAMES, type ObjectiveConfig, type ObjectiveInput } from './nn/objectives/index.js';
export { POSTERIOR_NAMES, type PosteriorConfig, type PosteriorInput } from './nn/posteriors/index.js';
export { PRIOR_NAMES, type PriorConfig, type PriorInput } from './nn/priors/index.js';
export * from './report/index.js';
export type { FitControl, MomentParameters } from './training/control.js';
export type { TrainingEstimate } from './training/estimate/estimate.js';
export type { EstimateOptions, FitOptions } from './training/fit-options.js';
export type { FitRun } from './training/fit-run.js';
export type { LoggedEvent, RunEnded, RunStarted } from './training/log/metrics-log.js';
export { type MetricsLine, readMetrics } from './training/log/read-metrics.js';
export type { Schedule, ScheduleFunction, ScheduleName, SchedulePoint } from './training/loop/schedules.js';
export type {
  EpochProgress,
  FitProgress,
  History,
  LatentUse,
  StepProgress,
  Terms,
  WarningProgress,
} from './training/progress.js';
export { fingerprintOf, isFingerprintOf } from './training/record/fingerprint.js';
export {
  describeEnvironment,
  digestParameters,
  newRunRecord,
  type RunEnvironment,
  type RunPart,
  type RunRecord,
  type RunResult,
  readRunRecord,
  writeRunRecord,
} from './training/record/run-record.js';
export {
  type ArtifactsEpoch,
  type ArtifactsTraining,
  type TrainArtifactsOptions,
  trainArtifacts,
} from './training/train-artifacts.js';
export {
  type ArtifactDirectory,
  type OptimizerStepResult,
  type SaveCheckpointOptions,
  type StepOptions,
  type TrainingFeeds,
  TrainingSession,
  type TrainingSessionOptions,
} from './training/training-session.js';
export type {
  CallOptions,
  DrawOptions,
  Encoding,
  LabelledOptions,
} from './vae/call-options.js';
export { decodePicture, encodePicture, exportModel, plotModel } from './vae/deprecated.js';
export type { DeviceOptions } from './vae/device-options.js';
export type { ExportedNetwork, ExportReport } from './vae/export.js';
export { FIGURE_NAMES, type FigureName } from './vae/figure-names.js';
export type { RebuiltFile } from './vae/files.js';
export { Vae } from './vae/index.js';
export type { ImportedArchitecture, ImportedInput, VaeInfo } from './vae/info.js';
export type { FromOnnxOptions, LoadOptions, VaeOptions, VaeSessionOptions } from './vae/options.js';
export type { EncodedPicture, WholePictureOptions } from './vae/picture-options.js';
export type { ResizeOptions } from './vae/resize-options.js';
export { tableDeviations } from './vae/table-deviations.js';
export type { DecodeOptions } from './vae/verbs/decode.js';
export type { EncodeOptions } from './vae/verbs/encode.js';
export type { ExportOptions } from './vae/verbs/export.js';
export type { LatentStatisticsOptions } from './vae/verbs/latent-statistics.js';
export type { PlotOptions } from './vae/verbs/plot.js';
export type { QuantizeOptions } from './vae/verbs/quantize.js';
export type { ReconstructOptions } from './vae/verbs/reconstruct.js';
export type { ReconstructFileOptions } from './vae/verbs/reconstruct-file.js';
export type { SampleOptions } from './vae/verbs/sample.js';
export type { SaveOptions } from './vae/verbs/save.js';
export type { ScoreOptions, Scores } from './vae/verbs/score.js';
export type { WarmUpOptions } from './vae/verbs/warm-up.js';
