/** Encoded rows of a table as text, as its files write them. */
import type { DisplayColumn } from '../../../src/entries/explorer/types.js';

/** Undefined for a value that is missing. */
export function cellText(row: Float32Array, column: DisplayColumn, encoded: boolean): string | undefined {
  const { at, flag, values, mean = 0, deviation = 1, decimals = 3, prefix = '', suffix = '', date } = column;
  if (values) {
    let best = 0;
    for (let index = 1; index < values.length; index += 1) if (row[at + index]! > row[at + best]!) best = index;
    return encoded && row[at + best]! <= 0 ? undefined : values[best];
  }
  if (encoded && flag !== undefined && row[flag] !== 1) return undefined;
  const value = row[at]! * deviation + mean;
  if (date) return new Date(value).toISOString().slice(0, 10);
  return `${prefix}${decimals > 20 ? String(Number(value.toPrecision(6))) : value.toFixed(decimals)}${suffix}`;
}

/** How much of a category, or how far in deviations, a cell differs: 0 to 1. */
export function cellDifference(a: Float32Array, b: Float32Array, { at, values }: DisplayColumn): number {
  if (values) {
    let apart = 0;
    for (let index = 0; index < values.length; index += 1) apart += Math.abs(a[at + index]! - b[at + index]!) / 2;
    return Math.min(1, apart);
  }
  return Math.min(1, Math.abs(a[at]! - b[at]!) / 2);
}
