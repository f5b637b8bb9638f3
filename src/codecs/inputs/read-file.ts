/** Files that may change while they are read: found by size, time and a second look. */
import { type FileHandle, open } from 'node:fs/promises';
import type { VaeError } from '../../core/errors.js';
import { ioError } from '../../core/files.js';
import { readFully } from '../../core/ranges.js';
import type { TreeFile } from '../../data/file-tree.js';
import { changingError } from './changing.js';

const TRIES = 3;
/** Times are no finer than a tick of the file system: a file that was written this lately is looked at twice. */
const RACY_NS = 2_000_000_000n;

export interface FileState {
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

/** All of a file, the same from its first byte to its last. */
export async function readWhole(file: TreeFile, signal?: AbortSignal): Promise<Buffer> {
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    signal?.throwIfAborted();
    const bytes = await withFile(file, async (handle) => {
      const before = await stateOf(handle);
      const read = await readFully(handle, 0, before.size);
      if (read === undefined || !(await isSame(handle, before))) return undefined;
      if (isRacy(before)) {
        const again = await readFully(handle, 0, before.size);
        if (again === undefined || Buffer.compare(read, again) !== 0 || !(await isSame(handle, before)))
          return undefined;
      }
      return read;
    });
    if (bytes !== undefined) return bytes;
  }
  throw changingError(file.shown);
}

/** A large file that is read in parts, all of one state. */
export async function openState(file: TreeFile): Promise<FileState> {
  return withFile(file, stateOf);
}

/** A part of a file; undefined where the file is not what it was any more. */
export async function readPart(
  file: TreeFile,
  state: FileState,
  offset: number,
  length: number,
): Promise<Buffer | undefined> {
  return withFile(file, async (handle) => {
    const bytes = (await isSame(handle, state)) ? await readFully(handle, offset, length) : undefined;
    if (bytes === undefined || !(await isSame(handle, state))) return undefined;
    if (!isRacy(state)) return bytes;
    const again = await readFully(handle, offset, length);
    return again !== undefined && Buffer.compare(bytes, again) === 0 ? bytes : undefined;
  });
}

export async function fileBegins(path: string | Buffer, start: Uint8Array): Promise<boolean> {
  const handle = await open(path, 'r').catch(() => undefined);
  try {
    const bytes = await handle
      ?.stat()
      .then(({ size }) => (size < start.length ? undefined : readFully(handle, 0, start.length)));
    return bytes !== undefined && Buffer.compare(bytes, start) === 0;
  } finally {
    await handle?.close();
  }
}

async function withFile<T>(file: TreeFile, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await open(file.path, 'r').catch((error: unknown) => {
    throw reading(error, file);
  });
  try {
    return await work(handle);
  } catch (error) {
    throw reading(error, file);
  } finally {
    await handle.close();
  }
}

function reading(error: unknown, { shown }: TreeFile): VaeError {
  return ioError(error, `reading ${shown}`);
}

async function stateOf(handle: FileHandle): Promise<FileState> {
  const { size, mtimeNs, ctimeNs } = await handle.stat({ bigint: true });
  return { size: Number(size), mtimeNs, ctimeNs };
}

async function isSame(handle: FileHandle, { size, mtimeNs }: FileState): Promise<boolean> {
  const now = await stateOf(handle);
  return now.size === size && now.mtimeNs === mtimeNs;
}

function isRacy({ mtimeNs }: FileState): boolean {
  return BigInt(Date.now()) * 1_000_000n - mtimeNs < RACY_NS;
}
