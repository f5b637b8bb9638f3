/** Items on their way into a batch: rows of numbers with what they are called, or why there are none. */
import type { VaeError } from '../../core/errors.js';
import type { RowArray } from '../../data/values.js';
import type { Label } from '../inputs/items.js';

/** [rows, ...row], one after another. */
export interface Rows {
  readonly data: RowArray;
  readonly shape: readonly number[];
}

export interface RowNote {
  readonly name: string;
  readonly label?: Label | undefined;
  readonly caption?: string | undefined;
  /** Number of the row within its item, where items have several. */
  readonly part?: number | undefined;
}

export interface Piece {
  /** Items of the plan that this stands for. */
  readonly items: number;
  readonly bytesIn: number;
  /** Where there are any. */
  readonly data?: Rows | undefined;
  readonly notes: readonly RowNote[];
  readonly errors: readonly { readonly name: string; readonly error: VaeError }[];
  /** To be called when `data` is no longer needed, whose memory is then used for others. */
  readonly release?: (() => void) | undefined;
}
