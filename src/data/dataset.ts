import { z } from 'zod';
import { signalShape } from '../core/common-options.js';
import { elementCount } from '../core/dtype.js';
import { VaeError } from '../core/errors.js';
import { describeValue, type InputOf, parseOptions } from '../core/options.js';
import { type Labels, type LabelsInput, toLabels } from './labels.js';
import { permutation } from './permutation.js';
import type { DataRecipe } from './recipe.js';
import { mappedRows, type RowMapper } from './rows/mapped.js';
import { memoryRows } from './rows/memory.js';
import type { IndexedMemory, Rows } from './rows/rows.js';
import { rangeOfRows, selectedRows } from './rows/selected.js';
import { type Parts, partSizes } from './split.js';
import { allocateRows, type RowArray, type RowType } from './values.js';

/** Some rows of a dataset, in the form of `ArrayWithShape`: it goes straight into encode() and score(). */
export interface Batch {
  /** The rows, one after another. Borrowed where the dataset lies in memory: do not write to it. */
  readonly data: RowArray;
  /** [rows, ...rowShape]. */
  readonly shape: readonly number[];
  /** Number of the first row within the dataset. */
  readonly start: number;
  readonly labels?: Labels;
  readonly names?: readonly string[];
  /** Of rows that are scaled by the recipe of arrays: a model that keeps it does not scale them again. */
  readonly recipe?: DataRecipe;
}

const batchSchema = z.strictObject({
  /** Leaves out a last batch that is not full. Default false. */
  dropLast: z.boolean().default(false),
  ...signalShape,
});

export interface BatchOptions extends InputOf<typeof batchSchema> {}

const mapSchema = z.strictObject({
  /** Shape of a row after mapping. Default: unchanged. */
  rowShape: z.array(z.int().positive()).optional(),
  /** Element type after mapping. Default float32. */
  dtype: z.enum(['uint8', 'float32']).default('float32'),
});

export interface MapOptions extends InputOf<typeof mapSchema> {}

/** Rows read at once where a dataset is copied into memory. */
const COPY_ROWS = 1024;

/**
 * Rows of numbers of one shape, with labels and names where there are any. Make one with `toDataset`
 * or a reader such as `readIdx`. Immutable: every method gives a new dataset that shares the rows
 * with this one, and nothing is copied before rows are read.
 */
export class Dataset {
  readonly #rows: Rows;

  /** @internal Inside use: the rows must have been checked. */
  constructor(rows: Rows) {
    this.#rows = rows;
  }

  /** Number of rows. */
  get length(): number {
    return this.#rows.length;
  }

  /** Shape of one row, channels first: [1, 28, 28] for a grey image of 28 by 28. */
  get rowShape(): readonly number[] {
    return this.#rows.rowShape;
  }

  /** Element type of the rows: `uint8` (0 to 255) or `float32` (any finite number). */
  get dtype(): RowType {
    return this.#rows.dtype;
  }

  get labels(): Labels | undefined {
    return this.#rows.labels;
  }

  /** A name for each row, such as the file it came from. */
  get names(): readonly string[] | undefined {
    return this.#rows.names;
  }

  /** How the rows were made from files; absent for other rows, and after map() and reshape(). */
  get recipe(): DataRecipe | undefined {
    return this.#rows.recipe;
  }

  /** What reading its files guessed, left out or converted, a sentence each, with the option that says otherwise. */
  get notes(): readonly string[] {
    return this.#rows.notes ?? [];
  }

  /**
   * All rows in order, one after another, where they lie so in memory: lent, not copied, not to be
   * written to. Absent for rows that are read or computed when asked for, and for shuffled ones.
   */
  get memory(): RowArray | undefined {
    return this.#rows.memory;
  }

  /**
   * Shuffled or selected rows of an array in memory: row i is row `rows[i]` of `memory`. What can
   * gather rows itself uses this and saves a copy of the whole dataset.
   */
  get indexed(): IndexedMemory | undefined {
    return this.#rows.indexed;
  }

  /**
   * Copies the rows of these numbers, in this order, repeats allowed: [rows.length, ...rowShape].
   *
   * @param pass where rows differ from pass to pass, as augmented ones do: which pass is wanted. The same pass gives
   *   the same rows, in whatever order they are read. Default: for each row the one after that read last.
   * @throws VaeError ERR_VAE_DATA for a number outside the dataset, or for NaN or infinity among the values;
   *   `signal.reason` when aborted.
   */
  async read(rows: ArrayLike<number>, signal?: AbortSignal, pass?: number): Promise<RowArray> {
    for (let index = 0; index < rows.length; index += 1) checkRow(rows[index]!, this.length);
    signal?.throwIfAborted();
    return this.#rows.read(rows, signal, pass);
  }

  /** The first `count` rows; all of them where there are fewer. */
  take(count: number): Dataset {
    if (!Number.isSafeInteger(count) || count < 1) {
      throw new VaeError('ERR_VAE_OPTION', `take(): expected a whole number from 1, received ${describeValue(count)}.`);
    }
    return this.#range(0, Math.min(count, this.length));
  }

  /** The rows of these numbers, in this order, repeats allowed. */
  select(rows: ArrayLike<number>): Dataset {
    if (rows.length === 0) throw new VaeError('ERR_VAE_DATA', 'select(): expected at least one row, received none.');
    for (let index = 0; index < rows.length; index += 1) checkRow(rows[index]!, this.length);
    return new Dataset(selectedRows(this.#rows, Uint32Array.from(rows)));
  }

  /** The rows in an order that only the seed and their number decide. */
  shuffle(seed: number): Dataset {
    return new Dataset(selectedRows(this.#rows, permutation(this.length, seed)));
  }

  /**
   * Cuts the dataset in parts. With a seed the rows are shuffled first; without one they stay in order.
   *
   * @param parts the first part's fraction (0.9 gives nine tenths and one tenth), fractions that add up
   *   to 1, or row counts that add up to the length.
   * @throws VaeError ERR_VAE_OPTION for parts that do not add up, ERR_VAE_DATA where one would be empty.
   */
  split(parts: Parts, seed?: number): Dataset[] {
    const sizes = partSizes(parts, this.length);
    const rows = seed === undefined ? this : this.shuffle(seed);
    let start = 0;
    return sizes.map((size) => {
      const part = rows.#range(start, start + size);
      start += size;
      return part;
    });
  }

  /**
   * Rows changed by a function each time they are read; `toMemory()` makes it once for all.
   *
   * @param mapper gets one row and its number in this dataset, and returns the new row's values.
   */
  map(mapper: RowMapper, options: MapOptions = {}): Dataset {
    const { rowShape = this.rowShape, dtype } = parseOptions(mapSchema, options, 'map()');
    return new Dataset(mappedRows(this.#rows, mapper, rowShape, dtype));
  }

  /** Rows in order, `size` at a time. */
  async *batch(size: number, options: BatchOptions = {}): AsyncGenerator<Batch, void, undefined> {
    if (!Number.isSafeInteger(size) || size < 1) {
      throw new VaeError('ERR_VAE_OPTION', `batch(): expected a whole number from 1, received ${describeValue(size)}.`);
    }
    const { dropLast, signal } = parseOptions(batchSchema, options, 'batch()');
    const rowSize = elementCount(this.rowShape);
    for (let start = 0; start < this.length; start += size) {
      signal?.throwIfAborted();
      const count = Math.min(size, this.length - start);
      if (dropLast && count < size) return;
      const range = rangeOfRows(this.#rows, start, start + count);
      yield {
        data:
          this.memory?.subarray(start * rowSize, (start + count) * rowSize) ??
          (await range.read(indices(count), signal)),
        shape: [count, ...this.rowShape],
        start,
        ...(range.labels && { labels: range.labels }),
        ...(range.names && { names: range.names }),
        ...(this.recipe?.kind === 'array' && { recipe: this.recipe }),
      };
    }
  }

  /** This dataset with its rows one after another in memory; itself where they already are. */
  async toMemory(signal?: AbortSignal): Promise<Dataset> {
    if (this.memory) return this;
    const rowSize = elementCount(this.rowShape);
    const all = allocateRows(this.dtype, this.length * rowSize);
    for await (const { data, start } of this.batch(COPY_ROWS, signal ? { signal } : {})) all.set(data, start * rowSize);
    return new Dataset(memoryRows(all, this.#rows));
  }

  /**
   * The same values under another row shape of as many elements, such as [784] for [1, 28, 28].
   *
   * @throws VaeError ERR_VAE_SHAPE where the number of elements differs.
   */
  reshape(rowShape: readonly number[]): Dataset {
    if (elementCount(rowShape) !== elementCount(this.rowShape)) {
      throw new VaeError(
        'ERR_VAE_SHAPE',
        `reshape(): rows of shape [${this.rowShape.join(', ')}] hold ${elementCount(this.rowShape)} values, ` +
          `[${rowShape.join(', ')}] would hold ${elementCount(rowShape)}.`,
      );
    }
    return new Dataset({ ...this.#rows, rowShape: [...rowShape], recipe: undefined });
  }

  /**
   * The same rows with these labels: class numbers or class names, one for each row.
   *
   * @throws VaeError ERR_VAE_DATA where there is not one valid label for each.
   */
  withLabels(labels: LabelsInput, classes?: readonly string[]): Dataset {
    return new Dataset({ ...this.#rows, labels: toLabels(labels, this.length, 'withLabels()', classes) });
  }

  /** The same rows, said to be made by this recipe: for readers of one's own, and for rows changed in training only. */
  withRecipe(recipe: DataRecipe | undefined): Dataset {
    return new Dataset({ ...this.#rows, recipe });
  }

  /** @internal The same rows, with more to say of how they were read. */
  withNotes(notes: readonly string[]): Dataset {
    return new Dataset({ ...this.#rows, notes: [...this.notes, ...notes] });
  }

  /** @internal The same rows, each read of which `look` sees first. */
  watched(look: (rows: RowArray) => void): Dataset {
    const rows = this.#rows;
    return new Dataset({
      ...rows,
      read: async (wanted, signal, pass) => {
        const read = await rows.read(wanted, signal, pass);
        look(read);
        return read;
      },
    });
  }

  #range(start: number, end: number): Dataset {
    return new Dataset(rangeOfRows(this.#rows, start, end));
  }
}

function indices(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, index) => index);
}

function checkRow(row: number, length: number): void {
  if (!Number.isInteger(row) || row < 0 || row >= length) {
    throw new VaeError(
      'ERR_VAE_DATA',
      `Row numbers of this dataset are whole numbers from 0 to ${length - 1}, received ${describeValue(row)}.`,
    );
  }
}
