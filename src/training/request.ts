/** What is trained, and how a run of training is asked for. */
import type { Checkpoint } from '../artifacts/checkpoint.js';
import type { Artifacts } from '../artifacts/generate.js';
import type { TrainingState } from '../artifacts/model-io.js';
import type { FeedSource, SessionOptions } from '../binding/addon.js';
import type { Dataset } from '../data/dataset.js';
import type { FitControl } from './control.js';
import type { ResolvedFitOptions } from './fit-options.js';
import type { LoopInputs } from './loop/fit-loop.js';
import type { FitProgress } from './progress.js';

/**
 * An objective with what its graphs are fed: what the one training loop trains. Its training graph gives the scalars
 * `loss`, `reconstruction` and `kl` and takes the weight of the last; its eval graph gives each for every example.
 */
export interface TrainingTask {
  readonly artifacts: Artifacts;
  /** Everything that the graphs may be fed; what they do not take is left out. */
  readonly feeds: readonly FeedSource[];
  readonly inputs: LoopInputs;
  /** Of the random numbers, where neither options nor a checkpoint say. */
  readonly seed: bigint;
  /** Where the model's own training stands, to be resumed. */
  readonly checkpoint: Checkpoint | undefined;
  /** Writes the model with these parameters, for callbacks that ask for it. */
  saveModel(directory: string, parameters: Float32Array, states: Readonly<Record<string, Float32Array>>): Promise<void>;
}

export interface RunRequest {
  readonly options: ResolvedFitOptions;
  readonly train: Dataset;
  readonly validation: Dataset | undefined;
  readonly session: SessionOptions;
  emit(progress: FitProgress, control: FitControl): void;
  /** Receives where training stands when it ends, in whatever way. */
  keep(training: TrainingState): void;
}
