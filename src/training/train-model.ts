/** Trains a VAE: artifacts, native session, epochs, and the parameters and checkpoint that come out. */
import { NAMES } from '../architectures/graphs.js';
import { BYTE_SCALE } from '../architectures/input.js';
import { CHECKPOINT_SLOTS, type Checkpoint, type CheckpointSlot } from '../artifacts/checkpoint.js';
import type { Artifacts } from '../artifacts/generate.js';
import { artifactsOf, type ModelParts, type TrainingState } from '../artifacts/model-io.js';
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
import { writeModel } from '../graph/index.js';
import { checkRowShape } from '../inference/rows.js';
import { freshState, type LoopState, runEpochs } from './fit-loop.js';
import type { ResolvedFitOptions } from './fit-options.js';
import type { FitProgress, History } from './progress.js';

export interface TrainModelOptions {
  readonly options: ResolvedFitOptions;
  readonly train: Dataset;
  readonly validation: Dataset | undefined;
  readonly session: SessionOptions;
  emit(progress: FitProgress): void;
  /** Receives where training stands when it ends, in whatever way. */
  keep(training: TrainingState): void;
}

/** @throws VaeError for data that does not fit the model; whatever the run itself ends with. */
export async function trainModel(parts: ModelParts, request: TrainModelOptions): Promise<History> {
  const { options, train, validation } = request;
  checkData(parts, train, 'fit()');
  if (validation !== undefined) checkData(parts, validation, 'fit(), validation');
  const resumed = options.resume ? parts.training : undefined;
  const seed = resumed ? BigInt(resumed.checkpoint.progress.seed) : BigInt(options.seed ?? parts.description.seed);
  const artifacts = artifactsOf(parts, options.optimizer, options.clipGradientNorm);
  const session = await openSession(parts, artifacts, request, seed);
  const state = resumed ? restore(session, resumed, options) : freshState();
  try {
    return await runEpochs(session, train, validation, {
      options,
      seed,
      transform: transformOf(train, options),
      state,
      emit: request.emit,
    });
  } finally {
    request.keep(snapshot(session, artifacts, options, state, seed));
    await session.close();
  }
}

function checkData({ vae }: ModelParts, data: Dataset, where: string): void {
  checkRowShape(data.rowShape, vae.dataShape, where);
  if (vae.likelihood.domain !== 'unit' || data.dtype === 'uint8') return;
  const values = data.memory ?? data.indexed?.memory;
  const outside = values?.findIndex((value: number) => !(value >= 0 && value <= 1)) ?? -1;
  if (outside < 0) return;
  throw new VaeError(
    'ERR_VAE_DATA',
    `${where}: this likelihood is defined on values from 0 to 1, but the data holds ${values![outside]}. ` +
      'Scale the data, pass 8-bit values, or use the gaussian likelihood.',
  );
}

function transformOf(data: Dataset, options: ResolvedFitOptions): RowTransform {
  return { scale: data.dtype === 'uint8' ? BYTE_SCALE : 1, offset: 0, binarise: options.binarise };
}

function openSession(
  { vae }: ModelParts,
  artifacts: Artifacts,
  { options, session }: TrainModelOptions,
  seed: bigint,
): Promise<NativeTrainingSession> {
  const feeds: FeedSource[] = [
    { kind: 'rows', name: NAMES.input, dims: vae.dataShape, dtype: 'float32' },
    { kind: 'normal', name: NAMES.epsilon, dims: vae.network.latentShape, stream: STREAMS.trainingNoise },
    { kind: 'scalar', name: NAMES.klWeight },
  ];
  return loadAddon()
    .createTrainingSession({
      ...session,
      trainingModel: writeModel(artifacts.trainingModel),
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
      seed,
    })
    .then((native) => {
      native.setParameters(artifacts.checkpoint.parameters);
      native.setStates(artifacts.checkpoint.states);
      return native;
    });
}

function nativeOptimizer({ learningRate: _, ...optimizer }: ResolvedFitOptions['optimizer']): NativeOptimizer {
  return optimizer;
}

/** Brings a session and the loop to where an earlier run stopped. */
function restore(
  session: NativeTrainingSession,
  { checkpoint, optimizer }: TrainingState,
  options: ResolvedFitOptions,
): LoopState {
  if (optimizer.type !== options.optimizer.type) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `fit(): cannot resume with optimizer "${options.optimizer.type}", the model was trained with "${optimizer.type}".`,
    );
  }
  session.setParameters(checkpoint.parameters);
  session.setStates(checkpoint.states);
  for (const slot of CHECKPOINT_SLOTS) {
    const values = checkpoint.slots[slot];
    if (values) session.setSlot(slot, values);
  }
  const { step, microBatch, epoch, position, pending, learningRate, loop } = checkpoint.progress;
  session.step = step;
  session.pendingMicroBatches = pending;
  const { epochs, partial } = loop as unknown as Pick<LoopState, 'epochs' | 'partial'>;
  return { epoch, position, microBatch, learningRate, epochs: [...epochs], partial: { ...partial } };
}

function snapshot(
  session: NativeTrainingSession,
  { manifest }: Artifacts,
  options: ResolvedFitOptions,
  state: LoopState,
  seed: bigint,
): TrainingState {
  const slots: Partial<Record<CheckpointSlot, Float32Array>> = {};
  for (const slot of CHECKPOINT_SLOTS) {
    const values = slot === 'accumulator' && session.pendingMicroBatches === 0 ? undefined : session.getSlot(slot);
    if (values) slots[slot] = values;
  }
  const { epoch, position, microBatch, learningRate, epochs, partial } = state;
  const checkpoint: Checkpoint = {
    manifest,
    parameters: session.getParameters(),
    slots,
    states: session.getStates(),
    progress: {
      step: session.step,
      microBatch,
      epoch,
      position,
      pending: session.pendingMicroBatches,
      seed: String(seed),
      learningRate,
      loop: { epochs, partial },
    },
  };
  return { optimizer: options.optimizer, clipGradientNorm: options.clipGradientNorm, checkpoint };
}
