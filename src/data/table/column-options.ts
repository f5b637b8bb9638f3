import type { Column, ColumnMode, NumberMarks } from './columns.js';
import type { DialectOptions } from './dialect.js';

/** How the columns of a file are read. */
export interface ColumnOptions extends DialectOptions {
  readonly encoding?: string | undefined;
  /** How numbers are written. Default: plain. */
  readonly marks?: NumberMarks | undefined;
  /** How a column is kept. Default: as values. */
  readonly modeOf?: ((name: string) => ColumnMode) | undefined;
  /** Makes a column, in place of one of its mode. */
  readonly makeColumn?: ((name: string, rows: number) => Column) | undefined;
  /** Called with the rows that are complete, again and again. */
  readonly each?: ((rows: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Text files: what the file holds, where it is in memory; its path is then a name only. Borrowed. */
  readonly bytes?: Uint8Array | undefined;
}
