import type { Labels } from '../labels.js';
import type { DataRecipe } from '../recipe.js';
import type { RowArray, RowType } from '../values.js';

/** Chosen rows of an array in memory: row i of the dataset is row `rows[i]` of `memory`. */
export interface IndexedMemory {
  readonly memory: RowArray;
  readonly rows: Uint32Array;
}

/** What stands behind a dataset: checked once, then shared by every view of it. */
export interface Rows {
  readonly length: number;
  readonly rowShape: readonly number[];
  readonly dtype: RowType;
  readonly labels?: Labels;
  readonly names?: readonly string[];
  /** How the rows were made from files, where they were. */
  readonly recipe?: DataRecipe | undefined;
  /** What was guessed, left out or converted in reading; see Dataset.notes. */
  readonly notes?: readonly string[] | undefined;
  /** All rows in order. */
  readonly memory?: RowArray;
  /** Where the rows lie in memory in another order. */
  readonly indexed?: IndexedMemory;
  /** Copies rows whose numbers were checked; `pass` as in Dataset.read. */
  read(rows: ArrayLike<number>, signal?: AbortSignal, pass?: number): Promise<RowArray>;
}
