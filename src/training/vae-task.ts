/** A VAE as something to train: its graphs and what goes into them. */

import { BYTE_SCALE } from '../architectures/input.js';
import { NAMES } from '../architectures/names.js';
import type { Artifacts } from '../artifacts/generate.js';
import { artifactsOf, type ModelParts, saveModel } from '../artifacts/model-io.js';
import type { FeedSource, RowTransform } from '../binding/addon.js';
import { STREAMS } from '../binding/streams.js';
import { VaeError } from '../core/errors.js';
import type { Dataset } from '../data/dataset.js';
import { summarised } from '../inference/saved/summarise.js';
import type { ResolvedFitOptions } from './fit-options.js';
import type { LoopInputs, ScheduledInput } from './loop/fit-loop.js';
import { scheduleFunction } from './loop/schedules.js';
import { inputsOf } from './open-session.js';
import type { TrainingTask } from './request.js';

/** The training of a VAE as the loop takes it. */
export function vaeTask(parts: ModelParts, train: Dataset, options: ResolvedFitOptions): TrainingTask {
  const artifacts = artifactsOf(parts, options.optimizer, options.clipGradientNorm, options.accumulation);
  return {
    artifacts,
    feeds: feedsOf(parts),
    inputs: loopInputs(parts, artifacts, train, options),
    seed: BigInt(parts.description.seed),
    checkpoint: parts.training?.checkpoint,
    saveModel: (directory, values, states) => {
      const present = { ...parts, parameters: parts.parameters.with(values, states) };
      return saveModel(directory, present, { also: summarised(present) });
    },
  };
}

function feedsOf({ vae }: ModelParts): FeedSource[] {
  const { latentShape } = vae.network;
  const noise = { kind: 'normal', stream: STREAMS.trainingNoise } as const;
  return [
    { kind: 'rows', name: NAMES.input, dims: vae.dataShape, dtype: 'float32' },
    { kind: 'rows', name: NAMES.label, dims: [], dtype: 'int64' },
    { ...noise, name: NAMES.epsilon, dims: latentShape },
    { ...noise, name: NAMES.epsilons, dims: [vae.objective.samples, ...latentShape] },
    { kind: 'scalar', name: NAMES.klWeight },
    { kind: 'scalar', name: NAMES.datasetSize },
    { kind: 'scalar', name: NAMES.freeBits },
  ];
}

/** What goes into the graphs, besides noise and schedules. */
function loopInputs(
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
