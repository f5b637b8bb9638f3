/** Whole ranges of open files: one call of the system may read or write less than was asked. */
import type { FileHandle } from 'node:fs/promises';

/** Exactly these bytes; undefined where the file ends before. */
export async function readFully(file: FileHandle, offset: number, length: number): Promise<Buffer | undefined> {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) return undefined;
    done += bytesRead;
  }
  return bytes;
}

/** All of the bytes, at `offset`; null: where the file stands, as pipes and files that are appended to want it. */
export async function writeFully(file: FileHandle, bytes: Uint8Array, offset: number | null): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset === null ? null : offset + done);
    done += bytesWritten;
  }
}
