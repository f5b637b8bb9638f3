/** Trains a VAE: artifacts, native session, epochs, and the parameters and checkpoint that come out. */
import { NAMES } from '../architectures/graphs.js';
import { BYTE_SCALE } from '../architectures/input.js';
import type { Checkpoint } from '../artifacts/checkpoint.js';
import type { Artifacts } from '../artifacts/generate.js';
import { artifactsOf, type ModelParts, type TrainingState } from '../artifacts/model-io.js';
import { withNativeKernels } from '../artifacts/native-kernels.js';
import type {
  FeedSource,
  OptimizerConfig as NativeOptimizer,
  NativeTrainingSession,
  RowTransform,
  SessionOptions,
} from '../binding/addon.js';
import { loadAddon } from '../binding/index.js';
import { STREAMS } from '../binding/streams.js';
import { VaeError } from '../core/errors.js';
import type { Dataset } from '../data/dataset.js';
import { type Model, writeModel } from '../graph/index.js';
import { checkRowShape } from '../inference/rows/rows.js';
import type { FitControl } from './control.js';
import type { ResolvedFitOptions } from './fit-options.js';
import { MetricsLog } from './log/metrics-log.js';
import type { LoopInputs, ScheduledInput } from './loop/fit-loop.js';
import { freshState } from './loop/loop-state.js';
import { scheduleFunction } from './loop/schedules.js';
import type { FitProgress, History } from './progress.js';
import { fingerprintOf } from './record/fingerprint.js';
import { RunDirectory } from './record/run-directory.js';
import { restoreSnapshot } from './record/snapshot.js';
import { TrainingRun } from './training-run.js';

export interface TrainModelOptions {
  readonly options: ResolvedFitOptions;
  readonly train: Dataset;
  readonly validation: Dataset | undefined;
  readonly session: SessionOptions;
  emit(progress: FitProgress, control: FitControl): void;
  /** Receives where training stands when it ends, in whatever way. */
  keep(training: TrainingState): void;
}

/** @throws VaeError for data that does not fit the model; whatever the run itself ends with. */
export async function trainModel(parts: ModelParts, request: TrainModelOptions): Promise<History> {
  const { options, train, validation } = request;
  checkFitData(parts, train, validation);
  const fingerprint = await fingerprintOf(train, options.signal);
  const artifacts = artifactsOf(parts, options.optimizer, options.clipGradientNorm);
  const { checkpoint: policy } = options;
  if (options.resume && policy?.replace) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      'fit(): { resume: true } goes on from the checkpoints in the directory, checkpoint: { replace: true } lets go of them; they exclude each other.',
    );
  }
  const directory = policy && (await RunDirectory.open(policy.directory, { ...policy, resume: options.resume }));
  try {
    const resumed = options.resume ? await resumable(parts, artifacts, options, directory) : undefined;
    const seed = BigInt(resumed?.progress.seed ?? options.seed ?? parts.description.seed);
    const session = await openSession(parts, artifacts, request, seed);
    try {
      const state = resumed ? restoreSnapshot(session, resumed, fingerprint) : freshState();
      const log = await MetricsLog.open(options.log);
      const start = { state, seed, fingerprint, directory, log, parts };
      try {
        const run = new TrainingRun(session, artifacts, request, start);
        return await run.complete(loopInputs(parts, artifacts, train, options));
      } finally {
        await log.close();
      }
    } finally {
      await session.close();
    }
  } finally {
    await directory?.close();
  }
}

/** The checkpoint to go on from: the newest of the run's directory, else the model's own. */
async function resumable(
  parts: ModelParts,
  artifacts: Artifacts,
  options: ResolvedFitOptions,
  directory: RunDirectory | undefined,
): Promise<Checkpoint | undefined> {
  const checkpoint = (await directory?.latest(artifacts.manifest)) ?? parts.training?.checkpoint;
  const optimizer = checkpoint?.progress.optimizer;
  if (optimizer !== undefined && optimizer !== options.optimizer.type) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `fit(): cannot resume with optimizer "${options.optimizer.type}", the checkpoint was made with "${optimizer}".`,
    );
  }
  return checkpoint;
}

/** @throws VaeError ERR_VAE_SHAPE, ERR_VAE_DATA for data that does not fit the model. */
export function checkFitData(parts: ModelParts, train: Dataset, validation: Dataset | undefined): void {
  checkData(parts, train, 'fit()');
  if (validation !== undefined) checkData(parts, validation, 'fit(), validation');
}

function checkData({ vae }: ModelParts, data: Dataset, where: string): void {
  checkRowShape(data.rowShape, vae.dataShape, where);
  if (vae.condition !== undefined) checkLabels(data, vae.condition.classes, where);
  const { domain, levels } = vae.likelihood;
  if (domain === 'levels') checkLevels(data, levels!, where);
  if (domain === 'real' || data.dtype === 'uint8') return;
  const values = data.memory ?? data.indexed?.memory;
  const outside = values?.findIndex((value: number) => !(value >= 0 && value <= 1)) ?? -1;
  if (outside < 0) return;
  throw new VaeError(
    'ERR_VAE_DATA',
    `${where}: this likelihood is defined on values from 0 to 1, but the data holds ${values![outside]}. ` +
      'Scale the data, pass 8-bit values, or use the gaussian likelihood.',
  );
}

/** Of rows in memory; others are rounded as they come. */
function checkLevels(data: Dataset, levels: number, where: string): void {
  const scale = (levels - 1) * (data.dtype === 'uint8' ? BYTE_SCALE : 1);
  const values = data.memory ?? data.indexed?.memory;
  const bad = values?.findIndex((value: number) => Math.abs(value * scale - Math.round(value * scale)) > 1e-3) ?? -1;
  if (bad < 0) return;
  const unit = data.dtype === 'uint8' ? `${255 / (levels - 1)}` : `1/${levels - 1}`;
  throw new VaeError(
    'ERR_VAE_DATA',
    `${where}: this likelihood is defined on ${levels} levels, multiples of ${unit}, but the data holds ${values![bad]}. ` +
      'Round the data, or use a likelihood of continuous values.',
  );
}

function checkLabels({ labels }: Dataset, classes: number, where: string): void {
  if (labels === undefined) {
    throw new VaeError('ERR_VAE_DATA', `${where}: this model is conditional and needs labels, and the data has none.`);
  }
  const bad = labels.values.findIndex((label) => label < 0 || label >= classes);
  if (bad < 0) return;
  throw new VaeError(
    'ERR_VAE_DATA',
    `${where}: the label of row ${bad} is ${labels.values[bad]}; this model knows classes 0 to ${classes - 1}.`,
  );
}

/** What goes into the graphs, besides noise and schedules. */
export function loopInputs(
  { vae, description }: ModelParts,
  artifacts: Artifacts,
  train: Dataset,
  options: ResolvedFitOptions,
): LoopInputs {
  return {
    transform: transformOf(train, options),
    names: { rows: NAMES.input, labels: vae.condition && NAMES.label },
    constants: inputsOf(artifacts).has(NAMES.datasetSize) ? { [NAMES.datasetSize]: train.length } : {},
    scheduled: scheduledInputs(description, options),
    layers: vae.network.layers,
  };
}

/** Scalar inputs besides β that follow a schedule. */
function scheduledInputs({ objective }: ModelParts['description'], { freeBits }: ResolvedFitOptions): ScheduledInput[] {
  if (objective.type === 'free-bits') {
    return [{ name: NAMES.freeBits, option: 'freeBits', value: scheduleFunction(freeBits ?? objective.lambda) }];
  }
  if (freeBits === undefined) return [];
  throw new VaeError(
    'ERR_VAE_OPTION',
    `fit(): option "freeBits" is for the objective "free-bits", and this model's is "${objective.type}". ` +
      'Make the model with { objective: "free-bits" }, or leave the option out.',
  );
}

function transformOf(data: Dataset, options: ResolvedFitOptions): RowTransform {
  return { scale: data.dtype === 'uint8' ? BYTE_SCALE : 1, offset: 0, binarise: options.binarise };
}

/** A native session with the parameters of the artifacts. */
export function openSession(
  { vae }: ModelParts,
  artifacts: Artifacts,
  { options, session }: Pick<TrainModelOptions, 'options' | 'session'>,
  seed: bigint,
): Promise<NativeTrainingSession> {
  const { latentShape } = vae.network;
  const noise = { kind: 'normal', stream: STREAMS.trainingNoise } as const;
  const known: FeedSource[] = [
    { kind: 'rows', name: NAMES.input, dims: vae.dataShape, dtype: 'float32' },
    { kind: 'rows', name: NAMES.label, dims: [], dtype: 'int64' },
    { ...noise, name: NAMES.epsilon, dims: latentShape },
    { ...noise, name: NAMES.epsilons, dims: [vae.objective.samples, ...latentShape] },
    { kind: 'scalar', name: NAMES.klWeight },
    { kind: 'scalar', name: NAMES.datasetSize },
    { kind: 'scalar', name: NAMES.freeBits },
  ];
  const wanted = inputsOf(artifacts);
  const feeds = known.filter(({ name }) => wanted.has(name));
  return loadAddon()
    .createTrainingSession({
      ...session,
      trainingModel: writeModel(graphToRun(artifacts, options, session)),
      evalModel: writeModel(artifacts.evalModel),
      parameters: artifacts.manifest.parameters.map(({ name, dims, gradient, decay }) => ({
        name,
        dims,
        gradient,
        trainable: true,
        weightDecayScale: decay ? 1 : 0,
      })),
      states: artifacts.manifest.states,
      feeds,
      scalars: artifacts.manifest.scalars,
      perExample: artifacts.manifest.perExample,
      optimizer: nativeOptimizer(options.optimizer),
      ...(options.clipGradientNorm === undefined ? {} : { clipGradientNorm: options.clipGradientNorm }),
      ...(options.emaDecay === undefined ? {} : { emaDecay: options.emaDecay }),
      seed,
    })
    .then((native) => {
      native.setParameters(artifacts.checkpoint.parameters);
      native.setStates(artifacts.checkpoint.states);
      return native;
    });
}

/** The training graph with native kernels where they are wanted; they are there for the CPU. */
export function graphToRun(
  { trainingModel }: Pick<Artifacts, 'trainingModel'>,
  { nativeKernels }: Pick<ResolvedFitOptions, 'nativeKernels'>,
  { providers = [] }: SessionOptions,
): Model {
  const first = providers[0]?.name ?? 'cpu';
  return nativeKernels && first === 'cpu' ? withNativeKernels(trainingModel) : trainingModel;
}

/** Names of what the training graph or the evaluated one takes. */
function inputsOf({ trainingModel, evalModel }: Artifacts): Set<string> {
  return new Set([trainingModel, evalModel].flatMap(({ graph }) => graph.inputs.map(({ name }) => name)));
}

function nativeOptimizer({ learningRate: _, ...optimizer }: ResolvedFitOptions['optimizer']): NativeOptimizer {
  return optimizer;
}
