/** What a training run takes where nobody says: from the look of the data. */

import type { Dataset } from '../index.js';
import { CliError } from './errors.js';

/** One class for each that the data's labels name; what else is asked of labels stays. */
export function chooseCondition({ labels }: Dataset, given: unknown): object {
  if (labels !== undefined) return { classes: labels.classes.length, ...(given as object | undefined) };
  throw new CliError(
    'ERR_VAE_DATA',
    '--conditional: the data has no labels. Give them with --labels FILE, or train on a folder with the MNIST names.',
  );
}
