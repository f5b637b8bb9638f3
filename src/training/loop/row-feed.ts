/** Brings the rows of a dataset before the native session: lent whole where they lie in memory, else read ahead. */
import type { NativeTrainingSession, RowTransform } from '../../binding/addon.js';
import type { Dataset } from '../../data/dataset.js';
import type { RowArray } from '../../data/values.js';

/** The graph's inputs that are fed from a dataset. */
export interface RowNames {
  readonly rows: string;
  /** Input for the labels, int64 [N], where the model has one. */
  readonly labels?: string | undefined;
}

const AS_THEY_ARE: RowTransform = { scale: 1, offset: 0, binarise: 'none' };

/** Rows of one request; the pass over the data decides how those come out that are drawn anew in each. */
export interface PlannedRows {
  readonly rows: Uint32Array;
  readonly pass: number;
}

export interface RowFeed {
  /** Most batches that one request may hold. */
  readonly batchesPerRequest: number;
  /**
   * Makes the rows of a request available and returns the numbers by which the session finds them.
   * `ahead` names the rows of the requests after it, which are read while this one is worked on; it is
   * only asked where rows have to be read.
   */
  prepare(rows: PlannedRows, ahead: Iterable<PlannedRows>): Promise<Uint32Array>;
}

export function feedRows(
  session: NativeTrainingSession,
  names: RowNames,
  data: Dataset,
  transform: RowTransform,
  signal?: AbortSignal,
): RowFeed {
  const indexed = data.indexed;
  const memory = data.memory ?? indexed?.memory;
  if (memory !== undefined) return lendMemory(session, names, data, memory, indexed?.rows, transform);
  return readAhead(session, names, data, transform, signal);
}

function lendMemory(
  session: NativeTrainingSession,
  names: RowNames,
  data: Dataset,
  memory: RowArray,
  selected: Uint32Array | undefined,
  transform: RowTransform,
): RowFeed {
  const rowSize = data.rowShape.reduce((product, dim) => product * dim, 1);
  const count = memory.length / rowSize;
  const labels = names.labels === undefined ? undefined : storedLabels(data, count, selected);
  const attach = (): void => {
    session.attachRows(names.rows, memory, count, transform);
    if (labels) session.attachRows(names.labels!, labels, count, AS_THEY_ARE);
  };
  return {
    batchesPerRequest: Number.POSITIVE_INFINITY,
    async prepare({ rows }) {
      // Attaching is a pointer's worth of work; training and validation share one session and its name.
      attach();
      return selected === undefined ? rows : rows.map((row) => selected[row]!);
    },
  };
}

/** The label of each row of the memory that a dataset lies in. */
function storedLabels(data: Dataset, count: number, selected: Uint32Array | undefined): BigInt64Array {
  const { values } = data.labels!;
  const stored = new BigInt64Array(count);
  for (let row = 0; row < values.length; row += 1) stored[selected?.[row] ?? row] = BigInt(values[row]!);
  return stored;
}

function readAhead(
  session: NativeTrainingSession,
  names: RowNames,
  data: Dataset,
  transform: RowTransform,
  signal: AbortSignal | undefined,
): RowFeed {
  interface Reading extends PlannedRows {
    readonly values: Promise<RowArray>;
  }
  let waiting: readonly Reading[] = [];
  const read = ({ rows, pass }: PlannedRows): Reading => {
    const values = data.read(rows, signal, pass);
    // An error shows when the batch's turn comes; until then it is not unhandled.
    values.catch(() => {});
    return { rows, pass, values };
  };
  const readingOf = (wanted: PlannedRows): Reading =>
    waiting.find((one) => one.pass === wanted.pass && sameRows(one.rows, wanted.rows)) ?? read(wanted);
  return {
    batchesPerRequest: 1,
    async prepare(wanted, ahead) {
      const { rows } = wanted;
      const current = readingOf(wanted);
      // Begun before this batch is waited for, so that reading never stands still.
      waiting = Array.from(ahead, readingOf);
      const values = await current.values;
      session.attachRows(names.rows, values, rows.length, transform);
      if (names.labels !== undefined) {
        const labels = BigInt64Array.from(rows, (row) => BigInt(data.labels!.values[row]!));
        session.attachRows(names.labels, labels, rows.length, AS_THEY_ARE);
      }
      return Uint32Array.from(rows, (_, index) => index);
    },
  };
}

function sameRows(left: Uint32Array, right: Uint32Array): boolean {
  return left.length === right.length && left.every((row, index) => row === right[index]);
}
