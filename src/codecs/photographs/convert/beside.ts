/** What stands beside the pixels of a file, as PNG chunks, and how these are stored. */
export interface Beside {
  readonly chunks: readonly Uint8Array[];
  /** Bits of a sample where fewer than its reader gives. */
  readonly depth?: number;
  /** Whether its colours become a palette. */
  readonly palette?: boolean;
}
