/** The native session that trains a model. */
import { type DeviceGraphs, deviceGraphs } from '../artifacts/device-step.js';
import type { Artifacts } from '../artifacts/generate.js';
import { withNativeKernels } from '../artifacts/native-kernels.js';
import { withPlainOperators } from '../artifacts/plain-operators.js';
import type { OptimizerConfig as NativeOptimizer, NativeTrainingSession, SessionOptions } from '../binding/addon.js';
import { loadAddon } from '../binding/index.js';
import { type Model, writeModel } from '../graph/index.js';
import type { ResolvedFitOptions } from './fit-options.js';
import type { RunRequest, TrainingTask } from './request.js';

/** A native session with the parameters of the artifacts. */
export function openSession(
  { artifacts, feeds: known }: Pick<TrainingTask, 'artifacts' | 'feeds'>,
  { options, session }: Pick<RunRequest, 'options' | 'session'>,
  seed: bigint,
): Promise<NativeTrainingSession> {
  const wanted = inputsOf(artifacts);
  const feeds = known.filter(({ name }) => wanted.has(name));
  return loadAddon()
    .createTrainingSession({
      ...session,
      ...(session.plainOperators && { optimizationLevel: 1 as const }),
      trainingModel: writeModel(graphToRun(artifacts, options, session)),
      evalModel: writeModel(session.plainOperators ? withPlainOperators(artifacts.evalModel) : artifacts.evalModel),
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
      ...(isProcessor(session) ? {} : { device: graphsOnDevice(artifacts, options) }),
      seed,
    })
    .then((native) => {
      native.setParameters(artifacts.checkpoint.parameters);
      native.setStates(artifacts.checkpoint.states);
      return native;
    });
}

/** The optimizer as graphs; a provider without memory of its own does without them. */
function graphsOnDevice(
  { manifest, trainingModel }: Artifacts,
  { optimizer, clipGradientNorm, emaDecay }: ResolvedFitOptions,
): DeviceGraphs {
  const outputs = new Map(trainingModel.graph.outputs.map(({ name, shape }) => [name, shape]));
  return deviceGraphs({
    parameters: manifest.parameters,
    states: manifest.states,
    scalars: manifest.scalars.map((name) => outputs.get(name) ?? []),
    optimizer,
    clipGradientNorm,
    average: emaDecay !== undefined,
  });
}

function isProcessor({ providers = [] }: SessionOptions): boolean {
  return (providers[0]?.name ?? 'cpu') === 'cpu';
}

/** The training graph with native kernels where they are wanted; they are there for the CPU. */
export function graphToRun(
  { trainingModel }: Pick<Artifacts, 'trainingModel'>,
  { nativeKernels }: Pick<ResolvedFitOptions, 'nativeKernels'>,
  session: SessionOptions,
): Model {
  if (session.plainOperators) return withPlainOperators(trainingModel);
  return nativeKernels && isProcessor(session) ? withNativeKernels(trainingModel) : trainingModel;
}

function nativeOptimizer({ learningRate: _, ...optimizer }: ResolvedFitOptions['optimizer']): NativeOptimizer {
  return optimizer;
}

/** Names of what the training graph or the evaluated one takes. */
export function inputsOf({ trainingModel, evalModel }: Artifacts): Set<string> {
  return new Set([trainingModel, evalModel].flatMap(({ graph }) => graph.inputs.map(({ name }) => name)));
}
