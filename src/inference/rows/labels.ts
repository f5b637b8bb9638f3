/** Labels for a conditional model, as its graphs take them. */
import { NAMES } from '../../architectures/names.js';
import { VaeError } from '../../core/errors.js';
import { describeValue } from '../../core/options.js';
import type { ArrayWithShape } from '../../core/tensor.js';
import type { Networks } from '../networks.js';
import type { Feeds } from '../sessions/session.js';

/** One class number for all rows, or one for each. */
export type LabelRows = number | ArrayLike<number>;

/** Rows that bring their labels along, such as `Dataset.batch()` gives. Models that take no labels leave them. */
export interface LabelledArray extends ArrayWithShape {
  readonly labels?: LabelRows | { readonly values: ArrayLike<number> };
}

/** The options of a call on the latents of a batch: its labels, unless given, are the batch's. */
export function withBatchLabels<Call extends { readonly labels?: LabelRows | undefined }>(
  { classes }: Pick<Networks, 'classes'>,
  call: Call,
  batch: unknown,
): Call {
  if (classes === undefined || call.labels !== undefined) return call;
  const labels = ownLabels(batch);
  return labels === undefined ? call : { ...call, labels };
}

/** Labels that a dataset or a labelled array brings along. */
export function ownLabels(batch: unknown): LabelRows | undefined {
  const { labels } = (batch ?? {}) as { readonly labels?: LabelledArray['labels'] };
  return typeof labels === 'object' && 'values' in labels && typeof labels.values !== 'function'
    ? labels.values
    : (labels as LabelRows | undefined);
}

/**
 * The label of each row, for a model that takes any.
 *
 * @param given the call's labels; those of the batch where it has some and the call has none.
 * @throws VaeError ERR_VAE_OPTION where labels are missing, or given to a model that has none;
 *   ERR_VAE_DATA where one is not a class of the model, or they are not one for each row.
 */
export function rowLabels(
  { classes }: Pick<Networks, 'classes'>,
  given: LabelRows | undefined,
  batch: unknown,
  rows: number,
  where: string,
): Int32Array | undefined {
  if (classes === undefined) {
    if (given === undefined) return undefined;
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${where}: this model is not conditional, so it has no use for labels; make one with Vae.create({ condition: { classes } }).`,
    );
  }
  const labels = given ?? ownLabels(batch);
  if (labels === undefined) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `${where}: this model is conditional: give { labels }, one class number from 0 to ${classes - 1} or one for each row.`,
    );
  }
  const count = typeof labels === 'number' ? rows : labels.length;
  if (count !== rows) {
    throw new VaeError('ERR_VAE_DATA', `${where}: expected ${rows} labels, one for each row, received ${count}.`);
  }
  const all = new Int32Array(rows);
  for (let row = 0; row < rows; row += 1) {
    const label = typeof labels === 'number' ? labels : labels[row]!;
    if (!Number.isInteger(label) || label < 0 || label >= classes) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${where}: the label of row ${row} is ${describeValue(label)}; this model knows classes 0 to ${classes - 1}.`,
      );
    }
    all[row] = label;
  }
  return all;
}

/** What a graph is fed besides rows `from` to `to`; see rowLabels. */
export function labelFeeds(
  networks: Pick<Networks, 'classes'>,
  given: LabelRows | undefined,
  batch: unknown,
  rows: number,
  where: string,
): ((from: number, to: number) => Feeds) | undefined {
  return checkedLabelFeeds(rowLabels(networks, given, batch, rows, where));
}

/** The same of labels that were checked. */
export function checkedLabelFeeds(labels: Int32Array | undefined): ((from: number, to: number) => Feeds) | undefined {
  if (labels === undefined) return undefined;
  const all = BigInt64Array.from(labels, BigInt);
  return (from, to) => ({ [NAMES.label]: { dtype: 'int64', dims: [to - from], data: all.subarray(from, to) } });
}
