/** Class labels that travel with the rows of a dataset. */
import { VaeError } from '../core/errors.js';
import { describeValue } from '../core/options.js';

export interface Labels {
  /** One class number for each row; -1 where a row has none. */
  readonly values: Int32Array;
  /** Name of each class, by its number. */
  readonly classes: readonly string[];
}

/** Labels as users have them: class numbers, or class names. */
export type LabelsInput = Labels | ArrayLike<number> | ArrayLike<bigint> | ArrayLike<string>;

/** The class number of rows without a label. */
export const UNLABELLED = -1;

/** More classes than this are almost certainly not classes. */
const MOST_CLASSES = 1_000_000;

/**
 * Checks labels and brings them into one form. Class numbers without names are named by themselves;
 * class names are numbered in sorted order.
 *
 * @throws VaeError ERR_VAE_DATA where there is not one valid label for each of `rows`.
 */
export function toLabels(input: LabelsInput, rows: number, where: string, classes?: readonly string[]): Labels {
  const given = isLabels(input) ? input.values : input;
  if (given.length !== rows) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `${where}: expected one label for each of the ${rows} rows, received ${given.length} labels.`,
    );
  }
  if (isLabels(input)) return fromNumbers(input.values, where, classes ?? input.classes);
  if (typeof given[0] === 'string') return fromNames(given as ArrayLike<string>, where, classes);
  return fromNumbers(given as ArrayLike<number>, where, classes);
}

/** The labels of chosen rows. */
export function selectLabels(labels: Labels, rows: ArrayLike<number>): Labels {
  return { values: Int32Array.from(rows, (row) => labels.values[row]!), classes: labels.classes };
}

function isLabels(input: LabelsInput): input is Labels {
  return 'values' in input && 'classes' in input;
}

function fromNumbers(input: ArrayLike<number | bigint>, where: string, classes?: readonly string[]): Labels {
  const values = new Int32Array(input.length);
  let highest = -1;
  for (let row = 0; row < values.length; row += 1) {
    const value = Number(input[row]);
    if (!Number.isInteger(value) || value < UNLABELLED || value >= MOST_CLASSES) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${where}: label of row ${row}: expected a class number from 0 (or -1 for none), received ${describeValue(input[row])}.`,
      );
    }
    if (classes !== undefined && value >= classes.length) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${where}: label of row ${row} is class ${value}, but only ${classes.length} classes are named.`,
      );
    }
    values[row] = value;
    highest = Math.max(highest, value);
  }
  return { values, classes: classes ?? Array.from({ length: highest + 1 }, (_, index) => String(index)) };
}

function fromNames(input: ArrayLike<string>, where: string, classes?: readonly string[]): Labels {
  const names = classes ?? [...new Set(Array.from(input))].sort();
  const numbers = new Map(names.map((name, index) => [name, index]));
  const values = new Int32Array(input.length);
  for (let row = 0; row < values.length; row += 1) {
    const number = numbers.get(input[row]!);
    if (number === undefined) {
      throw new VaeError(
        'ERR_VAE_DATA',
        `${where}: label of row ${row}, ${describeValue(input[row])}, is not one of the classes.`,
      );
    }
    values[row] = number;
  }
  return { values, classes: names };
}
