/** vae.read() */
import type { Dataset } from '../../data/dataset.js';
import type { ReadDatasetOptions } from '../../data/read-dataset.js';
import { stateOf, type Vae } from '../vae.js';

declare module '../vae.js' {
  interface Vae {
    /**
     * Reads files the way the training data were read: same size and colours, same columns and means, same
     * frames. Data of no kind of their own (.npy, IDX) are read as they are.
     *
     * @throws VaeError as readDataset() does; ERR_VAE_DATA for files of another kind than the model's.
     */
    read(path: string | readonly string[], options?: Omit<ReadDatasetOptions, 'recipe'>): Promise<Dataset>;
  }
}

export function read(
  this: Vae,
  path: string | readonly string[],
  options: Omit<ReadDatasetOptions, 'recipe'> = {},
): Promise<Dataset> {
  return stateOf(this).lifetime.run(async () => {
    const { readDataset } = await import('../../data/read-dataset.js');
    return readDataset(path, { ...options, recipe: this.recipe });
  });
}
