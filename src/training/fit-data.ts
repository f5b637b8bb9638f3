import { standardised } from '../data/array/standardise.js';
import type { Dataset } from '../data/dataset.js';
import type { DataRecipe } from '../data/recipe.js';
import { type DatasetInput, toDataset } from '../data/to-dataset.js';

export interface FitDataOptions {
  readonly standardise?: boolean | undefined;
  /** Of the data that the model learned before: arrays are scaled as those were. */
  readonly recipe?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** What fit() was given, as data sets of the model's rows. @throws VaeError as toDataset() does. */
export async function openFitData(
  data: DatasetInput,
  validation: DatasetInput | undefined,
  rowShape: readonly number[],
  { standardise = false, recipe, signal }: FitDataOptions,
): Promise<{ train: Dataset; validation: Dataset | undefined }> {
  signal?.throwIfAborted();
  const named = (where: string) => ({ where, rowShape, ...(signal && { signal }) });
  const before = recipe as DataRecipe | undefined;
  const scaled = (rows: Dataset, like: DataRecipe | undefined): Promise<Dataset> | Dataset => {
    if (rows.recipe !== undefined) return rows;
    if (like?.kind === 'array') return standardised(rows, like, signal);
    return standardise ? standardised(rows, undefined, signal) : rows;
  };
  const train = await scaled(await toDataset(data, named('fit()')), before);
  if (validation === undefined) return { train, validation };
  return { train, validation: await scaled(await toDataset(validation, named('fit(), validation')), train.recipe) };
}
