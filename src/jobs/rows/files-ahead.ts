/** Files of a list, each read when its turn comes; small ones together, groups ahead. */
import type { PlanItem } from '../inputs/items.js';
import { storageOf } from '../places/index.js';
import { SMALL_FILE_BYTES, type WholeFile } from '../places/place.js';

/** Groups that are read at once: disks of other machines answer many as fast as one. */
const GROUPS = 4;
/** Of a group. */
const MOST_FILES = 16;
const MOST_BYTES = 1 << 20;

interface Group {
  readonly from: number;
  readonly to: number;
  readonly files: Promise<readonly (WholeFile | undefined)[]>;
}

export class FilesAhead {
  readonly #items: readonly PlanItem[];
  readonly #signal: AbortSignal | undefined;
  #groups: Group[] = [];

  constructor(items: readonly PlanItem[], signal: AbortSignal | undefined) {
    this.#items = items;
    this.#signal = signal;
  }

  /** @param index of the list; each at most once, one after the other. */
  read(index: number): () => Promise<WholeFile> {
    const { path } = this.#items[index]!;
    // Those before are read by whoever asked for them.
    this.#groups = this.#groups.filter(({ to }) => to > index);
    let next = this.#groups.at(-1)?.to ?? index;
    while (this.#groups.length < GROUPS) {
      const begun = this.#begin(next);
      if (begun === next) break;
      next = begun;
    }
    const group = this.#groups.find(({ from, to }) => from <= index && index < to);
    return async () => {
      this.#signal?.throwIfAborted();
      const file = (await group?.files)?.[index - group!.from];
      return file ?? storageOf(path).readWhole(path, this.#signal);
    };
  }

  /** Begins to read the small files from here on; gives where the next begin. */
  #begin(from: number): number {
    const paths: string[] = [];
    let bytes = 0;
    let to = from;
    for (; to < this.#items.length && paths.length < MOST_FILES; to += 1) {
      const item = this.#items[to]!;
      bytes += item.size;
      const small = item.kind === 'file' && item.size > 0 && item.size <= SMALL_FILE_BYTES && bytes <= MOST_BYTES;
      if (!small || storageOf(item.path).readSmall === undefined) break;
      paths.push(item.path);
    }
    // One alone gains nothing.
    if (paths.length < 2) return from;
    const files = storageOf(this.#items[from]!.path).readSmall!(paths);
    files.catch(() => {}); // awaited later; until then not unhandled
    this.#groups.push({ from, to, files });
    return to;
  }
}
