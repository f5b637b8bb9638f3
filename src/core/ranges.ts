/** Whole ranges of open files: one call of the system may read or write less than was asked. */
import { type FileHandle, open } from 'node:fs/promises';
import type { ReadableFile } from './memory-file.js';

/** One call reads at most 2 GiB, and an abort is seen between calls. */
const PIECE_BYTES = 64 << 20;

/** Fills `bytes` from `offset` on, as far as the file goes; how many came. */
export async function readInto(
  file: ReadableFile,
  bytes: Uint8Array,
  offset: number,
  signal?: AbortSignal,
): Promise<number> {
  let done = 0;
  while (done < bytes.length) {
    signal?.throwIfAborted();
    const { bytesRead } = await file.read(bytes, done, Math.min(PIECE_BYTES, bytes.length - done), offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

/** The first bytes of a file, fewer where it has fewer: what kind of file it is shows there. */
export async function readHead(path: string, length: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, await readInto(file, bytes, 0));
  } finally {
    await file.close();
  }
}

/** Exactly these bytes, into memory of that length; undefined where the file ends before. */
export async function readFully<T extends Uint8Array = Buffer>(
  file: ReadableFile,
  offset: number,
  length: number,
  into?: T,
): Promise<T | undefined> {
  const bytes = into ?? (Buffer.allocUnsafe(length) as Uint8Array as T);
  return (await readInto(file, bytes, offset)) === length ? bytes : undefined;
}

/** All of the bytes, at `offset`; null: where the file stands, as pipes and files that are appended to want it. */
export async function writeFully(file: FileHandle, bytes: Uint8Array, offset: number | null): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset === null ? null : offset + done);
    done += bytesWritten;
  }
}
