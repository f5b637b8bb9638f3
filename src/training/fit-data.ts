import type { Dataset } from '../data/dataset.js';
import { type DatasetInput, toDataset } from '../data/to-dataset.js';

/** What fit() was given, as data sets of the model's rows. @throws VaeError as toDataset() does. */
export async function openFitData(
  data: DatasetInput,
  validation: DatasetInput | undefined,
  rowShape: readonly number[],
  signal: AbortSignal | undefined,
): Promise<{ train: Dataset; validation: Dataset | undefined }> {
  signal?.throwIfAborted();
  const named = (where: string) => ({ where, rowShape, ...(signal && { signal }) });
  const train = await toDataset(data, named('fit()'));
  const held = validation === undefined ? undefined : await toDataset(validation, named('fit(), validation'));
  return { train, validation: held };
}
