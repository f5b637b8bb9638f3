/** What is done to rows. An operation on rows is a file and a line of the table in index.ts. */
import type { BatchInput } from '../../inference/rows/rows.js';
import type { Vae } from '../../vae/vae.js';
import type { JobSettings } from '../job.js';
import type { Rows } from '../rows/piece.js';
import type { ColumnData } from '../spool.js';

export interface RowCall {
  readonly rows: Rows;
  /** Class numbers, for conditional models. */
  readonly labels?: readonly number[] | undefined;
  /** Number of the first row among all draws of the job: the same rows have the same draws, whoever makes them. */
  readonly draw: bigint;
  readonly signal?: AbortSignal | undefined;
}

export interface RowOperation {
  /** Whether its input are latents rather than data. */
  readonly takesLatents: boolean;
  run(vae: Vae, call: RowCall, settings: JobSettings): Promise<readonly ColumnData[]>;
}

/** Rows with their labels, as models take them. */
export function withLabels({ rows, labels }: RowCall, settings: JobSettings): BatchInput {
  const own = settings.label ?? labels;
  return { data: rows.data, shape: rows.shape, ...(own !== undefined && { labels: own }) } as BatchInput;
}

export function callOf({ signal }: RowCall): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}
