/** Where a directory's training stands, for the VAE that was found in it. */
import type { VaeNetwork } from '../../architectures/graphs.js';
import type { ParameterStore } from '../../architectures/parameters.js';
import { VaeError } from '../../core/errors.js';
import type { Artifacts } from '../generate.js';
import { artifactsOf, type TrainingState } from '../model-io.js';
import type { OrtTensor } from './checkpoint.js';
import type { OrtDirectory } from './directory.js';
import { toCheckpoint } from './state.js';

/**
 * @throws VaeError ERR_VAE_GRAPH for parameters that both halves use, which would not stay the same; ERR_VAE_REPRODUCIBILITY
 *   for a checkpoint of other graphs.
 */
export function ortTraining(
  { checkpoint, checkpointPath, optimizer }: OrtDirectory,
  model: { readonly vae: VaeNetwork; readonly parameters: ParameterStore },
): TrainingState {
  const artifacts: Artifacts = artifactsOf(model, optimizer.optimizer, optimizer.clipGradientNorm, 'sum');
  const names = new Map<string, string>();
  for (const { name } of artifacts.manifest.parameters) {
    const own = name.replace(/^(encoder|decoder)\./, '');
    const twin = names.get(own);
    if (twin !== undefined) {
      throw new VaeError(
        'ERR_VAE_GRAPH',
        `Parameter "${own}" is used by the encoder and by the decoder, which would have one each; train the directory ` +
          'with TrainingSession.create({ artifacts }), which leaves it one.',
      );
    }
    names.set(own, name);
  }
  const renamed = <T extends OrtTensor>(tensors: readonly T[]): OrtTensor[] =>
    tensors.map((tensor) => ({ ...tensor, name: names.get(tensor.name) ?? tensor.name }));
  const saved = {
    ...checkpoint,
    trainable: renamed(checkpoint.trainable),
    groups: checkpoint.groups.map((group) => ({
      ...group,
      states: group.states.map((state) => ({ ...state, parameter: names.get(state.parameter) ?? state.parameter })),
    })),
  };
  const state = toCheckpoint(artifacts, saved, checkpointPath);
  return {
    optimizer: optimizer.optimizer,
    clipGradientNorm: optimizer.clipGradientNorm,
    accumulation: 'sum',
    checkpoint: { ...state, progress: { ...state.progress, learningRate: 0, loop: BEFORE } },
  };
}

/** A loop that has seen nothing of this package's epochs yet. */
const BEFORE = {
  epochs: [],
  partial: { loss: 0, reconstruction: 0, kl: 0, seen: 0, steps: 0, gradientNorm: 0, updateNorm: 0 },
  rateScale: 1,
  klScale: 1,
  klWeight: 0,
  toldOfCollapse: false,
  fingerprint: '',
};
