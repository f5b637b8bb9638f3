/** Files of many rows, of which any range can be read without the others. */
import type { TensorLike } from '../../../core/tensor.js';
import type { TableRow } from '../../../data/table/rows.js';
import type { Lend, OpenInput } from '../../places/place.js';
import type { Label, Mark } from '../items.js';

/** What rows hold: one array, files (pictures, mostly), or cells of a table. */
export type RowContent =
  | { readonly kind: 'array'; readonly array: TensorLike }
  | { readonly kind: 'files'; readonly files: readonly (Uint8Array | undefined)[] }
  | { readonly kind: 'cells'; readonly rows: readonly TableRow[] };

export interface RowChunk {
  readonly content: RowContent;
  readonly names?: readonly (string | undefined)[] | undefined;
  readonly labels?: readonly (Label | undefined)[] | undefined;
  readonly captions?: readonly (string | undefined)[] | undefined;
}

/** What can be known of a file's rows without reading them. */
export interface RowNotes {
  /** Type of its labels; undefined: it has none, or that is not known. */
  readonly labels?: 'number' | 'text' | undefined;
  readonly captions?: boolean | undefined;
}

export interface RowFile extends RowNotes {
  readonly rows: number;
  /** @param lend gives memory that the rows may lie in. */
  read(from: number, to: number, signal?: AbortSignal, lend?: Lend): Promise<RowChunk>;
  /** Where rows that are best read at once with this one end; undefined: anywhere. */
  cutOf?(row: number): number;
  /** Where the search for a row can begin. */
  markOf?(row: number): Mark | undefined;
  close(): Promise<void>;
}

export interface RowFileOptions {
  /** The array or column that is the data. */
  readonly array?: string | undefined;
  /** Arrays of latents are wanted: what encode wrote. */
  readonly latents: boolean;
  /** Rows are cells for a model of tables. */
  readonly table: boolean;
  /** What a plan knew: then rows before are not looked at, and `rows` need not be right. */
  readonly mark?: Mark | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A kind of such files: how one is opened. A new kind is a file and a line of the table in index.ts. */
export interface RowFormat {
  readonly endings: readonly string[];
  open(input: OpenInput, options: RowFileOptions): Promise<RowFile>;
}

/** What columns and arrays are called, in the order in which names are tried. */
export const NAMES = {
  latents: ['mean', 'z', 'latent', 'latents', 'draw', 'embedding'],
  data: ['data', 'x', 'output', 'images', 'features', 'samples', 'embeddings', 'values', 'arr_0', 'mean'],
  files: ['image', 'jpg', 'jpeg', 'png', 'webp', 'img', 'picture', 'bytes', 'content'],
  labels: ['label', 'labels', 'class', 'cls', 'y', 'target'],
  captions: ['caption', 'text', 'txt', 'prompt', 'description'],
  names: ['name', 'names', '__key__', 'key', 'file_name', 'filename', 'path', 'id'],
} as const;

export function firstOf(known: readonly string[], wanted: readonly string[]): string | undefined {
  for (const name of wanted) {
    const found = known.find((one) => one.toLowerCase() === name);
    if (found !== undefined) return found;
  }
  return undefined;
}
