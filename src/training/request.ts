/** What a run of training is asked to do. */
import type { TrainingState } from '../artifacts/model-io.js';
import type { SessionOptions } from '../binding/addon.js';
import type { Dataset } from '../data/dataset.js';
import type { FitControl } from './control.js';
import type { ResolvedFitOptions } from './fit-options.js';
import type { FitProgress } from './progress.js';

export interface TrainModelOptions {
  readonly options: ResolvedFitOptions;
  readonly train: Dataset;
  readonly validation: Dataset | undefined;
  readonly session: SessionOptions;
  emit(progress: FitProgress, control: FitControl): void;
  /** Receives where training stands when it ends, in whatever way. */
  keep(training: TrainingState): void;
}
