/** Files of a shard, under their names when they are whole, and the record that it is done. */
import { createHash } from 'node:crypto';
import type { NewFile } from './formats/format.js';
import type { ItemError, ShardFile, ShardResult } from './job.js';
import { doneFile } from './layout.js';
import type { Place } from './places/place.js';

/** Writes files in their order; what they are. */
export async function writeFiles(place: Place, files: readonly NewFile[], signal?: AbortSignal): Promise<ShardFile[]> {
  const written: ShardFile[] = [];
  for (const { name, chunks } of files) {
    const hash = createHash('sha256');
    let bytes = 0;
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of gathered(chunks)) {
        hash.update(chunk);
        bytes += chunk.length;
        yield chunk;
      }
    };
    await place.write(name, counted(), signal);
    written.push({ name, bytes, sha256: hash.digest('hex') });
  }
  return written;
}

/** Chunks are put together to so many bytes. */
const WRITE_BYTES = 1 << 20;

/** Small chunks as large ones: formats give a few bytes at a time. */
async function* gathered(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const held = Buffer.allocUnsafe(WRITE_BYTES);
  let length = 0;
  for await (const chunk of chunks) {
    if (length + chunk.length > WRITE_BYTES) {
      if (length > 0) yield held.subarray(0, length);
      length = 0;
    }
    if (chunk.length >= WRITE_BYTES) yield chunk;
    else {
      held.set(chunk, length);
      length += chunk.length;
    }
  }
  if (length > 0) yield held.subarray(0, length);
}

export async function writeRecord(place: Place, result: Omit<ShardResult, 'wasDone' | 'seconds'>): Promise<void> {
  const { shard, key, files, items, rows, bytesIn, errors } = result;
  const record = { shard, key, files, items, rows, bytesIn, errors };
  await place.write(doneFile(shard), [Buffer.from(`${JSON.stringify(record)}\n`)]);
}

/** An item that is not in the output, as it is told. */
export function itemError(
  shard: number,
  { name, error }: { readonly name: string; readonly error: { readonly code: string; readonly message: string } },
): ItemError {
  return { shard, name, code: error.code, reason: error.message };
}
