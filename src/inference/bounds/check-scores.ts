/** Scores that are not finite, and whose doing that is: the row's, or the model's. */
import { VaeError } from '../../core/errors.js';
import type { Networks } from '../networks.js';
import type { RowReader } from '../rows/rows.js';
import type { ScoreRows } from './score.js';

/**
 * The scores, where all of them are numbers; by whatever way they were made.
 *
 * @throws VaeError ERR_VAE_RUNTIME naming the first row whose score is none, and where in the model that begins.
 */
export async function checkedScores<T extends ScoreRows>(
  scores: T,
  networks: Networks,
  reader: RowReader,
  where: string,
): Promise<T> {
  const arrays: (Float32Array | undefined)[] = [scores.reconstruction, scores.kl, scores.importanceWeighted];
  let row = reader.rows;
  for (const values of arrays) {
    const found = values?.findIndex((value) => !Number.isFinite(value)) ?? -1;
    if (found >= 0) row = Math.min(row, found);
  }
  if (row === reader.rows) return scores;
  const { blame } = await import('./blame.js');
  const terms = `reconstruction ${scores.reconstruction[row]}, kl ${scores.kl[row]}`;
  throw new VaeError(
    'ERR_VAE_RUNTIME',
    `${where}: the score of row ${row} is not finite (${terms}), though the row itself is: ${await blame(networks, reader, row)}. ` +
      'Leave the row out, scale the data as the model was trained on them, or train the model with clipGradientNorm or a lower learning rate.',
  );
}
