/** Where an archive's bytes lie: in memory or in a file. */
import { type FileHandle, open } from 'node:fs/promises';
import { VaeError } from '../core/errors.js';
import { ioError } from '../core/files.js';
import { refusePointer } from '../core/lfs.js';
import { readFully } from '../core/ranges.js';
import { damaged } from './format.js';

export interface ByteSource {
  readonly length: number;
  /** Bytes of the archive as it lies there, where these are what a compact form stands for. */
  readonly stored?: number;
  /** Exactly `length` bytes from `offset`. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    length: bytes.length,
    async read(offset, length) {
      if (offset < 0 || offset + length > bytes.length) throw damaged(`it ends before byte ${offset + length}`);
      return bytes.subarray(offset, offset + length);
    },
    async close() {},
  };
}

export async function fileSource(path: string): Promise<ByteSource> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      refusePointer((await readFully(file, 0, Math.min(size, 64))) ?? new Uint8Array(), path);
      return handleSource(file, size, path);
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (error) {
    throw ioError(error, `opening ${path}`);
  }
}

export function handleSource(file: FileHandle, length: number, path: string): ByteSource {
  return {
    length,
    async read(offset, count) {
      if (offset < 0 || offset + count > length) throw damaged(`it ends before byte ${offset + count}`);
      const bytes = await readFully(file, offset, count).catch((error: unknown) => {
        throw ioError(error, `reading ${path}`);
      });
      if (bytes !== undefined) return bytes;
      throw new VaeError('ERR_VAE_IO', `Failed reading ${path}: it became shorter than the ${length} bytes it had.`);
    },
    close: () => file.close(),
  };
}

/** What stands behind the first `start` bytes; closing it closes the whole. */
export function sliceSource(source: ByteSource, start: number): ByteSource {
  return {
    length: source.length - start,
    read: (offset, length) => source.read(start + offset, length),
    close: () => source.close(),
  };
}
