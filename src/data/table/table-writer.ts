import type { TableRow } from './rows.js';

/** Gathers rows and gives the bytes of a file of them. */
export interface TableWriter {
  add(rows: readonly TableRow[]): void;
  finish(): Uint8Array[] | Promise<Uint8Array[]>;
}
