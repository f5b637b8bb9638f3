/** A file that a codec may be for, read and tried. */
import { VaeError } from '../../core/errors.js';
import type { TreeFile } from '../../data/file-tree.js';
import { readWhole } from './read-file.js';
import type { Selection } from './selection.js';

/** Undefined for one that cannot be read, which is told, and for one that `use` refuses, which is passed on. */
export async function readCandidate<T>(
  file: TreeFile,
  selection: Selection,
  signal: AbortSignal | undefined,
  use: (bytes: Buffer) => Promise<T>,
): Promise<T | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readWhole(file, signal);
  } catch (error) {
    signal?.throwIfAborted();
    selection.bad(file, error);
    return undefined;
  }
  try {
    return await use(bytes);
  } catch (error) {
    if (!(error instanceof VaeError)) throw error;
    selection.passOn(file, error);
    return undefined;
  }
}
