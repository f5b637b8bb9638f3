/** Training of a Vae: from data of any kind to the model that comes out. */
import type { ModelParts, TrainingState } from '../artifacts/model-io.js';
import type { SessionOptions } from '../binding/addon.js';
import type { DatasetInput } from '../data/to-dataset.js';
import { trainModel } from '../training/fit.js';
import { openFitData } from '../training/fit-data.js';
import type { FitOptions, ResolvedFitOptions } from '../training/fit-options.js';
import type { FitProgress, History } from '../training/progress.js';
import { withRecipe } from './resize.js';

export interface FitRequest {
  readonly data: DatasetInput;
  /** Its validation data may be of any kind, too. */
  readonly validation: DatasetInput | undefined;
  readonly options: ResolvedFitOptions;
  readonly session: SessionOptions;
  emit(progress: FitProgress): void;
  /** Receives the model: with the recipe of its data when training begins, and as it is when it ends in whatever way. */
  keep(parts: ModelParts): void;
}

/** @throws VaeError as Vae.fit() does. */
export async function fitModel(before: ModelParts, request: FitRequest): Promise<History> {
  const { data, validation: held, options, session, emit, keep } = request;
  const rowShape = before.vae.dataShape;
  const { train, validation } = await openFitData(data, held, rowShape, {
    ...options,
    recipe: before.description.data,
  });
  const parts = withRecipe(before, train.recipe);
  keep(parts);
  return trainModel(parts, {
    ...{ options, train, validation, session },
    emit: (progress, control) => {
      options.onProgress?.(progress, control);
      emit(progress);
    },
    keep: (training) => {
      const { parameters: last, slots, states } = training.checkpoint;
      // What training averaged is the model; what it stepped is in the checkpoint.
      keep({ ...parts, parameters: parts.parameters.with(slots.ema ?? last, states), training });
    },
  });
}

/** Options of a run that goes on: what they leave open is as it was in the training before. */
export function goingOn<Data>(options: FitOptions<Data>, before: TrainingState | undefined): FitOptions<Data> {
  if (before === undefined || options?.resume !== true) return options;
  const { optimizer, clipGradientNorm, accumulation } = before;
  return {
    ...options,
    ...(options.optimizer === undefined && { optimizer }),
    ...(options.clipGradientNorm === undefined && clipGradientNorm !== undefined && { clipGradientNorm }),
    ...(options.accumulation === undefined && accumulation !== undefined && { accumulation }),
  };
}
