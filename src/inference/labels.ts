/** Labels for a conditional model, as its graphs take them. */
import { NAMES } from '../architectures/graphs.js';
import { VaeError } from '../core/errors.js';
import { describeValue } from '../core/options.js';
import { Dataset } from '../data/dataset.js';
import type { Networks } from './networks.js';
import type { Feeds } from './session.js';

/** One class number for all rows, or one for each. */
export type LabelRows = number | ArrayLike<number>;

/** The options of a call on the latents of a batch: its labels, unless given, are the batch's. */
export function withBatchLabels<Call extends { readonly labels?: LabelRows | undefined }>(
  { classes }: Networks,
  call: Call,
  batch: unknown,
): Call {
  if (classes === undefined || call.labels !== undefined || !(batch instanceof Dataset)) return call;
  const { labels } = batch;
  return labels === undefined ? call : { ...call, labels: labels.values };
}

/**
 * What a graph is fed besides rows `from` to `to`.
 *
 * @param given the call's labels; those of the batch where it is a labelled dataset and the call has none.
 * @throws VaeError ERR_VAE_OPTION where labels are missing, or given to a model that has none;
 *   ERR_VAE_DATA where one is not a class of the model, or they are not one for each row.
 */
export function labelFeeds(
  { classes }: Networks,
  given: LabelRows | undefined,
  batch: unknown,
  rows: number,
  where: string,
): ((from: number, to: number) => Feeds) | undefined {
  if (classes === undefined) {
    if (given === undefined) return undefined;
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${where}: this model is not conditional, so it has no use for labels; make one with Vae.create({ condition: { classes } }).`,
    );
  }
  const labels = given ?? (batch instanceof Dataset ? batch.labels?.values : undefined);
  if (labels === undefined) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${where}: this model is conditional: give { labels }, one class number from 0 to ${classes - 1} or one for each row.`,
    );
  }
  const values = typeof labels === 'number' ? new Array<number>(rows).fill(labels) : labels;
  if (values.length !== rows) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${where}: expected ${rows} labels, one for each row, received ${values.length}.`,
    );
  }
  const all = new BigInt64Array(rows);
  for (let row = 0; row < rows; row += 1) {
    const label = values[row]!;
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${where}: the label of row ${row} is ${describeValue(label)}; this model knows classes 0 to ${classes - 1}.`,
      );
    }
    all[row] = BigInt(label);
  }
  return (from, to) => ({ [NAMES.label]: { dtype: 'int64', dims: [to - from], data: all.subarray(from, to) } });
}
