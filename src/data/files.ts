/** Reading data files of any size, gzip-compressed or plain. */

import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { VaeError } from '../core/errors.js';
import { ioError } from '../core/files.js';
import { refusePointer } from '../core/lfs.js';
import { refuseOutOfMemory } from '../core/memory.js';
import { readFully, readInto } from '../core/ranges.js';

/** Decompressed data beyond this is refused, so that a small hostile file cannot fill the memory. */
const MOST_DECOMPRESSED_BYTES = 8 * 2 ** 30;

/**
 * The whole file, decompressed where it is gzip by its first bytes, whatever it is called.
 *
 * @throws VaeError ERR_VAE_IO where it cannot be read, ERR_VAE_FORMAT where its gzip data is damaged, or it is a
 *   pointer of Git LFS.
 */
export async function readDataFile(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  signal?.throwIfAborted();
  try {
    const file = await open(path, 'r');
    try {
      const start = await readFully(file, 0, 2);
      if (start?.[0] !== 0x1f || start[1] !== 0x8b) {
        const bytes = new Uint8Array((await file.stat()).size);
        const whole = bytes.subarray(0, await readInto(file, bytes, 0, signal));
        refusePointer(whole, path);
        return whole;
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw ioError(error, `reading ${path}`);
  }
  return gunzipFile(path, signal);
}

/** Whether a path is there, and as what. */
export async function kindOfPath(path: string): Promise<'file' | 'folder' | 'missing'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'missing';
    throw ioError(error, `reading ${path}`);
  }
}

async function gunzipFile(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let total = 0;
  try {
    await pipeline(
      createReadStream(path, { highWaterMark: 1 << 20 }),
      createGunzip({ chunkSize: 1 << 20 }),
      async (stream: AsyncIterable<Uint8Array>) => {
        for await (const piece of stream) {
          total += piece.length;
          if (total > MOST_DECOMPRESSED_BYTES) {
            throw new VaeError(
              'ERR_VAE_FORMAT',
              `${path}: holds more than ${MOST_DECOMPRESSED_BYTES} bytes when decompressed; decompress it first if that is meant.`,
            );
          }
          pieces.push(piece);
        }
      },
      signal ? { signal } : {},
    );
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    refuseOutOfMemory(error, path);
    const { code } = error as NodeJS.ErrnoException;
    if (code?.startsWith('Z_')) {
      throw new VaeError('ERR_VAE_FORMAT', `${path}: damaged or truncated gzip data (${code}).`, { cause: error });
    }
    throw ioError(error, `reading ${path}`);
  }
  const all = new Uint8Array(total);
  let offset = 0;
  for (const piece of pieces) {
    all.set(piece, offset);
    offset += piece.length;
  }
  return all;
}
