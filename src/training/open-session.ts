/** The native session that trains a model. */
import { NAMES } from '../architectures/graphs.js';
import type { Artifacts } from '../artifacts/generate.js';
import type { ModelParts } from '../artifacts/model-io.js';
import { withNativeKernels } from '../artifacts/native-kernels.js';
import type {
  FeedSource,
  OptimizerConfig as NativeOptimizer,
  NativeTrainingSession,
  SessionOptions,
} from '../binding/addon.js';
import { loadAddon } from '../binding/index.js';
import { STREAMS } from '../binding/streams.js';
import { type Model, writeModel } from '../graph/index.js';
import type { ResolvedFitOptions } from './fit-options.js';
import { inputsOf } from './graph-inputs.js';
import type { TrainModelOptions } from './request.js';

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
      sumGradients: options.accumulation === 'sum',
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

function nativeOptimizer({ learningRate: _, ...optimizer }: ResolvedFitOptions['optimizer']): NativeOptimizer {
  return optimizer;
}
