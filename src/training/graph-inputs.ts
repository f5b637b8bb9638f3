/** What goes into the graphs of training. */
import { NAMES } from '../architectures/graphs.js';
import { BYTE_SCALE } from '../architectures/input.js';
import type { Artifacts } from '../artifacts/generate.js';
import type { ModelParts } from '../artifacts/model-io.js';
import type { RowTransform } from '../binding/addon.js';
import { VaeError } from '../core/errors.js';
import type { Dataset } from '../data/dataset.js';
import type { ResolvedFitOptions } from './fit-options.js';
import type { LoopInputs, ScheduledInput } from './loop/fit-loop.js';
import { scheduleFunction } from './loop/schedules.js';

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

/** Names of what the training graph or the evaluated one takes. */
export function inputsOf({ trainingModel, evalModel }: Artifacts): Set<string> {
  return new Set([trainingModel, evalModel].flatMap(({ graph }) => graph.inputs.map(({ name }) => name)));
}
