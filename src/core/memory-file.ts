/** Bytes in memory in the place of an open file: for what came over the network and is not to touch the disk. */
import type { FileHandle } from 'node:fs/promises';

/** What readers of ranges use of a file. */
export type ReadableFile = Pick<FileHandle, 'read' | 'stat' | 'close'>;

/** Borrows the bytes: they must not change while the file is open. */
export function memoryFile(bytes: Uint8Array): ReadableFile {
  const file = {
    read: async (into: Uint8Array, offset: number, length: number, position: number) => {
      const part = bytes.subarray(position, position + length);
      into.set(part, offset);
      return { bytesRead: part.length, buffer: into };
    },
    stat: async () => ({ size: bytes.length }),
    close: async () => {},
  };
  return file as unknown as ReadableFile;
}
