import { VaeError } from '../core/errors.js';
import { describeValue } from '../core/options.js';

/** How to cut a dataset: a fraction, fractions that add up to 1, or counts that add up to the length. */
export type Parts = number | readonly number[];

/** @throws VaeError ERR_VAE_OPTION or ERR_VAE_DATA, as described at `Dataset.split`. */
export function partSizes(parts: Parts, length: number): number[] {
  const list = typeof parts === 'number' ? [parts, 1 - parts] : [...parts];
  if (list.length === 0 || !list.every((part) => Number.isFinite(part) && part > 0)) {
    throw new VaeError(
      'ERR_VAE_OPTION',
      `split(): expected a fraction between 0 and 1, or a list of fractions or row counts, each above 0, received ${describeValue(parts)}.`,
    );
  }
  const total = list.reduce((sum, part) => sum + part, 0);
  const sizes =
    Math.abs(total - 1) < 1e-9 && list.some((part) => part < 1) ? fractions(list, length) : counts(list, total, length);
  const empty = sizes.indexOf(0);
  if (empty >= 0) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `split(): part ${empty + 1} of ${sizes.length} would be empty: the dataset has ${length} rows.`,
    );
  }
  return sizes;
}

/** Cuts at the rounded running sums, so that the sizes always add up. */
function fractions(list: readonly number[], length: number): number[] {
  let sum = 0;
  let cut = 0;
  return list.map((fraction, index) => {
    sum += fraction;
    const next = index === list.length - 1 ? length : Math.round(sum * length);
    const size = next - cut;
    cut = next;
    return size;
  });
}

function counts(list: readonly number[], total: number, length: number): number[] {
  if (list.every(Number.isInteger) && total === length) return [...list];
  throw new VaeError(
    'ERR_VAE_OPTION',
    `split(): parts must be fractions that add up to 1 or row counts that add up to the dataset's ${length} rows, ` +
      `received ${describeValue(list)}, which add up to ${total}.`,
  );
}
